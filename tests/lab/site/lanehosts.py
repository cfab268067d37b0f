"""Making the servers of lanes.yml, and making single hosts bare again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from tests.lab.site import content, emulation, engine, images, lanes, machines, pci, probes, roots, vm
from tests.lab.site.engine import Engine
from tests.lab.site.errors import LabError
from tests.lab.site.lanes import Lane, System, host_system
from tests.lab.site.layout import SERVICES_CONTAINER, Host, Layout
from tests.lab.site.progress import Progress
from tests.lab.site.steps import Steps

RPM_TOOLS = ("rpmbuild", "rpmsign", "createrepo_c")
VIRTUAL = "vm"
SLOW_SECONDS = 600
"""A server whose programs are emulated takes its time to boot."""


def tools(wanted: Sequence[Lane]) -> list[str]:
    """Return the programs of this machine that *wanted* are made with, beside those that every site needs."""
    systems = {lane.system for lane in wanted}
    found = list(RPM_TOOLS) if any(system.packages == "rpm" for system in systems) else []
    found += vm.TOOLS if any(lane.kind == VIRTUAL for lane in wanted) else ()
    for system in systems:
        found += [emulation.EMULATORS[system.architecture], *emulation.NATIVE_PROGRAMS, "ldd"] if system.foreign else []
    return found


def existing_lanes(layout: Layout, found: Engine) -> list[Lane]:
    """Return the servers of lanes.yml that there are, running or not."""
    containers = machines.existing_lanes(found)
    virtual = [lane for lane in lanes.lanes() if lane.kind == VIRTUAL and vm.exists(layout, machine(layout, lane))]
    return sorted([*containers, *virtual], key=lambda lane: lane.number)


def with_existing(layout: Layout, found: Engine, wanted: Sequence[Lane]) -> list[Lane]:
    """Return *wanted* and the lanes that there are already."""
    return sorted({*wanted, *existing_lanes(layout, found)}, key=lambda lane: lane.number)


def machine(layout: Layout, lane: Lane) -> vm.VirtualMachine:
    """Return the virtual machine that *lane* is."""
    return vm.VirtualMachine(lane.name, lane.address, pci.write(layout.pci(lane.cards), lane.hardware))


def plan(layout: Layout, found: Engine, wanted: Sequence[Lane], steps: Steps, progress: Progress) -> None:
    """Start the steps that make *wanted*: a root, an image and a repository per system, and the hosts."""
    bases: dict[tuple[str, str], Future[Any]] = {}
    for system in sorted({lane.system for lane in wanted}, key=lambda system: system.name):
        suite = (system.suite, system.debian_architecture)
        if suite not in bases:
            bases[suite] = steps.start(f"root of {' '.join(suite)}", lambda it=system: roots.base_tarball(layout, it))
        image = bases[suite]
        if not system.own_kernel:
            image = steps.start(
                f"image of a bare {system.name}",
                lambda _, it=system: images.host_image(layout, found.client, it),
                bases[suite],
            )
        if system != host_system():
            steps.start(f"repository {system.repository}", lambda _, it=system: _repository(layout, it), bases[suite])
        for lane in wanted:
            if lane.system == system:
                steps.start(
                    f"server {lane.name}", lambda tag, it=lane: start_host(layout, found, it, tag, progress), image
                )


def _repository(layout: Layout, system: System) -> int:
    return content.repository(layout, roots.downloader(layout, system), system)


def start_host(layout: Layout, found: Engine, host: Host, image: str, progress: Progress) -> None:
    """Make and start *host*, or start it when it exists, and wait until it lets the operator in.

    A virtual machine has no use for *image*.
    """
    if isinstance(host, Lane) and host.kind == VIRTUAL:
        virtual = machine(layout, host)
        vm.ensure(layout, virtual, roots.downloader(layout, host.system))
        probes.wait_for_ssh(layout, host, found.url, SLOW_SECONDS, f"tail {vm.console(layout, virtual)}")
        return
    if _system(host).foreign:
        # Gone after a reboot of this machine, whereas roots and images are still there.
        emulation.ensure(_system(host).architecture, layout.logs / "emulation.log")
    container = machines.start(found, machines.server(layout, host, image))
    if image not in container.image.tags:
        progress.say(f"server {host.name}: kept, made from an older image; `lab fresh {host.name}` makes it anew")
    probes.wait_for_ssh(layout, host, found.url, SLOW_SECONDS if _system(host).foreign else probes.BOOT_SECONDS)


def renew(layout: Layout, found: Engine, host: Host, progress: Progress) -> None:
    """Throw *host* away and make a bare one."""
    if isinstance(host, Lane) and host.kind == VIRTUAL:
        vm.remove(layout, machine(layout, host))
        start_host(layout, found, host, "", progress)
        return
    image = images.host_image(layout, found.client, _system(host))
    machines.remove(found, host.container, host.volume)
    start_host(layout, found, host, image, progress)


def existing(layout: Layout, found: Engine, names: Sequence[str]) -> list[Host]:
    """Return the hosts of the site that are called *names*.

    Raises:
        LabError: there is no host of such a name.
    """
    known: dict[str, Host] = {host.name: host for host in machines.existing_nodes(found)}
    known |= {host.name: host for host in existing_lanes(layout, found)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LabError(
            f"the site has no host called {', '.join(unknown)}; it has {', '.join(known)}. "
            "`lab up --lanes NAME` makes one of another system"
        )
    return [known[name] for name in dict.fromkeys(names)]


def listed(layout: Layout) -> dict[str, Any]:
    """Return every lane with its state."""
    found = engine.find(layout)
    return {
        "ready": True,
        "lanes": [
            {
                "name": lane.name,
                "address": str(lane.address),
                "state": state_of(layout, found, lane),
                "system": lane.system.name,
                "python": lane.system.python,
                "cards": f"{lane.hardware.chips} x {lane.hardware.device}",
                "slow": lane.slow,
            }
            for lane in lanes.lanes()
        ],
    }


def state_of(layout: Layout, found: Engine | None, host: Host) -> str:
    """Return one word for what *host* does now."""
    if isinstance(host, Lane) and host.kind == VIRTUAL:
        virtual = machine(layout, host)
        there = "exited" if vm.exists(layout, virtual) else "absent"
        return "running" if vm.running(layout, virtual) else there
    container = machines.find(found, host.container) if found is not None else None
    return str(container.status) if container is not None else "absent"


def remove_virtual(layout: Layout) -> None:
    """Stop the virtual machines and throw their disks away."""
    for lane in lanes.lanes():
        if lane.kind == VIRTUAL:
            vm.remove(layout, machine(layout, lane))


def reload_names(found: Engine) -> None:
    """Let the name server of the site read the list of names again."""
    container = machines.find(found, SERVICES_CONTAINER)
    if container is not None and container.status == "running":
        container.exec_run(["systemctl", "kill", "--signal=HUP", "names.service"])


def _system(host: Host) -> System:
    return host.system if isinstance(host, Lane) else host_system()

"""A virtual machine as a server of the simulated site: its own kernel, its real headers, real reboots.

The emulator's own translation (TCG) runs it, so it needs no support of the processor. It hangs on the bridge of the
site's network with an address of its own, like the servers that are containers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from tests.lab.site import images, keys, roots
from tests.lab.site.archive import Downloader
from tests.lab.site.command import require, run, tool
from tests.lab.site.errors import LabError
from tests.lab.site.lanes import host_system
from tests.lab.site.layout import ASSETS, BRIDGE, GATEWAY, SUBNET, USER, Layout

TOOLS = ("qemu-system-x86_64", "mkfs.ext4", "ip")
KERNEL = ("linux-image-cloud-amd64", "initramfs-tools")
HEADERS = ("linux-headers-cloud-amd64",)
"""Packages of the suite; the headers are those of exactly that kernel."""
MEMORY_MB = 3072
PROCESSORS = 2
DISK_BYTES = 12 << 30
STOP_SECONDS = 20.0
RECIPE = 1
"""Raise it when the code below makes another disk out of the same packages."""


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """One virtual machine; *pci* is a folder of functions as in /sys/bus/pci/devices."""

    name: str
    address: IPv4Address
    pci: Path

    @property
    def tap(self) -> str:
        """Name of its network interface on this machine's bridge."""
        return f"plabvm{int(self.address) & 0xFF}"

    @property
    def hardware_address(self) -> str:
        return f"52:54:00:77:00:{int(self.address) & 0xFF:02x}"


def header_packages(layout: Layout, downloader: Downloader) -> list[Path]:
    """Return the .deb files of the kernel's headers, with all that they need, for the site's apt repository."""
    folder = layout.cache / f"debs-vm-headers-{_key()}"
    return downloader.fetch(HEADERS, roots.dpkg_status(layout), folder)


def ensure(layout: Layout, machine: VirtualMachine, downloader: Downloader) -> None:
    """Start *machine* unless it runs; its disk is made when it is missing, and kept otherwise.

    Raises:
        MissingToolError: the emulator is not installed.
        LabError: it does not start; the text has the end of its log.
    """
    require(*TOOLS)
    if running(layout, machine):
        return
    folder = _folder(layout, machine)
    template = _template(layout, machine, downloader)
    disk = folder / "disk.img"
    if not disk.exists():
        _copy(template / "disk.img", disk)
    _plug(machine, layout.logs / "vm.log")
    _boot(layout, machine, template)


def fresh(layout: Layout, machine: VirtualMachine, downloader: Downloader) -> None:
    """Throw the machine's disk away and start it bare."""
    remove(layout, machine)
    ensure(layout, machine, downloader)


def remove(layout: Layout, machine: VirtualMachine) -> None:
    """End *machine* and throw its disk away."""
    stop(layout, machine)
    if exists(layout, machine):
        shutil.rmtree(_folder(layout, machine))


def exists(layout: Layout, machine: VirtualMachine) -> bool:
    """Return whether *machine* has a disk, running or not."""
    return (layout.root / "vm" / machine.name / "disk.img").exists()


def running(layout: Layout, machine: VirtualMachine) -> bool:
    """Return whether the emulator of *machine* runs."""
    return _pid(layout, machine) is not None


def stop(layout: Layout, machine: VirtualMachine) -> bool:
    """End *machine* at once, its disk stays; return whether it ran."""
    pid = _pid(layout, machine)
    if pid is not None:
        _end(pid)
    if _unused(machine.tap):
        run(["ip", "link", "delete", machine.tap], log=layout.logs / "vm.log")
    return pid is not None


def console(layout: Layout, machine: VirtualMachine) -> Path:
    """Return the file that the machine's serial console writes to."""
    return _folder(layout, machine) / "console.log"


def _folder(layout: Layout, machine: VirtualMachine) -> Path:
    folder = layout.root / "vm" / machine.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key() -> str:
    return roots.digest([images.base_key(host_system()), KERNEL, HEADERS, RECIPE])


def _template(layout: Layout, machine: VirtualMachine, downloader: Downloader) -> Path:
    """Return a folder with the machine's kernel, initial ram disk and fresh disk; make it when it is missing."""
    content = [_key(), roots.tree(ASSETS / "host"), roots.tree(ASSETS / "vm"), machine.name, str(machine.address)]
    pci = sorted(str(file.relative_to(machine.pci)) for file in machine.pci.rglob("*"))
    folder = layout.cache / f"vm-{machine.name}-{roots.digest([content, pci])}"
    if not folder.exists():
        log = layout.logs / "vm.log"
        debs = downloader.fetch(KERNEL, roots.dpkg_status(layout), layout.cache / f"debs-vm-kernel-{_key()}")
        root = roots.unpack_base(layout, host_system(), f"vm-{machine.name}", log)
        images.make_server(root, log)
        roots.install(root, debs, log)
        _furnish(layout, machine, root, log)
        draft = roots.fresh_folder(folder.with_suffix(".partial"))
        for pattern in ("vmlinuz-*", "initrd.img-*"):
            shutil.copyfile(_only(root / "boot", pattern), draft / pattern.partition("-")[0])
        with (draft / "disk.img").open("wb") as disk:
            disk.truncate(DISK_BYTES)
        run(["mkfs.ext4", "-q", "-d", root, draft / "disk.img"], log=log)
        draft.rename(folder)
        shutil.rmtree(root)
    return folder


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise LabError(f"{folder}: found {len(found)} files {pattern}, expected one; the kernel's package changed?")
    return found[0]


def _furnish(layout: Layout, machine: VirtualMachine, root: Path, log: Path) -> None:
    """Give *root* what a machine has of its own: name, address, keys, cards; its kernel is its own to look after."""
    roots.copy_tree(ASSETS / "vm", root)
    shutil.copytree(machine.pci, root / "opt/pci", dirs_exist_ok=True)
    key = keys.host_key(layout, machine)
    operator = root / f"home/{USER}/.ssh"
    operator.mkdir(mode=0o700, exist_ok=True)
    files = {
        "etc/hostname": f"{machine.name}\n",
        "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
        "etc/resolv.conf": layout.resolver.read_text(encoding="ascii"),
        "etc/systemd/network/site.network": (
            f"[Match]\nName=eth0\n\n[Network]\nAddress={machine.address}/{SUBNET.prefixlen}\nGateway={GATEWAY}\n"
        ),
        "etc/ssh/ssh_host_ed25519_key": key.read_text(encoding="ascii"),
        "etc/ssh/ssh_host_ed25519_key.pub": keys.public_half(key).read_text(encoding="ascii"),
        f"home/{USER}/.ssh/authorized_keys": keys.ensure(layout),
    }
    for name, text in files.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text, encoding="ascii")
    (root / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    run(["chroot", root, "chown", "-R", f"{USER}:", f"/home/{USER}/.ssh"], log=log)
    run(["chroot", root, "systemctl", "unmask", *images.MASKED_UNITS], log=log)
    run(["chroot", root, "systemctl", "disable", "site-route.service"], log=log)
    run(["chroot", root, "systemctl", "mask", "apt-daily.timer", "apt-daily-upgrade.timer"], log=log)
    run(["chroot", root, "systemctl", "enable", "systemd-networkd.service", "site-pci.service"], log=log)
    # that one strips a capability for containers in containers; this machine's engine has all of them
    (root / "usr/local/sbin/runc").unlink(missing_ok=True)


def _unused(interface: str) -> bool:
    """Return whether *interface* is there and nobody holds its other end: the machine of another lab may."""
    try:
        return Path("/sys/class/net", interface, "carrier").read_text(encoding="ascii").strip() != "1"
    except FileNotFoundError:
        return False
    except OSError:  # it is not even up
        return True


def _copy(source: Path, target: Path) -> None:
    draft = target.with_suffix(".partial")
    subprocess.run([tool("cp"), "--sparse=always", source, draft], check=True)
    draft.rename(target)


def _plug(machine: VirtualMachine, log: Path) -> None:
    """Make the machine's network interface and put it into the site's bridge."""
    if not Path("/sys/class/net", machine.tap).exists():
        run(["ip", "tuntap", "add", "dev", machine.tap, "mode", "tap"], log=log)
    run(["ip", "link", "set", machine.tap, "master", BRIDGE, "up"], log=log)


def _boot(layout: Layout, machine: VirtualMachine, template: Path) -> None:
    folder = _folder(layout, machine)
    arguments: Sequence[str | Path] = [
        *("-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(MEMORY_MB), "-smp", str(PROCESSORS)),
        *("-nodefaults", "-display", "none", "-serial", f"file:{folder / 'console.log'}"),
        *("-kernel", template / "vmlinuz", "-initrd", template / "initrd.img"),
        *("-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=5"),
        *("-drive", f"file={folder / 'disk.img'},format=raw,if=virtio,cache=unsafe"),
        *("-netdev", f"tap,id=net,ifname={machine.tap},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=net,mac={machine.hardware_address}", "-device", "virtio-rng-pci"),
        *("-daemonize", "-pidfile", folder / "pid"),
    ]
    run(["qemu-system-x86_64", *arguments], log=layout.logs / "vm.log")


def _pid(layout: Layout, machine: VirtualMachine) -> int | None:
    """Return the emulator's process, None when there is none: its number alone might be somebody else's by now."""
    try:
        pid = int((layout.root / "vm" / machine.name / "pid").read_text(encoding="ascii"))
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(_folder(layout, machine) / "disk.img").encode() in words else None


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > limit:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)

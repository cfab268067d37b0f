"""This machine as the origin of moves: the models that it has fetched itself are served to the hosts of one run."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from driver import fleet as fleets
from driver import paths, resolve
from driver.errors import TaskFailed
from driver.fleet import Fleet, FleetHost
from driver.hostprogram import host_module
from driver.models import asking, caching, locking
from driver.models.parts import File, Listing, Place, SourceError, set_id
from driver.plan import Plan
from driver.resolved import ResolvedModel
from driver.site_models import CONTROLLER
from driver.ssh import Job, fan_out
from driver.units import size

Say = Callable[[str], None]
ROLE = "model_store"
VARIABLE = "model_store_origins"
NAME = "controller"
LOOPBACK = str(IPv4Address(socket.INADDR_LOOPBACK))
TOLD_SECONDS = 10.0
REACH_SECONDS = 15.0
_CONNECT = "import socket\nto = socket.create_connection(({address!r}, {port}), 3)\n"
_ASK = "to.sendall(b'GET /status HTTP/1.0\\r\\n\\r\\n')\nassert b' 403 ' not in to.recv(99)\n"
"""What a member is told without the secret is another refusal; who comes from an unknown address is none."""
_ALLOCATED = re.compile(r"Allocated port (\d+) for remote forward")


@contextmanager
def serving(fleet: Fleet, plan: Plan, say: Say) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield the extra variables of a run of *plan*, during which this machine serves what it fetches for the hosts.

    Raises SourceFailed when a source does not give a model, TaskFailed when nobody could get it from here.
    """
    wanted = needed(fleet, plan)
    if not wanted:
        yield {}
        return
    sets = [_fetched(model, fleet, say) for model in resolve.load(fleet.folder).models if model.name in wanted]
    if any(changed for _, changed in sets):
        fleets.load(str(fleet.folder))  # renders the checksums that were counted meanwhile
    hosts = [host for host in fleet.hosts if wanted & _models(host).keys()]
    with ExitStack() as stack:
        port = stack.enter_context(_agent(fleet, hosts, [described for described, _ in sets]))
        yield {VARIABLE: {host: stack.enter_context(way) for host, way in _ways(fleet, hosts, port, say).items()}}


def needed(fleet: Fleet, plan: Plan) -> set[str]:
    """Return the models that this machine has to fetch: those that hosts lack, and that no other host has."""
    lacking = {(change.host, change.after) for change in plan.changes if change.role == ROLE}
    there = [(name, (host.name, to) in lacking) for host in fleet.hosts for name, to in _models(host).items()]
    return {name for name, lacks in there if lacks} - {name for name, lacks in there if not lacks}


def _models(host: FleetHost) -> dict[str, str]:
    """Return the models of *host* that this machine fetches, each with what a change says that it has to be."""
    models = host.wanted.get(ROLE, {}).get("models", []) if ROLE in host.roles else []
    return {
        str(model["name"]): f"{model['repo']}@{model['revision']}" for model in models if model["fetch"] == CONTROLLER
    }


def _fetched(model: ResolvedModel, fleet: Fleet, say: Say) -> tuple[dict[str, Any], bool]:
    """Have *model* on this machine; return it as a set of the agent, and whether site.lock has changed."""
    place = asking.place(model, fleet.secrets)
    files = tuple(File(**file.model_dump()) for file in model.files)
    if not files:
        found = asking.listing(place)
        files = found.files
        place = replace(place, revision=found.revision if model.requested else "")
    folder, whole = Path(model.repo), files
    if model.source == "path":
        _check(place, files)
    else:
        folder, whole = caching.ensure(place, files, moved=_Told(model, sum(file.size for file in files), say))
    known = {(file.path, file.size, file.sha256) for file in model.files}
    changed = known != {(file.path, file.size, file.sha256) for file in whole}
    if changed:
        found = Listing(place.revision or set_id(whole), whole)
        locking.put(fleet.folder / paths.LOCK_FILE, {"models": {model.name: locking.entry(model, found)}})
    listed = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in whole]
    described = {"name": model.name, "folder": str(folder), "files": listed, "mode": "hold", "upstreams": []}
    return {**described, "whole": [file.path for file in whole]}, changed


def _check(place: Place, files: tuple[File, ...]) -> None:
    """Raise SourceFailed when a file of the folder is not as long as it was when it was listed."""
    for file in files:
        path = Path(place.repo) / file.path
        size = path.stat().st_size if path.is_file() else -1
        if size != file.size:
            found = f"{size} bytes" if size >= 0 else "missing"
            text = (
                f"{file.path} is {found}, and has {file.size} bytes in site.lock (`provision lock --update` renews it)"
            )
            raise asking.failed(place, SourceError("spoilt", text))


@dataclass(slots=True)
class _Told:
    """Says now and then how much of a model has come."""

    model: ResolvedModel
    total: int
    say: Say
    last: float = 0.0

    def __call__(self, present: int) -> None:
        """Hear how many bytes are there."""
        if time.monotonic() - self.last >= TOLD_SECONDS:
            self.last = time.monotonic()
            self.say(
                f"{self.model.name}: {size(present)} of {size(self.total)} from {self.model.source} on this machine"
            )


@contextmanager
def _agent(fleet: Fleet, hosts: list[FleetHost], sets: list[dict[str, Any]]) -> Iterator[int]:
    """Run the agent of moves on this machine; yield its port."""
    control, error = host_module("control", "move"), host_module("errors", "move").MoveError
    moves = hosts[0].wanted[ROLE]["moves"]
    secrets = fleet.secrets.moves((ROLE,))
    tls = {"certificate": secrets["MOVE_CERTIFICATE"], "key": secrets["MOVE_KEY"]} if moves["encrypt"] else None
    given = {
        "name": NAME,
        "listen": "",
        "port": 0,
        "secret": secrets["MOVE"],
        "members": [LOOPBACK, *(host.address for host in hosts)],
        "rate_limit_mbit": moves["rate_limit_mbit"],
        "tls": tls,
        "sets": sets,
    }
    folder = str(agent_folder(fleet.folder))
    try:
        try:
            control.ask({**given, "port": moves["port"]}, folder)
        except error:  # another program has it, such as the agent of a host that this machine is, too
            control.stop(folder)
            control.ask(given, folder)
    except error as fault:
        control.stop(folder)
        raise TaskFailed(f"this machine cannot serve the models that it fetched: {fault}") from fault
    try:
        yield int(control.status(folder)["port"])
    finally:
        control.stop(folder)


def agent_folder(site: Path) -> Path:
    """Return the private folder of the agent that serves the hosts of the site in the folder *site*."""
    return paths.control_dir() / f"move-{hashlib.sha256(str(site).encode()).hexdigest()[:16]}"


def _ways(fleet: Fleet, hosts: list[FleetHost], port: int, say: Say) -> dict[str, Any]:
    """Return, by host, a context that gives the way to this machine: straight where that works, else through SSH."""
    addresses = {host.name: _own_address(host.address) for host in hosts}
    encrypt = hosts[0].wanted[ROLE]["moves"]["encrypt"]  # the agent shakes no hand without the certificate
    probe = f"{_CONNECT}{'' if encrypt else _ASK}print('reached')\n"
    jobs = {
        host: Job((fleet.python, "-I", "-"), probe.format(address=address, port=port).encode())
        for host, address in addresses.items()
        if address
    }
    answers = fan_out(fleet.ssh_config, jobs, REACH_SECONDS)
    straight = {host for host, answer in answers.items() if answer.code == 0 and "reached" in answer.out}
    behind = [host.name for host in hosts if host.name not in straight]
    if behind:
        say(f"{', '.join(behind)}: do not reach port {port} of this machine; its models go through SSH")
    return {
        host.name: _straight(addresses[host.name], port)
        if host.name in straight
        else _through_ssh(fleet.ssh_config, host.name, port)
        for host in hosts
    }


def _own_address(other: str) -> str:
    """Return the address of this machine that *other* would see, "" where there is no way to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((other, 9))  # sends nothing
        return str(probe.getsockname()[0])
    return ""


@contextmanager
def _straight(address: str, port: int) -> Iterator[dict[str, Any]]:
    yield {"name": NAME, "address": address, "port": port}


@contextmanager
def _through_ssh(config: Path, host: str, port: int) -> Iterator[dict[str, Any]]:
    """Yield the end of a reverse forward on *host*; raises TaskFailed when there is none."""
    options = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
    line = ["ssh", "-F", str(config), "-N", "-T", *options, "-R", f"{LOOPBACK}:0:{LOOPBACK}:{port}", host]
    with subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as ssh:
        try:
            said = []
            for text in ssh.stderr or ():
                said.append(text.strip())
                found = _ALLOCATED.search(text)
                if found:
                    yield {"name": NAME, "address": LOOPBACK, "port": int(found[1])}
                    return
            raise TaskFailed(
                f"{host}: no way back to this machine: neither its network nor SSH ({'; '.join(said[-3:])}); expected "
                "a port that the host reaches, or AllowTcpForwarding of its sshd; or say fetch: HOST in models"
            )
        finally:
            ssh.terminate()

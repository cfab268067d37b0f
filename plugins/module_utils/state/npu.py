"""The cards in three layers: functions on the PCI bus, device nodes, and what the vendor's monitor says."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
import stat
import time

from . import commands, files, vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

PCI = "/sys/bus/pci/devices"
ACCELERATOR_CLASS = "0x1200"
# below a folder that only root writes: in /run/lock anybody could make the file first, and keep it locked
LOCK = "/run/provision/npu-smi.lock"
LOCK_SECONDS = 45.0
SMI_SECONDS = 30.0
TOOL_SECONDS = 15.0
MONITOR_PLACES = "/usr/local/bin:/usr/local/sbin"


def pci(wanted_ids: list[str], root: str = "") -> list[Facts]:
    """Return {address, id, subsystem, class} of the functions with an id of *wanted_ids*, and of all accelerators."""
    found = []
    for address in files.names(root + PCI):
        folder = "%s%s/%s" % (root, PCI, address)
        identity = _pair(folder, "vendor", "device")
        kind = files.line(folder + "/class")
        if identity in wanted_ids or kind.startswith(ACCELERATOR_CLASS):
            subsystem = _pair(folder, "subsystem_vendor", "subsystem_device")
            found.append({"address": address, "id": identity, "subsystem": subsystem, "class": kind})
    return found


def _pair(folder: str, first: str, second: str) -> str:
    parts = [files.line("%s/%s" % (folder, name)).lower() for name in (first, second)]
    return ":".join(part[2:] if part.startswith("0x") else part for part in parts)


def products(functions: list[Facts], wanted_ids: list[str], boards: dict[str, str]) -> list[Facts]:
    """Return {subsystem, product, count}: the *functions* of the wanted cards by board, product None where unknown.

    *boards* are the products by their subsystem ids, as the catalog names them; without any nobody asks.
    """
    mine = [function["subsystem"] for function in functions if function["id"] in wanted_ids]
    known = {pair.lower(): name for pair, name in boards.items()}
    return [
        {"subsystem": pair, "product": known.get(pair), "count": mine.count(pair)}
        for pair in (sorted(set(mine)) if boards else [])
    ]


def nodes(paths: list[str]) -> list[Facts]:
    """Return {path, owner, group, mode} of those *paths* that are device nodes."""
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        if stat.S_ISCHR(status.st_mode):
            mode = "%04o" % stat.S_IMODE(status.st_mode)
            found.append({"path": path, "owner": _user(status.st_uid), "group": _group(status.st_gid), "mode": mode})
    return found


def card_nodes(folder: str = "/dev") -> list[str]:
    """Return the device nodes of all cards that there are, in the order of their numbers."""
    numbers = [name[len("davinci") :] for name in files.names(folder) if name.startswith("davinci")]
    return ["%s/davinci%d" % (folder, number) for number in sorted(int(text) for text in numbers if text.isdigit())]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def silent(path: str | None, error: str) -> Facts:
    """Return the facts of a monitor that was not asked, or could not be."""
    return {
        "path": path, "version": None, "chips": [], "processes": [], "error": error, "code": None, "not_understood": [],
        "directory": monitor_directory(), "components": [], "boot_status": {},
    }  # fmt: skip


def monitor_directory() -> str:
    """Return the place of the monitor that is a directory, "" when none is: `docker -v` makes one of a missing file."""
    places = ["%s/npu-smi" % folder for folder in MONITOR_PLACES.split(":")]
    return next((place for place in places if files.kind(place) == "directory"), "")


def monitor(tool: str | None, ask_boot_status: bool) -> Facts:
    """Run `npu-smi info`, then upgrade-tool at *tool*, one after another and alone on this host.

    The vendor forbids two monitors at a time, so everything of ours that runs one takes the same lock.
    """
    path = files.which("npu-smi", MONITOR_PLACES) or files.which("npu-smi")
    if path is None:
        return silent(None, "npu-smi is neither in %s nor elsewhere" % MONITOR_PLACES.replace(":", " nor in "))
    lock = _locked()
    if lock is None:
        return silent(path, "another npu-smi of provision has been running for %.0f s" % LOCK_SECONDS)
    try:
        found = _ask(path)
        if tool is not None and found["code"] is None:
            question = [tool, "--device_index", "-1"]
            answer = commands.run([*question, "--component", "-1", "--version"], TOOL_SECONDS)[1]
            found["components"] = vendor.component_versions(answer)
            if ask_boot_status:
                found["boot_status"] = vendor.boot_status(commands.run([*question, "--boot_status"], TOOL_SECONDS)[1])
    finally:
        os.close(lock)
    return found


def _ask(path: str) -> Facts:
    from .npu_smi import parse_npu_smi  # noqa: PLC0415 - the largest parser here, and most bare hosts never need it

    code, output = commands.run([path, "info"], SMI_SECONDS)
    found = dict(silent(path, ""), **parse_npu_smi(output))
    if code and not found.get("error"):
        last = (output.strip().splitlines() or ["nothing"])[-1]
        found["error"] = "npu-smi info ended with code %d: %s" % (code, last[:200])
    return found


def _locked() -> int | None:
    """Return the open lock file, None when somebody else holds it for too long."""
    with contextlib.suppress(OSError):  # it is there, or nothing can be written here: then the next call says so
        # the one thing that an observation writes: without a lock two monitors garble each other
        os.mkdir(os.path.dirname(LOCK), 0o755)
    try:
        lock = os.open(LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_RDONLY)  # no folder for locks: ask without one rather than not at all
    limit = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > limit:
                os.close(lock)
                return None
            time.sleep(0.05)
        else:
            return lock

"""What the vendor's packages left on disk: versions, completeness, install info; and upgrade-tool's answers."""

from __future__ import annotations

import os
import re

from . import files
from .versions import is_numbered_like, is_same_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

INSTALL_INFO = "/etc/ascend_install.info"
# What a whole installation has besides version.info; the installer brings upgrade-tool as one of the last files.
PROOF = {"driver": "tools/upgrade-tool", "firmware": ""}
LOG = "/var/log/ascend_seclog/ascend_install.log"
LOG_TAG = {"driver": "[Driver]", "firmware": "[Firmware]"}
RUNTIME_LIST = "/etc/ascend-docker-runtime.d/base.list"
# Ours: paths that a container gets besides with ASCEND_RUNTIME_MOUNTS=base,provision.
OWN_LIST = "/etc/ascend-docker-runtime.d/provision.list"
_DONE = re.compile(r"package \w+ successfully", re.IGNORECASE)
_OBJECT = re.compile(r"\{([^{}]*)\}")


def install_info(root: str = "") -> Facts:
    """Return {exists, valid, values} of the vendor's install record, which `docker -v` can turn into a directory."""
    kind = files.kind(root + INSTALL_INFO)
    values = files.pairs(files.text(root + INSTALL_INFO)) if kind == "file" else {}
    return {"exists": bool(kind), "valid": bool(values), "kind": kind, "values": values}


def install_path(product: str, info: Facts, default: str) -> str:
    """Return below which folder *product* (driver or firmware) is: what the vendor recorded, else *default*."""
    key = "%s_install_path_param" % product
    recorded = next((value for name, value in info["values"].items() if name.lower() == key), "")
    return recorded or default


def package(product: str, folder: str, root: str = "") -> Facts:
    """Return {present, installed, complete, missing, changed, path} of *product* below *folder*.

    installed is the version in version.info (None without one), missing what a whole installation would have,
    changed when it was installed (seconds since the epoch, 0 when that is not known).
    """
    path = os.path.join(folder, product)
    info = os.path.join(path, "version.info")
    version = version_of(files.text(root + info)) if files.kind(root + info) == "file" else None
    missing = [] if version else [info]
    proof = PROOF[product]
    if proof and not files.has_content(root + os.path.join(path, proof)):
        missing.append(os.path.join(path, proof))
    present = bool(files.names(root + path))
    if unfinished(files.tail(root + LOG), LOG_TAG[product]):
        # an upgrade that was cut short leaves the old files beside the new version.info
        missing.append("the end of the installation that %s shows" % LOG)
    return {
        "path": path,
        "present": present,
        "installed": version,
        "complete": present and not missing,
        "missing": missing if present else [],
        "changed": _changed(root + info, root + LOG),
    }


def product(name: str, default: str, root: str = "") -> Facts:
    """Return package() of driver or firmware, with the vendor's record as a part of a whole driver.

    *default* is the folder where nothing is recorded. The one judgement of what is installed: host_state and the
    roles both take it from here.
    """
    info = install_info(root)
    found = package(name, install_path(name, info, default), root)
    if name == "driver" and found["present"] and not info["valid"]:
        # docker -v makes a directory of it when it is missing, and the vendor's tools refuse to work without it
        found.update(complete=False, missing=[*found["missing"], INSTALL_INFO])
    return found


def unfinished(log: str, tag: str) -> bool:
    """Return whether the last installation of *tag* in the vendor's log began to change files and did not succeed.

    A run that was refused before it changed anything does not count, nor does a log that is rotated away.
    """
    lines = [line for line in log.splitlines() if tag in line]
    starts = [number for number, line in enumerate(lines) if "Start time" in line]
    last = "\n".join(lines[starts[-1] :]) if starts else ""
    return "upgradePercentage" in last and not _DONE.search(last)


def _changed(info: str, log: str) -> float:
    """Return when the package was installed: its version.info and the vendor's log were both written then.

    The earlier of the two: a later chmod moves the one, a later call of an installer that refuses moves the other.
    """
    try:
        # the time of the inode: a package may give its files any modification time
        found = os.stat(info).st_ctime
    except OSError:
        return 0.0
    try:
        status = os.stat(log)
    except OSError:
        return found
    return min(found, status.st_mtime) if status.st_size else found  # an empty one has just been rotated


def version_of(content: str | None) -> str | None:
    """Return the version in the text of a version.info, None when it has none."""
    for key, value in files.pairs(content).items():
        if key.lower() == "version" and value:
            return value
    return None


def runtime_mounts(root: str = "") -> list[str] | None:
    """Return the paths in our own list of the container runtime, None when there is no such list."""
    content = files.text(root + OWN_LIST)
    return None if content is None else [line.strip() for line in content.splitlines() if line.strip()]


def runtime_info(folder: str, root: str = "") -> Facts:
    """Return {installed, path, complete, missing} of the container runtime below *folder*."""
    path = os.path.join(folder, "Ascend-Docker-Runtime")
    values = files.pairs(files.text(root + os.path.join(path, "ascend_docker_runtime_install.info")))
    binary = os.path.join(path, "ascend-docker-runtime")
    missing = [needed for needed in (binary, RUNTIME_LIST) if not files.has_content(root + needed)]
    version = values.get("version") or None
    return {
        "path": binary,
        "present": bool(files.names(root + path)),
        "installed": version,
        "complete": version is not None and not missing,
        "missing": missing,
    }


def upgrade_tool(output: str) -> list[dict[str, str]]:
    """Return the objects that upgrade-tool printed: {device_id, component, version} or {device_id, boot status}.

    They look like JSON, but words and versions stand there without quotes; anything else in the output is left out.
    """
    found = []
    for match in _OBJECT.finditer(output):
        fields: dict[str, str] = {}
        for part in match.group(1).split(","):
            key, mark, value = part.partition(":")
            if mark:
                fields[key.strip().strip('"')] = value.strip().strip('"')
        if "device_id" in fields:
            found.append(fields)
    return found


def boot_status(output: str) -> dict[str, int]:
    """Return {device: boot status}; 16 means that it has started."""
    return {
        entry["device_id"]: int(entry["boot status"])
        for entry in upgrade_tool(output)
        if entry.get("boot status", "").lstrip("-").isdigit()
    }


def component_versions(output: str) -> list[str]:
    """Return the versions, each once and sorted, that the components of all devices report."""
    return sorted({entry["version"] for entry in upgrade_tool(output) if entry.get("version") and "component" in entry})


def running_firmware(components: list[str], installed: str | None) -> tuple[str | None, str]:
    """Return which version of the firmware the cards run, and a note when they contradict each other.

    Components that are numbered in another way than the package are no evidence, neither for nor against it.
    """
    said = components
    if installed is not None:
        said = [text for text in components if is_same_release(text, installed) or is_numbered_like(text, installed)]
    if len(said) > 1:
        return None, "the cards' components report different versions: %s" % ", ".join(said)
    return (said[0] if said else None), ""

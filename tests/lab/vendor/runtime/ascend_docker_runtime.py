#!/usr/bin/env python3
"""ascend-docker-runtime: an OCI runtime. Adds the cards that a container asks for to its bundle, then becomes runc."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Spec = dict[str, Any]

LISTS = Path("/etc/ascend-docker-runtime.d")
LOG = Path("/var/log/ascend-docker-runtime/runtime-run.log")
DRIVER = "/usr/local/Ascend/driver/lib64"
CONTROL = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc")
OPTIONAL = ("/dev/dvpp_cmdlist",)
NAMED = re.compile(r"^(?:Ascend(910|310B|310P|310)|npu)-(\d+)$")
RANGE_MAX = 128
NAMES_MAX = 128
FAMILY = Path(DRIVER) / "driver/family.json"
# Chips of small boards have other nodes; of those only the manager has to be there.
SMALL_FAMILY = "310b"
SMALL = (
    "svm0",
    "ts_aisle",
    "upgrade",
    "sys",
    "vdec",
    "vpc",
    "pngd",
    "venc",
    "log_drv",
    "acodec",
    "ai",
    "ao",
    "vo",
    "hdmi",
)


class RefusedError(Exception):
    """The container cannot be given what it asks for."""


def log(text: str) -> None:
    try:
        with LOG.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y/%m/%d %H:%M:%S')} {text}\n")
    except OSError:
        return  # a log that cannot be written must not stop a container


def lookup(environment: list[str], name: str) -> str:
    """Return the last value of *name*; any entry without `=` makes every lookup empty, as in the vendor's program."""
    if any("=" not in entry for entry in environment):
        return ""
    values = [entry.split("=", 1)[1] for entry in environment if entry.split("=", 1)[0] == name]
    return values[-1] if values else ""


def parse_devices(text: str) -> list[int]:
    """Return the physical ids of `0,2-4`, `npu-1` or `Ascend910-1,Ascend910-2`, sorted and without repeats."""
    parts = [part.strip() for part in text.split(",")]
    matches = [NAMED.match(part) for part in parts]
    if any(matches):
        if not all(matches):
            raise RefusedError(f"invalid value of ASCEND_VISIBLE_DEVICES: {text}: names and numbers are mixed")
        return sorted({int(match[2]) for match in matches if match})
    found: set[int] = set()
    for part in parts:
        borders = part.split("-")
        if len(borders) > 2 or not all(re.fullmatch(r"\d+", border) for border in borders):
            raise RefusedError(f"invalid value of ASCEND_VISIBLE_DEVICES: {text}: {part!r} is no device")
        first, last = int(borders[0]), int(borders[-1])
        if len(borders) == 2 and (first > last or last > RANGE_MAX):
            raise RefusedError(f"invalid value of ASCEND_VISIBLE_DEVICES: {text}: range {part} is not allowed")
        found.update(range(first, last + 1))
    return sorted(found)


def add_device(spec: Spec, path: str) -> None:
    """Give the container the node *path* with its type, owner and mode, and allow it in the device cgroup."""
    try:
        node = Path(path).stat()
    except OSError as error:
        raise RefusedError(f"cannot get device {path}: {error.strerror}") from error
    if not stat.S_ISCHR(node.st_mode):
        raise RefusedError(f"{path} is no character device")
    major, minor = os.major(node.st_rdev), os.minor(node.st_rdev)
    linux = spec.setdefault("linux", {})
    devices = linux.setdefault("devices", [])
    if all(device["path"] != path for device in devices):
        numbers = {"major": major, "minor": minor, "fileMode": stat.S_IMODE(node.st_mode)}
        devices.append({"path": path, "type": "c", **numbers, "uid": node.st_uid, "gid": node.st_gid})
    rules = linux.setdefault("resources", {}).setdefault("devices", [])
    rules.append({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"})


def list_names(environment: list[str]) -> list[str]:
    """Return the lists of mounts: those the container names replace base; a value that is too long counts as none."""
    wanted = lookup(environment, "ASCEND_RUNTIME_MOUNTS")
    if not wanted or len(wanted) > NAMES_MAX:
        return ["base"]
    return [name.strip().lower() for name in wanted.split(",") if name.strip()]


def mount_paths(names: list[str]) -> list[str]:
    """Return the existing absolute paths of the lists; what does not exist on the host is left out silently."""
    paths = []
    for name in names:
        source = LISTS / f"{name}.list"
        if not re.fullmatch(r"[a-z0-9_]+", name) or not source.is_file():
            raise RefusedError(f"there is no list {source}")
        lines = [line.strip() for line in source.read_text(encoding="utf-8").splitlines()]
        paths += [line for line in lines if line.startswith("/") and Path(line).exists()]
    return list(dict.fromkeys(paths))


def add_mounts(spec: Spec, paths: list[str]) -> None:
    mounts = spec.setdefault("mounts", [])
    taken = {mount["destination"].rstrip("/") for mount in mounts}
    for path in paths:
        if path not in taken:
            mounts.append(
                {"destination": path, "source": path, "type": "bind", "options": ["bind", "ro", "nosuid", "rprivate"]}
            )


def add_environment(environment: list[str]) -> None:
    environment.append("ASCEND_DOCKER_RUNTIME=True")
    folders = [path for path in (f"{DRIVER}/common", f"{DRIVER}/driver", "/usr/lib64") if Path(path).is_dir()]
    old = lookup(environment, "LD_LIBRARY_PATH")
    environment[:] = [entry for entry in environment if not entry.startswith("LD_LIBRARY_PATH=")]
    environment.append("LD_LIBRARY_PATH=" + ":".join([*folders, *([old] if old else [])]))


def control_nodes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the nodes beside those of the chips: what has to be there, and what is left out when it is not."""
    try:
        small = json.loads(FAMILY.read_text(encoding="utf-8"))["family"] == SMALL_FAMILY
    except (OSError, ValueError, KeyError):
        small = False
    return (CONTROL[:1], tuple("/dev/" + name for name in SMALL)) if small else (CONTROL, OPTIONAL)


def inject(spec: Spec) -> bool:
    """Add devices, mounts and environment to *spec* when it asks for cards; tell whether it was changed."""
    environment = spec.setdefault("process", {}).setdefault("env", [])
    wanted = lookup(environment, "ASCEND_VISIBLE_DEVICES").strip()
    if wanted in ("", "void"):
        log("env variable is empty, will not mount any ascend device")
        return False
    indexes = parse_devices(wanted)
    options = lookup(environment, "ASCEND_RUNTIME_OPTIONS").split(",")
    prefix = "/dev/vdavinci" if "VIRTUAL" in options else "/dev/davinci"
    needed, optional = control_nodes()
    for path in [*(f"{prefix}{index}" for index in indexes), *needed]:
        add_device(spec, path)
    for path in optional:
        if Path(path).exists():
            add_device(spec, path)
        else:
            log(f"[WARN] {path} does not exist")
    if "NODRV" not in options:
        add_mounts(spec, mount_paths(list_names(environment)))
    add_environment(environment)
    log(f"gave devices {indexes}")
    return True


def bundle_of(arguments: list[str]) -> Path | None:
    """Return the bundle of `create` or `run`, None for any other command."""
    if not {"create", "run"} & set(arguments):
        return None
    for position, argument in enumerate(arguments):
        if argument in ("--bundle", "-b") and position + 1 < len(arguments):
            return Path(arguments[position + 1])
        if argument.startswith(("--bundle=", "-b=")):
            return Path(argument.split("=", 1)[1])
    return Path.cwd()


def find_runc() -> str:
    for name in ("docker-runc", "runc"):
        found = shutil.which(name)
        if found:
            if Path(found).stat().st_uid != 0:
                raise RefusedError(f"{found} does not belong to root")
            return found
    raise RefusedError("neither docker-runc nor runc is on PATH")


def main(arguments: list[str]) -> int:
    try:
        bundle = bundle_of(arguments)
        if bundle is not None:
            config = bundle / "config.json"
            spec = json.loads(config.read_text(encoding="utf-8"))
            if inject(spec):
                config.write_text(json.dumps(spec), encoding="utf-8")
        runc = find_runc()
    except (RefusedError, OSError, ValueError) as error:
        log(f"[ERROR] {error}")
        sys.stderr.write(f"ascend-docker-runtime: {error}\n")
        return 1
    # To become runc is this program's job; the shell that the rule asks for has none.
    return os.execv(runc, [runc, *arguments])  # noqa: S606


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""host_sys_init start|stop: what the boot does for the driver.

`start` with no driver loaded in this boot loads the installed one: it starts the firmware that was flashed, makes
the device nodes, sets the network ports and remembers all that in the runtime folder. With a driver loaded it makes
nodes that are missing and changes nothing else. After an installation it refuses until the next boot.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path("/usr/local/Ascend/driver")
sys.path.insert(0, str(ROOT / "lib64/driver"))
import davinci_chips as hardware  # noqa: E402  # only the folder above has it
import davinci_state as state  # noqa: E402
import hccn_ports as network  # noqa: E402

NAME = "davinci_ascend"
MODULE = Path(f"/lib/modules/{os.uname().release}/updates/dkms/{NAME}.ko")
LIVE = Path("/sys/module") / NAME
# Without a real module every node is the null device: it opens, reads and writes anywhere, and no chip is behind it.
NULL = os.makedev(1, 3)
PEER = ROOT / "boot/hccn_peer"
FIRST_CONTROL = 64
"""Minor of the manager's node in the real module; the chips have those below."""


def tell(text: str) -> None:
    sys.stderr.write(f"host_sys_init: {text}\n")


def values(path: Path) -> dict[str, str]:
    """Return the key=value lines of *path*; empty when there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    return {key: value for key, _, value in (line.partition("=") for line in lines if "=" in line)}


def owner() -> tuple[int, int]:
    """Return user and group id of the account that the installation names, root's when it is gone."""
    info = values(Path("/etc/ascend_install.info"))
    try:
        return pwd.getpwnam(info["UserName"]).pw_uid, grp.getgrnam(info["UserGroup"]).gr_gid
    except KeyError:
        tell("user {} is gone, the nodes stay with root".format(info.get("UserName")))
        return 0, 0


def built() -> bool:
    """Tell whether the module is a real one, compiled against this kernel's headers."""
    return bool(list(MODULE.parent.glob(NAME + ".ko.*"))) or (
        MODULE.is_file() and MODULE.read_bytes().startswith(b"\x7fELF")
    )


def major() -> int:
    """Return the number under which the kernel knows the real module's nodes; 0 when it is not loaded."""
    for line in Path("/proc/devices").read_text(encoding="ascii").splitlines():
        if line.split()[1:] == ["devdrv-cdev"]:
            return int(line.split()[0])
    return 0


def make_nodes(indexes: list[int]) -> None:
    user, group = owner()
    number = major() if built() else 0
    places = [*enumerate(hardware.control_nodes(), FIRST_CONTROL), *((n, f"/dev/davinci{n}") for n in indexes)]
    for minor, name in places:
        node = Path(name)
        if not node.exists():
            os.mknod(name, stat.S_IFCHR | 0o660, os.makedev(number, minor) if number else NULL)
            node.chmod(0o660)
            os.chown(name, user, group)
            tell(f"made {node}")


def start_firmware() -> str:
    """Let the chips start what was flashed last; return the version that now runs."""
    for flashed, running in (("firmware_flashed", "firmware"), ("flash_flashed", "flash_version")):
        if (state.CHIPS / flashed).is_file():
            (state.CHIPS / flashed).replace(state.CHIPS / running)
    return state.fact("firmware", state.FACTORY_FIRMWARE)


def incomplete() -> str:
    """Return why the installed driver cannot be loaded; empty when it can."""
    if not (ROOT / "version.info").is_file() or not (ROOT / "tools/upgrade-tool").is_file():
        return f"{ROOT} is not installed completely"
    if not built() and values(MODULE).get("vermagic") != os.uname().release:
        return f"no module for the running kernel: {MODULE}"
    if state.fact("secure_boot", "disabled") == "enabled":
        return f"modprobe: ERROR: could not insert '{NAME}': Required key not available"
    return ""


def insert_module(chips: int) -> str:
    """Load the real module, unless it is loaded or there is none; return the kernel's complaint."""
    if not built() or LIVE.is_dir():
        return ""
    done = subprocess.run(
        ["modprobe", NAME, f"chips={chips}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode else ""


def start_network(indexes: list[int]) -> None:
    """Set the ports as /etc/hccn.conf says; only where the chips have ports."""
    if not PEER.is_file():
        return
    network.COPY.write_text("{}", encoding="utf-8")
    for index in indexes:
        if not network.recover(index):
            tell(f"dev:{index} recovery fail")


def start_peer() -> None:
    """Answer other hosts for our ports from now on; a second one ends at once, for the first has the wire."""
    if PEER.is_file():
        nothing = subprocess.DEVNULL
        subprocess.Popen([str(PEER)], stdin=nothing, stdout=nothing, stderr=nothing, cwd="/", start_new_session=True)


def load() -> int:
    found = state.present_chips()
    reason = incomplete() or insert_module(len(found))
    if reason:
        tell(reason)
        return 1
    state.RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    info = values(ROOT / "version.info")
    record = {
        "driver": info["Version"],
        "compatible_fw": info["compatible_version_fw"],
        "firmware": start_firmware(),
        "chips": found,
        "ready_at": time.time() + float(state.fact("start_seconds", "2")),
    }
    indexes = [int(chip["index"]) for chip in found]
    make_nodes(indexes)
    state.LOADED.write_text(json.dumps(record, indent=1), encoding="utf-8")
    shutil.copy(str(state.LOADED), str(state.COPY))
    start_network(indexes)
    start_peer()
    tell("driver {} with firmware {} serves {} chips".format(record["driver"], record["firmware"], len(found)))
    return 0


def main(arguments: list[str]) -> int:
    if arguments == ["stop"]:
        return 0
    if arguments != ["start"]:
        tell("usage: host_sys_init start|stop")
        return 2
    if (state.RUN / "pending").exists():
        tell("the driver was changed in this boot; reboot before it can start")
        return 1
    if state.LOADED.is_file():
        record = json.loads(state.LOADED.read_text(encoding="utf-8"))
        make_nodes([chip["index"] for chip in state.chips(record)])
        start_peer()
        return 0
    return load()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

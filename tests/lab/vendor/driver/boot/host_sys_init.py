#!/usr/bin/env python3
"""host_sys_init start|stop: what the boot does for the driver.

`start` with no driver loaded in this boot loads the installed one: it starts the firmware that was flashed, makes
the device nodes and remembers all that in the runtime folder. With a driver loaded it makes nodes that are missing
and changes nothing else. After an installation it refuses until the next boot.
"""

import grp
import json
import os
import pwd
import shutil
import stat
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path("/usr/local/Ascend/driver")
sys.path.insert(0, str(ROOT / "lib64/driver"))
import davinci_state as state  # noqa: E402  # only the folder above has it

MODULE = Path(f"/lib/modules/{os.uname().release}/updates/dkms/davinci_ascend.ko")
# Every node is the null device: it opens, reads and writes anywhere, and the card behind it is not there.
NULL = os.makedev(1, 3)


def tell(text: str) -> None:
    sys.stderr.write(f"host_sys_init: {text}\n")


def values(path: Path) -> dict[str, str]:
    """Return the key=value lines of *path*; empty when there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def owner() -> tuple[int, int]:
    """Return user and group id of the account that the installation names, root's when it is gone."""
    info = values(Path("/etc/ascend_install.info"))
    try:
        return pwd.getpwnam(info["UserName"]).pw_uid, grp.getgrnam(info["UserGroup"]).gr_gid
    except KeyError:
        tell(f"user {info.get('UserName')} is gone, the nodes stay with root")
        return 0, 0


def make_nodes(indexes: list[int]) -> None:
    user, group = owner()
    for name in [*state.CONTROL, *(f"/dev/davinci{index}" for index in indexes)]:
        node = Path(name)
        if not node.exists():
            os.mknod(node, stat.S_IFCHR | 0o660, NULL)
            node.chmod(0o660)
            os.chown(node, user, group)
            tell(f"made {node}")


def start_firmware() -> str:
    """Let the cards start what was flashed last; return the version that now runs."""
    for flashed, running in (("firmware_flashed", "firmware"), ("flash_flashed", "flash_version")):
        if (state.CHIPS / flashed).is_file():
            (state.CHIPS / flashed).replace(state.CHIPS / running)
    return state.fact("firmware", state.FACTORY_FIRMWARE)


def present_cards() -> list[dict[str, object]]:
    return [
        {
            **function,
            "index": index,
            "product": state.card_fact(index, "product", "910B2"),
            "hbm_mb": int(state.card_fact(index, "hbm_mb", "65536")),
        }
        for index, function in enumerate(state.bus())
        if state.card_fact(index, "present", "yes") == "yes"
    ]


def incomplete() -> str:
    """Return why the installed driver cannot be loaded; empty when it can."""
    if not (ROOT / "version.info").is_file() or not (ROOT / "tools/upgrade-tool").is_file():
        return f"{ROOT} is not installed completely"
    if values(MODULE).get("vermagic") != os.uname().release:
        return f"no module for the running kernel: {MODULE}"
    return ""


def load() -> int:
    reason = incomplete()
    if reason:
        tell(reason)
        return 1
    found = present_cards()
    state.RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    info = values(ROOT / "version.info")
    record = {
        "driver": info["Version"],
        "compatible_fw": info["compatible_version_fw"],
        "firmware": start_firmware(),
        "cards": found,
        "ready_at": time.time() + float(state.fact("start_seconds", "2")),
    }
    make_nodes([int(str(card["index"])) for card in found])
    state.LOADED.write_text(json.dumps(record, indent=1), encoding="utf-8")
    shutil.copy(state.LOADED, state.COPY)
    tell(f"driver {record['driver']} with firmware {record['firmware']} serves {len(found)} cards")
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
        make_nodes([card["index"] for card in state.cards(record)])
        return 0
    return load()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Settings of the host's system: SELinux's mode, a kernel setting, chrony's servers; refused where it is not safe."""

from __future__ import annotations

import os
import re
from typing import Callable, List, Tuple

from ..state import clock, security, sysctl
from . import textfile
from .errors import RefusedError

Run = Callable[[List[str]], Tuple[int, str]]
LIVE = {"enforcing": "1", "permissive": "0"}
HEAD = "# Written by provision from site.yml; changes here are overwritten.\n"


def set_selinux(mode: str, check: bool, run: Run, root: str = "") -> bool:
    """Bring SELinux to *mode*, now and at boot; return whether anything changed. Raises RefusedError."""
    found = security.selinux(root)
    if found["mode"] not in LIVE:
        what = "is disabled" if found["mode"] == "disabled" else "is not there: no policy is installed"
        raise RefusedError(
            f"SELinux {what} on this host; site.yml says {mode} (system.selinux). Files that were written without it "
            f"have no labels, so with {mode} the host might not come up. Install the policy, write SELINUX=permissive "
            f"into {security.CONFIG}, touch /.autorelabel, reboot, look at the denials, and run again."
        )
    live, boot = bool(found["mode"] != mode), bool(found["configured"] != mode)
    if check or not (live or boot):
        return live or boot
    if live:
        code, output = run(["setenforce", LIVE[mode]])
        if code != 0:
            raise RefusedError(f"setenforce {LIVE[mode]} ended with code {code}, expected 0: {output.strip()}")
    if boot:
        text = textfile.read(root + security.CONFIG)
        changed = re.sub(r"(?m)^\s*SELINUX\s*=.*$", f"SELINUX={mode}", text)
        if not re.search(r"(?m)^SELINUX=", changed):
            changed += f"SELINUX={mode}\n"
        textfile.write(root + security.CONFIG, changed)
    return True


def set_sysctl(key: str, value: str, check: bool, root: str = "") -> bool:
    """Bring kernel setting *key* to *value*, now and at boot; return whether anything changed. Raises RefusedError."""
    found = sysctl.setting(key, root)
    if found["configured"] not in {"", value} and found["file"] != sysctl.OWN and _is_later(found["file"]):
        raise RefusedError(
            f"{found['file']} sets {key} = {found['configured']}, and is read after {sysctl.OWN}, so at the next boot "
            f"it would have the last word; site.yml wants {value} (system.ip_forward). Take that line out of it, or "
            f"the wish out of site.yml, and run again."
        )
    text = f"{HEAD}{key} = {value}\n"
    write = textfile.read(root + sysctl.OWN) != text
    live = found["live"] != value
    if check or not (write or live):
        return write or live
    if write:
        textfile.write(root + sysctl.OWN, text)
    if live:
        path = root + "/proc/sys/" + key.replace(".", "/")
        try:
            with open(path, "w", encoding="utf-8") as target:
                target.write(value)
        except OSError as error:
            raise RefusedError(f"{path} cannot be written ({error}), so {key} stays {found['live']}") from None
    return True


def forget_sysctl(check: bool, root: str = "") -> bool:
    """Remove our file; return whether there is one. The kernel goes on as it does: containers may rely on it."""
    there = os.path.exists(root + sysctl.OWN)
    if there and not check:
        textfile.remove(root + sysctl.OWN)
    return there


def _is_later(path: str) -> bool:
    """Return whether *path* is read after our own file: by the order of their names, /etc/sysctl.conf last."""
    return path == sysctl.LEGACY or os.path.basename(path) > os.path.basename(sysctl.OWN)


def set_time_servers(servers: List[str], check: bool, root: str = "") -> bool:
    """Give chrony *servers* in a file of ours, [] removes it; return whether anything changed. Raises RefusedError."""
    found = clock.chrony(root)
    main = found["file"]
    if not main:
        if check or not servers:
            return bool(servers)
        expected = " or ".join(clock.MAIN_FILES)
        raise RefusedError(f"chrony has no settings on this host: expected {expected}, found neither. Install it anew.")
    folder = found["folders"].get("confdir", "")
    own = clock.own_file(found)
    include = f"include {own}\n"
    text = HEAD + "".join(f"server {name} iburst\n" for name in servers) if servers else ""
    before = textfile.read(root + main)
    after = before.replace(include, "")
    if servers and not folder:
        after = (after if after.endswith("\n") or not after else after + "\n") + include
    changed = textfile.read(root + own) != text or before != after
    if check or not changed:
        return changed
    if servers:
        textfile.write(root + own, text)
    else:
        textfile.remove(root + own)
    if before != after:
        textfile.write(root + main, after)
    return True

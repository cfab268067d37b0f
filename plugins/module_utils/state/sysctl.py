"""Kernel settings: what is in force now, and which file of sysctl.d will have the last word at the next boot."""

from __future__ import annotations

import os

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

# systemd's order of precedence: a file in an earlier folder hides those of its name in later ones.
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
LEGACY = "/etc/sysctl.conf"
OWN = "/etc/sysctl.d/90-provision.conf"
IP_FORWARD = "net.ipv4.ip_forward"


def setting(key: str, root: str = "") -> Facts:
    """Return {live, configured, file} of *key*: its value now, the one of the next boot, and the file that says so."""
    live = files.line(root + "/proc/sys/" + key.replace(".", "/"))
    configured, source = "", ""
    for path in configured_files(root):
        for name, value in files.pairs(files.text(root + path)).items():
            if name.lstrip("-").replace("/", ".") == key:
                configured, source = value, path
    return {"live": live, "configured": configured, "file": source}


def configured_files(root: str = "") -> list[str]:
    """Return the files of settings in the order in which they are read; the last one that names a key wins."""
    chosen: dict[str, str] = {}
    for folder in reversed(FOLDERS):
        for name in files.names(root + folder):
            if name.endswith(".conf"):
                chosen[name] = folder + "/" + name
    ordered = [chosen[name] for name in sorted(chosen)]
    # read at boot only through a link in sysctl.d, but `sysctl --system` and hardening scripts read it last
    links = {os.path.realpath(root + path) for path in ordered}
    legacy = os.path.realpath(root + LEGACY)
    return ordered if legacy in links else [*ordered, LEGACY]

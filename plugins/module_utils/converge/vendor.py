"""What a vendor package left on the host, and what has to be done to get the wanted version."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from typing import Any, Dict, List

from ..state import files
from ..state import vendor as judge
from ..state.versions import is_enough, is_older

# What a package is called on disk below the install path, and its file with the version.
KINDS = {
    "driver": ("driver", "version.info"),
    "firmware": ("firmware", "version.info"),
    "docker_runtime": ("Ascend-Docker-Runtime", "ascend_docker_runtime_install.info"),
}
ALL_IN_ONE_MARK = "/etc/HiAI_install.info"
LOGIN_REFUSED = ("nologin", "false")
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OWNER_ROOT = 0
READ_AND_ENTER = 0o550
"""The least mode of a parent folder: the account enters it through its group when installed for all."""


def version_in(path: str) -> str:
    """Return the version that the info file *path* gives, "" when it is no such file."""
    return judge.version_of(files.text(path)) or ""


def installed(kind: str, install_path: str) -> Dict[str, Any]:
    """Return version, completeness and leftovers of the package *kind* (one of KINDS) below *install_path*.

    What is whole is for host_state's code to say: with a second opinion here a role would find nothing to do where
    the plan says that it has to act.
    """
    name, version_file = KINDS[kind]
    if kind == "docker_runtime":
        seen = judge.runtime_info(install_path)
        folder = os.path.join(install_path, name)
    else:
        seen = judge.product(kind, install_path)
        folder = seen["path"]  # where the vendor recorded it: an upgrade stays there
    record = judge.INSTALL_INFO if kind == "driver" else ""
    uninstaller = os.path.join(folder, "script", "uninstall.sh")
    place = folder if seen["complete"] else os.path.join(install_path, name)
    return {
        "version": seen["installed"] or "",
        "version_file": os.path.join(place, version_file),
        "folder": folder,
        "complete": seen["complete"],
        "missing": seen["missing"],
        "record_is_folder": bool(record) and os.path.isdir(record),
        "record": record,
        "residue": seen["present"],
        "uninstaller": uninstaller if os.path.isfile(uninstaller) else "",
    }


def action_for(found: Dict[str, Any], wanted: str, accepted: str = "") -> str:
    """Return what to do: none, install, upgrade, downgrade, or reinstall (what is there is not whole).

    A whole version from *accepted* on, up to *wanted*, is left as it is.
    """
    if not found["residue"]:
        return "install"
    if not found["complete"]:
        return "reinstall"
    if is_enough(found["version"], wanted, accepted):
        return "none"
    return "downgrade" if is_older(wanted, than=found["version"]) else "upgrade"


def unfit_parents(path: str) -> List[str]:
    """Return one sentence per folder above and at *path* that the installers refuse."""
    faults = []
    parts = [part for part in path.split("/") if part]
    for depth in range(len(parts) + 1):
        folder = "/" + "/".join(parts[:depth])
        try:
            found = os.lstat(folder)
        except FileNotFoundError:
            break
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISLNK(found.st_mode):
            faults.append(f"{folder} is a link")
        elif found.st_uid != OWNER_ROOT:
            faults.append(f"{folder} belongs to uid {found.st_uid}")
        elif mode & 0o022 or mode & READ_AND_ENTER != READ_AND_ENTER:
            faults.append(f"{folder} has mode {mode:04o}")
    return faults


def all_in_one() -> bool:
    """Return whether an older kind of package is there, beside which the installers refuse."""
    return os.path.exists(ALL_IN_ONE_MARK)


def free_bytes(path: str) -> int:
    """Return the free bytes where *path* is or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize


def account_ids(account: str) -> str:
    """Return "uid:gid" of *account*, "" when there is none."""
    try:
        found = pwd.getpwnam(account)
    except KeyError:
        return ""
    return f"{found.pw_uid}:{found.pw_gid}"


def login_shell(account: str) -> str:
    """Return the login shell of *account* when it is one that can log in, else ""."""
    try:
        shell = pwd.getpwnam(account).pw_shell or "/bin/sh"
    except KeyError:
        return ""
    return "" if os.path.basename(shell) in LOGIN_REFUSED else shell


def missing_commands(commands: List[str]) -> List[str]:
    """Return the *commands* that root's search path does not have."""
    return [name for name in commands if shutil.which(name, path=SEARCH_PATH) is None]

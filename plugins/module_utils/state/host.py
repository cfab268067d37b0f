"""The host itself: system, kernel, memory, disks, account, commands, kernel headers."""

from __future__ import annotations

import os
import sys

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

PACKAGE_MANAGERS = ("apt-get", "dnf", "yum", "zypper")
MEMBER_FIELDS = 4
ACCOUNT_FIELDS = 7


def system(root: str = "") -> Facts:
    """Return {id, id_like, version_id, pretty, kernel, kernel_next, arch, python, package_manager}.

    And kernel_next_headers, None where nobody can tell the next kernel.
    """
    release = files.pairs(files.text(root + "/etc/os-release") or files.text(root + "/usr/lib/os-release"))
    names = os.uname()
    following = next_kernel(root)
    manager = next((name for name in PACKAGE_MANAGERS if files.which(name)), None)
    return {
        "id": release.get("ID", ""),
        "id_like": release.get("ID_LIKE", ""),
        "version_id": release.get("VERSION_ID", ""),
        "pretty": release.get("PRETTY_NAME", ""),
        "kernel": names.release,
        "kernel_next": following,
        "kernel_next_headers": kernel_headers(root, following) if following else None,
        "arch": names.machine,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "package_manager": manager.split("-")[0] if manager else None,
    }


def next_kernel(root: str = "") -> str | None:
    """Return the kernel that the next boot starts, None when the boot loader's files do not say."""
    saved = files.pairs(files.text(root + "/boot/grub2/grubenv")).get("saved_entry", "")
    entry = files.text(root + "/boot/loader/entries/%s.conf" % saved) if saved and "/" not in saved else None
    for line in (entry or "").splitlines():
        words = line.split()
        if words[:1] == ["linux"] and "vmlinuz-" in words[-1]:
            return words[-1].split("vmlinuz-", 1)[1]
    for link in ("/boot/vmlinuz", "/vmlinuz"):
        target = os.path.basename(os.path.realpath(root + link))
        if target.startswith("vmlinuz-"):
            return target[len("vmlinuz-") :]
    return None


def memory(content: str) -> Facts:
    """Return {total_bytes, available_bytes} from the text of /proc/meminfo."""
    found = {}
    for line in content.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return {"total_bytes": found.get("MemTotal", 0), "available_bytes": found.get("MemAvailable", 0)}


def disks(paths: list[str]) -> list[Facts]:
    """Return {path, mount, total_bytes, free_bytes} of each path, of the nearest folder above where it is absent."""
    mounts = [line.split()[1] for line in (files.text("/proc/self/mounts") or "").splitlines() if len(line.split()) > 1]
    found = []
    for path in paths:
        place = os.path.realpath(files.existing_parent(path))
        room = os.statvfs(place)
        above = [mount for mount in mounts if mount in {"/", place} or place.startswith(mount + "/")]
        found.append(
            {
                "path": path,
                "mount": max(above, key=len) if above else "/",
                "total_bytes": room.f_blocks * room.f_frsize,
                "free_bytes": room.f_bavail * room.f_frsize,
            }
        )
    return found


def account(name: str, uid: int | None, gid: int | None, root: str = "") -> Facts:
    """Return {name, exists, uid, gid, group, shell, home, uid_owner, gid_owner, groups}.

    The owners say who has the wanted numbers now; only local accounts (/etc/passwd, /etc/group) are seen.
    """
    users = _table(root + "/etc/passwd", ACCOUNT_FIELDS)
    groups = _table(root + "/etc/group", MEMBER_FIELDS)
    mine = next((row for row in users if row[0] == name), None)
    names = {row[2]: row[0] for row in groups}
    return {
        "name": name,
        "exists": mine is not None,
        "uid": int(mine[2]) if mine else None,
        "gid": int(mine[3]) if mine else None,
        "group": names.get(mine[3]) if mine else None,
        "home": mine[5] if mine else None,
        "shell": mine[6] if mine else None,
        "uid_owner": next((row[0] for row in users if row[2] == str(uid)), None),
        "gid_owner": names.get(str(gid)),
    }


def group_members(group: str, root: str = "") -> list[str]:
    """Return the accounts that /etc/group lists in *group*."""
    for row in _table(root + "/etc/group", MEMBER_FIELDS):
        if row[0] == group:
            return [member for member in row[3].split(",") if member]
    return []


def _table(path: str, columns: int) -> list[list[str]]:
    rows = [line.split(":") for line in (files.text(path) or "").splitlines()]
    return [row for row in rows if len(row) >= columns and row[2].isdigit()]


def commands(names: list[str]) -> dict[str, str | None]:
    """Return the path of every command, None where it is absent."""
    return {name: files.which(name) for name in names}


def kernel_headers(root: str = "", kernel: str = "") -> bool:
    """Return whether a module can be built for *kernel*, else the running one (a link into nowhere does not count)."""
    return files.kind(root + "/lib/modules/%s/build/Makefile" % (kernel or os.uname().release)) == "file"

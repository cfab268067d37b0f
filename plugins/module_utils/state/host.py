"""The host itself: system, kernel, memory, disks, account, commands, kernel headers."""

from __future__ import annotations

import os
import sys

from . import files
from .bootloader import next_kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

PACKAGE_MANAGERS = ("apt-get", "dnf", "yum", "zypper")
APT_FAMILIES = {"debian", "ubuntu"}
# ID of os-release in lower case. Others are served by what their package manager is used for elsewhere, with a remark.
KNOWN = {
    *APT_FAMILIES, "almalinux", "alinux", "anolis", "bclinux", "centos", "ctyunos", "culinux", "euleros", "fedora",
    "hce", "kylin", "ol", "openeuler", "rhel", "rocky", "tencentos", "uos", "velinux",
}  # fmt: skip
MEMBER_FIELDS = 4
ACCOUNT_FIELDS = 7


def system(root: str = "") -> Facts:
    """Return {id, id_like, version_id, pretty, codename, known, kernel, kernel_next, arch, python, package_manager}.

    And kernel_next_headers, None where nobody can tell the next kernel. known: this project has met such a system.
    """
    release = files.pairs(files.text(root + "/etc/os-release") or files.text(root + "/usr/lib/os-release"))
    names = os.uname()
    following = next_kernel(root)
    families = {word.lower() for word in [release.get("ID", ""), *release.get("ID_LIKE", "").split()]}
    return {
        "id": release.get("ID", ""),
        "id_like": release.get("ID_LIKE", ""),
        "version_id": release.get("VERSION_ID", ""),
        "pretty": release.get("PRETTY_NAME", ""),
        "codename": release.get("VERSION_CODENAME") or release.get("UBUNTU_CODENAME", ""),
        "kernel": names.release,
        "kernel_next": following,
        "kernel_next_headers": kernel_headers(root, following) if following else None,
        "arch": names.machine,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "package_manager": package_manager(families, [name for name in PACKAGE_MANAGERS if files.which(name)]),
        "known": release.get("ID", "").lower() in KNOWN,
    }


def package_manager(families: set[str], present: list[str]) -> str | None:
    """Return which of the managers *present* looks after this host: apt, dnf, yum, zypper, None without any.

    Tools of the other kind are installed for building packages; then the *families* of os-release decide.
    """
    kinds = [name.split("-")[0] for name in present]
    others = [name for name in kinds if name != "apt"]
    if "apt" in kinds and others and not families & APT_FAMILIES:
        return others[0]
    return kinds[0] if kinds else None


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

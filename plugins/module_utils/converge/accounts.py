"""Whether the account of the vendor's packages can have the ids that the site wants."""

from __future__ import annotations

import grp
import pwd
from typing import Any, Optional

from .errors import RefusedError


def conflicts(name: str, group: str, uid: int, gid: int) -> None:
    """Raise RefusedError where somebody else has *uid* or *gid*, or the account or its group exists with others."""
    uid_owner, gid_owner = _name(pwd.getpwuid, uid, "pw_name"), _name(grp.getgrgid, gid, "gr_name")
    if uid_owner not in (None, name) or gid_owner not in (None, group):
        raise RefusedError(
            f"user id {uid} is {uid_owner or 'free'}, group id {gid} is {gid_owner or 'free'}; expected both free or "
            f"{name}'s (site.yml: service_account). Choose free ids there, the same for all hosts, before the driver "
            f"is installed: changing them later means uninstalling it."
        )
    has_uid, has_gid = _name(pwd.getpwnam, name, "pw_uid"), _name(pwd.getpwnam, name, "pw_gid")
    group_gid = _name(grp.getgrnam, group, "gr_gid")
    if has_uid not in (None, uid) or has_gid not in (None, gid) or group_gid not in (None, gid):
        # usermod and groupmod would leave the driver's files with the old ids
        raise RefusedError(
            f"{name} has user id {_shown(has_uid)} and primary group id {_shown(has_gid)}, the group {group} has id "
            f"{_shown(group_gid)}; expected {uid}, {gid} and {gid} (site.yml: service_account). With a driver "
            f"installed these ids can not be changed any more: write the present ones into site.yml for all hosts, "
            f"or uninstall the driver, remove account and group, and run again."
        )


def _name(question: Any, key: Any, field: str) -> Optional[Any]:
    """Return *field* of what the name service says about *key*, None when nobody has it."""
    try:
        return getattr(question(key), field)
    except KeyError:
        return None


def _shown(number: Optional[int]) -> str:
    return "free" if number is None else str(number)

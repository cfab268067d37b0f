"""host_baseline: the package sources, the account, the commands, the kernel headers, and what a site wants beside."""

from __future__ import annotations

from . import compare_system
from .items import OURS, item, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .items import Facts, Item, Wanted

# Docker's own repository, which the site asks for as well (role docker_engine).
OF_ANOTHER_ROLE = ("/provision-docker.sources", "/provision-docker.repo")
PLACES = {"apt": "/etc/apt/", "rpm": "/etc/yum.repos.d/"}


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how the base of the host differs from *wanted*."""
    return [
        *_sources(wanted, facts),
        *_account(wanted, facts["account"]),
        *_build_tools(wanted, facts),
        *compare_system.compare(wanted, facts),
    ]


def _account(wanted: Wanted, found: Facts) -> list[Item]:
    name, uid, gid = wanted["account_name"], wanted["account_uid"], wanted["account_gid"]
    to = "%s %d:%d" % (name, uid, gid)
    detail = {"uid_owner": found.get("uid_owner"), "gid_owner": found.get("gid_owner")}
    if not found.get("exists"):
        return [item("account", None, to, "the account %s does not exist" % name, detail=detail)]
    pairs = [
        ("uid", found["uid"], uid),
        ("group", found["group"], wanted["account_group"]),
        ("gid", found["gid"], gid),
        ("shell", found["shell"], wanted["account_shell"]),
        ("home", found["home"], wanted["account_home"]),
    ]
    wrong = [(what, seen, right) for what, seen, right in pairs if seen != right]
    if not wrong:
        return []
    seen = ", ".join("%s %s" % (what, value) for what, value, _ in wrong)
    right = ", ".join("%s %s" % (what, value) for what, _, value in wrong)
    reason = "%s has another %s" % (name, listing([what for what, _, _ in wrong]))
    return [item("account", seen, right, reason, detail=detail)]


def _build_tools(wanted: Wanted, facts: Facts) -> list[Item]:
    items = []
    missing = [name for name in wanted["commands"] if not facts["commands"].get(name)]
    if missing:
        reason = "the driver's installer needs them"
        items.append(item("commands", None, listing(missing, 9), reason, detail={"missing": missing}))
    if wanted["kernel_headers"] and not facts["kernel_headers"]:
        kernel = facts["os"]["kernel"]
        reason = "/lib/modules/%s/build/Makefile is absent, so no module can be built for the running kernel" % kernel
        items.append(item("kernel headers", None, kernel, reason))
    following = facts["os"].get("kernel_next")
    if wanted["kernel_headers"] and _reboots_into(following, facts) and not facts["os"]["kernel_next_headers"]:
        reason = "the driver's reboot starts kernel %s, and there are no headers to build its module with" % following
        items.append(item("next kernel headers", None, following, reason))
    return items


def _reboots_into(kernel: str | None, facts: Facts) -> bool:
    """Return whether a reboot for the driver is due and starts *kernel*, not the one that runs (None: unknown)."""
    due = not facts["npu_driver"]["complete"] or facts["reboot"]["pending"]
    return bool(kernel) and kernel != facts["os"]["kernel"] and due


def _sources(wanted: Wanted, facts: Facts) -> list[Item]:
    manager = facts["os"].get("package_manager")
    if manager == "apt":
        kind, same = "apt", _is_apt
    elif manager in {"dnf", "yum"}:
        kind, same = "rpm", _is_rpm
    else:
        return []
    right, found = wanted[kind + "_sources"], facts[kind + "_sources"]
    left = _left_behind(right, found)
    rest = {path: entries for path, entries in found.items() if path not in left}
    items = _compare_sources(kind, right, rest, same)
    if left:
        reason = "provision wrote them, and the site does not name them any more"
        items.append(item("own %s sources" % kind, listing(left), "removed", reason, detail={"files": left}))
    aside = [path for path in facts["sources_aside"] if path.startswith(PLACES[kind])]
    if aside and not any(source.get("exclusive") for source in right):
        reason = "they were moved for sources that the site wanted as the only ones, and there are none any more"
        items.append(item("own sources aside", listing(aside), "put back", reason, detail={"files": aside}))
    return items


def _left_behind(wanted: list[Facts], found: dict[str, list[Facts]]) -> list[str]:
    """Return the files *found* that provision wrote for sources that are not among those *wanted* any more."""
    ours = [path for path in sorted(found) if "/" + OURS in path and not path.endswith(OF_ANOTHER_ROLE)]
    names = {OURS + source["name"] for source in wanted}
    return [path for path in ours if path.rpartition("/")[2].rpartition(".")[0] not in names]


def _compare_sources(
    kind: str, wanted: list[Facts], found: dict[str, list[Facts]], same: Callable[[Facts, Facts], bool]
) -> list[Item]:
    """Return which of the sources *wanted* no file names, and which files name others that the site rules out."""
    present = [(path, entry) for path, entries in found.items() for entry in entries]
    items = []
    for source in wanted:
        if not any(same(entry, source) for _, entry in present):
            words = [source.get("uri") or source["baseurl"], source.get("suite", ""), *source.get("components", [])]
            reason = "no file of the package manager names it"
            to = " ".join(word for word in words if word)
            items.append(item(kind + " source", None, to, reason, detail={"name": source["name"]}))
    if any(source.get("exclusive") for source in wanted):
        named = [(path, entry) for path, entry in present if not path.endswith(OF_ANOTHER_ROLE)]
        others = {path for path, entry in named if not any(same(entry, source) for source in wanted)}
        if others:
            reason = "the site says that its own sources are the only ones"
            detail = {"files": sorted(others)}
            items.append(item("other %s sources" % kind, listing(sorted(others)), "moved aside", reason, detail=detail))
    return items


def _is_apt(entry: Facts, source: Facts) -> bool:
    same_place = entry["uri"].rstrip("/") == source["uri"].rstrip("/") and entry["suite"] == source["suite"]
    return same_place and set(source["components"]) <= set(entry["components"])


def _is_rpm(entry: Facts, source: Facts) -> bool:
    return bool(entry["uri"].rstrip("/") == source["baseurl"].rstrip("/") and entry["gpgcheck"])

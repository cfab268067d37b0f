"""host_baseline: the account, the commands, the kernel headers, the package sources."""

from __future__ import annotations

from .items import item, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how the base of the host differs from *wanted*."""
    return [*_sources(wanted, facts), *_account(wanted, facts["account"]), *_build_tools(wanted, facts)]


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
    if not wanted["apt_sources"] or facts["os"].get("package_manager") != "apt":
        return []
    present = [(path, entry) for path, entries in facts["apt_sources"].items() for entry in entries]
    items = []
    for source in wanted["apt_sources"]:
        if not any(_is(entry, source) for _, entry in present):
            to = "%s %s %s" % (source["uri"], source["suite"], " ".join(source["components"]))
            items.append(item("apt source", None, to, "no file of apt names it", detail={"name": source["name"]}))
    if any(source.get("exclusive") for source in wanted["apt_sources"]):
        others = {path for path, entry in present if not any(_is(entry, source) for source in wanted["apt_sources"])}
        if others:
            reason = "the site says that its own sources are the only ones"
            detail = {"files": sorted(others)}
            items.append(item("other apt sources", listing(sorted(others)), "moved aside", reason, detail=detail))
    return items


def _is(entry: Facts, source: Facts) -> bool:
    same_place = entry["uri"].rstrip("/") == source["uri"].rstrip("/") and entry["suite"] == source["suite"]
    return same_place and set(source["components"]) <= set(entry["components"])

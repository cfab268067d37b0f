"""obsutil: the program of the wanted version, and a configuration that only root can read."""

from __future__ import annotations

from .items import item, listing
from .versions import is_same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how obsutil differs from *wanted*; the keys are known to nobody here, `obsutil ls` is their check."""
    return [*_program(wanted, facts["obsutil"]), *_config(wanted, facts["obsutil"]["config"])]


def _program(wanted: Wanted, found: Facts) -> list[Item]:
    version, size = wanted["version"], wanted["package"].get("size") or 0
    if found["present"] and not found["ours"]:
        reason = "%s is there, and provision did not put it there" % found["path"]
        return [item("obsutil", "somebody else's", version, reason, bytes=size, detail={"foreign": found["path"]})]
    if not found["present"] or found["version"] is None:
        return [item("obsutil", None, version, "%s is absent" % found["path"], bytes=size)]
    if found["spoilt"]:
        reason = "it is not the program that provision unpacked"
        return [item("obsutil", listing(found["spoilt"]), version, reason, bytes=size)]
    if not is_same(found["version"], version):
        return [item("obsutil", found["version"], version, "the release has another version", bytes=size)]
    return []


def _config(wanted: Wanted, found: Facts) -> list[Item]:
    """Return the first thing that is wrong with the configuration: whatever it is, it is written anew."""
    path, mode = wanted["config_path"], "owner %s, mode %s" % (found.get("owner"), found.get("mode"))
    untaken = "the storage has not taken the keys since they were written: obsutil ls did not end well"
    faults = [
        (not found["exists"], None, path, "%s is absent" % path),
        (found["link"], "a link", "a plain file", "%s is a link" % path),
        (not found["private"], mode, "owner 0, mode 0600", "others can read the keys in %s" % path),
        (found["endpoint"] != wanted["endpoint"], found["endpoint"] or None, wanted["endpoint"], "endpoint differs"),
        (not found["keys"], "no keys", "ak and sk", "%s lacks a key" % path),
        (not found.get("proven"), "not proven", "proven", untaken),
    ]
    fault = next((entry for entry in faults if entry[0]), None)
    return [item("obsutil configuration", fault[1], fault[2], fault[3])] if fault else []

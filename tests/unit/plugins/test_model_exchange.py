"""Who fetches a model, who serves it and who gets it from whom, whatever the hosts have and whichever take part."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from plugins.filter.model_store import model_exchange, model_works

NAMES = ["n1", "n2", "n3", "n4"]
FILES = [{"path": "a", "size": 1, "sha256": "ab"}]


def site(lacking: Any = NAMES, moves: dict[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    """Return the variables of four hosts that want one model; those that lack it have it in their drift."""
    wanted = {"name": "m", "path": "/data/m", "fetch": "n2", "shared": False, "files": [], **model}
    given = {"enabled": True, "members": [{"host": name, "address": f"a-{name}"} for name in NAMES], **(moves or {})}
    item = {"what": "model", "detail": {"name": "m"}}
    whole = {"facts": {"models": {"/data/m": {"complete": True, "verified": True}}}, "drift": {}}
    lost = {"facts": {"models": {"/data/m": {"complete": False, "verified": False}}}, "drift": {"model_store": [item]}}
    return {
        name: {
            "model_store_models": [dict(wanted)],
            "model_store_moves": given,
            "host_state": deepcopy(lost if name in lacking else whole),
        }
        for name in NAMES
    }


def shares(seen: dict[str, Any], hosts: Any = NAMES) -> dict[str, str]:
    """Return in short what each host does: the task, and whom it asks (+ is behind it)."""
    works = model_exchange(hosts, seen)["hosts"]
    return {name: "; ".join(_short(work) for work in works[name]) for name in hosts if works[name]}


def _short(work: dict[str, Any]) -> str:
    asked = [("+" if entry.get("behind") else "") + entry["name"] for entry in work.get("upstreams", [])]
    return " ".join([work["task"], *asked, *([work["writer"]] if work.get("writer") else [])])


def test_one_host_asks_the_source_and_the_others_stand_in_line_behind_it() -> None:
    seen = site()
    assert shares(seen) == {
        "n1": "receive n2 +n3 +n4",
        "n2": "fetch",
        "n3": "receive n1 n2 +n4",
        "n4": "receive n3 n1 n2",
    }
    works = model_exchange(NAMES, seen)["hosts"]
    assert works["n2"][0]["serves"]
    assert works["n3"][0]["upstreams"][0] == {"name": "n1", "address": "a-n1"}


def test_who_has_it_serves_and_nobody_asks_the_source() -> None:
    assert shares(site(["n1", "n3"])) == {
        "n1": "receive n2 n4 +n3",
        "n2": "serve",
        "n3": "receive n1 n2 n4",
        "n4": "serve",
    }


def test_nobody_does_anything_when_nobody_lacks_it() -> None:
    assert shares(site([])) == {}


def test_a_host_whose_files_were_put_there_by_hand_serves_nobody() -> None:
    seen = site(["n1"])
    for name in ("n2", "n3"):
        seen[name]["host_state"]["facts"]["models"]["/data/m"] = {"complete": True, "verified": False}
    assert shares(seen) == {"n1": "receive n4", "n4": "serve"}


def test_hosts_that_failed_or_that_limit_left_out_are_not_waited_for() -> None:
    seen = site()
    assert shares(seen, ["n1", "n3"]) == {"n1": "fetch", "n3": "receive n1"}
    assert shares(seen, ["n3"]) == {"n3": "fetch"}
    assert not model_exchange(["n3"], seen)["hosts"]["n3"][0]["serves"]
    assert shares(site(["n3"]), ["n3"]) == {"n3": "fetch"}


def test_a_host_that_could_not_be_looked_at_lacks_everything() -> None:
    seen = site(["n1"])
    seen["n3"]["host_state"]["drift"] = {"model_store": [{"what": "observation", "detail": {}}]}
    assert shares(seen)["n3"] == "receive n1 n2 n4"


def test_what_has_come_in_this_run_is_served_and_no_longer_fetched() -> None:
    seen = site()
    seen["n2"].update(__model_store_done=["m"], __model_store_files={"m": FILES})
    assert shares(seen) == {
        "n1": "receive n2 +n3 +n4",
        "n2": "serve",
        "n3": "receive n1 n2 +n4",
        "n4": "receive n3 n1 n2",
    }
    assert model_exchange(NAMES, seen)["files"] == {"m": FILES}
    for name in NAMES:
        seen[name]["__model_store_done"] = ["m"]
    assert shares(seen) == {}


def test_a_host_that_gets_nothing_from_those_that_have_it_asks_the_source_itself() -> None:
    seen = site()
    for name in ("n1", "n3"):
        seen[name]["__model_store_missed"] = ["m"]
    # nobody has it yet: the host that was to fetch may have died, and another one takes its place
    assert shares(seen, ["n1", "n3", "n4"]) == {"n1": "fetch", "n3": "receive n1 +n4", "n4": "receive n3 n1"}
    seen["n2"]["__model_store_done"] = ["m"]
    assert shares(seen) == {"n1": "fetch", "n2": "serve", "n3": "fetch", "n4": "receive n2"}
    for name in NAMES:
        seen[name]["model_store_models"][0]["source"] = "path"
    assert shares(seen)["n1"] == "receive n2 +n3 +n4"


def test_files_come_from_the_lock_until_a_host_has_them() -> None:
    locked = [{"path": "a", "size": 1, "sha256": ""}]
    seen = site(files=locked)
    seen["n2"]["__model_store_files"] = {"m": FILES}
    assert model_exchange(NAMES, seen)["files"] == {"m": locked}
    seen["n2"]["__model_store_done"] = ["m"]
    assert model_exchange(NAMES, seen)["files"] == {"m": FILES}


def test_every_host_asks_the_source_where_the_site_says_so() -> None:
    each = dict.fromkeys(NAMES, "fetch")
    assert shares(site(fetch="each")) == each
    assert shares(site(moves={"enabled": False})) == each


def test_the_controller_is_the_last_one_to_be_asked() -> None:
    origins = {name: {"name": "controller", "address": f"way-{name}", "port": 7791} for name in NAMES}
    seen = site(["n1", "n2"], fetch="controller")
    for name in NAMES:
        seen[name]["model_store_origins"] = origins
    found = shares(seen)
    assert model_exchange(NAMES, seen)["hosts"]["n2"][0]["upstreams"][-1] == origins["n2"]
    assert found == {
        "n1": "receive n3 n4 controller +n2",
        "n2": "receive n1 n3 n4 controller",
        "n3": "serve",
        "n4": "serve",
    }
    assert shares(site(["n1"], fetch="controller"), ["n1"]) == {"n1": "fetch"}


def test_shared_storage_has_one_writer_and_nobody_moves() -> None:
    seen = site(shared=True)
    assert shares(seen) == {"n2": "fetch"}
    assert not model_exchange(NAMES, seen)["hosts"]["n2"][0]["serves"]
    seen["n2"]["__model_store_done"] = ["m"]
    assert shares(seen) == {"n1": "await n2", "n3": "await n2", "n4": "await n2"}


def test_two_models_are_shared_out_by_themselves() -> None:
    seen = site(["n1"])
    for name in ("n1", "n2"):
        other = {"name": "k", "path": "/data/k", "fetch": "n1", "shared": False, "files": []}
        seen[name]["model_store_models"].append(other)
        state = seen[name]["host_state"]
        item = {"what": "model", "detail": {"name": "k"}}
        state["drift"] = {"model_store": [*state["drift"].get("model_store", []), item]}
    assert shares(seen) == {"n1": "receive n2 n3 n4; fetch", "n2": "serve; receive n1", "n3": "serve", "n4": "serve"}


def test_a_role_without_its_play_fetches_everything() -> None:
    assert model_works({}, "n1", [{"name": "m"}]) == [{"name": "m", "task": "fetch", "serves": False}]
    assert model_works({"hosts": {"n1": []}}, "n1", [{"name": "m"}]) == []

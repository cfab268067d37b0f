"""Docker Engine: daemon.json, runtimes, images and containers, asked over its socket."""

from __future__ import annotations

import json
import os
import pwd
import re
import stat

from . import files, http
from .images import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .items import Facts

SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
DAEMON_JSON = "/etc/docker/daemon.json"
# Left by the roles when they write daemon.json, removed by the restart that makes it effective.
RESTART_MARK = "/run/provision/docker-restart-needed"
# What daemon.json was like before the roles wrote to it, by owner and key: the roles write it, removal reads it.
KEYS = "/var/lib/provision/daemon-keys.json"
# The accounts that the role let into the group of the engine's socket, one a line.
MEMBERS = "/var/lib/provision/docker-members"
TIMEOUT_SECONDS = 20.0
OK = 200
_CARD = re.compile(r"^/dev/davinci(\d+)$")
# facts of the vendor's runtime: numbers and ranges of them, or a name with a number
_VISIBLE = re.compile(r"(?:(\d+)(?:-(\d+))?|(?:Ascend\w+|npu)-(\d+))\Z", re.IGNORECASE)
ALL_CARDS = "all"
MOST_CARDS = 128
_LOGIN = re.compile(r"//[^/@\s]+@")


def absent() -> Facts:
    """Return the facts of a host without Docker."""
    return {
        "installed": False, "active": False, "version": None, "api_error": "", "daemon_json": daemon_json(),
        "runtimes": {}, "default_runtime": None, "insecure_registries": [], "registry_mirrors": [], "log_driver": None,
        "images": [], "containers": [], "root": None, "restart_owed": os.path.exists(RESTART_MARK),
        "daemon_keys": daemon_keys(), "members": (files.text(MEMBERS) or "").split(),
    }  # fmt: skip


def observe(images: list[str]) -> Facts:
    """Return everything about Docker; *images* are the names whose architecture is wanted, too."""
    facts = absent()
    facts["installed"] = bool(files.which("dockerd"))
    path = next((place for place in SOCKETS if os.path.exists(place)), None)
    if path is None or not daemon_runs():
        # a stopped engine may still have its socket, and to connect to that would make systemd start it
        facts["api_error"] = "dockerd does not run" if facts["installed"] else ""
        return facts
    try:
        facts.update(_ask(path, images), installed=True, active=True)
    except http.HttpError as error:
        facts["api_error"] = "Docker does not answer on %s: %s" % (path, error)
    return facts


def daemon_runs(proc: str = "/proc", pid_file: str = "/run/docker.pid") -> bool:
    """Return whether a process dockerd runs, by its pid file or, where that is elsewhere, by its name."""
    pids = [files.line(pid_file)] if os.path.exists(pid_file) else []
    pids += [name for name in files.names(proc) if name.isdigit()] if not pids else []
    return any(files.line("%s/%s/comm" % (proc, pid)) == "dockerd" for pid in pids)


def _ask(path: str, names: list[str]) -> Facts:
    info = _get(path, "/info")
    loaded = recorded()
    images = [dict(image(entry), loaded=loaded.get(entry.get("Id", ""), {})) for entry in _get(path, "/images/json")]
    by_tag = {tag: found for found in images for tag in found["tags"]}
    for name in names:
        if name in by_tag:
            by_tag[name]["architecture"] = (_get(path, "/images/%s/json" % name) or {}).get("Architecture")
    containers = []
    for entry in _get(path, "/containers/json?all=1"):
        running = entry.get("State") in {"running", "paused"}
        detail = _get(path, "/containers/%s/json" % entry["Id"]) if running else None
        containers.append(container(entry, detail or {}))
    return dict(engine(info), images=images, containers=containers)


def _get(path: str, question: str) -> Any:
    status, body = http.get_socket(path, question, TIMEOUT_SECONDS)
    if status == 404:  # it has gone between two questions
        return None
    if status != OK:
        raise http.HttpError("%s gives status %d: %s" % (question, status, body[:200].decode("utf-8", "replace")))
    return http.read_json(body)


def engine(info: Facts) -> Facts:
    """Return what the answer to GET /info says about the engine that runs now."""
    registries = info.get("RegistryConfig") or {}
    insecure = list(registries.get("InsecureRegistryCIDRs") or [])
    insecure += [n for n, entry in (registries.get("IndexConfigs") or {}).items() if not entry.get("Secure", True)]
    runtimes = {name: entry.get("path", "") for name, entry in (info.get("Runtimes") or {}).items()}
    return {
        "version": info.get("ServerVersion"),
        "runtimes": runtimes,
        "default_runtime": info.get("DefaultRuntime"),
        "insecure_registries": sorted(insecure),
        "registry_mirrors": [mirror.rstrip("/") for mirror in registries.get("Mirrors") or []],
        "log_driver": info.get("LoggingDriver"),
        "root": info.get("DockerRootDir"),
    }


def image(entry: Facts) -> Facts:
    """Return {id, tags, digests, architecture, …} of one entry of GET /images/json, which does not tell the last."""
    references = [text for text in entry.get("RepoDigests") or [] if not text.startswith("<none>")]
    digests = sorted({text.split("@", 1)[1] for text in references if "@" in text})
    labels = (entry.get("Labels") or {}).items()
    tags = [tag for tag in entry.get("RepoTags") or [] if tag != "<none>:<none>"]
    return {
        "id": entry.get("Id", ""),
        "tags": tags,
        "digests": [digest for digest in digests if digest != "<none>"],
        "references": references,
        "labels": {key: text for key, text in labels if key.startswith("provision.")},
        "architecture": None,
        "size": int(entry.get("Size") or 0),
    }


def container(entry: Facts, detail: Facts) -> Facts:
    """Return one container from its entry in GET /containers/json and, for a running one, its own answer."""
    host = detail.get("HostConfig") or {}
    devices = [device.get("PathOnHost", "") for device in host.get("Devices") or []]
    environment = dict(text.partition("=")[::2] for text in (detail.get("Config") or {}).get("Env") or [])
    return {
        "id": entry.get("Id", ""),
        "name": ((entry.get("Names") or ["/"])[0]).lstrip("/"),
        "image": entry.get("Image", ""),
        "image_id": entry.get("ImageID", ""),
        "state": entry.get("State", ""),
        "status": entry.get("Status", ""),
        "pid": (detail.get("State") or {}).get("Pid") or 0,
        "labels": {key: text for key, text in (entry.get("Labels") or {}).items() if key.startswith("provision.")},
        "devices": devices,
        "privileged": bool(host.get("Privileged")),
        "visible_devices": environment.get("ASCEND_VISIBLE_DEVICES", ""),
    }


def holders(containers: list[Facts], processes: list[Facts]) -> list[Facts]:
    """Return {kind, name, pid, cards} of what holds cards; a process in a known container is a part of that one.

    cards are the driver's numbers as strings; "all" stands for every card. A container that merely was given a card
    makes it busy for others, too. One that is privileged and has no card open holds none: those that watch a host
    (node-exporter, cAdvisor) are.
    """
    by_id = {}
    for entry in containers:
        if entry["state"] in {"running", "paused"}:
            held = {"kind": "container", "name": entry["name"], "pid": entry["pid"], "cards": _cards(entry)}
            by_id[entry["id"]] = held
    others = []
    for process in processes:
        cards = [str(card) for card in process["cards"]]
        owner = by_id.get(process["container"])
        if owner is None:
            others.append({"kind": "process", "name": process["name"], "pid": process["pid"], "cards": cards})
        elif owner["cards"] != [ALL_CARDS]:
            owner["cards"] = sorted(set(owner["cards"]) | set(cards), key=lambda card: (len(card), card))
    return [held for held in by_id.values() if held["cards"]] + others


def privileged(containers: list[Facts]) -> list[str]:
    """Return the names of the containers that run and could open every card: for information, they may never do."""
    return [entry["name"] for entry in containers if entry["privileged"] and entry["state"] in {"running", "paused"}]


def _cards(entry: Facts) -> list[str]:
    """Return the cards that a container was given, by device or by the variable that the vendor's runtime reads."""
    given = {match.group(1) for match in (_CARD.match(path) for path in entry["devices"]) if match}
    given |= set(card_numbers(entry["visible_devices"]))
    return [ALL_CARDS] if ALL_CARDS in given else sorted(given, key=lambda card: (len(card), card))


def card_numbers(text: str) -> list[str]:
    """Return the cards that a value of ASCEND_VISIBLE_DEVICES names: "0-3,5", "npu-1", "Ascend910-2".

    What is not understood counts as all cards: a card that is thought to be free would be taken from somebody.
    """
    found: list[str] = []
    for part in [piece.strip() for piece in text.split(",")]:
        match = _VISIBLE.match(part)
        if match is None:
            found += [] if part in {"", "void"} else [ALL_CARDS]
            continue
        first = int(match.group(1) or match.group(3))
        last = int(match.group(2) or first)
        span = 0 <= last - first < MOST_CARDS
        found += [str(card) for card in range(first, last + 1)] if span else [ALL_CARDS]
    return [ALL_CARDS] if ALL_CARDS in found else list(dict.fromkeys(found))


def daemon_json(path: str = DAEMON_JSON) -> Facts:
    """Return {exists, valid, content, error, mode, owner, link}; logins inside addresses are blanked out."""
    found: Facts = {
        "exists": False,
        "valid": True,
        "content": {},
        "error": "",
        "mode": None,
        "owner": None,
        "link": False,
    }
    try:
        status = os.lstat(path)
    except OSError:
        return found
    found.update(exists=True, mode="%04o" % stat.S_IMODE(status.st_mode), owner=_owner(status.st_uid))
    found["link"] = stat.S_ISLNK(status.st_mode)
    text = files.text(path)
    try:
        content = json.loads(_LOGIN.sub("//***@", text)) if text and text.strip() else {}
        if text is None:
            raise ValueError("it cannot be read as a file")
        if not isinstance(content, dict):
            raise ValueError("found a %s, expected an object" % type(content).__name__)
    except ValueError as error:
        found.update(valid=False, error=str(error))
    else:
        found["content"] = content
    return found


def daemon_keys(path: str = KEYS) -> Facts:
    """Return by owner and key what the roles set in daemon.json and what had been there; {} where nothing is noted."""
    try:
        noted = json.loads(_LOGIN.sub("//***@", files.text(path) or ""))
        return dict(noted["owners"])
    except (ValueError, KeyError, TypeError):
        return {}


def root_content(root: str | None, default: str = "/var/lib/docker") -> list[str]:
    """Return what lies in the engine's folder that a move to another one would leave behind."""
    folder = root or default
    kept = ("image", "overlay2", "volumes", "containers")
    # an engine that never ran a container has these folders, and only its own bookkeeping in them
    return [name for name in kept if _has_more_than_bookkeeping("%s/%s" % (folder, name))]


def _has_more_than_bookkeeping(folder: str) -> bool:
    for name in files.names(folder):
        path = "%s/%s" % (folder, name)
        if name in {"l", "backingFsBlockDev", "metadata.db"}:
            continue
        if os.path.basename(folder) != "image":
            return True
        if any(files.names("%s/imagedb/content/%s" % (path, kind)) for kind in files.names(path + "/imagedb/content")):
            return True
    return False


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

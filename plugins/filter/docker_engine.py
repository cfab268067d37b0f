"""What the role docker_engine refuses before it changes anything, as sentences for the operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Items = list[Mapping[str, Any]]
# The engine's own, where nobody names another one.
DATA_ROOT = "/var/lib/docker"


def docker_refusals(items: Items, docker: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each reason not to begin, from the *items* of drift and the facts of *docker*.

    *wanted* has the role's source, repository and data_root.
    """
    found = [*_source(docker, wanted), *_in_two_places(items), *_proxies(items), *_data_root(items, docker, wanted)]
    return [sentence for sentence in found if sentence]


def _source(docker: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    if wanted["source"] == "present" and not docker["installed"]:
        return [
            "there is no Docker Engine, and site.yml says docker.source: present. Install one, or write docker.source: "
            "distribution, docker or static."
        ]
    repository = wanted["repository"]
    if wanted["source"] == "docker" and not (repository.get("key_file") or repository.get("key_sha256")):
        return [
            f"the key of {repository.get('uri') or 'the repository'} is not known: site.yml has neither "
            f"docker.repository.key_file nor docker.repository.key_sha256. Fetch the key, compare its fingerprint "
            f"with the one that Docker publishes, then write one of both."
        ]
    return []


def _in_two_places(items: Items) -> list[str]:
    entries = [entry for item in items for entry in item["detail"].get("twice") or []]
    words = [f"{entry['key']} ({entry['option']} in {entry['file'] or 'docker.service'})" for entry in entries]
    if not words:
        return []
    return [
        f"dockerd does not start when daemon.json and its command line name the same key; found {', '.join(words)}. "
        f'Remove the option there, run "systemctl daemon-reload", and say what you want of it in site.yml: docker.'
    ]


def _proxies(items: Items) -> list[str]:
    foreign = {name: file for item in items for name, file in (item["detail"].get("foreign") or {}).items()}
    if not foreign:
        return []
    return [
        f"site.yml names proxies of the engine (docker.proxy), and {', '.join(sorted(foreign))} "
        f"{'is' if len(foreign) == 1 else 'are'} set in {', '.join(sorted(set(foreign.values())))} already. "
        f"Remove them there, or remove docker.proxy from site.yml."
    ]


def _data_root(items: Items, docker: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Refuse an empty new folder: images, volumes and stopped containers would seem lost."""
    moves = [item["detail"]["data_root"] for item in items if item["detail"].get("data_root")]
    target, said = wanted["data_root"], "says docker.data_root:"
    if not target:  # what had been there before the site named one comes back
        noted = (docker.get("daemon_keys") or {}).get("docker_engine", {}).get("data-root", {})
        target, said = noted.get("had") or DATA_ROOT, "names no docker.data_root any more, so it would again be"
    return [
        f"site.yml {said} {target}; the engine keeps its data in {move['from']}, and "
        f"{', '.join(move['holds'])} in it {'is' if len(move['holds']) == 1 else 'are'} not empty. Move them yourself "
        f"(systemctl stop docker.socket docker; mv {move['from']} {target}), or remove images, containers and volumes, "
        f"then run again. Or write the present path into site.yml."
        for move in moves
        if move["holds"] and move["from"] != target
    ]


def docker_version_refusal(docker: Mapping[str, Any], ours: bool, wanted: Mapping[str, Any]) -> str:
    """Return why the engine that is there may not be replaced, "" when it may.

    *ours*: it is what the role's source brings; *wanted* has source, version and version_min.
    """
    found, exactly = docker["version"] or "that does not run", wanted["version"]
    expected = f"{exactly} (site.yml: docker.version)" if exactly else f"{wanted['version_min']} or later (the release)"
    if not ours:
        return (
            f"there is Docker Engine {found}, expected {expected}, and it is not the one that docker.source: "
            f"{wanted['source']} brings. Update it the way it was installed, or remove it (its containers stop) and "
            f"run again; provision does not replace it."
        )
    if exactly and docker["version"] and _number(docker["version"]) > _number(exactly):
        return (
            f"there is Docker Engine {found}, expected {expected}. An older engine may not read what a newer one has "
            f"stored: remove images, containers and the engine yourself, or name the version that is there."
        )
    return ""


def _number(version: str) -> list[int]:
    plain = version.partition("+")[0].partition("~")[0].partition("-")[0]
    return [int(part) if part.isdigit() else 0 for part in plain.split(".")]


class FilterModule:
    """Gives Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return every filter by name."""
        return {"docker_refusals": docker_refusals, "docker_version_refusal": docker_version_refusal}

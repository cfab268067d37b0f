"""Which registries answer: each is asked once, all at the same time, and the answers are good for a while."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .atomic import put
from .errors import RefusedError
from .image_names import HUB, place_of
from .registry_client import Login, RegistryClient, Way, covers

CACHE = "/run/provision/registries.json"
PROBE_SECONDS = 5.0
SLOW_SECONDS = 2.0
GOOD_FOR_SECONDS = 600.0
BAD_FOR_SECONDS = 60.0  # somebody may be mending it
SERVER_FAULTS_FROM = 500

Probe = Dict[str, Any]  # {answers, seconds, reason, checked}


class Engine(NamedTuple):
    """What the engine's own settings say about registries: so the probe goes the way that the pull would go."""

    proxies: Dict[str, str]
    insecure: List[str]
    hub_mirrors: List[str]

    def way(self, registry: str) -> Way:
        """Return how *registry* is reached."""
        return Way(any(_covers(entry, registry) for entry in self.insecure), self.proxies)


def engine_of(info: Dict[str, Any]) -> Engine:
    """Return what matters here of the answer to GET /info."""
    registries = info.get("RegistryConfig") or {}
    insecure = [str(entry) for entry in registries.get("InsecureRegistryCIDRs") or []]
    configs = (registries.get("IndexConfigs") or {}).items()
    insecure += [name for name, entry in configs if not entry.get("Secure", True)]
    proxies = {"http": info.get("HttpProxy"), "https": info.get("HttpsProxy"), "no": info.get("NoProxy")}
    return Engine(
        {key: str(text or "") for key, text in proxies.items()}, insecure, list(registries.get("Mirrors") or [])
    )


def _covers(entry: str, registry: str) -> bool:
    """Return whether *entry*, a registry or a network, is about *registry*."""
    return covers(entry, registry) if "/" in entry else entry == registry


def probe(client: RegistryClient, seconds: float) -> Probe:
    """Return whether the registry answers GET /v2/; a demand for a login is an answer."""
    began = time.monotonic()
    try:
        answer = client.ping(seconds)
    except RefusedError as error:
        return {"answers": False, "seconds": time.monotonic() - began, "reason": str(error)}
    reason = f"status {answer.status}" if answer.status >= SERVER_FAULTS_FROM else ""
    return {"answers": not reason, "seconds": time.monotonic() - began, "reason": reason}


def probe_all(clients: Dict[str, RegistryClient], seconds: float = PROBE_SECONDS) -> Dict[str, Probe]:
    """Return what every registry says, after *seconds* at most: a name server may be as silent as a registry."""
    found: Dict[str, Probe] = {}

    def ask(name: str, client: RegistryClient) -> None:
        found[name] = probe(client, seconds)

    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in clients.items()]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + seconds + 0.5
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))
    silent = {"answers": False, "seconds": seconds, "reason": f"no answer within {seconds:.0f} s"}
    return {name: found.get(name, silent) for name in clients}


class Mirrors:
    """The registries of one run on this host."""

    def __init__(self, engine: Engine, logins: Dict[str, Login], cache: str = CACHE) -> None:
        """Start from what an earlier step of the run has written to *cache*."""
        self.engine, self.logins, self.cache = engine, logins, cache
        self.probes = _fresh(cache)
        self._clients: Dict[str, RegistryClient] = {}

    def client(self, registry: str) -> RegistryClient:
        """Return the client of *registry*, the same for the whole run."""
        if registry not in self._clients:
            login: Optional[Login] = self.logins.get(registry)
            self._clients[registry] = RegistryClient(registry, login, self.engine.way(registry))
        return self._clients[registry]

    def order(self, sources: List[str]) -> Tuple[List[str], List[str]]:
        """Return the *sources* whose registry answers, slow ones last, and a sentence for each of the others."""
        registries = list(dict.fromkeys(place_of(source)[0] for source in sources))
        unknown = {name: self.client(name) for name in registries if name not in self.probes}
        if unknown:
            now = time.time()
            self.probes.update({name: {**found, "checked": now} for name, found in probe_all(unknown).items()})
            self._remember()
        states = [(source, self.probes[place_of(source)[0]]) for source in sources]
        good = [(source, state) for source, state in states if state["answers"] or self.blind(source)]
        good.sort(key=lambda pair: pair[1]["seconds"] > SLOW_SECONDS)  # the order of the site stays among equals
        usable = [source for source, _ in good]
        return usable, [f"{source}: {state['reason']}" for source, state in states if source not in usable]

    def blind(self, source: str) -> bool:
        """Return whether only the engine can ask for *source*: by mirrors of daemon.json, or a proxy's login."""
        registry = place_of(source)[0]
        return (registry == HUB and bool(self.engine.hub_mirrors)) or self.client(registry).hidden()

    def _remember(self) -> None:
        try:
            put(self.cache, json.dumps(self.probes), 0o644, folder_mode=0o755)
        except OSError:
            return  # a full /run costs the next step a few seconds


def _fresh(cache: str) -> Dict[str, Probe]:
    """Return what was found lately."""
    try:
        with open(cache, encoding="utf-8") as source:
            found = dict(json.load(source))
        now = time.time()
        return {
            name: state
            for name, state in found.items()
            if 0 <= now - state["checked"] < (GOOD_FOR_SECONDS if state["answers"] else BAD_FOR_SECONDS)
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}

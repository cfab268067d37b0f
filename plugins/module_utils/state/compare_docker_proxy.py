"""The proxies of dockerd: in our drop-in, in nobody else's file, and in the dockerd that runs."""

from __future__ import annotations

from .docker_start import PROXIES, PROXY_DROP_IN
from .items import item, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item


def variables(proxy: Facts) -> dict[str, str]:
    """Return the variables that *proxy* ({http, https, no_proxy} of the site, {} without one) stands for."""
    values = {key: proxy.get(key) or "" for key in ("http", "https")}
    values["no_proxy"] = ",".join(proxy.get("no_proxy") or []) if any(values.values()) else ""
    return {PROXIES[key]: value for key, value in values.items() if value}


def proxies(proxy: Facts, docker: Facts, stops: list[str]) -> list[Item]:
    """Return how the proxies differ; without any in the site only what we once wrote has to go."""
    start = docker.get("start")
    if start is None:
        return []
    wanted, ours = variables(proxy), start["drop_in"]
    foreign = {name: place for name, place in start["proxy_files"].items() if place and place != PROXY_DROP_IN}
    if wanted and foreign:
        words = listing(["%s in %s" % pair for pair in sorted(foreign.items())])
        reason = "another file sets the proxies of dockerd, too"
        return [item("docker proxy", words, "in %s only" % PROXY_DROP_IN, reason, detail={"foreign": foreign})]
    if ours != wanted:
        reason = "%s differs from the site" % PROXY_DROP_IN
        return [item("docker proxy", _shown(ours), _shown(wanted) or "none", reason, stops=stops)]
    running = start["running_proxies"]
    if wanted and docker["active"] and running is not None and running != wanted:
        reason = "the running dockerd was started with other proxies: it was not restarted"
        return [item("docker proxy", _shown(running), _shown(wanted) or "none", reason, stops=stops)]
    return []


def _shown(values: dict[str, str]) -> str | None:
    return " ".join("%s=%s" % pair for pair in sorted(values.items())) or None

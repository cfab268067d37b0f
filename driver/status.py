"""The site as it is now, one line per host and one per service, from one observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driver.cards import cards
from driver.fleet import Fleet
from driver.observe import Doc, Observation
from driver.table import table
from driver.units import count


@dataclass(frozen=True, slots=True)
class Status:
    """Plain data for --json, and the same for a person."""

    document: dict[str, Any]

    def text(self, width: int) -> str:
        """Return two tables: the hosts, and the services that they run."""
        hosts, services = [], []
        for name, host in self.document["hosts"].items():
            if "error" in host:
                hosts.append([name, host["address"], "unreachable", "", "", "", host["error"]])
                continue
            drift = count(host["drift"], "item") if host["drift"] else "none"
            npus = ", ".join([f"{host['npus_healthy']} of {host['npus_wanted']} healthy", *host["cards"]])
            hosts.append([name, host["address"], npus, host["driver"], host["firmware"], host["docker"], drift])
            services += [[name, item["name"], item["state"], item["detail"]] for item in host["services"]]
        parts = [table(("host", "address", "npus", "driver", "firmware", "docker", "drift"), hosts, width=width)]
        if services:
            parts.append(table(("host", "service", "state", "detail"), services, width=width))
        return "\n".join(parts)


def status(fleet: Fleet, seen: Observation) -> Status:
    """Return what the observation says about every host of *fleet*."""
    hosts: dict[str, Any] = {}
    for host in fleet.hosts:
        entry: dict[str, Any] = {"address": host.address}
        if host.name in seen.faults:
            entry["error"] = seen.faults[host.name].found
        else:
            entry.update(_host(seen.docs[host.name], host.wanted) | {"cards": cards(host, seen.docs[host.name])})
        hosts[host.name] = entry
    return Status({"site": fleet.name, "hosts": hosts, "seconds": round(seen.seconds, 2)})


def _host(document: Doc, wanted: Mapping[str, Any]) -> dict[str, Any]:
    facts = document["facts"]
    chips = (facts["npu"].get("smi") or {}).get("chips") or []
    docker = facts["docker"]
    return {
        "npus_wanted": wanted.get("npu_driver", {}).get("expected_count", 0),
        "npus_healthy": sum(1 for chip in chips if chip.get("health") == "OK"),
        "driver": _version(facts["npu_driver"]),
        "firmware": _version(facts["npu_firmware"]),
        "docker": _docker(docker),
        "reboot_pending": bool(facts["reboot"]["pending"]),
        "drift": sum(len(items) for items in document["drift"].values()),
        "drift_by_role": {role: len(items) for role, items in document["drift"].items() if items},
        "services": [
            *(_ray(name, found) for name, found in facts.get("ray", {}).items()),
            *(_service(name, found) for name, found in facts.get("services", {}).items()),
        ],
        "not_understood": document.get("not_understood", []),
    }


def _version(found: Mapping[str, Any]) -> str:
    installed, running = found.get("installed"), found.get("running")
    if not installed:
        return "absent"
    return str(installed) if running == installed else f"{installed}, running {running or 'nothing'}"


def _docker(found: Mapping[str, Any]) -> str:
    if not found.get("installed"):
        return "absent"
    return f"{found.get('version') or '?'}{'' if found.get('active') else ', stopped'}"


def _ray(name: str, found: Mapping[str, Any]) -> dict[str, str]:
    up = bool(found.get("unit_active")) and bool(found.get("container_running"))
    detail = found.get("error") or f"{found.get('npu_used') or 0:g} of {found.get('npu_total') or 0:g} NPUs in use"
    return {"name": f"{name} (ray)", "state": "ok" if up else "stopped", "detail": str(detail)}


def _service(name: str, found: Mapping[str, Any]) -> dict[str, str]:
    healthy = bool(found.get("unit_active")) and found.get("health") in {True, 200, "ok"}
    state = "ok" if healthy else ("starting" if found.get("unit_active") else "stopped")
    detail = found.get("error") or f"serves {', '.join(map(str, found.get('models') or [])) or 'nothing'}"
    return {"name": name, "state": state, "detail": str(detail)}

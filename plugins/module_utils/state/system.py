"""What the site may want of a host's system: SELinux, firewall, clock, forwarding, kernel packages. Facts only."""

from __future__ import annotations

from . import clock, kernel_hold, security, sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts
    from .workers import Notes

FIREWALL_UNIT = "firewalld.service"
UNITS = (FIREWALL_UNIT, *clock.UNITS, *clock.RIVALS)


def observe(notes: Notes, manager: str | None) -> Facts:
    """Return {selinux, ip_forward, clock, kernel_hold}; the units are added by describe."""
    nothing: Facts = {"mode": "absent", "configured": "", "bindings": False}
    no_setting: Facts = {"live": "", "configured": "", "file": ""}
    no_chrony: Facts = {"file": "", "servers": [], "folders": {}, "own": []}
    chrony = notes.guard("chrony", no_chrony, clock.chrony)
    return {
        "selinux": notes.guard("selinux", nothing, security.selinux),
        "ip_forward": notes.guard("sysctl", no_setting, sysctl.setting, sysctl.IP_FORWARD),
        "clock": dict(chrony, synchronized=notes.guard("clock", None, clock.synchronized)),
        "kernel_hold": notes.guard("kernel packages", kernel_hold.unknown(), kernel_hold.observe, manager),
    }


def describe(found: Facts, units: dict[str, Facts]) -> Facts:
    """Return *found* with what systemd says: firewalld, who keeps the clock, and who else would."""
    keeper = max(clock.UNITS, key=lambda name: _rank(units.get(name, {})))
    keeper = keeper if units.get(keeper, {}).get("exists") else ""
    rivals = [name for name in clock.RIVALS if units.get(name, {}).get("active") or units.get(name, {}).get("enabled")]
    timing = dict(found["clock"], unit=keeper, rivals=rivals, **_running(units, keeper))
    return dict(found, firewalld=dict(_running(units, FIREWALL_UNIT), exists=_exists(units)), clock=timing)


def _rank(unit: Facts) -> tuple[bool, bool, bool]:
    """Return how much of a unit one is: an init script of old makes a second one under the other name."""
    return bool(unit.get("active")), bool(unit.get("enabled")), bool(unit.get("exists"))


def _exists(units: dict[str, Facts]) -> bool:
    return bool(units.get(FIREWALL_UNIT, {}).get("exists"))


def _running(units: dict[str, Facts], name: str) -> Facts:
    unit = units.get(name, {})
    return {"active": bool(unit.get("active")), "enabled": bool(unit.get("enabled"))}

"""Is a reboot pending, and for which package? Pure: decided from facts that were read before.

Two versions that differ are no reason by themselves: the vendor spells them differently in different places, and a
reboot that changes nothing would be asked for again and again. What counts is what happened after the host booted.
"""

from __future__ import annotations

from .versions import is_same_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

NOT_STARTED = -8005
STARTING = (-8012, -8017)


def pending(marker: str, booted: float, facts: Facts) -> Facts:
    """Return {pending, reasons, npu_driver, npu_firmware}: the reasons, all together and per role.

    *marker* is what a role wrote in this boot, *booted* when the host booted; *facts* has npu, npu_driver and
    npu_firmware.
    """
    roles = {"npu_driver": _driver(booted, facts), "npu_firmware": _firmware(booted, facts)}
    if marker:
        about_firmware = "firmware" in marker and "driver" not in marker
        roles["npu_firmware" if about_firmware else "npu_driver"].append(marker)
    reasons = roles["npu_driver"] + roles["npu_firmware"]
    return dict(roles, pending=bool(reasons), reasons=reasons)


def differs(package: Facts) -> bool:
    """Return whether the version that runs is known and surely another one than the installed one."""
    return bool(package["running"]) and not is_same_release(package["running"], package["installed"])


def _driver(booted: float, facts: Facts) -> list[str]:
    driver = facts["npu_driver"]
    if not driver["complete"] or driver["installer_running"]:
        return []  # there is something to install first, or being installed
    fresh = driver["changed"] > booted
    if driver["running"]:
        return [_other("driver", driver)] if fresh and differs(driver) else []
    code = facts["npu"]["smi"]["code"]
    if fresh:
        said = " and npu-smi gives %d" % code if code is not None else ""
        return ["driver %s was installed after the host booted%s" % (driver["installed"], said)]
    some_nodes = facts["npu"]["control_nodes"] or facts["npu"]["nodes"]
    if code == NOT_STARTED and not (some_nodes and facts["npu"]["missing"]):
        # without a control node npu-smi says the same; then the node is what is missing, not a reboot
        return ["npu-smi gives %d: the devices are not started" % code]
    return []


def _firmware(booted: float, facts: Facts) -> list[str]:
    firmware = facts["npu_firmware"]
    fresh = firmware["complete"] and firmware["changed"] > booted
    return [_other("firmware", firmware)] if fresh and differs(firmware) else []


def _other(name: str, package: Facts) -> str:
    words = (name, package["installed"], package["running"])
    return "%s %s was installed after the host booted, %s still runs" % words

"""Why a package of the vendor is not installed on this host, before anything is touched; a sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from . import vendor

LOGIN = "headers, commands and account come with the role that prepares hosts (--tags host_baseline)"


@dataclass
class Ask:
    """What a package asks of a host: its *name* in words, and which changes the site allows."""

    name: str
    version: str
    action: str
    install_path: str
    required_bytes: int = 0
    downgrade_allowed: bool = False
    running: str = ""
    allow_key: str = ""


def of_package(ask: Ask, found: Dict[str, Any], installers: List[Dict[str, Any]], waited: float) -> List[str]:
    """Return what speaks against working on the package at all, then against changing it."""
    if installers:
        running = ", ".join(f"{entry['command']} (pid {entry['pid']})" for entry in installers)
        return [
            f"after {waited:.0f} s an installer still runs: {running}. The vendor allows one at a time. "
            f"Let it finish or end it, then run again"
        ]
    if ask.action == "none":
        return []
    faults = _downgrade(ask, found)
    if vendor.all_in_one():
        faults.append(
            f"{vendor.ALL_IN_ONE_MARK} is there: an older all-in-one package is installed, and the {ask.name}'s "
            f"installer refuses beside it without an error code. Uninstall that package, then run again"
        )
    return [*faults, *_place(ask)]


def _downgrade(ask: Ask, found: Dict[str, Any]) -> List[str]:
    """With the wanted version running only the file that names it was changed, and nothing goes down."""
    if ask.action != "downgrade" or ask.downgrade_allowed or ask.running == ask.version:
        return []
    return [
        f"{ask.name} {found['version']} is installed; the release wants the older {ask.version}. The installer may "
        f"reject a package that is older than the cards' flash. Choose a later release in site.yml, or write "
        f"allow_downgrade: [{ask.allow_key}] there"
    ]


def _place(ask: Ask) -> List[str]:
    faults = []
    free, unfit = vendor.free_bytes(ask.install_path), vendor.unfit_parents(ask.install_path)
    if free < ask.required_bytes:
        faults.append(
            f"{ask.install_path} has {free} bytes free, the {ask.name}'s installer wants {ask.required_bytes}. "
            f"Make room, then run again"
        )
    if unfit:
        faults.append(
            f"the {ask.name}'s installer wants plain folders of root that only root writes above {ask.install_path}, "
            f"and {', '.join(unfit)}. Set owner and mode, then run again"
        )
    return faults


@dataclass
class Host:
    """What a host has of what the driver's module needs."""

    account: str
    account_shell: str
    account_ids: str
    wanted_ids: str
    missing_commands: List[str]
    kernel: str
    kernel_headers: bool
    kernel_next: str
    kernel_next_headers: bool
    enforced: List[str]
    dkms: Dict[str, Any]


def of_host(host: Host, signed: bool, prepared: bool) -> List[str]:
    """Return why the driver's module could not be built or loaded here.

    *signed*: DKMS signs modules with a key that the kernel knows. *prepared* is False in a dry run, where the role that
    brings commands, headers and account has only said what it would do.
    """
    faults = []
    if host.enforced and not signed:
        faults.append(
            f"{' and '.join(host.enforced)}, so the kernel loads signed modules only, and the driver's module is built "
            f"here by DKMS. Switch that off in the firmware setup or on the kernel's command line; or enrol a key that "
            f"DKMS signs with and write npu.modules_signed: true in site.yml"
        )
    if host.dkms["failed"] and not host.dkms["ours"]:
        path = host.dkms["path"]
        faults.append(
            f"the last build in {path} failed and was none of provision's; with it in the way the next one fails, too. "
            f'Read {path}/*/build/make.log, mend the cause, remove the folder ("rm -r {path}"), then run again'
        )
    return [*faults, *(_unprepared(host) if prepared else [])]


def _unprepared(host: Host) -> List[str]:
    faults = []
    if host.missing_commands:
        faults.append(f"commands are missing that the installer needs: {', '.join(host.missing_commands)}; {LOGIN}")
    if not host.kernel_headers:
        faults.append(
            f"/lib/modules/{host.kernel}/build/Makefile is missing: no headers of the running kernel; {LOGIN}"
        )
    if not host.account_shell:
        faults.append(
            f"{host.account} has no shell that can log in, and the installer runs commands through it; {LOGIN}"
        )
    if host.account_ids and host.wanted_ids and host.account_ids != host.wanted_ids:
        faults.append(
            f"{host.account} has the ids {host.account_ids}, site.yml says {host.wanted_ids} (account). After the "
            f"installation they can only be changed by uninstalling the driver. Give the account these ids now, or "
            f"write the host's own into site.yml"
        )
    if host.kernel_next and not host.kernel_next_headers:
        faults.append(
            f"the reboot would start kernel {host.kernel_next} instead of {host.kernel}, and it has no headers "
            f"(/lib/modules/{host.kernel_next}/build/Makefile), so the driver would be gone afterwards. Install its "
            f"headers, or make {host.kernel} the default of the boot loader, then run again"
        )
    return faults

"""What the NPU roles hand to the vendor's installers: options that may stand together, and the file itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[3]
ROLES = ("npu_driver", "npu_firmware")
ACCOUNT = {"account_name": "HwHiAiUser", "account_group": "HwHiAiUser"}
FORBIDDEN_BESIDE_UPGRADE = ("--install-path", "--install-username", "--install-usergroup", "--full", "--run")


def evaluate(role: str, name: str, action: str = "install", **given: Any) -> Any:
    """Return the private variable *name* of *role*; *given* are its public ones."""
    engine = NativeEnvironment()
    engine.filters["bool"] = bool
    known = yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text(encoding="utf-8"))
    public = {"package": {"file": "x.run"}, "install_path": "/usr/local/Ascend", **ACCOUNT, **given}
    known.update({f"{role}_{key}": value for key, value in public.items()}, **{f"__{role}_found": {"action": action}})
    for part in ("elsewhere", "signed", "account", name):  # in the order in which they are made of one another
        if f"__{role}_{part}" not in known:
            continue
        known[f"__{role}_{part}"] = engine.from_string(known[f"__{role}_{part}"]).render(known)
    return known[f"__{role}_{name}"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["upgrade", "downgrade"])
def test_an_upgrade_has_none_of_the_options_that_it_forbids(role: str, action: str) -> None:
    options = evaluate(role, "options", action=action, install_path="/opt/elsewhere", account_name="npu")
    assert {"--upgrade", "--quiet"} <= set(options)
    assert [word for word in options if word.startswith(FORBIDDEN_BESIDE_UPGRADE)] == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["install", "reinstall"])
@pytest.mark.parametrize(("path", "said"), [("/usr/local/Ascend", []), ("/opt/x", ["--install-path=/opt/x"])])
def test_an_installation_names_its_path_only_where_it_is_another(
    role: str, action: str, path: str, said: list[str]
) -> None:
    options = evaluate(role, "options", action=action, install_path=path)
    assert {"--full", "--quiet"} <= set(options)
    assert "--upgrade" not in options
    assert [word for word in options if word.startswith("--install-path")] == said


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("package", "path"),
    [
        ({"file": "x.run"}, "/var/cache/provision/x.run"),
        ({"file": "x.run", "archive": {}}, "/var/cache/provision/x.run"),
        ({"file": "x.zip", "archive": {"run": "y.run"}}, "/var/cache/provision/x.zip.d/y.run"),
    ],
)
def test_the_installer_is_the_loose_file_or_what_came_out_of_the_delivery(
    role: str, package: dict[str, Any], path: str
) -> None:
    assert evaluate(role, "installer", package=package) == path


@pytest.mark.parametrize("role", ROLES)
def test_codes_of_the_installers_are_the_vendors(role: str) -> None:
    values = yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text(encoding="utf-8"))
    assert values[f"__{role}_success_codes"] == [0, 2]
    assert values[f"__{role}_reboot_codes"] == [2]


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({}, []),
        ({"account_name": "npu"}, ["--install-username=npu", "--install-usergroup=HwHiAiUser"]),
        ({"account_group": "cards"}, ["--install-username=HwHiAiUser", "--install-usergroup=cards"]),
    ],
)
def test_a_first_installation_names_an_account_that_is_not_the_vendors(
    account: dict[str, str], said: list[str]
) -> None:
    options = evaluate("npu_driver", "options", **account)
    assert [word for word in options if word.startswith(("--install-user", "--install-usergroup"))] == said


def tasks(role: str, file: str) -> list[dict[str, Any]]:
    """Return the tasks of a file of *role*."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / f"roles/{role}/tasks/{file}.yml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("marks", "ours"), [((), False), (("owned",), True), (("log",), True), (("owned", "log"), True)]
)
def test_only_our_own_installation_is_removed(role: str, marks: tuple[str, ...], ours: bool) -> None:
    values = yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text(encoding="utf-8"))
    seen = {"results": [{"stat": {"exists": mark in marks}} for mark in ("owned", "log")]}
    found: Any = NativeEnvironment().from_string(values[f"__{role}_ours"]).render({f"__{role}_owned": seen})
    assert found is ours
    look, say, uninstall, *_ = tasks(role, "remove")
    marked, logged, *firmware = look["loop"]
    assert (marked, logged) == (f"{{{{ __{role}_owned_path }}}}", f"{{{{ __{role}_output_path }}}}")
    assert firmware == (["{{ __npu_driver_firmware_path }}"] if role == "npu_driver" else [])
    assert (say["when"], uninstall["when"]) == (f"not __{role}_ours", f"__{role}_ours")


@pytest.mark.parametrize("role", ROLES)
def test_an_installation_is_marked_as_ours_and_an_uninstallation_is_not(role: str) -> None:
    install = next(
        task["vendor_installer"] for task in tasks(role, "install")[0]["block"] if "vendor_installer" in task
    )
    uninstall = next(task["vendor_installer"] for task in tasks(role, "uninstall") if "vendor_installer" in task)
    assert install["owned_path"] == f"{{{{ __{role}_owned_path }}}}"
    assert "owned_path" not in uninstall


def test_services_that_were_stopped_for_the_network_start_again_when_the_cards_refuse() -> None:
    (work,) = tasks("npu_network", "configure")
    assert work["block"][0]["card_users"] == {"state": "drained", "units": "{{ __npu_network_own_units }}"}
    assert work["always"][0]["card_users"] == {"state": "restored"}
    assert "systemd_service" not in str(tasks("npu_network", "preflight"))

"""What a vendor's package left decides what is done; a version is compared, never "a file exists"."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.module_utils.converge import vendor
from plugins.module_utils.state import vendor as judge
from plugins.module_utils.state import versions


@pytest.fixture
def ascend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an install path, with the vendor's record, log and list inside the test's own folder."""
    record = tmp_path / "install.info"
    record.write_text("UserName=somebody\n")
    (tmp_path / "base.list").write_text("/usr/local/dcmi\n")
    monkeypatch.setattr(judge, "INSTALL_INFO", str(record))
    monkeypatch.setattr(judge, "LOG", str(tmp_path / "install.log"))
    monkeypatch.setattr(judge, "RUNTIME_LIST", str(tmp_path / "base.list"))
    return tmp_path / "opt"


def put(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".").replace("_dash_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def action(ascend: Path, wanted: str = "25.5.1", kind: str = "driver") -> str:
    return vendor.action_for(vendor.installed(kind, str(ascend)), wanted)


def test_nothing_there_is_a_first_installation(ascend: Path) -> None:
    assert action(ascend) == "install"
    (ascend / "driver").mkdir(parents=True)
    assert action(ascend) == "install"


@pytest.mark.parametrize(
    ("version", "todo"),
    [
        ("25.5.1", "none"),
        ("25.5.1.b080", "none"),
        ("24.1.rc3", "upgrade"),
        ("25.5.1.rc1", "upgrade"),
        ("26.0.rc1", "downgrade"),
        ("25.5.10", "downgrade"),
    ],
)
def test_a_whole_package_is_compared_by_version(ascend: Path, version: str, todo: str) -> None:
    put(
        ascend, driver__version_dot_info=f"package_version=1\nVersion={version}\n", driver__tools__upgrade_dash_tool="x"
    )
    assert action(ascend) == todo


@pytest.mark.parametrize(
    ("version", "accepted", "todo"),
    [
        ("24.1.rc3", "24.1.rc3", "none"),
        ("24.1.rc3.b100", "24.1.rc3", "none"),
        ("25.0.rc1", "24.1.rc3", "none"),
        ("23.0.3", "24.1.rc3", "upgrade"),
        ("26.0.rc1", "24.1.rc3", "downgrade"),
        ("24.1.rc3", "", "upgrade"),
    ],
)
def test_a_version_that_the_site_accepts_stays(ascend: Path, version: str, accepted: str, todo: str) -> None:
    put(ascend, driver__version_dot_info=f"Version={version}\n", driver__tools__upgrade_dash_tool="x")
    assert vendor.action_for(vendor.installed("driver", str(ascend)), "25.5.1", accepted) == todo


def test_a_package_without_its_tool_is_not_whole(ascend: Path) -> None:
    put(ascend, driver__version_dot_info="Version=25.5.1\n")
    assert action(ascend) == "reinstall"


def test_files_without_a_version_are_not_whole(ascend: Path) -> None:
    put(ascend, driver__tools__upgrade_dash_tool="x", driver__script__uninstall_dot_sh="x")
    found = vendor.installed("driver", str(ascend))
    assert vendor.action_for(found, "25.5.1") == "reinstall"
    assert found["uninstaller"].endswith("driver/script/uninstall.sh")


def test_a_folder_in_place_of_the_record_is_not_whole(ascend: Path) -> None:
    put(ascend, driver__version_dot_info="Version=25.5.1\n", driver__tools__upgrade_dash_tool="x")
    record = Path(judge.INSTALL_INFO)
    record.unlink()
    record.mkdir()
    found = vendor.installed("driver", str(ascend))
    assert (found["complete"], found["record_is_folder"]) == (False, True)


@pytest.mark.parametrize("part", ["log", "record", "tool"])
def test_the_role_acts_wherever_host_state_sees_half_an_installation(ascend: Path, part: str) -> None:
    put(ascend, driver__version_dot_info="Version=25.5.1\n", driver__tools__upgrade_dash_tool="x")
    if part == "log":
        Path(judge.LOG).write_text("[Driver] [INFO]Start time: t\n[Driver] [INFO]upgradePercentage:30%\n")
    elif part == "record":
        Path(judge.INSTALL_INFO).write_text("")
    else:
        (ascend / "driver/tools/upgrade-tool").write_text("")
    assert not judge.product("driver", str(ascend))["complete"]
    assert action(ascend) == "reinstall"


def test_an_upgrade_stays_where_the_vendor_recorded_it(ascend: Path) -> None:
    elsewhere = ascend.parent / "elsewhere"
    Path(judge.INSTALL_INFO).write_text(f"Driver_Install_Path_Param={elsewhere}\n")
    put(elsewhere, driver__version_dot_info="Version=25.5.0\n", driver__tools__upgrade_dash_tool="x")
    assert action(ascend) == "upgrade"
    assert vendor.installed("driver", str(ascend))["version_file"] == f"{elsewhere}/driver/version.info"


def test_the_runtimes_info_file_has_a_leading_v(ascend: Path) -> None:
    folder = ascend / "Ascend-Docker-Runtime"
    put(folder, ascend_docker_runtime_install_dot_info="version=v26.1.0\narch=x86_64\n")
    (folder / "ascend-docker-runtime").write_text("x")
    assert action(ascend, "26.1.0", "docker_runtime") == "none"
    assert action(ascend, "26.2.0", "docker_runtime") == "upgrade"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("24.1.rc3", "24.1.0"),
        ("25.0.rc1", "25.0.rc1.1"),
        ("9.9", "10.0"),
        ("7.5.0.1.129", "7.8.0.2.212"),
        ("25.0.rc2", "25.0.rc10"),
    ],
)
def test_versions_are_ordered_by_value(older: str, newer: str) -> None:
    assert versions.is_older(older, than=newer)
    assert not versions.is_older(newer, than=older)


def test_spelling_does_not_matter() -> None:
    assert versions.is_same("v25.0.RC1", "25.0.rc1")


def test_parents_that_an_installer_refuses_are_named(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert f"{tmp_path}/open has mode 0777" in vendor.unfit_parents(f"{tmp_path}/open")
    assert f"{tmp_path}/link is a link" in vendor.unfit_parents(f"{tmp_path}/link")
    assert vendor.unfit_parents("/usr/bin") == []


def test_missing_commands_are_named() -> None:
    assert vendor.missing_commands(["sh", "no-such-command"]) == ["no-such-command"]


def test_an_account_that_can_not_log_in_has_no_shell() -> None:
    assert vendor.login_shell("root") != ""
    assert vendor.login_shell("nobody") == ""
    assert vendor.login_shell("no-such-account") == ""

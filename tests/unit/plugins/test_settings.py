"""Settings of the system in a pretended root: what is written, what is refused with which words, what is given back."""

from __future__ import annotations

import fnmatch
import grp
import itertools
import json
import pwd
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from plugins.module_utils.converge import accounts, kernel_hold, session, settings
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.state import kernel_hold as hold_facts
from plugins.modules import files_aside


def write(root: Path, path: str, text: str) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


class Ran:
    """Commands that were run; all end well unless told otherwise."""

    def __init__(self, code: int = 0, output: str = "") -> None:
        self.calls: list[list[str]] = []
        self.answer = (code, output)

    def __call__(self, argv: list[str]) -> tuple[int, str]:
        self.calls.append(argv)
        return self.answer


# --- SELinux
def test_selinux_is_set_now_and_at_boot(tmp_path: Path) -> None:
    write(tmp_path, "/sys/fs/selinux/enforce", "0")
    config = write(tmp_path, "/etc/selinux/config", "# SELINUX= is a mode\nSELINUX=permissive\nSELINUXTYPE=targeted\n")
    ran = Ran()
    assert settings.set_selinux("enforcing", False, ran, str(tmp_path))
    assert ran.calls == [["setenforce", "1"]]
    assert config.read_text() == "# SELINUX= is a mode\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"


def test_selinux_that_is_right_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "/sys/fs/selinux/enforce", "1")
    write(tmp_path, "/etc/selinux/config", "SELINUX=enforcing\n")
    ran = Ran()
    assert not settings.set_selinux("enforcing", False, ran, str(tmp_path))
    assert not ran.calls


def test_only_the_next_boot_may_differ(tmp_path: Path) -> None:
    write(tmp_path, "/sys/fs/selinux/enforce", "1")
    config = write(tmp_path, "/etc/selinux/config", "SELINUX=disabled\n")
    ran = Ran()
    assert settings.set_selinux("enforcing", True, ran, str(tmp_path))
    assert config.read_text() == "SELINUX=disabled\n"
    assert settings.set_selinux("enforcing", False, ran, str(tmp_path))
    assert (ran.calls, config.read_text()) == ([], "SELINUX=enforcing\n")


@pytest.mark.parametrize("mode", ["enforcing", "permissive"])
def test_a_disabled_selinux_needs_labels_first(tmp_path: Path, mode: str) -> None:
    write(tmp_path, "/etc/selinux/config", "SELINUX=disabled\n")
    expected = (
        rf"SELinux is disabled on this host; site\.yml says {mode} \(system\.selinux\).*touch /\.autorelabel, reboot"
    )
    with pytest.raises(RefusedError, match=expected):
        settings.set_selinux(mode, True, Ran(), str(tmp_path))


def test_a_host_without_a_policy_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"SELinux is not there: no policy is installed"):
        settings.set_selinux("enforcing", False, Ran(), str(tmp_path))


def test_a_setenforce_that_fails_is_quoted_and_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path, "/sys/fs/selinux/enforce", "0")
    config = write(tmp_path, "/etc/selinux/config", "SELINUX=permissive\n")
    with pytest.raises(RefusedError, match=r"setenforce 1 ended with code 1, expected 0: Permission denied"):
        settings.set_selinux("enforcing", False, Ran(1, "Permission denied\n"), str(tmp_path))
    assert config.read_text() == "SELINUX=permissive\n"


# --- forwarding
def forwarding(root: Path, live: str) -> Path:
    return write(root, "/proc/sys/net/ipv4/ip_forward", live)


def test_forwarding_is_set_now_and_at_boot_and_then_left_alone(tmp_path: Path) -> None:
    live = forwarding(tmp_path, "0")
    write(tmp_path, "/etc/sysctl.d/10-hardening.conf", "net/ipv4/ip_forward = 0\n")
    assert settings.set_sysctl("net.ipv4.ip_forward", "1", True, str(tmp_path))
    assert live.read_text() == "0"
    assert settings.set_sysctl("net.ipv4.ip_forward", "1", False, str(tmp_path))
    assert live.read_text() == "1"
    assert "net.ipv4.ip_forward = 1\n" in (tmp_path / "etc/sysctl.d/90-provision.conf").read_text()
    assert not settings.set_sysctl("net.ipv4.ip_forward", "1", False, str(tmp_path))


@pytest.mark.parametrize("path", ["/etc/sysctl.d/99-hardening.conf", "/usr/lib/sysctl.d/99-x.conf", "/etc/sysctl.conf"])
def test_a_file_with_the_last_word_is_named(tmp_path: Path, path: str) -> None:
    forwarding(tmp_path, "1")
    write(tmp_path, path, "net.ipv4.ip_forward=0\n")
    with pytest.raises(RefusedError, match=rf"{path} sets net\.ipv4\.ip_forward = 0, .*Take that line out of it"):
        settings.set_sysctl("net.ipv4.ip_forward", "1", True, str(tmp_path))


# --- time
MAIN = "/etc/chrony/chrony.conf"


def test_servers_go_into_a_file_of_our_own_where_chrony_reads_a_folder(tmp_path: Path) -> None:
    main = write(tmp_path, MAIN, "pool 2.debian.pool.ntp.org iburst\nconfdir /etc/chrony/conf.d\n")
    assert settings.set_time_servers(["10.0.0.1", "time.example.org"], False, str(tmp_path)) is True
    own = tmp_path / "etc/chrony/conf.d/provision.conf"
    assert own.read_text().splitlines()[1:] == ["server 10.0.0.1 iburst", "server time.example.org iburst"]
    assert "include" not in main.read_text()
    assert not settings.set_time_servers(["10.0.0.1", "time.example.org"], False, str(tmp_path))
    assert settings.set_time_servers([], False, str(tmp_path))
    assert not own.exists()


def test_an_older_chrony_includes_our_file_and_forgets_it_again(tmp_path: Path) -> None:
    before = "server 0.pool.ntp.org iburst"
    main = write(tmp_path, "/etc/chrony.conf", before)
    assert settings.set_time_servers(["10.0.0.1"], False, str(tmp_path))
    assert main.read_text() == before + "\ninclude /etc/chrony.provision.conf\n"
    assert "server 10.0.0.1 iburst" in (tmp_path / "etc/chrony.provision.conf").read_text()
    assert settings.set_time_servers([], False, str(tmp_path))
    assert main.read_text() == before + "\n"
    assert not (tmp_path / "etc/chrony.provision.conf").exists()


def test_a_host_without_chrony_has_nothing_to_take_away_and_nothing_to_write_to(tmp_path: Path) -> None:
    assert not settings.set_time_servers([], False, str(tmp_path))
    with pytest.raises(RefusedError, match=r"expected /etc/chrony/chrony\.conf or /etc/chrony\.conf, found neither"):
        settings.set_time_servers(["10.0.0.1"], False, str(tmp_path))


# --- the kernel's packages
def test_what_dnf_leaves_out_is_added_to_the_operators_own_and_taken_away_again() -> None:
    before = "[main]\ngpgcheck=1\nexclude=acl, nano\n[x]\nexclude=y\n"
    after = kernel_hold.with_excluded(before, ["kernel*"])
    assert after == "[main]\ngpgcheck=1\nexclude=acl, nano kernel*\n[x]\nexclude=y\n"
    assert kernel_hold.without_excluded(after, ["kernel*"]) == "[main]\ngpgcheck=1\nexclude=acl nano\n[x]\nexclude=y\n"


@pytest.mark.parametrize("before", ["[main]\ngpgcheck=1\n", "", "# empty\n"])
def test_a_line_of_our_own_comes_and_goes(before: str) -> None:
    after = kernel_hold.with_excluded(before, ["kernel*"])
    assert "[main]\nexclude=kernel*\n" in after
    assert "exclude" not in kernel_hold.without_excluded(after, ["kernel*"])


def test_dnf_is_held_once_and_let_go_of_what_was_held_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = write(tmp_path, "/etc/dnf/dnf.conf", "[main]\nbest=True\n")

    def found(_: str) -> dict[str, object]:
        words = ["kernel*"] if "exclude=kernel*" in conf.read_text() else []
        return {"packages": {}, "excluded": words, "file": "/etc/dnf/dnf.conf"}

    monkeypatch.setattr(hold_facts, "observe", found)
    assert kernel_hold.hold("dnf", True, Ran(), str(tmp_path)) == ["kernel*"]
    assert "exclude" not in conf.read_text()
    assert kernel_hold.hold("dnf", False, Ran(), str(tmp_path)) == ["kernel*"]
    assert kernel_hold.hold("dnf", False, Ran(), str(tmp_path)) == []
    assert kernel_hold.release(False, Ran(), str(tmp_path)) == ["kernel*"]
    assert conf.read_text() == "[main]\nbest=True\n"
    assert kernel_hold.release(False, Ran(), str(tmp_path)) == []


def test_apt_holds_what_is_free_and_lets_go_only_of_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {"linux-image-6.1": True, "linux-headers-6.1": False}
    monkeypatch.setattr(hold_facts, "observe", lambda _: {"packages": dict(packages), "excluded": [], "file": ""})
    ran = Ran()
    assert kernel_hold.hold("apt", False, ran, str(tmp_path)) == ["linux-headers-6.1"]
    packages["linux-headers-6.1"] = True
    assert json.loads((tmp_path / "var/lib/provision/kernel-hold.json").read_text())["names"] == ["linux-headers-6.1"]
    kernel_hold.release(False, ran, str(tmp_path))
    assert ran.calls == [["apt-mark", "hold", "linux-headers-6.1"], ["apt-mark", "unhold", "linux-headers-6.1"]]


def test_a_manager_that_cannot_hold_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"no way to hold kernel packages with zypper; .* hold the kernel by hand"):
        kernel_hold.hold("zypper", False, Ran(), str(tmp_path))


# --- the account
def test_taken_ids_are_named_with_their_owners() -> None:
    root = pwd.getpwuid(0)
    expected = (
        r"user id 0 is root, group id 0 is root; expected both free or HwHiAiUser's \(site\.yml: service_account\)"
    )
    with pytest.raises(RefusedError, match=expected):
        accounts.conflicts("HwHiAiUser", "HwHiAiUser", root.pw_uid, 0)


def test_an_account_with_other_ids_is_not_changed() -> None:
    group = grp.getgrgid(0).gr_name
    with pytest.raises(RefusedError, match=r"root has user id 0 and primary group id 0, .* expected 3999000, 0 and 0"):
        accounts.conflicts("root", group, 3999000, 0)


def test_free_ids_are_fine() -> None:
    accounts.conflicts("nobody-knows-me", "nobody-knows-me", 3999000, 3999000)


# --- commands
def test_a_command_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    heard: list[str] = []
    script = f"sleep 60 & echo $! > {mark}; echo waiting; wait"
    code, output = session.execute(["sh", "-c", script], 0.6, {}, heard.append)
    assert (code, output) == (None, "waiting\n")
    assert heard[-1] == "waiting"
    stat = Path("/proc") / mark.read_text().strip() / "stat"
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"  # nobody may have buried it yet


def test_a_command_that_is_absent_is_an_answer() -> None:
    code, output = session.execute(["no-such-program-anywhere"], 1, {})
    assert code == 127
    assert "no-such-program-anywhere" in output


# --- other people's files
def test_files_are_put_aside_and_given_back(tmp_path: Path) -> None:
    for name in ("base.repo", "provision-lab.repo", "notes.txt", "old.repo.provision-disabled"):
        (tmp_path / name).write_text(name)
    names = [(Path(old).name, Path(new).name) for old, new in files_aside.moves([str(tmp_path)], [".repo"], "aside")]
    assert names == [("base.repo", "base.repo.provision-disabled")]
    names = [(Path(old).name, Path(new).name) for old, new in files_aside.moves([str(tmp_path)], [".repo"], "back")]
    assert names == [("old.repo.provision-disabled", "old.repo")]
    (tmp_path / "old.repo").write_text("newer")
    assert files_aside.moves([str(tmp_path), "/nowhere"], [".repo"], "back") == []


def test_a_file_that_came_again_is_put_beside_the_older_which_is_the_one_that_comes_back(tmp_path: Path) -> None:
    place = tmp_path / "base.repo"
    for text in ("oldest", "newer", "newest"):
        place.write_text(text)
        for old, new in files_aside.moves([str(tmp_path)], [".repo"], "aside"):
            Path(old).rename(new)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "base.repo.provision-disabled": "oldest",
        "base.repo.provision-disabled.2": "newer",
        "base.repo.provision-disabled.3": "newest",
    }
    ((old, new),) = files_aside.moves([str(tmp_path)], [".repo"], "back")
    assert (Path(old).read_text(), new) == ("oldest", str(place))


def test_our_word_about_forwarding_is_taken_back_and_the_kernel_goes_on(tmp_path: Path) -> None:
    assert not settings.forget_sysctl(False, str(tmp_path))
    own = write(tmp_path, "/etc/sysctl.d/90-provision.conf", "net.ipv4.ip_forward = 1\n")
    live = write(tmp_path, "/proc/sys/net/ipv4/ip_forward", "1")
    assert settings.forget_sysctl(True, str(tmp_path)) and own.exists()
    assert settings.forget_sysctl(False, str(tmp_path)) and not own.exists()
    assert live.read_text() == "1"


# --- the role's tasks
def tasks(name: str) -> list[dict[str, Any]]:
    path = Path(__file__).parents[3] / "roles/host_baseline/tasks" / f"{name}.yml"
    return list(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_chrony_is_restarted_before_anything_after_it_can_fail() -> None:
    assert tasks("clock")[-1]["ansible.builtin.meta"] == "flush_handlers"


def test_what_the_site_dropped_is_given_back() -> None:
    engine = NativeEnvironment()
    clock = next(task["system_settings"] for task in tasks("clock") if "system_settings" in task)
    for sync, servers, wanted in ((True, ["a"], ["a"]), (True, [], []), (False, ["a"], [])):
        given = {"host_baseline_time_sync": sync, "host_baseline_time_servers": servers}
        assert engine.from_string(clock["time_servers"]).render(given) == wanted
    (hold,) = [task for task in tasks("configure") if "kernel_hold" in task]
    for wish, state in ((True, "held"), (False, "free")):
        assert engine.from_string(hold["kernel_hold"]["state"]).render(host_baseline_kernel_hold=wish) == state
    assert "when" not in hold
    assert set(clock) == {"time_servers"}  # what is not given is left alone
    (include,) = [task for task in tasks("main")[0]["block"] if "sources.yml" in str(task)]
    assert "when" not in include  # a site without sources may have had some


def test_only_the_sources_that_the_site_dropped_are_removed() -> None:
    find = next(task["ansible.builtin.find"] for task in tasks("sources") if "ansible.builtin.find" in task)
    given = {"__host_baseline_sources": [{"name": "lab"}], "__host_baseline_sources_suffixes": [".sources", ".list"]}
    engine = NativeEnvironment()
    engine.filters["product"] = lambda left, *right: list(itertools.product(left, *right))
    patterns, excludes = (engine.from_string(find[key]).render(given) for key in ("patterns", "excludes"))
    names = [f"provision-{name}" for name in ("lab.sources", "old.sources", "old.asc", "docker.sources")] + ["x.list"]
    found = [name for name in names if any(fnmatch.fnmatch(name, one) for one in patterns)]
    assert [name for name in found if not any(fnmatch.fnmatch(name, one) for one in excludes)] == [
        "provision-old.sources",
        "provision-old.asc",
    ]

"""Package managers by their command line: what is asked, what is run, and what the operator reads when it fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plugins.module_utils.converge import packages
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.package_managers import manager_of, upstream
from plugins.module_utils.converge.packages import Order, Packages

Answer = tuple[int | None, str]


class Manager:
    """A manager that answers from a table: the first key that the command line contains."""

    def __init__(self, answers: dict[str, list[Answer] | Answer]) -> None:
        self.answers = answers
        self.calls: list[str] = []

    def __call__(self, argv: list[str], _seconds: float, _environment: dict[str, str]) -> Answer:
        line = " ".join(argv)
        self.calls.append(line)
        for key, answer in self.answers.items():
            if key in line:
                return answer.pop(0) if isinstance(answer, list) else answer
        return 0, ""


def row(name: str, state: str = "installed", version: str = "1.0-1") -> str:
    return f"{name}\t{state}\t{version}\n"


@pytest.fixture(autouse=True)
def lists_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_age", lambda _: 0.0)
    monkeypatch.setattr(packages, "RETRY_SECONDS", 0.0)


def test_what_is_installed_is_only_asked_for() -> None:
    manager = Manager({"dpkg-query": (0, row("gcc") + row("make"))})
    result = Packages("apt", Order(["gcc", "make"]), manager).converge(check=False)
    assert not result["changed"]
    assert [call.split()[0] for call in manager.calls] == ["dpkg-query"]


def test_check_mode_runs_nothing_that_changes() -> None:
    manager = Manager({"dpkg-query": (0, row("gcc", "config-files"))})
    result = Packages("apt", Order(["gcc"], refresh=True), manager).converge(check=True)
    assert (result["changed"], result["names"]) == (True, ["gcc"])
    assert not [call for call in manager.calls if call.startswith("apt-get")]


def test_apt_is_told_not_to_ask_and_to_leave_recommended_packages_out() -> None:
    manager = Manager({"dpkg-query": [(1, ""), (0, row("gcc"))]})
    assert Packages("apt", Order(["gcc"]), manager).converge(check=False)["changed"]
    (call,) = [call for call in manager.calls if "install" in call]
    assert call.endswith("gcc")
    assert "-y" in call.split()
    assert "--no-install-recommends" in call
    assert "--force-confold" in call
    assert manager_of("apt").environment["DEBIAN_FRONTEND"] == "noninteractive"


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        ("docker-engine.x86_64  18.09-1  base\n", "docker-engine"),
        ("docker.x86_64  2:24.0-1  base\n", "docker"),
        ("", "docker"),
    ],
)
def test_the_first_name_that_is_offered_is_taken(offered: str, name: str) -> None:
    manager = Manager({"rpm": (1, "not installed"), "list": (0, offered)})
    order = Order([["docker", "docker-engine"]])
    assert Packages("dnf", order, manager).converge(check=True)["names"] == [name]


def test_a_name_that_is_installed_comes_before_one_that_is_offered() -> None:
    manager = Manager({"docker-engine": (0, "18.09-1\n"), "rpm": (1, ""), "list": (0, "docker.x86_64 24.0-1 base\n")})
    result = Packages("dnf", Order([["docker", "docker-engine"]]), manager).converge(check=False)
    assert (result["names"], result["changed"]) == (["docker-engine"], False)


def test_a_version_is_found_without_epoch_and_what_the_distribution_adds() -> None:
    listed = "docker-ce | 5:27.5.1-1~debian.12 | https://x\ndocker-ce | 5:26.0.0-1~debian.12 | https://x\n"
    manager = Manager({"madison": (0, listed), "dpkg-query": [(1, ""), (0, row("docker-ce"))]})
    Packages("apt", Order(["docker-ce"], versions={"docker-ce": "26.0.0"}), manager).converge(check=False)
    assert any(call.endswith(" docker-ce=5:26.0.0-1~debian.12") for call in manager.calls)


def test_a_version_that_nobody_offers_is_refused_with_those_that_are() -> None:
    manager = Manager({"madison": (0, "docker-ce | 5:26.0.0-1 | https://x\n")})
    order = Order(["docker-ce"], versions={"docker-ce": "27.5.1"})
    with pytest.raises(
        RefusedError, match=r"do not have docker-ce in version 27\.5\.1; they have 5:26\.0\.0-1\. .*site\.yml: mirrors"
    ):
        Packages("apt", order, manager).converge(check=False)


def test_yum_that_ends_well_without_having_found_a_package_is_found_out() -> None:
    manager = Manager({"rpm": (1, ""), "install": (0, "No package dkms available.\n")})
    order = Order(["dkms"], hint="Here it comes from EPEL.")
    with pytest.raises(
        RefusedError, match=r"dkms is not installed\. .* Here it comes from EPEL\. .*\nNo package dkms available"
    ):
        Packages("yum", order, manager).converge(check=False)


def test_the_end_of_what_the_manager_said_is_in_the_error() -> None:
    said = "\n".join(["first", *["between"] * 20, "E: Unable to locate package gcc"])
    manager = Manager({"install": (100, said)})
    with pytest.raises(
        RefusedError, match=r"ended with code 100, expected 0\.(.|\n)*\nE: Unable to locate package gcc$"
    ) as fault:
        Packages("apt", Order(["gcc"]), manager).converge(check=False)
    assert "first" not in str(fault.value)


def test_a_lock_is_waited_for() -> None:
    held = (100, "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)")
    manager = Manager({"dpkg-query": [(1, ""), (0, row("gcc"))], "install": [held, held, (0, "")]})
    assert Packages("apt", Order(["gcc"]), manager).converge(check=False)["changed"]
    assert len([call for call in manager.calls if "install" in call]) == 3


def test_a_lock_that_is_never_given_back_is_named() -> None:
    manager = Manager({"install": (100, "E: Could not get lock /var/lib/dpkg/lock-frontend")})
    with pytest.raises(RefusedError, match="Could not get lock"):
        Packages("apt", Order(["gcc"], lock_wait_seconds=-1), manager).converge(check=False)


def test_what_a_killed_run_left_half_done_is_finished_first() -> None:
    broken = (100, "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'")
    manager = Manager({"dpkg-query": [(1, ""), (0, row("gcc"))], "install": [broken, (0, "")]})
    Packages("apt", Order(["gcc"]), manager).converge(check=False)
    assert any(call.startswith("dpkg --configure -a") for call in manager.calls)


def test_a_manager_that_does_not_end_is_ended_and_named() -> None:
    manager = Manager({"install": (None, "Connecting to mirror")})
    with pytest.raises(
        RefusedError, match=r"apt-get took longer than 5 s to install gcc and was ended\.(.|\n)*Connecting to mirror"
    ):
        Packages("apt", Order(["gcc"], timeout_seconds=5), manager).converge(check=False)


def test_a_host_without_a_known_manager_is_told_what_is_missing() -> None:
    with pytest.raises(
        RefusedError, match=r"found none, expected apt, dnf, yum or zypper.* install gcc, a or b by hand"
    ):
        Packages("", Order(["gcc", ["a", "b"]]), Manager({}))


@pytest.mark.parametrize(
    ("name", "word"), [("apt", "apt-get remove"), ("dnf", "dnf -y"), ("yum", "yum -y"), ("zypper", "zypper -n")]
)
def test_only_what_is_there_is_removed(name: str, word: str) -> None:
    there: dict[str, list[Answer] | Answer] = {"dpkg-query": (0, row("gcc")), "rpm --query": (0, "1.0-1\n")}
    manager = Manager(there)
    assert Packages(name, Order(["gcc"], state="absent"), manager).converge(check=False)["changed"]
    assert manager.calls[-1].startswith(word)
    absent = Manager({"rpm": (1, "")})
    assert not Packages(name, Order(["gcc"], state="absent"), absent).converge(check=False)["changed"]


@pytest.mark.parametrize("name", ["dnf", "yum"])
def test_headers_come_in_spite_of_what_is_left_out(name: str) -> None:
    argv = manager_of(name).install(["kernel-devel-5.10.0"], weak=False, held=True)
    assert "--disableexcludes=main" in argv
    assert argv[0] == name


def test_a_package_with_its_release_is_asked_for_by_name_and_not_by_what_it_provides() -> None:
    asked: list[str] = []

    def run(argv: list[str]) -> tuple[int, str]:
        asked.append(" ".join(argv))
        return (0, "5.10.0-136\n") if "--whatprovides" not in argv else (1, "")

    assert manager_of("dnf").installed(["kernel-devel-5.10.0-136.aarch64"], run) == {
        "kernel-devel-5.10.0-136.aarch64": "5.10.0-136"
    }
    assert len(asked) == 1


def test_zypper_and_yum_spell_their_questions_differently() -> None:
    def answers(text: str) -> Callable[[list[str]], tuple[int, str]]:
        return lambda _: (0, text)

    line = "  | gcc | package | 12.3-1 | x86_64 | base\n"
    assert manager_of("zypper").offered(["gcc"], answers(line)) == {"gcc": ["12.3-1"]}
    assert manager_of("yum").offered(["gcc"], answers("gcc.x86_64   4.8.5-44.el7   base\n")) == {
        "gcc": ["4.8.5-44.el7"]
    }


def test_the_upstream_version_has_neither_epoch_nor_release() -> None:
    assert upstream("5:27.5.1-1~debian.12~bookworm") == "27.5.1"
    assert upstream("18.09.0-300.oe1") == "18.09.0"

"""Accounts and proxies of the engine: ours come and go, everybody else's stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.module_utils.converge import docker_members, docker_proxies
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.state import docker_start
from plugins.module_utils.state.docker import MEMBERS


class Machine:
    """A host with a group file that gpasswd works on."""

    def __init__(self, root: Path, members: list[str]) -> None:
        self.root, self.calls = root, list[list[str]]()
        (root / "etc").mkdir()
        self.set(members)

    def set(self, members: list[str]) -> None:
        (self.root / "etc/group").write_text(f"root:x:0:\ndocker:x:107:{','.join(members)}\n")

    def members(self) -> list[str]:
        return [name for name in (self.root / "etc/group").read_text().splitlines()[1].split(":")[3].split(",") if name]

    def run(self, argv: list[str]) -> tuple[int, str]:
        self.calls.append(argv)
        if argv[1:3] == ["--add", "nobody-there"]:
            return 1, "gpasswd: user 'nobody-there' does not exist"
        if argv[1] == "--delete" and argv[2] not in self.members():
            return 3, f"gpasswd: user '{argv[2]}' is not a member of 'docker'"
        rest = [name for name in self.members() if name != argv[2]]
        self.set([*rest, argv[2]] if argv[1] == "--add" else rest)
        return 0, ""

    def converge(self, users: list[str], check: bool = False) -> list[str]:
        return docker_members.converge(users, self.run, check, str(self.root))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, ["operators-own"])


def test_accounts_come_and_go_and_the_operators_own_stay(machine: Machine) -> None:
    assert machine.converge(["a", "b"]) == ["add a", "add b"]
    assert machine.converge(["a", "b"]) == []
    assert machine.converge(["b"]) == ["delete a"]
    assert machine.members() == ["operators-own", "b"]
    assert machine.converge([]) == ["delete b"]
    assert machine.members() == ["operators-own"]
    assert not (machine.root / MEMBERS.lstrip("/")).exists()


def test_who_was_a_member_before_us_is_not_taken_out(machine: Machine) -> None:
    assert machine.converge(["operators-own", "a"]) == ["add a"]
    machine.converge([])
    assert machine.members() == ["operators-own"]


def test_a_prediction_runs_nothing(machine: Machine) -> None:
    assert machine.converge(["a"], check=True) == ["add a"]
    assert machine.calls == []


def test_an_account_that_does_not_exist_is_named(machine: Machine) -> None:
    with pytest.raises(RefusedError, match=r"'nobody-there' does not exist.*site.yml: docker.users.*have to exist"):
        machine.converge(["nobody-there"])


def test_who_was_let_in_before_a_failure_is_taken_out_again(machine: Machine) -> None:
    with pytest.raises(RefusedError, match="nobody-there"):
        machine.converge(["a", "nobody-there"])
    with pytest.raises(RefusedError, match="nobody-there"):
        machine.converge(["a", "nobody-there"])
    assert docker_members.remembered(str(machine.root) + MEMBERS) == ["a", "nobody-there"]
    machine.converge(["b"])
    assert machine.members() == ["operators-own", "b"]


def test_a_missing_group_is_made(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [])
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    with pytest.raises(IndexError):  # the pretended gpasswd has no group to work on
        machine.converge(["a"])
    assert machine.calls[0] == ["groupadd", "--system", "docker"]


PROXIES = {"HTTP_PROXY": "http://p.example:3128/?a=%20b", "NO_PROXY": 'localhost,"odd",.example'}


def test_the_drop_in_says_what_systemd_hands_over(tmp_path: Path) -> None:
    path, mark = tmp_path / "docker.service.d/provision-proxy.conf", tmp_path / "run/mark"
    assert docker_proxies.differs(PROXIES, str(path))
    docker_proxies.write(PROXIES, str(path), str(mark))
    assert docker_start.proxies_of(path.read_text()) == PROXIES
    assert "a=%%20b" in path.read_text()
    assert not docker_proxies.differs(PROXIES, str(path))
    assert mark.exists()


def test_without_proxies_the_file_and_its_folder_go(tmp_path: Path) -> None:
    path, mark = tmp_path / "docker.service.d/provision-proxy.conf", tmp_path / "run/mark"
    docker_proxies.write(PROXIES, str(path), str(mark))
    docker_proxies.write({}, str(path), str(mark))
    assert not path.parent.exists()
    assert not docker_proxies.differs({}, str(path))


def test_a_folder_with_files_of_others_stays(tmp_path: Path) -> None:
    path, mark = tmp_path / "docker.service.d/provision-proxy.conf", tmp_path / "run/mark"
    docker_proxies.write(PROXIES, str(path), str(mark))
    (path.parent / "local.conf").write_text("")
    docker_proxies.write({}, str(path), str(mark))
    assert [entry.name for entry in path.parent.iterdir()] == ["local.conf"]

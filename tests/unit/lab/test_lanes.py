"""Lanes: what lanes.yml says, what is made of it, what a site file says about such a host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver.site import Site
from tests.lab.__main__ import lane_table, parser
from tests.lab.site import emulation, lanehosts, lanes, machines, operations, roots, systemfiles, ubuntu, vm
from tests.lab.site.errors import LabError
from tests.lab.site.layout import ASSETS, MOST_HOSTS, SUBNET, Layout, Node
from tests.lab.site.runtime import SOURCE

ROOT = Path(__file__).resolve().parents[3]


def test_no_lane_has_the_address_of_a_server_or_of_another_lane() -> None:
    addresses = [lane.address for lane in lanes.lanes()]
    assert len(set(addresses)) == len(addresses)
    assert not set(addresses) & {Node(index).address for index in range(1, MOST_HOSTS + 1)}
    assert all(address in SUBNET for address in addresses)


def test_every_system_of_the_issue_and_every_kind_of_cards_has_a_lane() -> None:
    found = {lane.name: lane for lane in lanes.lanes()}
    assert {"debian11", "debian12", "debian13", "ubuntu2204", "rpm", "py37", "a3", "duo", "arm64"} <= set(found)
    assert {lane.cards for lane in found.values()} == set(lanes.cards())
    assert {lane.system for lane in found.values()} == set(lanes.systems().values())


@pytest.mark.parametrize("lane", lanes.lanes(), ids=lambda lane: lane.name)
def test_a_site_file_with_the_lane_is_a_valid_one(lane: lanes.Lane) -> None:
    document = yaml.safe_load((ROOT / "inventories/lab/site.yml").read_text(encoding="utf-8"))
    mirrors = {name: value for name, value in document["mirrors"].items() if name != "apt"}
    document |= {"mirrors": {**mirrors, **lane.site_mirrors(Layout(Path("/lab")))}, "hosts": [lane.site_host()]}
    site = Site.model_validate({**document, "services": [], "models": []})
    assert [str(host.address) for host in site.hosts] == [str(lane.address)]
    assert len(site.mirrors.apt) + len(site.mirrors.rpm) == 1


def test_the_cards_of_lanes_are_those_of_the_catalog() -> None:
    profiles = {
        profile["name"]: profile
        for file in (ROOT / "catalog/accelerators").glob("*.yml")
        for profile in [yaml.safe_load(file.read_text(encoding="utf-8"))]
    }
    for cards in lanes.cards().values():
        assert cards.device in profiles[cards.type]["pci_ids"], cards
        assert cards.product in profiles[cards.type]["products"], cards


def test_a_lane_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(LabError, match=r"no lane is called debian10; lanes.yml has debian11, .*, and all"):
        lanes.chosen(["a3", "debian10"])


def test_all_stands_for_every_lane_and_a_name_counts_once() -> None:
    assert lanes.chosen(["all", "a3"]) == list(lanes.lanes())
    assert [lane.name for lane in lanes.chosen(["rpm", "a3", "rpm"])] == ["rpm", "a3"]


def test_only_the_lanes_that_need_them_ask_for_more_programs() -> None:
    assert lanehosts.tools(lanes.chosen(["debian11", "a3", "py37"])) == []
    assert lanehosts.tools(lanes.chosen(["rpm"])) == ["rpmbuild", "rpmsign", "createrepo_c"]
    assert "qemu-aarch64-static" in lanehosts.tools(lanes.chosen(["arm64"]))
    assert "qemu-system-x86_64" in lanehosts.tools(lanes.chosen(["vm"]))


def test_repositories_lie_where_the_service_host_serves_them() -> None:
    found = {lane.name: lane.system.repository for lane in lanes.lanes()}
    assert (found["a3"], found["debian11"], found["rpm"], found["arm64"]) == ("apt", "apt-bullseye", "rpm", "apt-arm64")
    assert found["vm"] == "apt-own-kernel"
    # two systems with other packages never share one
    made = {
        (system.repository, system.suite, system.architecture, system.own_kernel) for system in lanes.systems().values()
    }
    assert len({repository for repository, *_ in made}) == len(made)


def test_a_virtual_machine_is_there_as_long_as_it_has_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # its network interface would be that of this machine's lab
    monkeypatch.setattr(vm, "_unused", lambda _: False)
    layout = Layout(tmp_path)
    (lane,) = lanes.chosen(["vm"])
    virtual = lanehosts.machine(layout, lane)
    assert (virtual.name, str(virtual.address), virtual.tap) == ("vm", "10.77.0.222", "plabvm222")
    assert lanehosts.state_of(layout, None, lane) == "absent"
    assert not (tmp_path / "vm").exists()
    disk = tmp_path / "vm/vm/disk.img"
    disk.parent.mkdir(parents=True)
    disk.touch()
    assert lanehosts.state_of(layout, None, lane) == "exited"
    lanehosts.remove_virtual(layout)
    assert lanehosts.state_of(layout, None, lane) == "absent"


def test_a_host_that_is_not_there_cannot_be_made_bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machines, "existing_nodes", lambda _: [Node(1)])
    monkeypatch.setattr(machines, "existing_lanes", lambda _: lanes.chosen(["a3"]))
    found: Any = object()
    assert [host.name for host in lanehosts.existing(Layout(tmp_path), found, ["a3", "node1", "a3"])] == ["a3", "node1"]
    with pytest.raises(
        LabError, match=r"the site has no host called rpm, node9; it has node1, a3\. `lab up --lanes NAME`"
    ):
        lanehosts.existing(Layout(tmp_path), found, ["rpm", "node1", "node9"])


def test_a_list_of_packages_can_be_another_one_for_a_suite_and_for_a_package_manager() -> None:
    bionic, openeuler = (lanes.systems()[name] for name in ("ubuntu1804", "openeuler"))
    assert "python3" not in roots.package_list("host", bionic)
    assert roots.package_list("added", bionic) == ["python3.7"]
    assert "python3-apt" not in roots.package_list("repository", openeuler)
    assert roots.package_list("repository", lanes.systems()["debian11"]) == roots.package_list("repository")


def test_the_command_line_has_lanes_and_fresh() -> None:
    assert parser().parse_args(["up", "--lanes", "rpm,a3"]).lanes == "rpm,a3"
    assert parser().parse_args(["fresh", "node3", "rpm"]).names == ["node3", "rpm"]
    with pytest.raises(SystemExit):
        parser().parse_args(["fresh"])


def test_the_table_of_lanes_says_what_there_is() -> None:
    row = {"name": "a3", "address": "10.77.0.217", "state": "absent", "system": "debian12", "python": "3.11"}
    line = lane_table({"lanes": [{**row, "cards": "16 x 19e5:d803"}]})
    assert " ".join(line.split()) == "a3 10.77.0.217 absent debian12 python 3.11 16 x 19e5:d803"


def test_hosts_are_made_bare_side_by_side_but_not_beside_a_command_that_changes_the_site(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    beside = operations._locked(layout, alone=False)
    busy = pytest.raises(LabError, match="another `lab` command is at work here")
    with operations._locked(layout, alone=False), beside, busy, operations._locked(layout):
        pytest.fail("the lock was given to one that wants to be alone")


def test_ubuntus_mirror_is_the_one_that_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ubuntu.SETTING, "http://set.invalid/ubuntu")
    assert ubuntu.mirror("jammy", tmp_path, tmp_path) == "http://set.invalid/ubuntu"


def test_ubuntus_mirror_is_found_in_apts_sources_before_debootstraps_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(ubuntu.SETTING, raising=False)
    (tmp_path / "jammy").write_text(
        "  default_mirror http://old.invalid/ubuntu\n  default_mirror http://now.invalid/ubuntu\n"
        "  default_mirror http://other.invalid/ubuntu-other\n",
        encoding="utf-8",
    )
    assert ubuntu.mirror("jammy", tmp_path / "none", tmp_path) == "http://now.invalid/ubuntu"
    (tmp_path / "sources.list").write_text("deb http://here.invalid/ubuntu jammy main\n", encoding="utf-8")
    assert ubuntu.mirror("jammy", tmp_path, tmp_path) == "http://here.invalid/ubuntu"


def test_a_machine_that_knows_no_mirror_of_ubuntu_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(ubuntu.SETTING, raising=False)
    with pytest.raises(LabError, match=r"no mirror of Ubuntu jammy is known: .* set PROVISION_LAB_UBUNTU_MIRROR to"):
        ubuntu.mirror("jammy", tmp_path, tmp_path)


def test_an_architecture_without_emulator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no emulator is known for riscv64; there is one for arm64"):
        emulation.ensure("riscv64", tmp_path / "log")


def test_the_kernel_recognises_programs_of_arm64_and_not_those_of_this_machine() -> None:
    magic, mask = (text.encode().decode("unicode_escape").encode("latin-1") for text in emulation.MAGIC["arm64"])
    # e_ident, e_type, e_machine: an executable of 64 bits, little endian
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"

    def matches(program: bytes) -> bool:
        return bytes(a & b for a, b in zip(program, mask, strict=True)) == magic

    assert len(magic) == len(mask) == 20
    assert matches(header + b"\xb7\x00")
    assert not matches(header + b"\x3e\x00")


def test_a_root_of_another_architecture_gets_the_programs_that_cannot_be_emulated(tmp_path: Path) -> None:
    narrowed = tmp_path / "usr/local/sbin/runc"
    narrowed.parent.mkdir(parents=True)
    narrowed.write_text("narrowed", encoding="ascii")
    emulation.put_native_programs(tmp_path)
    # the narrowed runtime stays where it is, and finds the other one first
    assert narrowed.read_text(encoding="ascii") == "narrowed"
    assert "/usr/local/lib/native/runc" in SOURCE.read_text(encoding="utf-8").partition("PLACES = (")[2].split(",")[0]
    for name in ("usr/local/lib/native/runc", "usr/local/sbin/iptables", "usr/local/sbin/containerd-shim-runc-v2"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x7fELF"
        assert os.access(tmp_path / name, os.X_OK)
    assert list(tmp_path.glob("lib*/**/libc.so.6"))
    assert list(tmp_path.glob("**/xtables/*.so"))


def test_sshd_reads_our_settings_on_a_system_that_has_no_folder_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "etc/ssh/sshd_config.d"
    folder.mkdir(parents=True)
    (folder / "site.conf").write_text("PermitRootLogin no\n", encoding="utf-8")
    settings = tmp_path / "etc/ssh/sshd_config"
    for before, after in {
        "Include /etc/ssh/sshd_config.d/*.conf\n": "Include /etc/ssh/sshd_config.d/*.conf\n",
        "UsePAM yes\n": "PermitRootLogin no\n\nUsePAM yes\n",
    }.items():
        settings.write_text(before, encoding="utf-8")
        systemfiles._let_sshd_read_our_settings(tmp_path)
        assert settings.read_text(encoding="utf-8") == after


def test_a_host_of_rpm_packages_says_who_it_is_and_keeps_nothing_of_debians_way() -> None:
    text = (ASSETS / "openeuler/etc/os-release").read_text(encoding="utf-8")
    assert 'ID="openEuler"' in text.splitlines()
    assert {"apt-get", "dpkg*"} <= set(systemfiles.DEBIAN_PROGRAMS)

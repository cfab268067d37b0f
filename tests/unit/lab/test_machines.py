"""Machines of the site: names, addresses, what is put into them, who may log in."""

from __future__ import annotations

import io
import tarfile
from ipaddress import IPv4Address
from pathlib import Path

import yaml

from tests.lab.site import content, keys, lanes, machines, roots
from tests.lab.site.layout import ASSETS, MOST_HOSTS, SUBNET, Layout, Node


def test_a_server_has_one_name_and_one_address() -> None:
    node = Node(2)
    assert (node.name, node.container, node.address) == ("node2", "provision-lab-node2", IPv4Address("10.77.0.12"))
    assert node.volume == "provision-lab-node2-docker"


def test_the_last_possible_server_is_still_in_the_network() -> None:
    assert Node(MOST_HOSTS).address in SUBNET
    assert Node(MOST_HOSTS).address != SUBNET.broadcast_address


def test_a_server_gets_its_host_key_the_operators_key_and_no_other_secret(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    machine = machines.server(layout, Node(1), "image")
    assert set(machine.files) == {
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_ed25519_key.pub",
        "/home/operator/.ssh/authorized_keys",
    }
    assert machine.files["/etc/ssh/ssh_host_ed25519_key"][1:] == (0o600, 0)
    assert machine.files["/home/operator/.ssh/authorized_keys"][0].decode() == keys.ensure(layout)
    assert machine.volumes[str(layout.pci("a2"))] == {"bind": "/sys/bus/pci/devices", "mode": "ro"}


def test_files_are_packed_with_their_owners_and_a_closed_folder() -> None:
    packed = machines._archive({"/etc/a": (b"a", 0o644, 0), "/home/operator/.ssh/authorized_keys": (b"k", 0o600, 2000)})
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        entries = {entry.name: (entry.mode, entry.uid, entry.gid, entry.isdir()) for entry in archive}
    assert entries == {
        "etc/a": (0o644, 0, 0, False),
        "home/operator/.ssh": (0o700, 2000, 37, True),
        "home/operator/.ssh/authorized_keys": (0o600, 2000, 37, False),
    }


def test_a_server_keeps_its_host_key_when_it_is_made_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = machines.server(layout, Node(1), "image").files
    assert machines.server(layout, Node(1), "image").files == first
    assert machines.server(layout, Node(2), "image").files != first


def test_a_key_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    keys.ensure(layout)
    keys.public_half(layout.identity).unlink()
    assert keys.ensure(layout).startswith("ssh-ed25519 ")


def test_known_hosts_lists_exactly_the_servers(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    keys.ensure(layout)
    lines = keys.write_known_hosts(layout, [Node(1), Node(2)]).read_text(encoding="ascii").splitlines()
    assert [line.split()[0] for line in lines] == ["node1,10.77.0.11", "node2,10.77.0.12"]
    for line, node in zip(lines, [Node(1), Node(2)], strict=True):
        public = keys.public_half(keys.host_key(layout, node)).read_text(encoding="ascii")
        assert line.split()[1:] == public.split()[:2]


def test_a_bare_server_has_no_container_engine_and_no_compiler() -> None:
    lists = yaml.safe_load((ASSETS / "packages.yml").read_text(encoding="utf-8"))
    assert not {"docker.io", "gcc", "make", "dkms"} & set(lists["host"])
    assert {"docker.io", "gcc", "make", "dkms", "pciutils", "net-tools", "python3-apt"} <= set(
        roots.package_list("repository")
    )


def test_every_name_of_the_site_is_known_to_its_name_server(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    content.programs(layout)
    names = dict(
        reversed(line.split()) for line in (layout.programs / "hosts").read_text(encoding="ascii").splitlines()
    )
    assert names["services"] == "10.77.0.2"
    assert names["node1"] == "10.77.0.11"
    assert f"node{MOST_HOSTS}" in names
    assert names["a3"] == "10.77.0.217"


def test_the_server_of_a_lane_sees_its_own_cards_and_has_a_volume_of_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    (lane,) = lanes.chosen(["a3"])
    machine = machines.server(layout, lane, "image")
    assert machine.role == "lane"
    assert machine.volumes[str(layout.pci("a3"))] == {"bind": "/sys/bus/pci/devices", "mode": "ro"}
    assert machine.volumes["provision-lab-a3-docker"] == {"bind": "/var/lib/docker", "mode": "rw"}
    assert len(list(layout.pci("a3").iterdir())) == 16


def test_the_service_host_sees_new_repositories_without_being_made_anew(tmp_path: Path) -> None:
    # They lie below a folder that it has had all along; only bookworm's has a place of its own.
    inside = {bind["bind"] for bind in machines.service_host(Layout(tmp_path), "image").volumes.values()}
    assert inside == {"/srv/packages", "/srv/apt", "/srv/hub", "/opt/site", "/var/lib/docker-registry"}

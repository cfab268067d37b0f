"""What a site says about its hosts reaches the variables of the roles, each in its own place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import render, resolve
from driver.resolved import ResolvedSite

from .conftest import Data, Workshop, put

LOOKUP = "{{ lookup('ansible.builtin.env', 'PROVISION_SECRET_%s') }}"


@pytest.fixture
def fleet(workshop: Workshop) -> ResolvedSite:
    return workshop.load(base="fleet")


def variables(site: ResolvedSite, host: str) -> dict[str, Any]:
    return dict(yaml.safe_load(render.documents(site)[Path(f"host_vars/{host}.yml")]))


def part(site: ResolvedSite, host: str, role: str) -> dict[str, Any]:
    found = variables(site, host)
    return {name.removeprefix(f"{role}_"): value for name, value in found.items() if name.startswith(f"{role}_")}


def test_the_system_is_told_what_the_site_wants(fleet: ResolvedSite, workshop: Workshop) -> None:
    first, second = part(fleet, "node1", "host_baseline"), part(fleet, "node2", "host_baseline")
    wanted = {"selinux": "permissive", "firewalld": "stopped", "time_sync": True, "time_servers": ["192.0.2.4"]}
    assert wanted.items() <= first.items()
    assert (first["ip_forward"], first["kernel_hold"]) == (True, True)
    assert (first["system"], second["system"]) == ("", "debian")
    assert [source["name"] for source in first["apt_sources"]] == ["base"]
    assert (first["rpm_sources"], second["apt_sources"]) == ([], [])
    assert second["rpm_sources"] == [
        {
            "name": "everything",
            "baseurl": "http://rpm.example/openeuler",
            "key_file": f"{workshop.folder}/rpm.asc",
            "exclusive": True,
        }
    ]


def test_what_is_absent_is_left_alone(lab: ResolvedSite) -> None:
    found = part(lab, "node1", "host_baseline")
    assert {name: found[name] for name in ("selinux", "firewalld", "time_sync", "ip_forward", "kernel_hold")} == {
        "selinux": "",
        "firewalld": "",
        "time_sync": False,
        "ip_forward": False,
        "kernel_hold": False,
    }


def test_the_engine_is_one_owner_of_its_options(fleet: ResolvedSite, workshop: Workshop) -> None:
    found = part(fleet, "node1", "docker_engine")
    assert found["daemon_options"] == {
        "insecure-registries": ["192.0.2.3:5000"],
        "data-root": "/data/docker",
        "registry-mirrors": ["http://192.0.2.5:5000"],
        "log-driver": "json-file",
        "log-opts": {"max-size": "50m", "max-file": "5"},
        "default-ulimits": {
            "nofile": {"Name": "nofile", "Hard": 1048576, "Soft": 1048576},
            "memlock": {"Name": "memlock", "Hard": -1, "Soft": -1},
        },
    }
    assert found["repository"] == {
        "uri": "http://docker.example/linux",
        "key_file": f"{workshop.folder}/docker.asc",
        "key_sha256": "",
    }
    assert (found["version"], found["static"]) == ("28.0.4", {})
    runtime = part(fleet, "node1", "ascend_docker_runtime")
    assert (runtime["default_runtime"], runtime["mounts"]) == (False, ["/usr/local/Ascend/driver/tools"])


def test_nothing_of_the_site_goes_through_a_proxy(fleet: ResolvedSite) -> None:
    proxy = part(fleet, "node1", "docker_engine")["proxy"]
    direct = proxy["no_proxy"]
    assert proxy["http"] == "http://192.0.2.6:3128"
    assert direct[:3] == ["localhost", "127.0.0.0/8", "::1"]
    assert {"node3", "192.0.2.13", "192.0.2.2", "apt.example", "rpm.example", "192.0.2.5", "docker.example"} <= {
        *direct
    }
    assert {"192.0.2.3", "mirror.example"} <= {*direct}
    assert direct[-1] == ".example.org"
    assert len(direct) == len({*direct})


def test_the_static_engine_is_the_archive_of_the_release(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["docker"] = {"source": "static"}
        for arch, last in (("aarch64", "a"), ("x86_64", "b")):
            data["checksums"][f"docker-28.0.4-{arch}.tgz"] = "0" * 63 + last

    site = workshop.load(change, base="fleet")
    found = part(site, "node3", "docker_engine")
    assert found["version"] == "28.0.4"
    assert found["static"] == {
        "version": "28.0.4",
        "file": "docker-28.0.4-x86_64.tgz",
        "url": "http://192.0.2.2:8000/files/docker-28.0.4-x86_64.tgz",
        "sha256": "0" * 63 + "b",
        "size": 0,
    }
    assert part(site, "node1", "docker_engine")["static"]["file"] == "docker-28.0.4-aarch64.tgz"


def test_each_generation_gets_the_files_of_its_family_and_architecture(fleet: ResolvedSite) -> None:
    files = {name: part(fleet, name, "npu_driver")["package"]["file"] for name in ("node1", "node2", "node3")}
    assert files == {
        "node1": "Ascend-hdk-910b-npu-driver_25.3.rc1_linux-aarch64.run",
        "node2": "Atlas-A3-hdk-npu-driver_25.3.rc1_linux-aarch64.run",
        "node3": "Atlas-A3-hdk-npu-driver_25.3.rc1_linux-x86-64.run",
    }
    found = part(fleet, "node2", "npu_driver")
    assert (found["chips_per_card"], found["expected_count"], len(found["device_nodes"])) == (2, 4, 4)
    assert found["boards"]["19e5:3003"] == "Atlas 800I A3"


def test_changes_of_the_driver_follow_the_site(fleet: ResolvedSite, workshop: Workshop) -> None:
    driver, firmware = part(fleet, "node1", "npu_driver"), part(fleet, "node1", "npu_firmware")
    assert (driver["version_accepted"], firmware["version_accepted"]) == ("24.1.rc3", "7.5.0.1.129")
    assert (driver["modules_signed"], driver["drain_units"]) == (True, ["worker.service"])
    for role in (driver, firmware):
        assert role["root_certificates"] == [f"{workshop.folder}/root.pem"]
        assert role["revocation_lists"] == [f"{workshop.folder}/revoked.crl"]


def test_ports_are_plain_values(fleet: ResolvedSite) -> None:
    assert "npu_network" not in fleet.host("node2").roles
    found = part(fleet, "node3", "npu_network")
    assert found["devices"][1] == {
        "device": 1,
        "address": "198.51.102.1",
        "netmask": "255.255.255.0",
        "gateway": "198.51.102.254",
        "netdetect": "198.51.102.253",
    }
    assert found["tls"] == "off"


def test_secrets_are_looked_up_and_written_nowhere(fleet: ResolvedSite) -> None:
    files = render.documents(fleet)
    everyone = yaml.safe_load(files[Path("group_vars/all.yml")])
    assert everyone["ansible_become_password"] == LOOKUP % "BECOME"
    found = part(fleet, "node1", "obsutil")
    assert found["access_key"] == LOOKUP % "OBSUTIL_ACCESS_KEY"
    assert found["secret_key"] == LOOKUP % "OBSUTIL_SECRET_KEY"
    assert "key" not in "".join(yaml.safe_load(files[Path("wanted/node1.json")])["obsutil"])
    assert fleet.secrets["OBSUTIL_SECRET_KEY"] == {
        "key": "obsutil.secret_key",
        "role": "obsutil",
        "env": "",
        "vault": "fleet_secret",
    }


def test_hosts_without_a_password_have_no_variable_for_one(lab: ResolvedSite) -> None:
    assert "ansible_become_password" not in render.documents(lab)[Path("group_vars/all.yml")]


def zipped(folder: Path) -> None:
    """Make the A2 driver of a catalog's lab release a signed archive without a known sum."""
    file = folder / "releases/lab.yml"
    release = yaml.safe_load(file.read_text(encoding="utf-8"))
    entry = {"file": "Ascend-hdk-910b-npu.zip", "archive": {"run": "driver.run"}}
    release["families"]["910b"]["driver"]["files"] = {"x86_64": entry}
    file.write_text(yaml.safe_dump(release), encoding="utf-8")


def test_a_signed_archive_needs_certificates_or_a_sum(workshop: Workshop, catalog_copy: Path) -> None:
    zipped(catalog_copy)
    (workshop.folder / "root.pem").touch()
    signed = put(npu={"signature": {"root_certificates": ["root.pem"]}})
    site = resolve.load(workshop.write(signed), catalog=catalog_copy)
    package = part(site, "node1", "npu_driver")["package"]
    assert (package["archive"], package["sha256"]) == ({"run": "driver.run"}, "")
    summed = put(checksums={"Ascend-hdk-910b-npu.zip": "0" * 63 + "1"})
    site = resolve.load(workshop.write(summed), catalog=catalog_copy)
    assert part(site, "node1", "npu_driver")["package"]["sha256"] == "0" * 63 + "1"


def test_a_signed_archive_that_nothing_verifies_is_refused(workshop: Workshop, catalog_copy: Path) -> None:
    zipped(catalog_copy)
    with pytest.raises(resolve.SiteError) as caught:
        resolve.load(workshop.write(), catalog=catalog_copy)
    (line,) = caught.value.lines
    assert (
        "npu.signature: found nothing, and Ascend-hdk-910b-npu.zip is a signed archive without a known SHA-256; "
        in line
    )
    assert "npu.signature.root_certificates" in line
    assert "add `Ascend-hdk-910b-npu.zip: SUM` to checksums" in line


def test_an_archive_says_what_is_inside(workshop: Workshop, catalog_copy: Path) -> None:
    file = catalog_copy / "releases/lab.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("_linux-x86-64.run", "_linux-x86-64.zip"), encoding="utf-8")
    with pytest.raises(resolve.SiteError, match=r"expected archive: \{run: NAME\} for a file that ends with \.zip"):
        resolve.load(workshop.write(), catalog=catalog_copy)


def test_a_release_without_what_the_site_wants_is_refused(workshop: Workshop, catalog_copy: Path) -> None:
    file = catalog_copy / "releases/hdk-25.3.rc1.yml"
    release = yaml.safe_load(file.read_text(encoding="utf-8"))
    del release["obsutil"], release["docker"]["static"], release["docker"]["repository"]
    file.write_text(yaml.safe_dump(release), encoding="utf-8")

    def change(data: Data) -> None:
        data["docker"] = {"source": "static"}
        data["checksums"] = {name: value for name, value in data["checksums"].items() if "obsutil" not in name}

    with pytest.raises(resolve.SiteError) as caught:
        resolve.load(workshop.write(change, base="fleet"), catalog=catalog_copy)
    assert [line.split(": found ")[1].split(";")[0] for line in caught.value.lines] == [
        "true, but release hdk-25.3.rc1 has none",
        "static, but release hdk-25.3.rc1 names no archive of Docker",
    ]
    with pytest.raises(resolve.SiteError, match=r"docker\.repository\.uri: found none, and release .* names none"):
        resolve.load(
            workshop.write(put(docker={"source": "docker", "repository": {"key_file": "docker.asc"}}), base="fleet"),
            catalog=catalog_copy,
        )

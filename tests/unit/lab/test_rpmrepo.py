"""The RPM repository: which packages come out of Debian's, and how their files lie."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.lab.site import lanes, roots, rpmrepo


def test_every_package_of_debian_goes_into_exactly_one_package() -> None:
    names = yaml.safe_load(rpmrepo.NAMES.read_text(encoding="utf-8"))
    debs = [deb for fields in names.values() for deb in fields["debs"]]
    assert len(debs) == len(set(debs))


def test_what_nobody_claims_is_in_the_libraries() -> None:
    made = {package.name: package for package in rpmrepo.packages(["docker.io", "runc", "libxyz1"], "5.10.0-1.x86_64")}
    assert set(made) == {"docker-engine", rpmrepo.LIBRARIES, "kernel-devel", "kernel-headers"}
    assert list(made[rpmrepo.LIBRARIES].debs) == ["libxyz1"]


def test_what_hosts_are_asked_to_install_is_there_under_the_names_of_the_family() -> None:
    listed = roots.package_list("repository", lanes.systems()["openeuler"])
    made = {package.name for package in rpmrepo.packages(listed)}
    wanted = {"gcc", "make", "dkms", "pciutils", "net-tools", "docker-engine", "chrony", "python3-libselinux"}
    assert wanted <= made
    names = yaml.safe_load(rpmrepo.NAMES.read_text(encoding="utf-8"))
    assert set(listed) <= {deb for fields in names.values() for deb in [*fields["debs"], "libc6-dev"]}


@pytest.mark.parametrize(
    ("kernel", "parts"),
    [
        ("5.10.0-136.12.0.86.oe2203sp1.x86_64", ("kernel-devel", "5.10.0", "136.12.0.86.oe2203sp1")),
        ("6.1.0-44-amd64", ("kernel-devel-6.1.0", "44", "amd64")),
        ("6.9", ("kernel-devel", "6.9", "1")),
    ],
)
def test_the_build_tree_is_found_by_the_kernels_name(kernel: str, parts: tuple[str, str, str]) -> None:
    package = rpmrepo.kernel_packages(kernel)[0]
    assert (package.name, *package.version) == parts
    assert "kernel-devel" in package.provides
    assert (f"kernel-devel-uname-r = {kernel}" in package.provides) == (package.name == "kernel-devel")


def test_files_lie_below_usr_and_the_operators_below_etc_are_settings(tmp_path: Path) -> None:
    for name in ("lib/systemd/system/a.service", "etc/a.conf", "usr/share/doc/a/changelog", "usr/bin/a-nft"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("ExecStart=/a $OLD\n", encoding="ascii")
    (tmp_path / "var/lib/a").mkdir(parents=True)
    unit = "usr/lib/systemd/system/ad.service"
    package = rpmrepo.Package(
        "a",
        ["a"],
        moved={"usr/lib/systemd/system/a.service": unit},
        replaced={unit: {"$OLD": "-f /etc/a.conf"}},
        links={"usr/bin/a": "a-nft"},
    )
    rpmrepo._arrange(package, tmp_path)
    assert (tmp_path / unit).read_text(encoding="ascii") == "ExecStart=/a -f /etc/a.conf\n"
    assert rpmrepo._listed(tmp_path)[1:] == [
        '%config(noreplace) "/etc/a.conf"\n',
        '"/usr/bin/a"\n',
        '"/usr/bin/a-nft"\n',
        f'"/{unit}"\n',
        '%dir "/var/lib/a"\n',
    ]


def test_a_package_tells_systemd_and_the_loader_only_what_they_need_to_know(tmp_path: Path) -> None:
    assert rpmrepo._after(tmp_path).split("\n") == [":", ":"]
    for name in ("usr/lib/systemd/system/a.service", "usr/lib/x86_64-linux-gnu/liba.so.1"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert rpmrepo._after(tmp_path).split("\n") == ["systemctl daemon-reload", "ldconfig"]

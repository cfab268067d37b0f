"""The mirror of Docker's own repository: its names, its folders, and an index that apt can check."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.vendor import docker_repository

SUITE = "bookworm"


def deb(folder: Path, name: str, version: str, depends: str) -> Path:
    root = folder / f"{name}.root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin" / name).write_text("program")
    fields = (
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: x\nDepends: {depends}\nDescription: x\n"
    )
    (root / "DEBIAN/control").write_text(fields)
    target = folder / f"{name}_{version}_amd64.deb"
    subprocess.run(["dpkg-deb", "--build", root, target], check=True, stdout=subprocess.DEVNULL)
    return target


@pytest.fixture
def debs(tmp_path: Path) -> list[Path]:
    return [
        deb(tmp_path, "docker.io", "20.10.24+dfsg1-1", "containerd (>= 1.2), iptables"),
        deb(tmp_path, "containerd", "1.6.20~ds1-1", "runc"),
    ]


def publish(debs: list[Path], target: Path) -> int:
    key = target.parent / "key.asc"
    key.write_text("the key")
    return docker_repository.publish(
        debs, target, SUITE, "amd64", key, lambda dist: (dist / "InRelease").write_text("signed") and None
    )


def test_packages_have_dockers_names_and_conflict_with_the_distributions(debs: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "mirror"
    assert publish(debs, target) == 3
    index = (target / f"dists/{SUITE}/stable/binary-amd64/Packages").read_text()
    found = {entry[0]: entry for entry in re.findall(r"(?m)^Package: (\S+)\nVersion: (\S+)", index)}
    assert sorted(found) == ["containerd.io", "docker-ce", "docker-ce-cli"]
    assert found["docker-ce"][1].startswith("5:20.10.24-1")
    engine = next(stanza for stanza in index.split("\n\n") if "Package: docker-ce\n" in stanza)
    assert "Conflicts: docker.io" in engine
    assert "Depends: containerd.io, iptables" in engine
    assert (target / "gpg").read_text() == "the key"


def test_the_index_is_what_release_says(debs: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "mirror"
    publish(debs, target)
    dist = target / "dists" / SUITE
    index = (dist / "stable/binary-amd64/Packages").read_bytes()
    assert (
        f" {hashlib.sha256(index).hexdigest()} {len(index)} stable/binary-amd64/Packages"
        in (dist / "Release").read_text()
    )
    for name, digest in re.findall(r"(?m)^Filename: (\S+)\nSize: \d+\nSHA256: (\S+)", index.decode()):
        assert hashlib.sha256((target / name).read_bytes()).hexdigest() == digest


def test_the_same_packages_are_not_packed_again(debs: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "mirror"
    publish(debs, target)
    (target / "pool").rename(target / "moved")
    assert publish(debs, target) == 3
    assert not (target / "pool").exists()


def test_without_an_engine_there_is_no_repository(tmp_path: Path) -> None:
    assert publish([], tmp_path / "mirror") == 0
    assert not (tmp_path / "mirror").exists()

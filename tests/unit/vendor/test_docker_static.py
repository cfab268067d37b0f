"""Docker's archive of binaries out of a distribution's packages."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from tests.lab.vendor import docker_static


def package(folder: Path, name: str, version: str, root: Path) -> Path:
    """Build a package *name* with the files below *root*."""
    (root / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: lab <lab@site.invalid>\nDescription: x\n"
    )
    (root / "DEBIAN/control").write_text(control, encoding="ascii")
    target = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, target], check=True, capture_output=True)
    return target


def debs(folder: Path) -> list[Path]:
    """Build the packages that the engine is in."""
    first = folder / "docker.io.root"
    for path in docker_static.BINARIES.values():
        (first / path).parent.mkdir(parents=True, exist_ok=True)
        (first / path).write_text(path, encoding="ascii")
    others = [(name, folder / f"{name}.root") for name in docker_static.PACKAGES if name != "docker.io"]
    return [
        package(folder, "docker.io", "20.10.24+dfsg1-1", first),
        *(package(folder, name, "1.0", root) for name, root in others),
    ]


def test_archive_is_laid_out_as_upstreams(tmp_path: Path) -> None:
    found = debs(tmp_path)
    target = docker_static.publish(found, tmp_path / "out", "x86_64")
    assert target == tmp_path / "out/docker-20.10.24-x86_64.tgz"
    with tarfile.open(target) as tar:
        names = {entry.name: (entry.mode, entry.uid) for entry in tar}
        assert tar.extractfile("docker/runc").read() == b"usr/sbin/runc"
    assert names == dict.fromkeys(["docker", *(f"docker/{one}" for one in docker_static.BINARIES)], (0o755, 1000))
    done = subprocess.run(
        ["sha256sum", "--check", f"{target.name}.sha256"],
        cwd=target.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{target.name}: OK\n"), done.stderr
    before = target.stat().st_ino
    assert docker_static.publish(found, tmp_path / "out", "x86_64").stat().st_ino == before


def test_packages_without_an_engine_give_nothing(tmp_path: Path) -> None:
    assert docker_static.publish(debs(tmp_path)[1:], tmp_path / "out", "x86_64") is None
    assert not (tmp_path / "out").exists()

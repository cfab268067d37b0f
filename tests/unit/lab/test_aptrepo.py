"""The site's apt repository: real packages, an index that apt accepts, a signature that verifies."""

from __future__ import annotations

import gzip
import hashlib
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.site import aptrepo, headers
from tests.lab.site.archive import architecture


@pytest.mark.parametrize(
    ("kernel", "name"),
    [("6.1.0-44-amd64", "linux-headers-6.1.0-44-amd64"), ("5.10.0_Custom+1", "linux-headers-5.10.0-custom+1")],
)
def test_the_headers_package_is_named_after_the_kernel(kernel: str, name: str) -> None:
    assert headers.package_name(kernel) == name


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that offers one package, signed."""
    folder = tmp_path_factory.mktemp("apt")
    package = headers.build(folder / "debs", folder / "work", folder / "log", architecture())
    key = aptrepo.ensure_key(folder / "private" / "key", folder / "key.asc", folder / "log")
    return aptrepo.build(folder / "repository", [package], architecture(), key, folder / "log")


def test_the_package_has_the_build_link_where_module_builders_look(repository: Path) -> None:
    package = next(repository.glob("pool/main/*.deb"))
    listing = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    kernel = platform.release()
    assert f"./lib/modules/{kernel}/build -> /usr/src/linux-headers-{kernel}" in listing
    assert f"./usr/src/linux-headers-{kernel}/Makefile" in listing


def test_the_index_names_each_package_with_size_and_sum(repository: Path) -> None:
    index = gzip.decompress(
        (repository / f"dists/bookworm/main/binary-{architecture()}/Packages.gz").read_bytes()
    ).decode()
    fields = dict(line.split(": ", 1) for line in index.splitlines() if ": " in line)
    package = repository / fields["Filename"]
    assert fields["Package"] == headers.package_name(platform.release())
    assert int(fields["Size"]) == package.stat().st_size
    assert fields["SHA256"] == hashlib.sha256(package.read_bytes()).hexdigest()


def test_the_signature_verifies_with_the_published_key(repository: Path, tmp_path: Path) -> None:
    verify = ["gpgv", "--keyring", str(tmp_path / "key.gpg"), str(repository / "dists/bookworm/InRelease")]
    public = repository.parent / "key.asc"
    dearmor = ["gpg", "--homedir", str(tmp_path), "--dearmor", "--output", str(tmp_path / "key.gpg"), str(public)]
    subprocess.run(dearmor, capture_output=True, check=True)
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_offered_no_more_leaves_the_pool(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    (copy / "pool/main/old_1_all.deb").write_bytes(b"")
    folder = repository.parent
    aptrepo.build(
        copy, list((folder / "debs").glob("*.deb")), architecture(), folder / "private" / "key", tmp_path / "log"
    )
    assert [file.name for file in (copy / "pool/main").iterdir()] == [
        file.name for file in (folder / "debs").glob("*.deb")
    ]


def test_a_repository_of_another_suite_says_which(repository: Path, tmp_path: Path) -> None:
    folder = repository.parent
    debs = list((folder / "debs").glob("*.deb"))
    made = aptrepo.build(tmp_path / "r", debs, architecture(), folder / "private" / "key", tmp_path / "log", "trixie")
    release = (made / "dists/trixie/Release").read_text(encoding="utf-8")
    assert "Suite: trixie\nCodename: trixie\n" in release

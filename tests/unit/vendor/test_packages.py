"""Packing: the same bytes everywhere, and archives that check themselves."""

from __future__ import annotations

import ast
import gzip
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.vendor import build
from tests.lab.vendor.build import describe
from tests.lab.vendor.packer import archive, fill, filler, gzip_stored, write

ROOT = Path(__file__).resolve().parents[3]
VENDOR = ROOT / "tests/lab/vendor"
LAB = ROOT / "catalog/releases/lab.yml"
DRIVER = "Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.run"
RUNTIME = "Ascend-docker-runtime_26.1.0_linux-x86_64.run"


def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def files_in(content: Any) -> list[dict[str, Any]]:
    """Return every mapping below *content* that names a file with its sha256."""
    if isinstance(content, list):
        return [found for item in content for found in files_in(item)]
    if not isinstance(content, dict):
        return []
    here = [content] if {"file", "sha256"} <= set(content) else []
    return here + [found for item in content.values() for found in files_in(item)]


def test_two_builds_are_the_same_bytes(tmp_path: Path, packages: Path) -> None:
    old = os.umask(0o077)
    try:
        again = build(tmp_path / "again")
    finally:
        os.umask(old)
    assert {path.name: path.read_bytes() for path in again} == {
        path.name: path.read_bytes() for path in packages.iterdir()
    }


def test_the_lab_release_names_the_built_packages(packages: Path) -> None:
    listed = files_in(yaml.safe_load(LAB.read_text(encoding="utf-8")))
    built = {item["file"]: item for item in describe(sorted(packages.iterdir()))}
    assert len(listed) == 19, "five families with two drivers and one firmware, runtime and obsutil for two machines"
    for item in listed:
        expected = {key: built[item["file"]][key] for key in ("sha256", "size")}
        found = {key: item[key] for key in ("sha256", "size")}
        assert found == expected, f"{LAB}: {item['file']}; `python -m tests.lab.vendor OUT` prints the right values"


def host_programs() -> list[Path]:
    """Return the stand-ins' Python files that run on hosts."""
    return sorted(path for part in ("driver", "runtime", "obsutil/program") for path in (VENDOR / part).rglob("*.py"))


@pytest.mark.parametrize("path", host_programs(), ids=lambda path: path.stem)
def test_what_runs_on_hosts_is_understood_by_python_3_7(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    assert "from __future__ import annotations\n" in source


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    target = write(tmp_path / "x", b"one", 0o644)
    before = target.stat().st_ino
    assert write(target, b"one", 0o644).stat().st_ino == before
    assert write(target, b"two", 0o755).read_bytes() == b"two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200000])
def test_gzip_without_compression_unpacks(size: int) -> None:
    content = filler("x", size)
    assert gzip.decompress(gzip_stored(content)) == content


def test_placeholder_without_value_is_refused() -> None:
    with pytest.raises(KeyError, match="UNKNOWN"):
        fill("version=@UNKNOWN@", {"VERSION": "1"})


def test_archive_does_not_show_the_order_of_its_input() -> None:
    assert archive({"b": b"2", "a": b"1"}) == archive({"a": b"1", "b": b"2"})


def test_payload_is_found_behind_the_header(packages: Path, tmp_path: Path) -> None:
    done = call("bash", packages / DRIVER, "--noexec", f"--extract={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    assert "SHA256 checksums are OK. All good." in done.stdout
    assert "Version=25.5.1" in (tmp_path / "out/version.info").read_text().splitlines()
    assert os.access(tmp_path / "out/tools/npu-smi", os.X_OK)


@pytest.mark.parametrize("name", [DRIVER, RUNTIME])
def test_damaged_package_ends_with_code_2(packages: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((packages / name).read_bytes())
    content[-2000] ^= 1
    broken = tmp_path / name
    broken.write_bytes(content)
    done = call("bash", broken, "--version")
    assert done.returncode == 2
    assert "Error in SHA256 checksums" in done.stderr


def test_truncated_package_ends_with_code_2(packages: Path, tmp_path: Path) -> None:
    broken = tmp_path / DRIVER
    broken.write_bytes((packages / DRIVER).read_bytes()[:-50000])
    assert call("bash", broken, "--full", "--quiet").returncode == 2


def test_help_names_the_options_of_both_layers(packages: Path) -> None:
    done = call("bash", packages / DRIVER, "--help")
    assert done.returncode == 0
    assert "--nox11" in done.stdout
    assert "--install-for-all" in done.stdout


@pytest.mark.parametrize("option", ["--quiet", "--nox11", "--check", "--injection-mode=cdi"])
def test_runtime_refuses_what_its_help_does_not_name(packages: Path, option: str) -> None:
    done = call("bash", packages / RUNTIME, option, "--install")
    assert done.returncode == 1
    assert "--install-scene" in done.stdout, "the help is shown"


def test_every_script_is_bash_that_parses(packages: Path, tmp_path: Path) -> None:
    checked = 0
    for package in sorted(packages.glob("*.run")):
        folder = tmp_path / package.stem
        folder.mkdir()
        size = len(package.read_bytes())
        assert hashlib.sha256(package.read_bytes()).hexdigest()
        skip = next(line for line in package.read_bytes().split(b"\n") if line.startswith(b"skip="))[5:].decode()
        subprocess.run(f"tail -n +{skip} '{package}' | tar -xf - -C '{folder}'", shell=True, check=True)  # noqa: S602
        for script in folder.rglob("*.sh"):
            assert call("bash", "-n", script).returncode == 0, f"{script} of {size} bytes"
            checked += 1
    assert checked > 50

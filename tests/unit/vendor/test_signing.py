"""Signed deliveries: what openssl says of the good ones and of each kind of wrong one."""

from __future__ import annotations

import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.vendor import signing
from tests.lab.vendor.signing import deliveries
from tests.lab.vendor.signing.authority import openssl

FILE = "Ascend-hdk-910b-npu_25.5.1_linux-x86-64.zip"
DRIVER = "Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.zip"
FIRMWARE = "Ascend-hdk-910b-npu-firmware_7.8.0.6.201.zip"


@dataclass(frozen=True)
class Delivered:
    """Archives of small stand-ins for the packages, and who signed them."""

    packages: Path
    authority: signing.Authority


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    folder = tmp_path_factory.mktemp("delivered")
    for delivery in deliveries.deliveries():
        for run in delivery.runs:
            (folder / run).write_bytes(run.encode())
    authority = signing.ensure(folder / "signing")
    assert signing.deliver(folder, authority) == 16
    return Delivered(folder, authority)


def unpacked(delivered: Delivered, variant: str, folder: Path) -> Path:
    """Return the driver's zip out of the archive of *variant*."""
    with zipfile.ZipFile(delivered.packages / variant / FILE) as outer:
        outer.extractall(folder)
    return folder / DRIVER


def verify(inner: Path, root: Path, *lists: Path) -> subprocess.CompletedProcess[str]:
    """Check *inner* as the vendor's tool does; with *lists* the signer must not be on them."""
    trusted = inner.with_name("trusted.pem")
    texts = [root.read_text(encoding="ascii")]
    for number, source in enumerate(lists):
        pem = inner.with_name(f"list{number}.pem")
        openssl(["crl", "-inform", "DER", "-in", source, "-out", pem], inner.parent)
        texts.append(pem.read_text(encoding="ascii"))
    trusted.write_text("".join(texts), encoding="ascii")
    words = ["cms", "-verify", "--no_check_time", "-inform", "DER", "-binary", "-purpose", "any", "-out", "/dev/null"]
    files = ["-in", f"{inner}.cms", "-content", str(inner), "-CAfile", str(trusted), *(["-crl_check"] if lists else [])]
    return subprocess.run(["openssl", *words, *files], capture_output=True, text=True, check=False)


def test_archive_holds_driver_and_firmware_each_with_signature_and_list(delivered: Delivered, tmp_path: Path) -> None:
    with zipfile.ZipFile(delivered.packages / FILE) as outer:
        assert sorted(outer.namelist()) == sorted(
            f"{name}{end}" for name in (DRIVER, FIRMWARE) for end in ("", ".cms", ".crl")
        )
    inner = unpacked(delivered, ".", tmp_path)
    with zipfile.ZipFile(inner) as pack:
        assert pack.namelist() == [DRIVER.replace(".zip", ".run")]


def test_good_archive_passes_with_either_list(delivered: Delivered, tmp_path: Path) -> None:
    inner = unpacked(delivered, ".", tmp_path)
    own = inner.with_name(inner.name + ".crl")
    for revoked in ([], [own], [delivered.authority.new_list]):
        assert verify(inner, delivered.authority.root, *revoked).returncode == 0
    check = ["crl", "-verify", "-in", own, "-inform", "DER", "-CAfile", delivered.authority.root, "-noout"]
    openssl(check, tmp_path)


@pytest.mark.parametrize(
    ("variant", "revoked", "reason"),
    [
        ("tampered", "", "content verify error"),
        ("revoked", "own", "certificate revoked"),
        ("revoked-late", "site", "certificate revoked"),
        ("other-root", "", "unable to get local issuer certificate"),
    ],
)
def test_wrong_archives_fail(delivered: Delivered, tmp_path: Path, variant: str, revoked: str, reason: str) -> None:
    inner = unpacked(delivered, f"variants/{variant}", tmp_path)
    lists = {"": [], "own": [inner.with_name(inner.name + ".crl")], "site": [delivered.authority.new_list]}[revoked]
    done = verify(inner, delivered.authority.root, *lists)
    assert done.returncode != 0
    assert reason in done.stderr


def test_late_revocation_is_on_the_newer_list_only(delivered: Delivered, tmp_path: Path) -> None:
    inner = unpacked(delivered, "variants/revoked-late", tmp_path)
    assert verify(inner, delivered.authority.root, inner.with_name(inner.name + ".crl")).returncode == 0
    assert delivered.authority.new_list.read_bytes() != delivered.authority.old_list.read_bytes()


def test_tampered_archive_is_sound_but_for_its_signature(delivered: Delivered, tmp_path: Path) -> None:
    inner = unpacked(delivered, "variants/tampered", tmp_path)
    with zipfile.ZipFile(inner) as pack:
        assert pack.testzip() is None
        assert "readme.txt" in pack.namelist()


def test_what_is_there_stays_until_a_package_changes(delivered: Delivered) -> None:
    target = delivered.packages / FILE
    before = target.read_bytes()
    signing.deliver(delivered.packages, delivered.authority)
    assert target.read_bytes() == before
    package = delivered.packages / DRIVER.replace(".zip", ".run")
    old = package.read_bytes()
    package.write_bytes(b"another driver")
    signing.deliver(delivered.packages, delivered.authority)
    assert b"another driver" in target.read_bytes()
    package.write_bytes(old)
    signing.deliver(delivered.packages, delivered.authority)


def test_authority_is_made_once(delivered: Delivered) -> None:
    before = delivered.authority.root.read_bytes()
    assert signing.ensure(delivered.authority.folder).root.read_bytes() == before


def test_complaint_of_openssl_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(signing.SigningError, match=r"openssl crl ends with 1: .*absent"):
        openssl(["crl", "-in", "absent"], tmp_path)

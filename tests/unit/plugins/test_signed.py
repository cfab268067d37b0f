"""Signed deliveries: nothing is taken out before signature, chain and lists hold; refusals by their message."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import openssl as tool
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.signed import Delivery, unpack

from .authority import Authority, deliver, pack

RUN = "driver_1.run"
CONTENT = b"#!/bin/bash\nexit 0\n"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca") / "maker")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that calls itself like the first one."""
    return Authority(tmp_path_factory.mktemp("ca") / "stranger")


def take(tmp_path: Path, archive: Path, roots: list[Path], **more: Any) -> tuple[bool, str]:
    delivery = Delivery(
        archive=str(archive),
        run=more.pop("run", RUN),
        roots=[str(root) for root in roots],
        revocation_lists=[str(path) for path in more.pop("lists", [])],
        system_lists=str(more.pop("system", tmp_path / "none")),
    )
    return unpack(delivery, str(tmp_path / "dest"), tool.find())


def test_the_named_file_comes_out_and_nothing_else(tmp_path: Path, maker: Authority) -> None:
    archive = deliver(tmp_path, maker, {RUN: CONTENT, "readme.txt": b"x", "docs/more.txt": b"x"})
    assert take(tmp_path, archive, [maker.root]) == (True, str(maker.root))
    assert [path.name for path in (tmp_path / "dest").iterdir()] == [RUN]
    assert (tmp_path / "dest" / RUN).read_bytes() == CONTENT
    assert stat.S_IMODE((tmp_path / "dest").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "dest" / RUN).stat().st_mode) == 0o600
    assert take(tmp_path, archive, [maker.root])[0] is False


def test_the_second_root_is_tried_and_der_is_read(tmp_path: Path, maker: Authority, stranger: Authority) -> None:
    der = tmp_path / "root.der"
    tool.find().call("x509", "-in", str(maker.root), "-outform", "DER", "-out", str(der))
    archive = deliver(tmp_path, maker, {RUN: CONTENT})
    assert take(tmp_path, archive, [stranger.root, der]) == (True, str(der))


def test_a_root_with_pss_signatures_and_a_signer_that_has_expired(tmp_path: Path) -> None:
    other = Authority(tmp_path / "ca", pss=True)
    old = other.issue("old", expired=True)
    inner = pack(tmp_path / "inner.zip", {RUN: CONTENT})
    archive = deliver(tmp_path, other, {RUN: CONTENT}, cms=other.sign(inner, old), crl=other.crl())
    assert take(tmp_path, archive, [other.root])[0] is True


def test_a_changed_package_is_refused(tmp_path: Path, maker: Authority) -> None:
    evil = pack(tmp_path / "evil.zip", {RUN: b"rm -rf /\n"})
    archive = deliver(tmp_path, maker, {RUN: CONTENT}, zip=evil)
    with pytest.raises(
        RefusedError, match=r"Delivery.zip: the signature does not fit the package .*nothing of it was run"
    ):
        take(tmp_path, archive, [maker.root])
    assert list((tmp_path / "dest").iterdir()) == []


def test_a_package_of_somebody_else_is_refused(tmp_path: Path, maker: Authority, stranger: Authority) -> None:
    archive = deliver(tmp_path, stranger, {RUN: CONTENT})
    with pytest.raises(
        RefusedError, match=r"vouched for by none of the roots in npu.signature.root_certificates \(root.pem: .*Add the"
    ):
        take(tmp_path, archive, [maker.root])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("cms", r"the signature Package.zip.cms is missing \(it holds Package.zip, Package.zip.crl\)"),
        ("crl", r"the revocation list Package.zip.crl is missing"),
        ("zip", r"holds Package.zip.cms, Package.zip.crl, expected an inner zip with its .cms and .crl"),
    ],
)
def test_a_delivery_without_one_of_its_parts_is_refused(
    tmp_path: Path, maker: Authority, part: str, words: str
) -> None:
    archive = deliver(tmp_path, maker, {RUN: CONTENT}, **{part: None})
    with pytest.raises(RefusedError, match=words):
        take(tmp_path, archive, [maker.root])


def test_a_list_that_the_root_did_not_sign_is_refused(tmp_path: Path, maker: Authority, stranger: Authority) -> None:
    archive = deliver(tmp_path, maker, {RUN: CONTENT}, crl=stranger.crl())
    with pytest.raises(RefusedError, match="its revocation list is not signed by the root that vouches"):
        take(tmp_path, archive, [maker.root])


@pytest.fixture
def revoked(tmp_path: Path) -> tuple[Authority, Path, Path]:
    """Return an authority, its list of before it revoked its signer, and its list of after."""
    authority = Authority(tmp_path / "revoking")
    before = authority.crl("20260101000000Z", "before")
    authority.revoke(authority.signer)
    return authority, before, authority.crl("20260601000000Z", "after")


def test_a_revoked_signer_is_refused(tmp_path: Path, revoked: tuple[Authority, Path, Path]) -> None:
    authority, _, after = revoked
    archive = deliver(tmp_path, authority, {RUN: CONTENT}, crl=after)
    with pytest.raises(
        RefusedError, match="certificate of the signer with serial 1000 is revoked by the package's own"
    ):
        take(tmp_path, archive, [authority.root])


def test_the_newest_list_counts_wherever_it_is(tmp_path: Path, revoked: tuple[Authority, Path, Path]) -> None:
    authority, before, after = revoked
    archive = deliver(tmp_path, authority, {RUN: CONTENT}, crl=before)
    assert take(tmp_path, archive, [authority.root])[0] is True
    with pytest.raises(RefusedError, match=r"is revoked by .*after.crl: whoever has its key"):
        take(tmp_path, archive, [authority.root], lists=[after])
    system = tmp_path / "hwsipcrl"
    system.mkdir()
    shutil.copy(after, system / "list.crl")
    with pytest.raises(RefusedError, match=r"is revoked by .*hwsipcrl/list.crl"):
        take(tmp_path, archive, [authority.root], system=system)


def test_an_older_list_beside_a_newer_one_says_nothing(tmp_path: Path, revoked: tuple[Authority, Path, Path]) -> None:
    authority, before, after = revoked
    archive = deliver(tmp_path, authority, {RUN: CONTENT}, crl=after)
    with pytest.raises(RefusedError, match="is revoked by the package's own list"):
        take(tmp_path, archive, [authority.root], lists=[before])


def test_a_list_of_a_namesake_replaces_nothing(
    tmp_path: Path, stranger: Authority, revoked: tuple[Authority, Path, Path]
) -> None:
    authority, _, after = revoked
    archive = deliver(tmp_path, authority, {RUN: CONTENT}, crl=after)
    newer = stranger.crl("20270101000000Z", "newer")
    with pytest.raises(RefusedError, match="is revoked by the package's own list"):
        take(tmp_path, archive, [authority.root], lists=[newer])


def test_a_revoked_root_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    authority.revoke(authority.root)
    archive = deliver(tmp_path, authority, {RUN: CONTENT})
    with pytest.raises(RefusedError, match=r"the root certificate with serial [0-9A-F]+ is revoked"):
        take(tmp_path, archive, [authority.root])


def test_a_file_that_is_not_inside_is_named_with_what_is(tmp_path: Path, maker: Authority) -> None:
    archive = deliver(tmp_path, maker, {"other.run": CONTENT})
    with pytest.raises(
        RefusedError, match=r"driver_1.run is 0 times inside, expected once \(it holds other.run\).*archive.run"
    ):
        take(tmp_path, archive, [maker.root])


@pytest.mark.parametrize("name", ["../driver_1.run", "/tmp/driver_1.run", "a/../../driver_1.run"])
def test_where_a_file_wants_to_go_is_not_asked(tmp_path: Path, maker: Authority, name: str) -> None:
    archive = deliver(tmp_path, maker, {name: CONTENT})
    assert take(tmp_path, archive, [maker.root])[0] is True
    assert [path.name for path in (tmp_path / "dest").iterdir()] == [RUN]
    assert not (tmp_path / RUN).exists()


def test_of_several_packages_the_one_with_the_file_is_judged(
    tmp_path: Path, maker: Authority, stranger: Authority
) -> None:
    mine, other = pack(tmp_path / "a.zip", {RUN: CONTENT}), pack(tmp_path / "b.zip", {"firmware_1.run": CONTENT})
    files: dict[str, bytes | Path] = {"A.zip": mine, "A.zip.cms": maker.sign(mine), "A.zip.crl": maker.crl()}
    files |= {"x/B.zip": other, "x/B.zip.cms": stranger.sign(other), "x/B.zip.crl": stranger.crl()}
    both = pack(tmp_path / "Both.zip", files)
    assert take(tmp_path, both, [maker.root])[0] is True
    assert take(tmp_path, both, [stranger.root], run="firmware_1.run")[0] is True
    with pytest.raises(RefusedError, match="vouched for by none of the roots"):
        take(tmp_path, both, [maker.root], run="firmware_1.run")


def test_a_name_with_a_folder_is_refused(tmp_path: Path, maker: Authority) -> None:
    archive = deliver(tmp_path, maker, {RUN: CONTENT})
    with pytest.raises(RefusedError, match=r"\.\./driver_1.run: expected the name of a file without folders"):
        take(tmp_path, archive, [maker.root], run="../driver_1.run")


def test_what_is_no_zip_and_no_certificate_is_said(tmp_path: Path, maker: Authority) -> None:
    text = tmp_path / "text.zip"
    text.write_text("not found\n")
    with pytest.raises(RefusedError, match=r"text.zip can not be read as a zip: .*fetch it again"):
        take(tmp_path, text, [maker.root])
    archive = deliver(tmp_path, maker, {RUN: CONTENT})
    with pytest.raises(RefusedError, match=r"text.zip is no certificate: .*npu.signature.root_certificates"):
        take(tmp_path, archive, [text])
    with pytest.raises(
        RefusedError, match=r"no root certificate is given; name one in npu\.signature\.root_certificates"
    ):
        take(tmp_path, archive, [])


def test_a_host_without_openssl_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "SEARCH_PATH", "/nonexistent")
    with pytest.raises(
        RefusedError, match=r"openssl is not installed, and the signature .* Install the package openssl"
    ):
        tool.find()


def test_an_older_system_has_a_second_openssl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in tool.NAMES:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(tool, "SEARCH_PATH", str(tmp_path))
    assert tool.find().path.endswith("openssl11")

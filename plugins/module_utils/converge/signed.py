"""A signed delivery: an outer zip with X.zip, its signature X.zip.cms and the revocation list X.zip.crl.

Nothing of it is used before the signature holds; then exactly one named file comes out. The rules are the vendor's own:
a revocation list counts when the authority itself has signed it, of several the newest; nobody involved may be in it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from typing import IO, Iterable, List, Tuple

from .errors import RefusedError
from .openssl import OpenSsl, last

ENDINGS = {"signature": ".cms", "revocation list": ".crl"}
ROOTS_KEY = "npu.signature.root_certificates"
CHUNK = 1 << 20
# What openssl says when the content fits its signature, and the signer is nobody whom the root knows.
STRANGER = "certificate verify error"


@dataclass
class Delivery:
    """An outer zip and what it is verified with; *system_lists* is where the vendor's own tools keep their lists."""

    archive: str
    run: str
    roots: List[str]
    revocation_lists: List[str]
    system_lists: str = "/etc/hwsipcrl"


@dataclass
class Parts:
    """The three files of the outer zip, unpacked under names of our own."""

    content: str
    signature: str
    revocations: str


def unpack(delivery: Delivery, dest: str, openssl: OpenSsl) -> Tuple[bool, str]:
    """Bring the one file of *delivery* to the folder *dest*; return whether it changed, and which root vouches for it.

    Raises RefusedError.
    """
    if os.path.basename(delivery.run) != delivery.run:
        raise RefusedError(f"{delivery.run}: expected the name of a file without folders (archive.run in the release).")
    if not delivery.roots:
        raise RefusedError(f"{delivery.archive}: no root certificate is given; name one in {ROOTS_KEY}.")
    os.makedirs(dest, mode=0o700, exist_ok=True)
    os.chmod(dest, 0o700)
    with tempfile.TemporaryDirectory(dir=dest) as folder:
        parts = _open_outer(delivery, folder)
        root = vouch(delivery, parts, folder, openssl)
        return _take(parts.content, delivery, dest), root


def _open_outer(delivery: Delivery, folder: str) -> Parts:
    """Unpack the inner zip that has the wanted file, its signature and its revocation list into *folder*.

    A delivery may hold several packages, each with its own signature.
    """
    archive = delivery.archive
    with _zip(archive) as outer:
        names = [name for name in outer.namelist() if not name.endswith("/")]
        inner = [name for name in names if name.lower().endswith(".zip")]
        if not inner:
            raise RefusedError(
                f"{archive}: holds {_listed(names)}, expected an inner zip with its .cms and .crl: it is not a signed "
                f"delivery. Fetch the vendor's own file, or put the loose .run with its sha256 into the release."
            )
        name, content = _choose(outer, inner, delivery, folder)
        paths = {}
        for what, ending in ENDINGS.items():
            if name + ending not in names:
                raise RefusedError(
                    f"{archive}: the {what} {os.path.basename(name)}{ending} is missing (it holds {_listed(names)}), "
                    f"so nobody can tell whether the package is the vendor's. Fetch the delivery again from the vendor."
                )
            paths[what] = _copy(outer, name + ending, os.path.join(folder, "content" + ending))
        return Parts(content, paths["signature"], paths["revocation list"])


def _choose(outer: zipfile.ZipFile, inner: List[str], delivery: Delivery, folder: str) -> Tuple[str, str]:
    """Return name and path of the one zip among *inner* whose table of contents has the wanted file, once."""
    found, held = [], []
    for number, name in enumerate(inner):
        path = _copy(outer, name, os.path.join(folder, f"content{number}.zip"))
        with _zip(path) as package:
            entries = package.namelist()
        held += entries
        found += [(name, path) for entry in entries if os.path.basename(entry) == delivery.run]
    if len(found) != 1:
        raise RefusedError(
            f"{os.path.basename(delivery.archive)}: {delivery.run} is {len(found)} times inside, expected once (it "
            f"holds {_listed(held)}). Correct archive.run of the file in the release catalog."
        )
    return found[0]


def _copy(archive: zipfile.ZipFile, name: str, target: str) -> str:
    with archive.open(name) as source, open(target, "wb") as draft:
        os.fchmod(draft.fileno(), 0o600)
        shutil.copyfileobj(source, draft, CHUNK)
    return target


def vouch(delivery: Delivery, parts: Parts, folder: str, openssl: OpenSsl) -> str:
    """Return the root whose chain signs the content and revokes nobody in it. Raises RefusedError."""
    name = os.path.basename(delivery.archive)
    faults = []
    for number, given in enumerate(delivery.roots):
        root = os.path.join(folder, f"root{number}.pem")
        openssl.certificate(given, root)
        said = openssl.verify(parts.signature, parts.content, root)
        if said and STRANGER not in said:
            raise RefusedError(
                f"{name}: the signature does not fit the package ({last(said)}): it was changed after it was signed, "
                f"or cut short. Delete it at the mirror and fetch it again from the vendor; nothing of it was run."
            )
        if said:
            faults.append(f"{os.path.basename(given)}: {_reason(said)}")
            continue
        _refuse_revoked(delivery, parts, root, folder, openssl)
        return given
    raise RefusedError(
        f"{name}: its signer is vouched for by none of the roots in {ROOTS_KEY} ({'; '.join(faults)}). Add the "
        f"vendor's root certificate that this package was signed under, or fetch the vendor's own package."
    )


def _refuse_revoked(delivery: Delivery, parts: Parts, root: str, folder: str, openssl: OpenSsl) -> None:
    """Refuse when *root*, or a certificate of the signature, is in the newest revocation list of whoever issued it."""
    name = os.path.basename(delivery.archive)
    if not openssl.list_is_signed_by(parts.revocations, root):
        raise RefusedError(
            f"{name}: its revocation list is not signed by the root that vouches for the package, so it says nothing "
            f"about revoked signers. Fetch the delivery again from the vendor; nothing of it was run."
        )
    lists = [parts.revocations, *delivery.revocation_lists, *_below(delivery.system_lists)]
    along = openssl.certificates(parts.signature, folder)
    # a list of somebody who only calls himself like an authority must not replace the authority's own
    chain = [path for path in along if openssl.is_issued_under(path, root, along)]
    held = {openssl.identity(path): "certificate of the signer" for path in along}
    held[openssl.identity(root)] = "root certificate"
    for authority in [root, *chain]:
        known = [(openssl.revocations(path), path) for path in lists if openssl.list_is_signed_by(path, authority)]
        if not known:
            continue
        (_, issuer, serials), source = max(known, key=lambda entry: entry[0][0])
        found = [identity for identity in held if identity[0] == issuer and identity[1] in serials]
        if found:
            where = "the package's own list" if source == parts.revocations else source
            raise RefusedError(
                f"{name}: the {held[found[0]]} with serial {found[0][1]} is revoked by {where}: whoever has its key "
                f"may have made this package. Fetch one that is signed anew from the vendor; nothing of it was run."
            )


def _take(content: str, delivery: Delivery, dest: str) -> bool:
    """Write the file *delivery.run* of the zip *content* to *dest*; return whether it differs from what was there."""
    target = os.path.join(dest, delivery.run)
    with _zip(content) as inner:
        # only the name counts: where the archive wants its files to go is not asked
        name = next(name for name in inner.namelist() if os.path.basename(name) == delivery.run)
        _copy(inner, name, target + ".part")
    same = os.path.isfile(target) and _sum(target) == _sum(target + ".part")
    os.replace(target + ".part", target)
    return not same


def _zip(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise RefusedError(f"{path} can not be read as a zip: {error}. Delete it and fetch it again.") from error


def _below(folder: str) -> List[str]:
    """Return the lists in *folder*, none when there is no such folder."""
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".crl")]
    except OSError:
        return []


def _sum(path: str) -> str:
    digest = hashlib.sha256()
    source: IO[bytes]
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _reason(said: str) -> str:
    """Return why the chain does not hold, without openssl's own numbers."""
    return (
        said.strip().rpartition("Verify error:")[2].splitlines()[0].strip() if "Verify error:" in said else last(said)
    )


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "") or "nothing"

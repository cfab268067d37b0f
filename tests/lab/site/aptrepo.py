"""A signed apt repository: the files that apt reads, made from a folder of packages."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from tests.lab.site.command import output, run
from tests.lab.site.layout import SUITE

COMPONENT = "main"
OWNER = "Simulated site archive <archive@site.invalid>"


def build(target: Path, packages: Sequence[Path], architecture: str, key: Path, log: Path, suite: str = SUITE) -> Path:
    """Make *target* a repository of *packages* (.deb files), signed by secret key file *key*; return *target*.

    The files are written in the order in which apt trusts them: packages, index, Release, signature.
    """
    pool = target / "pool" / COMPONENT
    pool.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not (pool / package.name).exists():
            (pool / package.name).hardlink_to(package)
    wanted = {package.name for package in packages}
    for file in pool.iterdir():
        if file.name not in wanted:
            file.unlink()
    dist = target / "dists" / suite
    folder = dist / COMPONENT / f"binary-{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    index = "\n".join(_stanza(target, pool / name) for name in sorted(wanted))
    (folder / "Packages").write_text(index, encoding="utf-8")
    (folder / "Packages.gz").write_bytes(gzip.compress(index.encode(), mtime=0))
    release = _release(dist, [folder / "Packages", folder / "Packages.gz"], architecture)
    (dist / "Release").write_text(release, encoding="utf-8")
    sign(dist, key, log)
    return target


def ensure_key(secret: Path, public: Path, log: Path) -> Path:
    """Return *secret*, the signing key; make it, and write its public half to *public*, when it is missing."""
    if secret.exists() and public.exists():
        return secret
    secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Keyring(log) as keyring:
        keyring.gpg("--quick-generate-key", OWNER, "ed25519", "sign", "never")
        keyring.gpg("--armor", "--output", public, "--export", OWNER)
        keyring.gpg("--armor", "--output", secret, "--export-secret-keys", OWNER)
    secret.chmod(0o600)
    return secret


class Keyring:
    """GnuPG with a keyring of its own in a short path: the agent's socket has to fit into 107 bytes."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def __enter__(self) -> Keyring:
        self.folder = Path(tempfile.mkdtemp(prefix="plab-gpg-"))
        return self

    def __exit__(self, *_: object) -> None:
        run(["gpgconf", "--homedir", self.folder, "--kill", "all"], log=self._log)
        shutil.rmtree(self.folder, ignore_errors=True)

    def gpg(self, *words: str | Path) -> None:
        """Run gpg with the keyring; it asks for nothing."""
        base: list[str | Path] = ["gpg", "--homedir", self.folder, "--batch", "--yes", "--pinentry-mode", "loopback"]
        run([*base, "--passphrase", "", *words], log=self._log)


def _stanza(target: Path, package: Path) -> str:
    """Return the Packages stanza of *package*: its own control fields, and where and what it is."""
    content = package.read_bytes()
    fields = output(["dpkg-deb", "--field", package]).rstrip("\n")
    return (
        f"{fields}\nFilename: {package.relative_to(target)}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )


def _release(dist: Path, files: Sequence[Path], architecture: str) -> str:
    """Return the text of the Release file over *files*."""
    now = format_datetime(datetime.now(UTC), usegmt=True)
    head = {
        "Origin": "Simulated site",
        "Label": "Simulated site",
        "Suite": dist.name,
        "Codename": dist.name,
        "Date": now.replace("GMT", "UTC"),
        "Architectures": architecture,
        "Components": COMPONENT,
    }
    sums = "".join(
        f" {hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_size} {file.relative_to(dist)}\n"
        for file in files
    )
    return "".join(f"{name}: {value}\n" for name, value in head.items()) + f"SHA256:\n{sums}"


def sign(dist: Path, key: Path, log: Path) -> None:
    """Sign the Release of the suite in *dist* with the secret key file *key*."""
    with Keyring(log) as keyring:
        keyring.gpg("--import", key)
        keyring.gpg("--clearsign", "--output", dist / "InRelease", dist / "Release")
        keyring.gpg("--armor", "--detach-sign", "--output", dist / "Release.gpg", dist / "Release")

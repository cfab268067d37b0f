"""The lab's certificate authority: two roots, two signers and the lists of what is revoked. Made once, never committed.

The root signs with RSA-PSS, as the vendor's newer one does.
"""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONFIG = Path(__file__).with_name("openssl.cnf")
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
DAYS = 9000
OLD_DAYS, NEW_DAYS = 90, 1
"""How many days before the making of the authority its two lists were issued."""


class SigningError(Exception):
    """openssl cannot do what is asked of it."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Files of the authority below *folder*: what a site names, and the keys that only the lab uses."""

    folder: Path

    @property
    def root(self) -> Path:
        """The certificate that a site trusts, PEM."""
        return self.folder / "root.pem"

    @property
    def other_root(self) -> Path:
        """A certificate of somebody else, PEM."""
        return self.folder / "other/root.pem"

    @property
    def old_list(self) -> Path:
        """The older list, DER: nobody is revoked. Most deliveries carry it."""
        return self.folder / "old.crl"

    @property
    def new_list(self) -> Path:
        """The newer list, DER: the second signer is revoked."""
        return self.folder / "new.crl"

    def sign(self, content: Path, target: Path, signer: str = "signer") -> None:
        """Write the detached signature of *content* to *target*: CMS, DER. *signer*: signer, revoked, other/signer."""
        home = self.folder / signer
        # openssl takes -keyopt for the signer that was named before it.
        who = [
            "-signer",
            home.with_suffix(".pem"),
            "-inkey",
            home.with_suffix(".key"),
            "-keyopt",
            "rsa_padding_mode:pss",
        ]
        options = ["-binary", "-md", "sha256", "-outform", "DER"]
        openssl(["cms", "-sign", *options, *who, "-in", content, "-out", target], self.folder)


def openssl(words: list[str | Path], folder: Path) -> None:
    """Run openssl in *folder*.

    Raises:
        SigningError: it is missing or it fails; the text is what it printed.
    """
    try:
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SigningError("openssl is not installed; it signs the lab's deliveries") from error
    if done.returncode:
        raise SigningError(f"openssl {words[0]} ends with {done.returncode}: {done.stderr.strip()}")


def ensure(folder: Path) -> Authority:
    """Return the authority in *folder*; make it when it is not there."""
    folder = folder.resolve()
    authority = Authority(folder)
    if not authority.new_list.is_file():
        draft = folder.with_name(folder.name + ".partial")
        if draft.exists():
            shutil.rmtree(draft)
        _root(draft, "Simulated Integrity Protection Root G2")
        _root(draft / "other", "Root of somebody else")
        for home, name in ((draft, "signer"), (draft, "revoked"), (draft / "other", "signer")):
            _signer(home, name)
        _list(draft, OLD_DAYS, "old.crl")
        openssl(["ca", "-config", CONFIG, "-batch", "-revoke", "revoked.pem"], draft)
        _list(draft, NEW_DAYS, "new.crl")
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    return authority


def _root(folder: Path, name: str) -> None:
    (folder / "certificates").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "index.txt").touch()
    (folder / "serial.txt").write_text("1001\n", encoding="ascii")
    (folder / "crlnumber.txt").write_text("01\n", encoding="ascii")
    subject = ["-subj", f"/O=The simulated site/CN={name}", "-days", str(DAYS)]
    kind = ["-config", CONFIG, "-extensions", "root", "-x509", "-newkey", "rsa:2048", "-noenc", "-sha256", *PSS]
    openssl(["req", *kind, *subject, "-keyout", "root.key", "-out", "root.pem"], folder)


def _signer(folder: Path, name: str) -> None:
    subject = ["-subj", f"/O=The simulated site/CN=Simulated package {name}"]
    request = ["-config", CONFIG, "-newkey", "rsa:2048", "-noenc", "-sha256"]
    openssl(["req", *request, *subject, "-keyout", f"{name}.key", "-out", f"{name}.csr"], folder)
    files = ["-in", f"{name}.csr", "-out", f"{name}.pem", "-notext", "-days", str(DAYS)]
    openssl(["ca", "-config", CONFIG, "-batch", *PSS, *files], folder)


def _list(folder: Path, days_ago: int, name: str) -> None:
    """Issue the list of what is revoked by now, as if it had been *days_ago*."""
    issued = datetime.now(UTC) - timedelta(days=days_ago)
    times = [
        "-crl_lastupdate",
        f"{issued:%Y%m%d%H%M%SZ}",
        "-crl_nextupdate",
        f"{issued + timedelta(days=DAYS):%Y%m%d%H%M%SZ}",
    ]
    openssl(["ca", "-config", CONFIG, "-gencrl", *PSS, *times, "-out", "list.pem"], folder)
    openssl(["crl", "-in", "list.pem", "-outform", "DER", "-out", name], folder)

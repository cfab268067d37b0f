"""The openssl command line, one question per function: certificates, revocation lists, signatures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from typing import Dict, List, Tuple

from .errors import RefusedError

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Systems whose openssl is too old for the vendor's newer root bring a second one under this name.
NAMES = ("openssl11", "openssl")
TIMEOUT_SECONDS = 600
_CERTIFICATE = re.compile(r"-----BEGIN CERT.*?-----END CERTIFICATE-----", re.DOTALL)
_NUMBERED = re.compile(r"error:[0-9A-Fa-f]+:[^:]*:[^:]*:([^:]+)")
_SERIAL = re.compile(r"Serial Number:\s*([0-9A-Fa-f:]+)")


class OpenSsl:
    """One openssl program."""

    def __init__(self, path: str) -> None:
        """Use the program *path*."""
        self.path = path

    def call(self, *words: str) -> Tuple[int, str]:
        """Return code and both streams of one call."""
        done = subprocess.run(
            [self.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            env={"PATH": SEARCH_PATH, "LC_ALL": "C"},
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def certificate(self, source: str, target: str) -> None:
        """Write the certificate *source*, PEM or DER, to *target* as PEM. Raises RefusedError."""
        code, said = self.call("x509", "-inform", form(source), "-in", source, "-out", target)
        if code:
            raise RefusedError(f"{source} is no certificate: {last(said)}. Look at npu.signature.root_certificates.")

    def identity(self, certificate: str) -> Tuple[str, str]:
        """Return (issuer, serial) of the PEM *certificate*: that is what a revocation list knows it by."""
        said = self.call("x509", "-in", certificate, "-noout", "-issuer", "-serial", "-nameopt", "RFC2253")[1]
        found = _fields(said)
        return found.get("issuer", ""), serial(found.get("serial", ""))

    def certificates(self, cms: str, folder: str) -> List[str]:
        """Write every certificate that comes along in the signature *cms* to *folder*; return their paths (PEM)."""
        code, said = self.call("pkcs7", "-inform", "DER", "-in", cms, "-print_certs")
        found = []
        for number, text in enumerate(_CERTIFICATE.findall(said) if code == 0 else []):
            path = os.path.join(folder, f"signer{number}.pem")
            with open(path, "w", encoding="ascii") as target:
                target.write(text + "\n")
            found.append(path)
        return found

    def is_issued_under(self, certificate: str, root: str, between: List[str]) -> bool:
        """Return whether a chain leads from *certificate* over those *between* to *root*."""
        untrusted = [word for path in between for word in ("-untrusted", path)]
        how = ["verify", "-no_check_time", "-purpose", "any", "-CAfile", root, *untrusted]
        return self.call(*how, certificate)[0] == 0

    def list_is_signed_by(self, crl: str, authority: str) -> bool:
        """Return whether the revocation list *crl* carries the signature of the certificate *authority* (PEM)."""
        code, said = self.call("crl", "-inform", form(crl), "-in", crl, "-CAfile", authority, "-noout")
        return code == 0 and "verify OK" in said

    def revocations(self, crl: str) -> Tuple[float, str, List[str]]:
        """Return when the list *crl* was made, its issuer, and the serials in it."""
        how = ["crl", "-inform", form(crl), "-in", crl, "-noout"]
        found = _fields(self.call(*how, "-lastupdate", "-issuer", "-nameopt", "RFC2253")[1])
        made = time.strptime(found.get("lastUpdate", ""), "%b %d %H:%M:%S %Y GMT")
        text = self.call(*how, "-text")[1].partition("Revoked Certificates:")[2]
        serials = [serial(entry) for entry in _SERIAL.findall(text)]
        return time.mktime(made), found.get("issuer", ""), serials

    def verify(self, cms: str, content: str, root: str) -> str:
        """Return "" when *cms* is a signature of the file *content* whose chain ends at *root*, else what openssl says.

        The time is left out: a package outlives the certificate that it was signed with.
        """
        code, said = self.call(
            "cms", "-verify", "-inform", "DER", "-in", cms, "-binary", "-content", content, "-CAfile", root,
            "-purpose", "any", "-no_check_time", "-out", os.devnull,
        )  # fmt: skip
        return "" if code == 0 else said.strip() or f"code {code}"


def find() -> OpenSsl:
    """Return the host's openssl. Raises RefusedError."""
    for name in NAMES:
        path = shutil.which(name, path=SEARCH_PATH)
        if path:
            return OpenSsl(path)
    raise RefusedError(
        "openssl is not installed, and the signature of a zip delivery can not be verified without it. "
        "Install the package openssl on the host, then run again."
    )


def form(path: str) -> str:
    """Return how *path* is written down: PEM or DER."""
    with open(path, "rb") as source:
        return "PEM" if b"-----BEGIN" in source.read(4096) else "DER"


def serial(text: str) -> str:
    """Return a serial number so that two spellings of it are equal."""
    return text.replace(":", "").lstrip("0").upper() or "0"


def last(said: str) -> str:
    """Return the last line of what openssl said, of its numbered errors only the reason."""
    line = (said.strip().splitlines() or ["nothing"])[-1]
    match = _NUMBERED.search(line)
    return (match.group(1) if match else line)[:300]


def _fields(said: str) -> Dict[str, str]:
    pairs = (line.partition("=") for line in said.splitlines())
    return {key.strip(): value.strip() for key, mark, value in pairs if mark}

"""Certificates, revocation lists and signed deliveries as the vendor makes them, by a real openssl; for tests."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path


def openssl(*words: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout


class Authority:
    """A root, a signer below it, and the lists that the root publishes."""

    def __init__(self, folder: Path, name: str = "root", pss: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.how = ["-sigopt", "rsa_padding_mode:pss"] if pss else []
        self.root, key = folder / "root.pem", folder / "root.key"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.root, "-days", "3650",
                "-subj", f"/O=maker/CN={name}", "-addext", "keyUsage=keyCertSign,cRLSign", *self.how)  # fmt: skip
        (folder / "index.txt").touch()
        (folder / "number").write_text("1000\n")
        (folder / "crlnumber").write_text("01\n")
        lines = ["[ca]", "default_ca=own", "[own]", "database=index.txt", "serial=number", "crlnumber=crlnumber",
                 "default_md=sha256", "policy=any", "new_certs_dir=.", "certificate=root.pem", "private_key=root.key",
                 "default_days=3650", "default_crl_days=3650", "[any]", "CN=supplied"]  # fmt: skip
        (folder / "ca.cnf").write_text("\n".join(lines) + "\n")
        self.signer = self.issue("signer")

    def issue(self, name: str, expired: bool = False) -> Path:
        """Return the certificate of a new signer; its key lies beside it."""
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}", cwd=self.folder)  # fmt: skip
        when = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"] if expired else []
        openssl("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem",
                *when, *self.how, cwd=self.folder)  # fmt: skip
        return self.folder / f"{name}.pem"

    def revoke(self, certificate: Path) -> None:
        openssl("ca", "-config", "ca.cnf", "-revoke", certificate, cwd=self.folder)

    def crl(self, made: str = "20260101000000Z", name: str = "list") -> Path:
        """Return the list of everything that is revoked by now, in DER, dated *made*."""
        path = self.folder / f"{name}.crl"
        openssl("ca", "-config", "ca.cnf", "-gencrl", "-crl_lastupdate", made, "-crl_nextupdate", "20400101000000Z",
                "-out", "list.pem", *self.how, cwd=self.folder)  # fmt: skip
        openssl("crl", "-in", self.folder / "list.pem", "-outform", "DER", "-out", path)
        return path

    def sign(self, content: Path, certificate: Path | None = None) -> Path:
        """Return the detached signature of *content*, in DER."""
        path = content.with_name(content.name + ".cms")
        who = certificate or self.signer
        openssl("cms", "-sign", "-binary", "-in", content, "-signer", who, "-inkey", who.with_suffix(".key"),
                "-outform", "DER", "-out", path, "-md", "sha256")  # fmt: skip
        return path


def pack(path: Path, files: dict[str, bytes | Path]) -> Path:
    """Return a zip with *files*, by name inside."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content.read_bytes() if isinstance(content, Path) else content)
    return path


def deliver(folder: Path, authority: Authority, files: dict[str, bytes | Path], **changes: Path | None) -> Path:
    """Return a delivery of *files*; *changes* replaces zip, cms or crl of it, None leaves one out."""
    inner = pack(folder / "inner.zip", files)
    parts: dict[str, Path | None] = {
        "zip": inner,
        "cms": changes["cms"] if "cms" in changes else authority.sign(inner),
        "crl": changes["crl"] if "crl" in changes else authority.crl(),
    }
    parts["zip"] = changes.get("zip", inner)
    names = {"zip": "Package.zip", "cms": "Package.zip.cms", "crl": "Package.zip.crl"}
    return pack(folder / "Delivery.zip", {names[key]: part for key, part in parts.items() if part is not None})

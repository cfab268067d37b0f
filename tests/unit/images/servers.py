"""Registries for tests: Debian's own program with and without logins, a server of tokens, and ones that misbehave."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from plugins.module_utils.converge.registry_client import Answer
from tests.unit.images.parts import LIST_TYPE, MANIFEST_TYPE, Image, index_of

USER, PASSWORD = "someone", "a-long-word"
# of PASSWORD, as htpasswd -B writes it
HTPASSWD = "someone:$2y$05$B9tg6FGPTsMoVxjfzw7xFuyNS/aFowI7glxUSwgPbCjh0rDPbGyHi\n"
START_SECONDS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def registry(folder: Path, auth: dict[str, Any] | None = None, tls: dict[str, str] | None = None) -> Iterator[str]:
    """Run Debian's docker-registry over *folder*; yield its address."""
    address = f"127.0.0.1:{free_port()}"
    settings: dict[str, Any] = {"version": 0.1, "log": {"level": "error"}, "http": {"addr": address}}
    settings["storage"] = {"filesystem": {"rootdirectory": str(folder / "store")}}
    settings |= {"auth": auth} if auth else {}
    settings["http"] |= {"tls": tls} if tls else {}
    file = folder / "registry.yml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(file)], stdout=log, stderr=log)
        try:
            _wait(address, process)
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"docker-registry does not answer on {address}; it ended with {process.poll()}")


def push(address: str, repository: str, images: list[Image], tag: str) -> str:
    """Push *images*, as a list when there are several, as *tag*; return the digest."""
    for image in images:
        for name, blob in image.blobs.items():
            _push_blob(address, repository, name, blob)
        _send("PUT", f"http://{address}/v2/{repository}/manifests/{image.digest}", image.manifest, MANIFEST_TYPE)
    body, kind = (images[0].manifest, MANIFEST_TYPE) if len(images) == 1 else (index_of(images), LIST_TYPE)
    _send("PUT", f"http://{address}/v2/{repository}/manifests/{tag}", body, kind)
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _push_blob(address: str, repository: str, name: str, blob: bytes) -> None:
    where = _send("POST", f"http://{address}/v2/{repository}/blobs/uploads/", b"", "")
    where = urljoin(f"http://{address}", where)
    _send("PUT", f"{where}{'&' if '?' in where else '?'}digest={name}", blob, "application/octet-stream")


def _send(method: str, url: str, body: bytes, kind: str) -> str:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind} if kind else {})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return str(answer.headers.get("Location", ""))


class Misbehaving(BaseHTTPRequestHandler):
    """Answers every question with the status and headers of its server."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200 if self.path == "/v2/" else self.server.status)  # type: ignore[attr-defined]
        for name, text in self.server.extra.items():  # type: ignore[attr-defined]
            self.send_header(name, text)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@contextlib.contextmanager
def _served(handler: type[BaseHTTPRequestHandler], **state: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    vars(server).update(state)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def misbehaving(status: int, **headers: str) -> Iterator[str]:
    """Run a registry that is there, and answers every question about an image with *status*."""
    extra = {name.replace("_", "-"): text for name, text in headers.items()}
    with _served(Misbehaving, status=status, extra=extra, asked=[]) as address:
        yield address


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Run a server that accepts and says nothing."""
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()


def dead() -> str:
    """Return an address on which nobody listens."""
    return f"127.0.0.1:{free_port()}"


def answer_of(status: int, challenge: str) -> Answer:
    """Return an answer that asks for a login."""
    return Answer(status, {"WWW-Authenticate": challenge}, b"")


class Tokens(BaseHTTPRequestHandler):
    """Gives out tokens, signed so that Debian's registry believes them, to who knows the password."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        known = self.headers.get("Authorization") == f"Basic {login}"
        query = parse_qs(urlsplit(self.path).query)
        body = b'{"details": "incorrect username or password"}'
        if known:
            body = json.dumps({"token": self.server.sign(query)}).encode()  # type: ignore[attr-defined]
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Signer:
    """The key of a server of tokens, and the certificate that a registry is told to believe."""

    def __init__(self, folder: Path) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(place, critical=False)
        authority = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = builder.add_extension(authority, critical=True).sign(self.key, hashes.SHA256())
        self.file = folder / "tokens.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def key_file(self, folder: Path) -> Path:
        """Write the key to *folder*, where the registry reads it."""
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file = folder / "tokens.key"
        file.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, kind, plain))
        return file

    def sign(self, query: dict[str, list[str]]) -> str:
        kind, name, actions = query["scope"][0].split(":")
        der = base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()
        now = int(time.time())
        claims = {"iss": "tests", "sub": USER, "aud": query["service"][0], "exp": now + 300, "nbf": now - 60}
        claims |= {"iat": now, "jti": "one", "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}
        head = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        text = f"{_word(json.dumps(head).encode())}.{_word(json.dumps(claims).encode())}"
        return f"{text}.{_word(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _word(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@contextlib.contextmanager
def guarded_by_tokens(folder: Path) -> Iterator[str]:
    """Run the registry over *folder* behind a server of tokens."""
    signer = Signer(folder)
    with _served(Tokens, sign=signer.sign) as tokens:
        told = {"realm": f"http://{tokens}/token", "service": "tests", "issuer": "tests"}
        with registry(folder, {"token": {**told, "rootcertbundle": str(signer.file)}}) as address:
            yield address


@contextlib.contextmanager
def guarded_by_password(folder: Path) -> Iterator[str]:
    """Run the registry over *folder* behind a password."""
    file = folder / "htpasswd"
    file.write_text(HTPASSWD, encoding="utf-8")
    with registry(folder, {"htpasswd": {"realm": "tests", "path": str(file)}}) as address:
        yield address

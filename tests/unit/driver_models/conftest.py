"""Servers on loopback that speak the protocols of the sources, with one small model each; every server has switches."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from driver.models import asking
from driver.models.parts import Listing, Place
from tests.lab.serving import gitlfs, hub, obs
from tests.lab.serving.faults import Faults

REPO = "lab/small"
BIG = "model-00002-of-00002.safetensors"
SMALL = "config.json"
BIG_BYTES = 3 << 20
SOURCES = ("modelscope", "huggingface", "openmind", "obs", "git", "http", "path")
KEYS = {"access_key": "access", "secret_key": "secret"}


def content(folder: Path) -> dict[str, bytes]:
    """Return every file below *folder* by its name, those of ours aside."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".files.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


LISTED: dict[tuple[object, ...], Listing] = {}


@dataclass
class Servers:
    """The running servers, their switches, and the files that all of them have."""

    root: Path
    places: dict[str, Place]
    faults: dict[str, Faults]

    @property
    def model(self) -> Path:
        return self.root / "hub" / REPO

    def pinned(self, source: str) -> tuple[Place, Listing]:
        """Return where the model is at its commit, and its files: asked once for the same content of the same kind."""
        place, head = self.places[source], (self.root / "git/small.git/refs/heads/main").read_text(encoding="ascii")
        sums = tuple(sorted((name, sha256(data).hexdigest()) for name, data in content(self.model).items()))
        if (source, head, sums) not in LISTED:
            LISTED[source, head, sums] = asking.listing(place)
        found = LISTED[source, head, sums]
        return replace(place, revision=found.revision if place.revision else ""), found


def write_model(folder: Path, filler: bytes = b"w", size: int = BIG_BYTES) -> None:
    """Write a model of two shards, the second of *size* bytes, with a manifest of its own."""
    (folder / "nested").mkdir(parents=True, exist_ok=True)
    (folder / SMALL).write_text('{"architectures": ["Qwen2ForCausalLM"]}\n', encoding="ascii")
    (folder / "nested/about it.txt").write_text("a file in a folder, with a space in its name\n", encoding="ascii")
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"v" * 100_000)
    (folder / BIG).write_bytes((filler + bytes(range(255))) * (size // 256))
    listed = [
        {"path": name, "size": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in sorted(content(folder).items())
        if name != "manifest.json"
    ]
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "files": listed}), encoding="utf-8")


def certificate(folder: Path) -> None:
    """Make a certificate for localhost, and its key."""
    crt, key = folder / "localhost.crt", folder / "localhost.key"
    words = [
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(["openssl", "req", *words, *names], check=True, capture_output=True)


def running(server: ThreadingHTTPServer) -> int:
    """Start *server* and return its port."""
    server.daemon_threads = True
    quick = {"poll_interval": 0.02}  # a shutdown waits for one of these
    threading.Thread(target=server.serve_forever, kwargs=quick, daemon=True).start()
    return int(server.server_address[1])


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every test begins with: the model, its repository of git, and a certificate."""
    folder = tmp_path_factory.mktemp("begun")
    certificate(folder)
    write_model(folder / "hub" / REPO)
    gitlfs.add(folder / "git", "small", folder / "hub" / REPO)
    return folder


@pytest.fixture
def servers(tmp_path: Path, begun: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    monkeypatch.setenv("PROVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    crt, key = (Path(shutil.copy(begun / f"localhost.{end}", tmp_path)) for end in ("crt", "key"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(crt))
    for part in ("hub", "git"):
        shutil.copytree(begun / part, tmp_path / part)
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects/models").symlink_to(tmp_path / "hub")
    started = {
        "hub": hub.make_server(tmp_path / "hub", "127.0.0.1", 0),
        "tls": hub.make_server(tmp_path / "hub", "127.0.0.1", 0, crt, key),
        "obs": obs.Server(("127.0.0.1", 0), tmp_path / "objects", "access", "secret"),
        "git": gitlfs.Server(("127.0.0.1", 0), tmp_path / "git"),
    }
    url = {name: f"http://127.0.0.1:{running(server)}" for name, server in started.items()}
    cache = str(tmp_path / "cache/clients")
    secure = f"https://localhost:{started['tls'].server_address[1]}"
    places = {
        "modelscope": Place("modelscope", REPO, "master", url["hub"], cache),
        "huggingface": Place("huggingface", REPO, "main", url["hub"], cache),
        "openmind": Place("openmind", REPO, "main", secure, cache),
        "obs": Place("obs", f"models/{REPO}", "", url["obs"], cache, dict(KEYS)),
        "git": Place("git", f"{url['git']}/small.git", "main", "", cache),
        "http": Place("http", f"{url['hub']}/files/{REPO}", "", "", cache),
        "path": Place("path", str(tmp_path / "hub" / REPO), "", "", cache),
    }
    server_of = {
        "modelscope": "hub",
        "huggingface": "hub",
        "openmind": "tls",
        "obs": "obs",
        "git": "git",
        "http": "hub",
    }
    faults = {source: started[name].faults for source, name in server_of.items()}
    yield Servers(tmp_path, places, faults)
    for server in started.values():
        server.faults.ended.set()
        server.shutdown()
        server.server_close()

"""Pushing to a registry: blobs once, manifest last, and an image that is there is not built again."""

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.lab.serving import engine
from tests.lab.serving.image import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Blob, manifest, write_config
from tests.lab.serving.registry import Registry, RegistryError

REPOSITORY = "ascend/vllm-ascend"


class FakeRegistry(BaseHTTPRequestHandler):
    """The part of a registry that pushing touches, strict about digests."""

    blobs: ClassVar[dict[str, bytes]] = {}
    manifests: ClassVar[dict[str, bytes]] = {}
    uploads: ClassVar[list[str]] = []

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        kind, _, name = self.path.rpartition("/")
        body = (self.manifests if kind.endswith("manifests") else self.blobs).get(name)
        if body is None:
            self.answer(404, b"{}")
        else:
            self.answer(200, body, Content_Type=MANIFEST_TYPE if kind.endswith("manifests") else CONFIG_TYPE)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.answer(202, Location=f"/v2/{REPOSITORY}/blobs/uploads/one?_state=abc")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if wanted := re.search(r"digest=(.+)", self.path):
            if wanted[1] != digest or "_state=abc" not in self.path:
                self.answer(400, b"digest invalid")
                return
            self.blobs[digest] = body
            self.uploads.append(digest)
        else:
            self.manifests[self.path.rpartition("/")[2]] = body
        self.answer(201)


@pytest.fixture
def address() -> Iterator[str]:
    for store in (FakeRegistry.blobs, FakeRegistry.manifests, FakeRegistry.uploads):
        store.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeRegistry)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def make_blob(path: Path, content: bytes, media_type: str = LAYER_TYPE) -> Blob:
    path.write_bytes(content)
    return Blob(path, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), media_type)


def push_image(store: Registry, folder: Path, key: str) -> tuple[Blob, str]:
    """Push an image of one layer that was built from *key*; return its layer and its digest."""
    layer = make_blob(folder / "layer.tar", b"a layer")
    config = write_config(folder / "config.json", {}, [layer], {engine.LABEL: key}, "amd64")
    for blob in (layer, config):
        store.push(blob)
    return layer, store.tag(manifest(config, [layer]), "v1")


def test_a_blob_is_uploaded_once(address: str, tmp_path: Path) -> None:
    store, blob = Registry(address, REPOSITORY), make_blob(tmp_path / "one", b"content")
    store.push(blob)
    store.push(blob)
    assert FakeRegistry.uploads == [blob.digest]
    assert store.has(blob.digest)


def test_an_image_of_the_same_inputs_is_found_by_its_digest(address: str, tmp_path: Path) -> None:
    store = Registry(f"http://{address}/", REPOSITORY)
    assert engine._digest_in(store, "v1", "key") is None
    _, digest = push_image(store, tmp_path, "key")
    assert engine._digest_in(store, "v1", "key") == digest
    assert digest == f"sha256:{hashlib.sha256(FakeRegistry.manifests['v1']).hexdigest()}"
    assert engine._digest_in(store, "v1", "another key") is None


def test_an_image_that_lost_a_layer_is_built_again(address: str, tmp_path: Path) -> None:
    store = Registry(address, REPOSITORY)
    layer, _ = push_image(store, tmp_path, "key")
    del FakeRegistry.blobs[layer.digest]
    assert engine._digest_in(store, "v1", "key") is None


def test_a_refusal_says_what_was_asked_and_what_came_back(address: str, tmp_path: Path) -> None:
    blob = make_blob(tmp_path / "one", b"content")
    wrong = Blob(blob.path, "sha256:" + "0" * 64, blob.size, blob.media_type)
    with pytest.raises(RegistryError, match=r"PUT http://127.*status 400, expected 201: digest invalid"):
        Registry(address, REPOSITORY).push(wrong)


def test_an_absent_registry_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9/v2/.*is the registry of the simulated site up"):
        Registry("127.0.0.1:9", REPOSITORY).push(make_blob(tmp_path / "one", b"content"))

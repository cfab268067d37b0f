"""Images straight from Debian's registry, with and without logins, and served again to real clients."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from driver.bundle import images, views
from driver.bundle.contents import Image as Bundled
from driver.bundle.contents import Manifest, write
from driver.bundle.fetch import FetchError, session
from driver.bundle.images import Access, WantedImage
from driver.bundle.registry import INDEXES, Reference, Registry
from driver.bundle.server import make_server
from driver.bundle.store import Store
from driver.errors import TaskFailed
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.registry_client import RegistryClient, Way
from tests.unit.driver.bundle.web import Calm, running
from tests.unit.images import servers
from tests.unit.images.parts import Image

NAME = "quay.io/org/engine:v1"


def wanted(address: str, digest: str = "", architectures: tuple[str, ...] = ("amd64",)) -> WantedImage:
    return WantedImage(NAME, digest, (f"{address}/org/engine:v1",), architectures)


def pulled(store: Store, one: WantedImage, access: Access) -> Bundled:
    return images.pull(store, one, images.look(one, access), session(), lambda _: None)


def plain(address: str, login: tuple[str, str] | None = None) -> Access:
    return Access(frozenset({address}), {address: login} if login else {})


def test_every_part_comes_by_its_digest(store: Store, tmp_path: Path) -> None:
    image = Image()
    with servers.registry(tmp_path) as address:
        digest = servers.push(address, "org/engine", [image], "v1")
        made = pulled(store, wanted(address, digest), plain(address))
    assert made.digest == digest == image.digest
    assert {store.path(part.sha256).read_bytes() for part in made.parts} == {image.manifest, *image.blobs.values()}


def test_only_the_architectures_of_the_site_are_moved(store: Store, tmp_path: Path) -> None:
    several = [Image("amd64", "one"), Image("arm64", "two"), Image("s390x", "three")]
    with servers.registry(tmp_path) as address:
        digest = servers.push(address, "org/engine", several, "v1")
        made = pulled(store, wanted(address, "", ("amd64", "arm64")), plain(address))
    sums = {f"sha256:{part.sha256}" for part in made.parts}
    assert made.digest == digest
    assert {several[0].digest, several[1].digest, *several[0].blobs, *several[1].blobs, digest} == sums


def test_an_absent_architecture_is_refused_before_layers_move(tmp_path: Path) -> None:
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [Image("amd64", "one"), Image("arm64", "two")], "v1")
        with pytest.raises(TaskFailed, match=r"found an image for amd64, arm64, expected one for riscv64"):
            images.look(wanted(address, "", ("riscv64",)), plain(address))


def test_a_single_image_for_another_processor_is_refused(tmp_path: Path) -> None:
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [Image("arm64")], "v1")
        with pytest.raises(TaskFailed, match="found an image for arm64, expected one for amd64"):
            images.look(wanted(address), plain(address))


def test_a_tag_that_moved_is_refused_by_the_lock(tmp_path: Path) -> None:
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [Image()], "v1")
        with pytest.raises(TaskFailed, match=r"manifests/sha256:0{64}: status 404"):
            images.look(wanted(address, "sha256:" + "0" * 64), plain(address))


def test_the_next_mirror_is_asked(tmp_path: Path) -> None:
    with servers.registry(tmp_path) as address:
        digest = servers.push(address, "org/engine", [Image()], "v1")
        sources = ("127.0.0.1:9/org/engine:v1", f"{address}/org/absent:v1", f"{address}/org/engine:v1")
        one = WantedImage(NAME, digest, sources, ("amd64",))
        assert images.look(one, Access(frozenset({address, "127.0.0.1:9"}))).digest == digest


def test_blobs_that_are_there_are_not_moved_again(store: Store, tmp_path: Path) -> None:
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [Image()], "v1")
        found = images.look(wanted(address), plain(address))
        images.pull(store, wanted(address), found, session(), lambda _: None)
    # the registry is gone: nothing of it is needed any more
    assert images.pull(store, wanted(address), found, session(), lambda _: None).digest == found.digest


def test_a_registry_with_a_basic_login(store: Store, tmp_path: Path) -> None:
    secrets = tmp_path / "htpasswd"
    secrets.write_text(servers.HTPASSWD, encoding="ascii")
    image = Image()
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [image], "v1")
    with servers.registry(tmp_path, {"htpasswd": {"realm": "here", "path": str(secrets)}}) as address:
        with pytest.raises(TaskFailed, match=r"asks for a login; add it to registries in site\.yml"):
            images.look(wanted(address), plain(address))
        login = (servers.USER, servers.PASSWORD)
        assert pulled(store, wanted(address), plain(address, login)).digest == image.digest


def test_the_layout_is_one_that_other_tools_read(store: Store, tmp_path: Path) -> None:
    image = Image()
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [image], "v1")
        made = pulled(store, wanted(address), plain(address))
    views.write(store, Manifest(images=(made,)))
    folder = store.root / "oci"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    assert index["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": NAME}
    blob = folder / "blobs/sha256" / image.digest.removeprefix("sha256:")
    assert blob.stat().st_ino == store.path(blob.name).stat().st_ino


def test_skopeo_and_our_own_pull_get_the_image_from_the_bundle_s_server(store: Store, tmp_path: Path) -> None:
    several = [Image("amd64", "one"), Image("arm64", "two")]
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", several, "v1")
        made = pulled(store, wanted(address, "", ("amd64", "arm64")), plain(address))
    write(store.root, Manifest(images=(made,)))
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        source = f"{url.removeprefix('http://')}/quay.io/org/engine"
        out = tmp_path / "out"
        words = ["skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{source}:v1", f"dir:{out}"]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        again = Store(tmp_path / "again")
        again.root.mkdir()
        one = WantedImage(NAME, made.digest, (f"{source}:v1",), ("amd64", "arm64"))
        assert pulled(again, one, Access(frozenset({url.removeprefix("http://")}))).parts == made.parts
    names = {path.name for path in out.iterdir()}
    assert {digest.removeprefix("sha256:") for image in several for digest in image.blobs} <= names
    shutil.rmtree(out)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("quay.io/ascend/vllm:v1", ("quay.io", "ascend/vllm", "v1")),
        ("10.0.0.1:5000/a/b:c", ("10.0.0.1:5000", "a/b", "c")),
        ("localhost/a", ("localhost", "a", "latest")),
        ("debian:12", ("docker.io", "library/debian", "12")),
        ("org/name", ("docker.io", "org/name", "latest")),
        ("quay.io/a/b:v1@sha256:00", ("quay.io", "a/b", "v1")),
    ],
)
def test_references(text: str, parts: tuple[str, str, str]) -> None:
    found = Reference.parse(text)
    assert (found.host, found.repository, found.tag) == parts


def test_the_hosts_own_client_reads_the_bundle_s_registry(store: Store, tmp_path: Path) -> None:
    several = [Image("amd64", "one"), Image("arm64", "two")]
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", several, "v1")
        made = pulled(store, wanted(address, "", ("amd64", "arm64")), plain(address))
    write(store.root, Manifest(images=(made,)))
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        client = RegistryClient(url.removeprefix("http://"), way=Way(True, {}))
        assert client.ping(5).status == 200
        for reference in ("v1", made.digest):
            kind, body = client.manifest("quay.io/org/engine", reference)
            assert kind == made.media_type
            assert f"sha256:{hashlib.sha256(body).hexdigest()}" == made.digest
        assert client.blob("quay.io/org/engine", several[1].id) == several[1].config
        with pytest.raises(RefusedError, match="404"):
            client.manifest("quay.io/org/engine", "v2")


def test_a_layer_that_was_interrupted_goes_on(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(text="x" * 50_000 + "y" * 50_000)
    name = hashlib.sha256(image.packed).hexdigest()
    store.part(name).write_bytes(image.packed[:60])
    asked: list[str] = []
    opened = Registry.open

    def noted(registry: Registry, url: str, headers: Mapping[str, str]) -> requests.Response:
        asked.append(headers.get("Range", ""))
        return opened(registry, url, headers)

    monkeypatch.setattr(Registry, "open", noted)
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [image], "v1")
        pulled(store, wanted(address), plain(address))
    assert "bytes=60-" in asked
    assert store.read(name) == image.packed


@pytest.mark.parametrize(
    ("body", "promised", "message"),
    [
        (b"{}", 100, "no registry gave it"),
        (b"no JSON", 7, "found a manifest that can not be read"),
        (b'{"manifests": [{"platform": {"architecture": "amd64"}}]}', 56, "found a manifest that can not be read"),
    ],
    ids=["cut", "no JSON", "no digest"],
)
def test_a_registry_that_answers_nonsense_is_one_reason_among_others(
    tmp_path: Path, body: bytes, promised: int, message: str
) -> None:
    """A connection that ends early must not end the whole work: the next source may have the image."""

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", INDEXES[0])
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    image = Image()
    with running(Calm(("127.0.0.1", 0), Broken)) as url, servers.registry(tmp_path) as good:
        bad = url.removeprefix("http://")
        access = Access(frozenset({bad, good}))
        with pytest.raises(TaskFailed, match=message):
            images.look(wanted(bad), access)
        servers.push(good, "org/engine", [image], "v1")
        both = WantedImage(NAME, "", (f"{bad}/org/engine:v1", f"{good}/org/engine:v1"), ("amd64",))
        assert images.look(both, access).digest == image.digest


def test_a_password_is_not_sent_to_a_plain_realm_of_a_registry_with_tls() -> None:
    registry = Registry(Reference.parse("hub.example/org/engine:v1"), login=(servers.USER, servers.PASSWORD))
    with pytest.raises(FetchError, match=r"password sent to http://127[^ ]*/token, which is not encrypted") as refused:
        registry._log_in('Bearer realm="http://127.0.0.1:9/token",service="x"')
    assert servers.PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "plain"),
    [("10.1.2.3:5000", True), ("10.0.0.0/8", True), ("11.0.0.0/8", False), ("10.1.2.3", False), ("hub/x", False)],
)
def test_a_network_of_insecure_registries_is_understood_as_the_engine_does(entry: str, plain: bool) -> None:
    assert Access(frozenset({entry})).registry("10.1.2.3:5000/org/engine:v1").plain is plain


def test_an_insecure_registry_may_have_a_certificate_of_its_own(store: Store, tmp_path: Path) -> None:
    """What many a registry of an office has: the engine takes it, so the tool does, where the site calls it so."""
    image, signer = Image(), servers.Signer(tmp_path)
    tls = {"certificate": str(signer.file), "key": str(signer.key_file(tmp_path))}
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [image], "v1")
    with servers.registry(tmp_path, tls=tls) as address:
        assert pulled(store, wanted(address), plain(address)).digest == image.digest
        with pytest.raises(TaskFailed, match="self-signed certificate"):
            images.look(wanted(address), Access())

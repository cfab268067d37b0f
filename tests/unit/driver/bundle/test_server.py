"""The bundle's server: what HTTP promises, and the real clients that hosts and people use."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from driver.bundle.contents import Entry, File, Manifest, Model, Repository, write
from driver.bundle.server import make_server
from driver.bundle.store import Store
from driver.errors import SiteError, UsageError
from tests.unit.driver.bundle.web import running

DATA = bytes(range(256)) * 5000
COMMIT = "5" * 40
LISTS = "dists/x/main/binary-amd64"
MODEL = {"config.json": b"{}\n", "model-00001-of-00001.safetensors": DATA, "figures/one/about.txt": b"a file\n"}


@pytest.fixture
def manifest(store: Store) -> Manifest:
    package = store.put(DATA)
    files = tuple(Entry(path=path, **store.put(data).model_dump()) for path, data in MODEL.items())
    models = tuple(
        Model(name=name, source=name, repo=f"org/{name}", requested="v1", revision=COMMIT, files=files)
        for name in ("modelscope", "huggingface")
    )
    wheel = File(kind="wheel", name="one_thing-1.0-py3-none-any.whl", **store.put(b"a wheel").model_dump())
    key = Entry(path="key.asc", **store.put(b"a key").model_dump())
    lists = Entry(path=f"{LISTS}/Packages.gz", **store.put(b"a list").model_dump())
    repository = Repository(kind="apt", name="os", architectures=("x86_64",), source="http://x", files=(key, lists))
    made = Manifest(
        files=(File(kind="package", name="driver 1.run", **package.model_dump()), wheel),
        models=models,
        repositories=(repository,),
    )
    write(store.root, made)
    return made


@pytest.fixture
def url(store: Store, manifest: Manifest) -> Iterator[str]:
    assert manifest.files
    with running(make_server(store.root, "127.0.0.1", 0)) as address:
        yield address


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


SUM = hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("path", ["/packages/driver%201.run", f"/sha256/{SUM}", f"/sha256/{SUM[:2]}/{SUM}"])
def test_a_file_is_found_by_name_and_by_sum(url: str, path: str) -> None:
    answer, body = ask(url, path)
    assert (answer.status, body) == (200, DATA)
    assert answer.headers["ETag"] == f'"{SUM}"'
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_head_has_the_same_headers_and_no_body(url: str) -> None:
    answer, body = ask(url, "/packages/driver%201.run", "HEAD")
    assert (answer.status, body, answer.headers["Content-Length"]) == (200, b"", str(len(DATA)))


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=10-", 206, (10, None)),
        ("bytes=-10", 206, (-10, None)),
        (f"bytes=5-{len(DATA) * 2}", 206, (5, None)),
        (f"bytes={len(DATA)}-", 416, (0, 0)),
        ("bytes=9-5", 416, (0, 0)),
        ("bytes=0-1,5-6", 200, (0, None)),
        ("lines=1-2", 200, (0, None)),
        ("bytes=-", 200, (0, None)),
    ],
)
def test_ranges(url: str, asked: str, status: int, span: tuple[int, int | None]) -> None:
    answer, body = ask(url, "/packages/driver%201.run", Range=asked)
    assert (answer.status, body) == (status, DATA[slice(*span)])
    if status == 206:
        assert answer.headers["Content-Range"].endswith(f"/{len(DATA)}")
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_a_range_of_another_version_is_not_given(url: str) -> None:
    answer, body = ask(url, "/packages/driver%201.run", Range="bytes=5-", If_Range='"another"')
    assert (answer.status, body) == (200, DATA)
    answer, body = ask(url, "/packages/driver%201.run", Range="bytes=5-", If_Range=f'"{SUM}"')
    assert (answer.status, body) == (206, DATA[5:])


def test_what_a_client_has_is_not_sent_again(url: str) -> None:
    answer, body = ask(url, "/packages/driver%201.run", If_None_Match=f'"{SUM}"')
    assert (answer.status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/packages/../manifest.json",
        "/packages/%2e%2e/manifest.json",
        "/models/modelscope/../../manifest.json",
        "/models/modelscope/%2e%2e/%2e%2e/.lock",
        "/sha256/" + "0" * 64,
        "/apt/os//etc/passwd",
        "/apt/other/key.asc",
        "/partial/one.part",
        "/.lock",
        "//etc/passwd",
        "/%00",
    ],
)
def test_nothing_but_what_the_manifest_names_is_served(url: str, path: str) -> None:
    answer, _ = ask(url, path)
    assert answer.status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_it_is_read_only(url: str, method: str) -> None:
    answer, body = ask(url, "/v2/quay.io/a/blobs/uploads/", method)
    assert (answer.status, body) == (405, b"this bundle is read only\n")


def test_bytes_that_are_gone_are_no_answer(url: str, store: Store) -> None:
    store.path(SUM).unlink()
    answer, body = ask(url, "/packages/driver%201.run")
    assert answer.status == 404
    assert b"provision bundle verify" in body


def test_a_file_that_was_cut_is_no_answer(url: str, store: Store) -> None:
    store.path(SUM).write_bytes(DATA[:100])
    assert ask(url, "/packages/driver%201.run")[0].status == 404


def test_a_bundle_that_grows_is_served_without_a_restart(url: str, store: Store, manifest: Manifest) -> None:
    assert ask(url, "/packages/new.run")[0].status == 404
    new = File(kind="package", name="new.run", **store.put(b"new").model_dump())
    write(store.root, manifest.model_copy(update={"files": (*manifest.files, new)}))
    assert ask(url, "/packages/new.run")[1] == b"new"


def test_a_manifest_that_broke_is_said(url: str, store: Store) -> None:
    (store.root / "manifest.json").write_text("{", encoding="ascii")
    answer, body = ask(url, "/packages/new.run")
    assert answer.status == 500
    assert b"found no JSON" in body


def test_a_broken_manifest_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema": 2}', encoding="ascii")
    with pytest.raises(SiteError, match="found schema 2; expected 1, the newest that this version knows"):
        make_server(tmp_path, "127.0.0.1", 0)


def test_a_port_that_is_taken_is_said(url: str, store: Store) -> None:
    port = urlsplit(url).port or 0
    with pytest.raises(UsageError, match=f"127\\.0\\.0\\.1:{port}: Address already in use; .*give --address"):
        make_server(store.root, "127.0.0.1", port)


def test_no_name_is_looked_up(store: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody resolves names, every look-up is half a minute of silence."""

    def refuse(*_: object) -> str:
        raise AssertionError("a name was looked up")

    for name in ("getfqdn", "gethostbyaddr", "gethostname"):
        monkeypatch.setattr(socket, name, refuse)
    assert manifest.files
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        assert ask(url, f"/sha256/{SUM}")[1] == DATA


def test_many_clients_at_once_get_the_same_bytes(url: str) -> None:
    with ThreadPoolExecutor(16) as clients:
        bodies = list(clients.map(lambda _: requests.get(f"{url}/sha256/{SUM}", timeout=20).content, range(48)))
    assert all(body == DATA for body in bodies)


def test_a_connection_is_kept(url: str) -> None:
    with requests.Session() as client:
        first = client.get(f"{url}/manifest.json", timeout=10, stream=True)
        port = first.raw._connection.sock.getsockname()[1]
        assert first.json()["schema"] == 1
        second = client.get(f"{url}/sha256/{SUM}", timeout=10, stream=True)
        assert second.raw._connection.sock.getsockname()[1] == port
        assert second.content == DATA


def test_a_client_that_leaves_disturbs_nobody(url: str) -> None:
    with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0)) as early:
        early.sendall(f"GET /sha256/{SUM} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        early.recv(10)
    with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0)) as odd:
        odd.sendall(b"\x00\x01 nonsense\r\n\r\n")
        assert b"400" in odd.recv(4096)
    assert ask(url, f"/sha256/{SUM}")[1] == DATA


def test_apt_gets_its_lists_by_hash(url: str) -> None:
    digest = hashlib.sha256(b"a list").hexdigest()
    assert ask(url, f"/apt/os/{LISTS}/by-hash/SHA256/{digest}")[1] == b"a list"
    assert ask(url, f"/apt/os/{LISTS}/by-hash/SHA256/{SUM}")[0].status == 404


def test_a_model_is_a_folder_with_a_manifest(url: str) -> None:
    listed = requests.get(f"{url}/models/modelscope/manifest.json", timeout=10).json()["files"]
    assert {entry["path"] for entry in listed} == {*MODEL}
    for entry in listed:
        body = requests.get(f"{url}/models/modelscope/{entry['path']}", timeout=10).content
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (entry["sha256"], entry["size"])


def run(home: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a client of this environment against the server, with a home of its own."""
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "MODELSCOPE_ENDPOINT": url,
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
    }
    program = Path(sys.executable).parent / words[0]
    return subprocess.run(
        [str(program), *words[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def download(home: Path, url: str, client: str, target: Path, revision: str) -> subprocess.CompletedProcess[str]:
    if client == "modelscope":
        words = ["download", "--model", "org/modelscope", "--revision", revision, "--local_dir", str(target)]
    else:
        words = ["download", "org/huggingface", "--revision", revision, "--local-dir", str(target)]
    return run(home, url, client, *words)


@pytest.mark.parametrize("client", ["modelscope", "hf"])
@pytest.mark.parametrize("revision", [COMMIT, "v1", "main", "master"])
def test_the_hubs_own_clients_fetch_a_model(url: str, tmp_path: Path, client: str, revision: str) -> None:
    out = tmp_path / "out"
    done = download(tmp_path, url, client, out, revision)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: (out / path).read_bytes() for path in MODEL} == MODEL


@pytest.mark.parametrize("client", ["modelscope", "hf"])
def test_a_revision_that_is_not_there_is_refused_in_the_client_s_words(url: str, tmp_path: Path, client: str) -> None:
    done = download(tmp_path, url, client, tmp_path / "out", "v9")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "404" in said or "not found" in said.lower() or "does not exist" in said or "no revision" in said, said
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_pip_finds_wheels_and_compares_their_sums(url: str, store: Store, tmp_path: Path) -> None:
    words = ["pip", "download", "--no-deps", "--index-url", f"{url}/simple", "--dest", str(tmp_path / "out")]
    done = run(tmp_path, url, *words, "One.Thing==1.0")
    # it is no real wheel, but it has arrived and its sum was right
    assert "is invalid" in done.stderr or "not a supported wheel" in done.stderr or "BadZipFile" in done.stderr
    wheel = store.path(hashlib.sha256(b"a wheel").hexdigest())
    wheel.write_bytes(b"a wheeL")
    done = run(tmp_path, url, *words, "--no-cache-dir", "one-thing")
    assert "DO NOT MATCH THE HASHES" in done.stderr, done.stderr


def test_a_name_of_other_letters_gets_an_answer(url: str) -> None:
    """Headers have only plain letters; a hub's client would see a broken connection and ask again and again."""
    answer, body = ask(url, "/org/huggingface/resolve/main/%E6%A8%A1%E5%9E%8B.bin")
    assert (answer.status, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert "has no file" in answer.headers["X-Error-Message"]
    assert b"has no file" in body

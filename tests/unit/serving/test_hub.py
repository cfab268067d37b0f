"""The hub, asked by the real clients: both must find what they look for, resume, and understand a refusal."""

import hashlib
import http.client
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.serving import faults, hub
from tests.lab.serving.faults import Faults
from tests.lab.serving.model import REPO, build_model

SHARD = "model-00003-of-00004.safetensors"
NESTED = "figures/one/about.txt"


@dataclass(frozen=True)
class Hub:
    """A running hub."""

    root: Path
    port: int
    faults: Faults

    @property
    def model(self) -> Path:
        return self.root / REPO

    def run(self, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a client of this environment against the hub, with a home of its own."""
        url = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.defpath,
            "HOME": str(home),
            "MODELSCOPE_ENDPOINT": url,
            "HF_ENDPOINT": url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }
        program = Path(sys.executable).parent / command[0]
        return subprocess.run(
            [str(program), *command[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def download(self, client: str, home: Path, target: Path, **changed: str) -> subprocess.CompletedProcess[str]:
        """Fetch the model into *target* with `modelscope` or `hf`; *changed* replaces `repo` or `revision`."""
        repo, revision = changed.get("repo", REPO), changed.get("revision")
        if client == "modelscope":
            command = ["download", "--model", repo, "--revision", revision or "master", "--local_dir", str(target)]
        else:
            command = ["download", repo, "--revision", revision or "main", "--local-dir", str(target)]
        return self.run(home, client, *command)

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Hub]:
    root = tmp_path / "hub"
    model = build_model(root)
    (model / NESTED).parent.mkdir(parents=True)
    (model / NESTED).write_text("a file in a folder\n", encoding="ascii")
    server = hub.make_server(root, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Hub(root, server.server_address[1], server.faults)
    server.shutdown()
    server.server_close()
    thread.join()


def hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of what a client fetched, its own records aside."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }


def statuses(caplog: pytest.LogCaptureFixture, file: str) -> list[str]:
    """Return the status of each answer that carried content of *file*."""
    return [line.split('" ')[1][:3] for line in caplog.messages if file in line and '"GET' in line]


@pytest.mark.parametrize("client", ["modelscope", "hf"])
def test_a_real_client_fetches_the_whole_model(running: Hub, tmp_path: Path, client: str) -> None:
    done = running.download(client, tmp_path, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashes(tmp_path / "out") == hashes(running.model)


def test_the_partial_file_of_a_killed_client_is_resumed(
    running: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out, whole = tmp_path / "out", (running.model / SHARD).read_bytes()
    out.mkdir()
    # only modelscope takes it up: hf 2.4 gives each process a temporary name of its own
    (out / f"{SHARD}.incomplete").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.INFO, "hub"):
        done = running.download("modelscope", tmp_path, out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashes(out) == hashes(running.model)
    assert statuses(caplog, SHARD) == ["206"]


@pytest.mark.parametrize("client", ["modelscope", "hf"])
def test_a_broken_transfer_is_continued_where_it_broke(
    running: Hub, tmp_path: Path, client: str, caplog: pytest.LogCaptureFixture
) -> None:
    big = "large.bin"
    (running.model / big).write_bytes(bytes(24 * 1024 * 1024))  # hf keeps what it has in pieces of 10 MiB
    running.faults.set(cut_after=12 * 1024 * 1024, cut_times=1)
    with caplog.at_level(logging.INFO, "hub"):
        done = running.download(client, tmp_path, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashes(tmp_path / "out") == hashes(running.model)
    assert statuses(caplog, big) == ["200", "206"]


@pytest.mark.parametrize("client", ["modelscope", "hf"])
@pytest.mark.parametrize("changed", [{"repo": "provision-lab/absent"}, {"revision": "v9"}], ids=["repo", "revision"])
def test_what_does_not_exist_is_refused_in_the_client_s_own_words(
    running: Hub, tmp_path: Path, client: str, changed: dict[str, str]
) -> None:
    done = running.download(client, tmp_path, tmp_path / "out", **changed)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "404" in said or "not found" in said.lower() or "does not exist" in said, said
    assert not list((tmp_path / "out").rglob("*.safetensors"))


@pytest.mark.parametrize("client", ["modelscope", "hf"])
def test_the_commit_id_is_a_revision(running: Hub, tmp_path: Path, client: str) -> None:
    answer, _ = running.ask(f"/{REPO}/resolve/main/config.json", "HEAD")
    commit = answer.headers["X-Repo-Commit"]
    done = running.download(client, tmp_path, tmp_path / "out", revision=commit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashes(tmp_path / "out") == hashes(running.model)


def test_a_changed_file_makes_another_commit(running: Hub) -> None:
    path = f"/{REPO}/resolve/main/config.json"
    before = running.ask(path, "HEAD")[0].headers
    (running.model / "config.json").write_text("{}\n", encoding="ascii")
    after = running.ask(path, "HEAD")[0].headers
    assert before["X-Repo-Commit"] != after["X-Repo-Commit"]
    assert before["ETag"] != after["ETag"]


def test_a_shard_is_known_by_its_sha256(running: Hub) -> None:
    sha256 = hashlib.sha256((running.model / SHARD).read_bytes()).hexdigest()
    size = (running.model / SHARD).stat().st_size
    headers = running.ask(f"/{REPO}/resolve/main/{SHARD}", "HEAD")[0].headers
    assert headers["X-Linked-ETag"].strip('"') == headers["ETag"].strip('"') == sha256
    assert headers["X-Linked-Size"] == headers["Content-Length"] == str(size)


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=10-", 206, (10, None)),
        ("bytes=-10", 206, (-10, None)),
        ("bytes=99999999-", 416, (0, 0)),
        ("lines=1-2", 416, (0, 0)),
    ],
)
def test_ranges(running: Hub, asked: str, status: int, span: tuple[int, int | None]) -> None:
    answer, body = running.ask(f"/api/v1/models/{REPO}/repo?Revision=master&FilePath={SHARD}", Range=asked)
    assert answer.status == status
    assert body == (running.model / SHARD).read_bytes()[slice(*span)]


@pytest.mark.parametrize(
    "path",
    [
        f"/{REPO}/resolve/main/../../../secret",
        f"/{REPO}/resolve/main/%2e%2e/%2e%2e/secret",
        f"/api/v1/models/{REPO}/repo?FilePath=../../secret",
        "/api/models/../..",
        "/api/v1/models/%2e%2e/%2e%2e/repo?FilePath=secret",
    ],
)
def test_nothing_outside_the_models_is_served(running: Hub, path: str) -> None:
    (running.root / "secret").write_text("secret", encoding="ascii")
    answer, body = running.ask(path)
    assert answer.status == 404
    assert body != b"secret"


def test_many_clients_at_once_get_the_same_bytes(running: Hub) -> None:
    wanted = (running.model / SHARD).read_bytes()
    with ThreadPoolExecutor(max_workers=8) as clients:
        bodies = list(clients.map(lambda _: running.ask(f"/{REPO}/resolve/main/{SHARD}")[1], range(16)))
    assert all(body == wanted for body in bodies)


def test_folders_are_listed_one_level_at_a_time_unless_asked(running: Hub) -> None:
    _, flat = running.ask(f"/api/v1/models/{REPO}/repo/files?Revision=master&Recursive=False")
    _, deep = running.ask(f"/api/v1/models/{REPO}/repo/files?Revision=master&Recursive=True")
    assert NESTED.encode() not in flat
    assert b'"Path": "figures", ' in flat
    assert NESTED.encode() in deep


def test_it_runs_alone_with_the_standard_library(tmp_path: Path) -> None:
    copy = shutil.copy(hub.__file__, tmp_path / "hub.py")
    shutil.copy(faults.__file__, tmp_path / "faults.py")
    done = subprocess.run(
        [sys.executable, "-I", "-S", copy, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "--root" in done.stdout

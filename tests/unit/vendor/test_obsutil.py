"""obsutil against the lab's object store: both sides of the signature, the configuration, transfers, return codes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.serving import obs
from tests.lab.serving.faults import Faults
from tests.lab.vendor import obsutil

SPELLING = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
OTHER = {"amd64": "arm64", "arm64": "amd64"}[SPELLING]


@dataclass(frozen=True)
class Client:
    """An unpacked obsutil with a home of its own, and a store with one bucket."""

    home: Path
    bucket: Path
    endpoint: str
    faults: Faults

    def run(self, *words: str, spelling: str = SPELLING, stdin: str = "") -> subprocess.CompletedProcess[str]:
        program = self.home / f"obsutil_linux_{spelling}_5.7.3/obsutil"
        environment = {**os.environ, "HOME": str(self.home)}
        command = [sys.executable, str(program), *words]
        return subprocess.run(
            command, cwd=self.home, env=environment, input=stdin, capture_output=True, text=True, check=False
        )

    def configure(self) -> None:
        self.run("config", "-i=access", "-k=secret", f"-e={self.endpoint}")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    bucket = tmp_path / "store/lab"
    (bucket / "models/tiny/sub").mkdir(parents=True)
    (bucket / "hello.txt").write_text("hello\n", encoding="ascii")
    (bucket / "models/tiny/a.txt").write_text("a\n", encoding="ascii")
    (bucket / "models/tiny/sub/b.txt").write_text("b\n", encoding="ascii")
    home = tmp_path / "home"
    home.mkdir()
    for spelling in (SPELLING, OTHER):
        (home / "x.tar.gz").write_bytes(obsutil.archive("5.7.3", spelling))
        with tarfile.open(home / "x.tar.gz") as tar:
            tar.extractall(home, filter="data")
    with obs.Server(("127.0.0.1", 0), tmp_path / "store", "access", "secret") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Client(home, bucket, f"http://127.0.0.1:{server.server_address[1]}", server.faults)
        server.shutdown()


def test_archive_has_one_folder_named_by_machine_and_version(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(obsutil.archive("5.7.3", "arm64"))
    with tarfile.open(tmp_path / "x") as tar:
        assert {entry.name: oct(entry.mode) for entry in tar} == {
            "obsutil_linux_arm64_5.7.3": "0o755",
            "obsutil_linux_arm64_5.7.3/obsutil": "0o644",
            "obsutil_linux_arm64_5.7.3/setup.sh": "0o644",
        }


def test_program_of_another_machine_does_not_run(client: Client) -> None:
    done = client.run("version", spelling=OTHER)
    assert (done.returncode, "Exec format error" in done.stderr) == (126, True)
    assert (
        f"obsutil version:5.7.3, obssdkVersion:3.24.3\noperating system:linux, arch:{SPELLING}"
        in client.run("version").stdout
    )


def test_without_keys_it_asks_for_them_and_leaves_a_file(client: Client) -> None:
    done = client.run("ls")
    assert (done.returncode, done.stdout) == (3, "Warn: Please set ak, sk and endpoint in the configuration file!\n")
    assert "endpoint=http://your-endpoint\n" in (client.home / ".obsutilconfig").read_text(encoding="utf-8")


def test_keys_are_hidden_in_the_file_and_its_mode_stays(client: Client) -> None:
    config = client.home / "own"
    config.write_text(f"# ours\nendpoint={client.endpoint}\nak=access\nsk=secret\n", encoding="utf-8")
    config.chmod(0o600)
    for _ in range(2):
        assert client.run("ls", "-s", f"-config={config}").stdout.count("obs://lab\n") == 1
    text = config.read_text(encoding="utf-8")
    assert text.startswith(f"# ours\nendpoint={client.endpoint}\nak=")
    assert "=access\n" not in text
    assert "secret" not in text
    assert "defaultJobs=5\n" in text
    assert oct(config.stat().st_mode)[-3:] == "600"


def test_line_that_is_no_setting_is_an_error(client: Client) -> None:
    (client.home / ".obsutilconfig").write_text("what\n", encoding="utf-8")
    done = client.run("ls")
    assert (done.returncode, done.stdout) == (
        5,
        f"Error: Configuration file [{client.home}/.obsutilconfig] is not well-formed\n",
    )


def test_buckets_are_listed(client: Client) -> None:
    client.configure()
    done = client.run("ls")
    assert done.returncode == 0
    assert "obs://lab " in done.stdout
    assert "Bucket number" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("ls", "-k=wrong"), 6, "error code [SignatureDoesNotMatch]"),
        (("ls", "-i=nobody"), 6, "error code [InvalidAccessKeyId]"),
        (("ls", "-e=http://127.0.0.1:1"), 6, "List buckets failed, error ["),
        (("ls", "obs://none"), 6, "error code [NoSuchBucket]"),
        (("cp", "obs://lab/none", "x"), 6, "error code [NoSuchKey]"),
        (("cp", "none", "obs://lab/"), 1, "does not exist"),
        (("cp", "obs://lab/a", "obs://lab/b"), 7, "not supported"),
        (("cp", "a", "b"), 3, "not supported"),
        (("ls", "-nonsense"), 3, "flag provided but not defined: -nonsense"),
        (("nonsense",), 3, "No such command"),
    ],
)
def test_failures_have_the_documented_codes(client: Client, words: tuple[str, ...], code: int, text: str) -> None:
    client.configure()
    done = client.run(*words)
    assert (done.returncode, text in done.stdout) == (code, True), done.stdout + done.stderr


def test_objects_come_and_go(client: Client) -> None:
    client.configure()
    assert client.run("cp", "obs://lab/hello.txt", "got", "-vmd5", "-vlength").returncode == 0
    assert (client.home / "got").read_text(encoding="ascii") == "hello\n"
    assert client.run("cp", "got", "obs://lab/sent", "-vmd5").returncode == 0
    assert (client.bucket / "sent").read_text(encoding="ascii") == "hello\n"
    assert client.run("stat", "obs://lab/sent").stdout.count("Size:\n  6\n") == 1


def test_folders_come_with_and_without_their_own_name(client: Client) -> None:
    client.configure()
    assert "Succeed count is: 2" in client.run("cp", "obs://lab/models/tiny/", "one", "-r", "-f").stdout
    assert "Succeed count is: 2" in client.run("cp", "obs://lab/models/tiny/", "two", "-r", "-f", "-flat").stdout
    found = sorted(str(path.relative_to(client.home)) for name in ("one", "two") for path in files(client.home / name))
    assert found == ["one/tiny/a.txt", "one/tiny/sub/b.txt", "two/a.txt", "two/sub/b.txt"]
    asked = client.run("cp", "obs://lab/models/tiny/", "three", "-r", stdin="n\ny\n")
    assert asked.stdout.count("Please input (y/n) to confirm:") == 2
    assert [path.name for path in files(client.home / "three")] == ["b.txt"]
    assert client.run("cp", "one", "obs://lab/up", "-r", "-f").returncode == 0
    assert (client.bucket / "up/one/tiny/sub/b.txt").is_file()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_interrupted_download_is_taken_up_again(client: Client) -> None:
    client.configure()
    content = bytes(range(256)) * 40
    (client.bucket / "big").write_bytes(content)

    client.faults.set(cut_after=4000)
    done = client.run("cp", "obs://lab/big", "big", "-cpd=points")
    client.faults.clear()
    assert (done.returncode, "unexpected EOF" in done.stdout) == (6, True), done.stdout + done.stderr
    assert (client.home / "big.obsutil.tmp").read_bytes() == content[:4000]
    client.faults.sent.clear()
    assert client.run("cp", "obs://lab/big", "big", "-cpd=points").returncode == 0
    assert (client.home / "big").read_bytes() == content
    assert client.faults.sent == {"big": len(content) - 4000}, "only the rest was asked for"
    assert files(client.home / "points") == []


def test_rest_of_another_download_is_not_used(client: Client) -> None:
    client.configure()
    (client.home / "got.obsutil.tmp").write_bytes(b"x")
    assert client.run("cp", "obs://lab/hello.txt", "got").returncode == 0
    assert (client.home / "got").read_text(encoding="ascii") == "hello\n"


def test_request_of_another_time_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.configure()
    now = obs.time.time()
    monkeypatch.setattr(obs.time, "time", lambda: now + 1000)
    assert "error code [RequestTimeTooSkewed]" in client.run("ls").stdout


def test_store_keeps_to_its_buckets(client: Client, tmp_path: Path) -> None:
    (tmp_path / "store/secret.txt").write_text("x", encoding="ascii")
    buckets = obs.Buckets(tmp_path / "store")
    for bucket, key in (("lab", "../secret.txt"), ("lab", "a//b"), (".meta", "x"), ("..", "x")):
        with pytest.raises(obs.RefusedError):
            buckets.known(bucket, key)
    assert client.bucket.is_dir()

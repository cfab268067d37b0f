"""Every source of models against a server of its protocol, with the real client: whole, cut, wrong, refused."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.converge import (
    download,
    hub_files,
    model_bring,
    model_client,
    model_git,
    model_obs,
    model_web,
)
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.model_access import Access, Way
from ansible.module_utils.converge.model_stage import Stage
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.state import models

from plugins.modules.model_fetch import opener
from tests.lab.serving import gitlfs, hub, obs
from tests.lab.vendor import obsutil

CONTENT = {"config.json": b"{}", "tokenizer.json": b"[]", "big.safetensors": b"weights!" * 50000, "sub/x.txt": b"a b"}
SECRET = "word-that-nobody-reads"


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_client, "LOG_FOLDER", str(tmp_path / "log"))
    monkeypatch.setattr(model_client, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(model_client, "forget", lambda _: "")
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(model_obs, "HOME", str(tmp_path / "home"))
    monkeypatch.setattr(model_obs, "_ENV", ("env", f"HOME={tmp_path / 'home'}"))


def fill(folder: Path) -> Path:
    for name, data in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def sums(names: Any = CONTENT) -> list[dict[str, Any]]:
    return [
        {"path": name, "size": len(CONTENT[name]), "sha256": hashlib.sha256(CONTENT[name]).hexdigest()}
        for name in names
    ]


def model(folder: Path, **changes: Any) -> dict[str, Any]:
    values = {"name": "tiny", "path": str(folder / "m"), "source": "modelscope", "repo": "o/tiny", "revision": "master"}
    return {**values, "endpoint": "", "image": "engine:v1", "size_bytes": 0, "files": [], **changes}


def bring(wanted: dict[str, Any], token: str = "", program: dict[str, str] | None = None) -> dict[str, Any]:
    """Make *wanted* whole as the host does that asks the source."""
    access = Access(opener, token, program or {})
    done: dict[str, Any] = model_bring.fetch(wanted, model_bring.files_of(wanted, access), [], access, 60)
    return done


def assert_whole(folder: Path) -> None:
    """Every file is there, and nothing of the way it came."""
    names = {str(path.relative_to(folder / "m")) for path in (folder / "m").rglob("*") if path.is_file()}
    assert {name for name in names if not name.startswith(".provision-")} == set(CONTENT)
    assert {name: (folder / "m" / name).read_bytes() for name in CONTENT} == CONTENT
    assert not (folder / "m/.provision-parts").exists()
    manifest = json.loads((folder / "m" / models.MANIFEST).read_text())
    assert {entry["path"]: entry["sha256"] for entry in manifest["files"]} == {
        entry["path"]: entry["sha256"] for entry in sums()
    }


def serve(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.faults.ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A hub, and its clients beside us where a host has them in the image of its engine."""
    fill(tmp_path / "hub/o/tiny")

    def beside(wanted: dict[str, Any], folder: str, names: list[str], _token: bool) -> list[str]:
        given = [f"{name}={value}" for name, value in model_client.environment(wanted).items()]
        words = [folder if word == model_client.INSIDE else word for word in model_client.client_argv(wanted, names)]
        return ["env", f"HOME={tmp_path}", *given, str(Path(sys.executable).with_name(words[0])), *words[1:]]

    monkeypatch.setattr(model_client, "docker_argv", beside)
    yield from serve(hub.make_server(tmp_path / "hub", "127.0.0.1", 0))


def at(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize("source", ["modelscope", "huggingface"])
def test_the_hubs_own_client_brings_a_model_and_only_what_lacks_of_it(source: str, hubs: Any, tmp_path: Path) -> None:
    wanted = model(tmp_path, source=source, endpoint=at(hubs), revision="main" if source == "huggingface" else "master")
    bring(wanted)
    assert_whole(tmp_path)
    (tmp_path / "m/big.safetensors").write_bytes(b"short")
    (tmp_path / "m" / models.MANIFEST).unlink()
    hubs.faults.sent.clear()
    assert bring(wanted)["bytes"] == len(CONTENT["big.safetensors"])
    assert set(hubs.faults.sent) == {"big.safetensors"}
    assert_whole(tmp_path)


def test_a_client_of_a_hub_that_refuses_the_token_is_quoted(hubs: Any, tmp_path: Path) -> None:
    hubs.faults.set(token=SECRET)
    wanted = model(tmp_path, source="huggingface", endpoint=at(hubs), revision="main")
    with pytest.raises(RefusedError, match=r"401.*site.yml names no token \(tokens.<source>"):
        bring(wanted)
    with pytest.raises(RefusedError, match=r"401.*was not taken: it is expired") as refused:
        bring(wanted, token="expired-word")
    assert "expired-word" not in str(refused.value)
    assert not (tmp_path / "m/config.json").exists()


def test_a_token_is_in_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress) -> None:
    wanted = model(tmp_path, source="huggingface")
    argv = model_client.docker_argv(wanted, str(tmp_path), token=True)
    assert argv[argv.index("HF_TOKEN") - 1] == "--env"
    seen = tmp_path / "seen"
    script = f"echo $HF_TOKEN > {seen}; tr '\\0' ' ' < /proc/$$/cmdline >> {seen}"
    monkeypatch.setattr(model_client, "docker_argv", lambda *_: ["sh", "-c", script])
    (tmp_path / "m").mkdir()
    stage = Stage(str(tmp_path / "m"), [])
    model_client.download(wanted, [], stage, Way(Access(opener, SECRET), progress, 60))
    first, second = seen.read_text().split("\n", 1)
    assert (first, SECRET in second) == (SECRET, False)
    assert SECRET not in repr(Access(opener, SECRET))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Any]:
    folder = fill(tmp_path / "hub/o/tiny")
    (folder / "manifest.json").write_text(json.dumps({"files": sums()}))
    yield from serve(hub.make_server(tmp_path / "hub", "127.0.0.1", 0))


def test_a_web_folder_is_brought_by_its_manifest(web: Any, tmp_path: Path) -> None:
    bring(model(tmp_path, source="http", repo=f"{at(web)}/files/o/tiny", revision=""))
    assert_whole(tmp_path)


def test_a_download_that_is_cut_goes_on_where_it_was(web: Any, tmp_path: Path) -> None:
    web.faults.set(cut_after=150000, cut_times=2)
    bring(model(tmp_path, source="http", repo=f"{at(web)}/files/o/tiny", revision=""))
    assert_whole(tmp_path)
    assert web.faults.sent["big.safetensors"] == len(CONTENT["big.safetensors"])


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"wrong": ["big.safetensors"]}, r"its own checksums say: big.safetensors: sha256 .*, expected"),
        ({"missing": ["big.safetensors"]}, r"big.safetensors: .*404.*what has arrived is kept"),
        ({"status": 401}, r"401.*names no token"),
        ({"status": 503}, r"503.*Look whether this host reaches it|503.*reaches it"),
    ],
)
def test_a_web_folder_with_a_fault_is_refused_and_mended_later(
    web: Any, tmp_path: Path, faults: dict[str, Any], said: str
) -> None:
    wanted = model(tmp_path, source="http", repo=f"{at(web)}/files/o/tiny", revision="")
    web.faults.set(**faults)
    with pytest.raises(RefusedError, match=said):
        bring(wanted)
    assert not (tmp_path / "m/big.safetensors").exists()
    assert not (tmp_path / "m" / models.MANIFEST).exists()
    web.faults.clear()
    bring(wanted)
    assert_whole(tmp_path)


@pytest.mark.parametrize("content", ['{"files": []}', "[]", '{"files": [{"path": "a", "size": 1}]}', "no json"])
def test_a_web_folder_without_a_manifest_is_refused(web: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "hub/o/tiny/manifest.json").write_text(content)
    with pytest.raises(RefusedError, match=r"manifest.json: "):
        bring(model(tmp_path, source="http", repo=f"{at(web)}/files/o/tiny", revision=""))


def test_a_name_that_points_outside_is_never_written(web: Any, tmp_path: Path) -> None:
    (tmp_path / "hub/o/tiny/manifest.json").write_text(json.dumps({"files": [{**sums()[0], "path": "../../evil"}]}))
    with pytest.raises(RefusedError, match=r"'../../evil', which would lie outside of"):
        bring(model(tmp_path, source="http", repo=f"{at(web)}/files/o/tiny", revision=""))
    assert not (tmp_path / "evil").exists()


def test_a_manifest_as_other_tools_write_it_is_understood(web: Any, tmp_path: Path) -> None:
    rows = [{**entry, "path": f"./{entry['path']}", "sha256": entry["sha256"].upper()} for entry in sums()]
    (tmp_path / "hub/o/tiny/manifest.json").write_text(json.dumps({"files": rows}))
    bring(model(tmp_path, source="http", repo=f"{at(web)}/files/o/tiny", revision=""))
    assert_whole(tmp_path)


def test_a_folder_of_the_host_is_copied_and_never_touched(tmp_path: Path) -> None:
    source = fill(tmp_path / "share")
    wanted = model(tmp_path, source="path", repo=str(source), revision="")
    bring(wanted)
    assert_whole(tmp_path)
    assert sorted(path.name for path in source.iterdir()) == sorted({name.split("/")[0] for name in CONTENT})
    with pytest.raises(RefusedError, match=r"nowhere on .* does not exist, expected .*models\[\].from\)\. Mount it"):
        bring(model(tmp_path / "2", source="path", repo=str(tmp_path / "nowhere"), revision=""))


def test_a_folder_that_differs_from_the_lock_is_refused(tmp_path: Path) -> None:
    source = fill(tmp_path / "share")
    (source / "config.json").write_bytes(b"[]")
    wanted = model(tmp_path, source="path", repo=str(source), revision="", files=sums())
    with pytest.raises(RefusedError, match=r"the checksums of site.lock say: config.json: sha256 .*--update"):
        bring(wanted)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Any]:
    gitlfs.add(tmp_path / "git", "tiny", fill(tmp_path / "files"))
    yield from serve(gitlfs.Server(("127.0.0.1", 0), tmp_path / "git"))


def test_git_lfs_brings_a_model_by_its_commit(repository: Any, tmp_path: Path) -> None:
    commit = gitlfs.git("rev-parse", "main", folder=tmp_path / "git/tiny.git")
    bring(model(tmp_path, source="git", repo=f"{at(repository)}/tiny.git", revision=commit))
    assert_whole(tmp_path)


def test_git_lfs_with_a_token_and_without(repository: Any, tmp_path: Path) -> None:
    repository.faults.set(token=SECRET)
    wanted = model(tmp_path, source="git", repo=f"{at(repository)}/tiny.git", revision="main")
    with pytest.raises(RefusedError, match=r"git fetch ended with code 128: .*tokens.git"):
        bring(wanted)
    bring(wanted, token=SECRET)
    assert_whole(tmp_path)


def test_git_lfs_with_a_missing_shard_keeps_what_came(repository: Any, tmp_path: Path) -> None:
    oid = sums(["big.safetensors"])[0]["sha256"]
    wanted = model(tmp_path, source="git", repo=f"{at(repository)}/tiny.git", revision="main")
    repository.faults.set(missing=[oid])
    with pytest.raises(RefusedError, match=r"git lfs fetch ended with code \d+.*run again to go on"):
        bring(wanted)
    assert not (tmp_path / "m/big.safetensors").exists()
    repository.faults.clear()
    bring(wanted)
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("Username for 'http://git.site:3000': ", "oauth2"),
        ("Password for 'http://oauth2@git.site:3000': ", SECRET),
        ('Password for "http://oauth2@git.site:3000/o/tiny.git"', SECRET),
        ("Password for 'http://oauth2@elsewhere.site': ", ""),
        ("Password for 'http://git.site:3000.elsewhere.site': ", ""),
        ('Password for "http://oauth2@elsewhere.site/http://git.site:3000"', ""),
        ("Password for 'http://git.site:3000@elsewhere.site': ", ""),
    ],
)
def test_the_token_of_git_is_told_to_its_server_only(tmp_path: Path, prompt: str, said: str) -> None:
    given = model_git._environment("http://git.site:3000/o/tiny.git", str(tmp_path / "r"), Access(opener, SECRET))
    argv = ["sh", given["GIT_ASKPASS"], prompt]
    done = subprocess.run(argv, env=given, stdout=subprocess.PIPE, text=True, check=False)
    assert done.stdout.strip() == said


def test_a_host_without_git_lfs_says_which_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_git, "answer", lambda argv, _: (1 if "lfs" in argv else 0, ""))
    with pytest.raises(RefusedError, match=r'"git lfs version" ended with code 1 .*package git-lfs.*fetch: controller'):
        bring(model(tmp_path, source="git", repo="http://127.0.0.1:9/x.git"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    fill(tmp_path / "store/lab/models/tiny")
    (tmp_path / "home").mkdir()
    (tmp_path / "x.tar.gz").write_bytes(
        obsutil.archive("5.7.3", {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()])
    )
    with tarfile.open(tmp_path / "x.tar.gz") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    (program,) = (tmp_path / "unpacked").glob("*/obsutil")
    program.chmod(0o755)
    server = obs.Server(("127.0.0.1", 0), tmp_path / "store", "access", SECRET)
    (tmp_path / "keys").write_text(f"endpoint={at(server)}\nak=access\nsk={SECRET}\n")
    server.program = {"program": str(program), "config": str(tmp_path / "keys")}  # type: ignore[attr-defined]
    yield from serve(server)


def test_obsutil_brings_a_model_and_only_what_lacks_of_it(store: Any, tmp_path: Path) -> None:
    wanted = model(tmp_path, source="obs", repo="lab/models/tiny", revision="", endpoint=at(store))
    bring(wanted, program=store.program)
    assert_whole(tmp_path)
    (tmp_path / "m/big.safetensors").unlink()
    assert bring(wanted, program=store.program)["bytes"] == len(CONTENT["big.safetensors"])
    assert_whole(tmp_path)


def test_obsutil_that_fails_is_quoted_and_goes_on_later(store: Any, tmp_path: Path) -> None:
    wanted = model(tmp_path, source="obs", repo="lab/models/tiny", revision="", endpoint=at(store))
    store.faults.set(missing=["big.safetensors"])
    with pytest.raises(RefusedError, match=r"(?s)obsutil cp obs://lab/models/tiny/: ended with code \d.*NoSuchKey"):
        bring(wanted, program=store.program)
    store.faults.set(cut_after=150000, cut_times=1)
    with pytest.raises(RefusedError, match=r"obsutil cp"):
        bring(wanted, program=store.program)
    store.faults.clear()
    bring(wanted, program=store.program)
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    ("text", "many", "said"),
    [
        ("Succeed count is: 3     Failed count is: 0", True, ""),
        ("Succeed count is: 2     Failed count is: 1", True, "its summary has 1 failed"),
        ("Warn: No task to run", True, "without its summary"),
        ("Download successfully, 3B, obs://b/k --> /m/k", False, ""),
        ("Upload skipped", False, "does not say that it succeeded"),
    ],
)
def test_the_summary_of_obsutil_is_read_and_not_only_its_code(tmp_path: Path, text: str, many: bool, said: str) -> None:
    (tmp_path / "log").write_text(text)
    found = model_obs._said(str(tmp_path / "log"), many)
    assert said in found
    assert bool(said) is bool(found)


def test_a_host_without_obsutil_and_a_prefix_without_objects_are_refused(store: Any, tmp_path: Path) -> None:
    wanted = model(tmp_path, source="obs", repo="lab/models/other", revision="", endpoint=at(store))
    with pytest.raises(RefusedError, match=r"obsutil is not at .*obsutil.enabled: true"):
        bring(wanted, program={"program": str(tmp_path / "none"), "config": ""})
    with pytest.raises(RefusedError, match=r"obsutil ls obs://lab/models/other/ .* 0 objects"):
        bring(wanted, program=store.program)


def test_the_lists_of_the_hubs_are_read(hubs: Any, tmp_path: Path) -> None:
    access = Access(opener)
    scope = hub_files.listing(model(tmp_path, endpoint=at(hubs)), access.get_json)
    assert {entry["path"]: entry["sha256"] for entry in scope} == {entry["path"]: entry["sha256"] for entry in sums()}
    for source in ("huggingface", "openmind"):
        found = hub_files.listing(model(tmp_path, source=source, endpoint=at(hubs), revision="main"), access.get_json)
        by_name = {entry["path"]: entry for entry in found}
        assert set(by_name) == set(CONTENT)
        assert by_name["big.safetensors"]["sha256"] == sums(["big.safetensors"])[0]["sha256"]
        assert (by_name["config.json"]["sha256"], len(by_name["config.json"]["git_sha1"])) == ("", 40)


def test_a_model_that_the_hub_does_not_know_is_named() -> None:
    with pytest.raises(RefusedError, match=r"/o/tiny/repo/files.*no such model"):
        hub_files.listing(model(Path("/m")), lambda _: {"Message": "no such model"})


def test_small_files_of_hugging_face_are_compared_by_gits_id(tmp_path: Path) -> None:
    entry = {"path": "c", "size": 6, "sha256": "", "git_sha1": "ce013625030ba8dba906f756967f9e9ca394464a"}
    for content, good in ((b"hello\n", 1), (b"jello\n", 0)):
        stage = Stage(str(tmp_path), [entry])
        (tmp_path / ".provision-parts/c").write_bytes(content)
        stage.take(final=True)
        assert (len(stage.good), len(stage.missing())) == (good, 1 - good)


def test_the_client_runs_inside_the_engine_image() -> None:
    wanted = model(Path("/data"), endpoint="http://hub:8080")
    argv = model_client.docker_argv(wanted, "/data/m/.provision-parts")
    assert argv[:3] == ["docker", "run", "--rm"]
    assert "type=bind,source=/data/m/.provision-parts,target=/model" in argv
    assert "MODELSCOPE_ENDPOINT=http://hub:8080" in argv
    assert "MODELSCOPE_DOMAIN=hub:8080" in argv
    end = ["engine:v1", "modelscope", "download", "--model", "o/tiny", "--revision", "master", "--local_dir", "/model"]
    assert argv[-len(end) :] == end
    assert model_client.docker_argv(wanted, "/x", ["a"])[-2:] == ["--include", "a"]
    face = model_client.docker_argv({**wanted, "source": "huggingface"}, "/x", ["a"])
    assert "HF_ENDPOINT=http://hub:8080" in face
    assert face[-8:] == ["hf", "download", "o/tiny", "a", "--revision", "master", "--local-dir", "/model"]
    mind = model_client.docker_argv({**wanted, "source": "openmind"}, "/x", ["a"])
    assert "HUB_WHITE_LIST_PATHS=/model" in mind
    assert mind[-4:] == ["o/tiny", "master", "/model", "a"]


def test_a_client_that_fails_or_stands_still_is_ended_and_quoted(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").mkdir()
    wanted, stage = model(tmp_path, endpoint="http://hub:8080"), Stage(str(tmp_path / "m"), [])
    way = Way(Access(opener), progress, 60)
    monkeypatch.setattr(model_client, "docker_argv", lambda *_: ["sh", "-c", "echo no route to hub; exit 3"])
    with pytest.raises(RefusedError, match=r"(?s)o/tiny: modelscope ended with code 3; hub http://hub:8080.*no route"):
        model_client.download(wanted, [], stage, way)
    monkeypatch.setattr(model_client, "STALL_SECONDS", 0.2)
    pids = tmp_path / "pids"
    monkeypatch.setattr(model_client, "docker_argv", lambda *_: ["sh", "-c", f"sleep 600 & echo $! > {pids}; wait"])
    with pytest.raises(RefusedError, match="brought nothing for 0 s and was ended"):
        model_client.download(wanted, [], stage, way)
    stat = Path("/proc", pids.read_text().strip(), "stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_manifest_in_a_folder_saves_hashing_it(tmp_path: Path) -> None:
    source = fill(tmp_path / "share")
    model_bring.finish(model(tmp_path, path=str(source)), sums(), sums(), {})
    found = model_web.folder_listing(model(tmp_path, source="path", repo=str(source)))
    assert {entry["path"]: entry["sha256"] for entry in found} == {entry["path"]: entry["sha256"] for entry in sums()}

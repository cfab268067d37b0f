"""Manifests and their refusals, ids of sets, what a fault of a client is taken for, and clients that are missing."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from driver.models import asking, manifest, program
from driver.models.parts import File, Place, SourceError, fault, set_id

SUM = "a" * 64
WHERE = "http://x/a/manifest.json"
PLACE = Place("obs", "models/a", "", "http://127.0.0.1:9", "/tmp/x", {"access_key": "a", "secret_key": "b"})


def document(**changed: Any) -> str:
    return json.dumps({"schema": 1, "files": [{"path": "a/b c", "size": 3, "sha256": SUM}], **changed})


def test_our_manifest_and_that_of_sha256sum_say_the_same() -> None:
    assert manifest.read("manifest.json", document(), WHERE) == [File("a/b c", 3, SUM)]
    assert manifest.read("SHA256SUMS", f"{SUM}  a/b c\n{'b' * 64} *./d\n", WHERE) == [
        File("a/b c", manifest.UNKNOWN_SIZE, SUM),
        File("d", manifest.UNKNOWN_SIZE, "b" * 64),
    ]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a/../../b", "", ".", "a\\b"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(SourceError, match=r"found the path .*; expected every file once, by its path in the folder"):
        manifest.read("manifest.json", document(files=[{"path": path, "size": 1, "sha256": SUM}]), WHERE)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("manifest.json", "[]", "is no manifest"),
        ("manifest.json", "{", "is no manifest"),
        ("manifest.json", document(schema=2), "found schema 2; expected 1"),
        ("manifest.json", document(files=[]), "lists no file"),
        ("manifest.json", document(files=[{"path": "a", "size": 1, "sha256": "A" * 64}]), "a without size or sha256"),
        ("manifest.json", document(files=[{"path": "a", "size": -1, "sha256": SUM}]), "a without size or sha256"),
        ("manifest.json", document(files=[{"path": "a", "size": 1, "sha256": SUM}] * 2), "found a twice"),
        ("SHA256SUMS", "hello\n", "line 1 is none of `sha256sum`: 'hello'"),
        ("SHA256SUMS", "\n", "lists no file"),
    ],
)
def test_a_manifest_of_another_form_is_refused_with_its_place(name: str, text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        manifest.read(name, text, WHERE)
    assert str(caught.value).startswith(WHERE)
    assert said in str(caught.value)


def test_the_id_of_a_set_is_that_of_its_files_in_any_order() -> None:
    files = (File("b", 1, SUM), File("a", 2, "b" * 64, git_sha1="c" * 40))
    assert set_id(files) == set_id(tuple(reversed(files)))
    assert set_id(files) == set_id((files[0], replace(files[1], git_sha1="")))
    assert set_id(files) != set_id((files[0], replace(files[1], size=3)))


def test_a_file_is_compared_with_everything_that_is_known(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"hello\n")
    right = File("x", 6, git_sha1="ce013625030ba8dba906f756967f9e9ca394464a", md5="b1946ac92492d2347c6235b4d2611184")
    assert fault(file, right)[0] == ""
    assert fault(file, replace(right, size=7))[0] == "6 bytes, expected 7"
    for name in ("sha256", "git_sha1", "md5"):
        assert fault(file, replace(right, **{name: "0" * 40}))[0].startswith(f"{name} ")


def answer(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.HTTPError("no", response=answer(401)), "refused"),
        (requests.HTTPError("no", response=answer(404)), "absent"),
        (requests.HTTPError("no", response=answer(503)), "unreachable"),
        (requests.ConnectTimeout("no"), "unreachable"),
        (requests.exceptions.ChunkedEncodingError("no"), "unreachable"),
        (OSError(errno.ENOSPC, "No space left on device"), "room"),
        (ModuleNotFoundError("no"), "client"),
        (SourceError("spoilt", "no"), "spoilt"),
        (ValueError("no"), "failed"),
    ],
)
def test_a_fault_is_known_by_what_lies_at_its_bottom(error: Exception, kind: str) -> None:
    assert program.understood(error)[0] == kind
    try:
        raise RuntimeError("some parts failed") from error
    except RuntimeError as outer:
        assert program.understood(outer)[0] == kind


@pytest.mark.parametrize(
    ("source", "module", "client"),
    [
        ("obs", "obs", "esdk-obs-python"),
        ("huggingface", "huggingface_hub", "huggingface_hub"),
        ("modelscope", "modelscope_hub", "modelscope-hub"),
        ("openmind", "openmind_hub", "openmind_hub"),
    ],
)
def test_a_missing_client_is_one_clear_sentence(
    source: str, module: str, client: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    place = replace(PLACE, source=source, cache=str(tmp_path))
    job = {"verb": "list", "module": source, "place": {name: getattr(place, name) for name in place.__slots__}}
    given = program.run(job)
    assert given == {"fault": "client", "text": client}
    said = str(asking.failed(place, SourceError(given["fault"], given["text"])))
    assert said == (
        f"{source} models/a: no {client} here; expected its client on this machine; "
        f"install it: make setup (requirements-fetch.txt has {client})"
    )


@pytest.mark.parametrize(("missing", "verb"), [("git", "list"), ("git-lfs", "fetch")])
def test_a_missing_program_is_named_with_its_package(
    missing: str, verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    place = replace(PLACE, source="git", repo="http://127.0.0.1:9/a.git", cache=str(tmp_path))
    job = {"verb": verb, "module": "git", "place": {name: getattr(place, name) for name in place.__slots__}}
    given = program.run({**job, "files": [{"path": "a", "size": 1, "sha256": SUM}], "folder": str(tmp_path)})
    assert given == {"fault": "client", "text": missing}
    said = str(asking.failed(place, SourceError(given["fault"], given["text"])))
    assert said.endswith(f"install the package {missing} of this machine's distribution")


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "a//b", ""])
def test_a_listed_name_that_leads_out_of_the_folder_writes_nothing(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "sets/one"
    place = replace(PLACE, source="path", repo=str(tmp_path), cache=str(tmp_path))
    job = {"verb": "fetch", "module": "folder", "place": {name: getattr(place, name) for name in place.__slots__}}
    given = program.run({**job, "files": [{"path": name, "size": 1, "sha256": SUM}], "folder": str(folder)})
    assert given == {
        "fault": "spoilt",
        "text": f"lists {name!r}, which leads out of the model's folder; nothing was written",
    }
    assert not folder.exists()
    assert not (tmp_path / "outside").exists()

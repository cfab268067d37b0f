"""Routes of the model hubs, as far as the clients of Hugging Face and ModelScope ask when they download a model."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from driver.bundle.contents import Entry, Model
from driver.bundle.shelf import Answer, Index, Made, Stored, as_json

_BRANCHES: Final = ("main", "master")
_SHORTEST: Final = 7  # digits of a commit that people write
_DATE: Final = "2026-01-01T00:00:00.000Z"  # nobody compares it; the clients want one to be there
_SECONDS: Final = 1767225600


class AbsentError(Exception):
    """The hub does not have it; kept with the code that Hugging Face's client understands."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code


def refusal(error: AbsentError) -> Made:
    """Return the answer in which both clients find their own words: headers for one, a body for the other."""
    text = str(error)
    body = {"Code": 10010205001, "Message": text, "Success": False, "error": text}
    return as_json(body, HTTPStatus.NOT_FOUND, X_Error_Code=error.code, X_Error_Message=text)


def _model(index: Index, name: str, revision: str) -> Model:
    models = index.at_hub(name)
    if not models:
        raise AbsentError("RepoNotFound", f"this bundle has no model {name}")
    for model in models:
        short = len(revision) >= _SHORTEST and model.revision.startswith(revision)
        if short or revision in (model.revision, model.requested, *_BRANCHES):
            return model
    has = ", ".join(model.revision for model in models)
    raise AbsentError("RevisionNotFound", f"this bundle has no revision {revision} of {name}; it has {has}")


def _commit(model: Model) -> str:
    return model.revision or model.requested or _BRANCHES[0]


def _file(model: Model, path: str) -> Stored:
    entry = next((entry for entry in model.files if entry.path == path), None)
    if entry is None:
        raise AbsentError("EntryNotFound", f"model {model.repo} has no file {path}")
    linked = {"X-Linked-Size": str(entry.size), "X-Linked-ETag": f'"{entry.sha256}"'}
    return Stored(entry, headers={"X-Repo-Commit": _commit(model), **linked})


def hf_info(index: Index, _: Mapping[str, str], name: str, revision: str = "main") -> Answer:
    """Answer `GET /api/models/ID[/revision/REV]`."""
    model = _model(index, name, revision)
    flags = {"private": False, "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
    about = {"id": name, "modelId": name, "sha": _commit(model), "createdAt": _DATE, "lastModified": _DATE}
    return as_json({**about, **flags, "siblings": [{"rfilename": entry.path} for entry in model.files]})


def hf_tree(index: Index, query: Mapping[str, str], name: str, revision: str, root: str = "") -> Answer:
    """Answer `GET /api/models/ID/tree/REV[/FOLDER]`: files with their sha256, folders without content."""
    model = _model(index, name, revision)
    files, folders = _below(model, root, query.get("recursive", ""))
    trees: list[dict[str, Any]] = [
        {"type": "directory", "oid": _commit(model), "size": 0, "path": path} for path in folders
    ]
    for one in files:
        lfs = {"oid": one.sha256, "size": one.size, "pointerSize": 134}
        trees.append({"type": "file", "oid": one.sha256[:40], "size": one.size, "path": one.path, "lfs": lfs})
    return as_json(trees)


def hf_file(index: Index, _: Mapping[str, str], name: str, revision: str, path: str) -> Answer:
    """Answer `GET` and `HEAD /ID/resolve/REV/PATH`."""
    return _file(_model(index, name, revision), path)


def ms_info(index: Index, _: Mapping[str, str], name: str) -> Answer:
    """Answer `GET /api/v1/models/ID`."""
    model = _model(index, name, _BRANCHES[0])
    owner, _slash, short = name.partition("/")
    return _data({"Id": 1, "Path": owner, "Name": short, "Revision": _commit(model), "Visibility": 5, "Private": False})


def ms_revisions(index: Index, _: Mapping[str, str], name: str) -> Answer:
    """Answer `GET /api/v1/models/ID/revisions`."""
    model = _model(index, name, _BRANCHES[0])
    names = dict.fromkeys([*_BRANCHES, model.requested, _commit(model)])
    branches = [{"Revision": one, "CreatedAt": _SECONDS, "CommitId": _commit(model)} for one in names if one]
    return _data({"RevisionMap": {"Branches": branches, "Tags": []}})


def ms_files(index: Index, query: Mapping[str, str], name: str) -> Answer:
    """Answer `GET /api/v1/models/ID/repo/files?Revision=&Recursive=&Root=`."""
    model = _model(index, name, query.get("Revision") or _BRANCHES[1])
    files, folders = _below(model, query.get("Root", "").strip("/"), query.get("Recursive", ""))
    about = {"Revision": _commit(model), "CommitId": _commit(model), "CommittedDate": _SECONDS}
    found: list[dict[str, Any]] = [
        {"Path": path, "Name": path.rpartition("/")[2], "Type": "tree", "Size": 0, **about} for path in folders
    ]
    for one in files:
        content = {"Size": one.size, "Sha256": one.sha256, "IsLFS": True}
        found.append({"Path": one.path, "Name": one.path.rpartition("/")[2], "Type": "blob", **about, **content})
    return _data({"Files": found})


def ms_file(index: Index, query: Mapping[str, str], name: str) -> Answer:
    """Answer `GET /api/v1/models/ID/repo?Revision=&FilePath=`."""
    return _file(_model(index, name, query.get("Revision") or _BRANCHES[1]), query.get("FilePath", ""))


def ms_nothing(_index: Index, _query: Mapping[str, str]) -> Answer:
    """Answer questions about regions and sessions, which a bundle does not have."""
    return _data({})


def _data(data: object) -> Made:
    return as_json({"Code": 200, "Data": data, "Message": "", "RequestId": "bundle", "Success": True})


def _below(model: Model, root: str, recursive: str) -> tuple[list[Entry], list[str]]:
    """Return the files and folders below *root*; only its own unless *recursive* says true or 1."""
    prefix = f"{root}/" if root else ""
    files = [entry for entry in model.files if entry.path.startswith(prefix)]
    folders = sorted({parent for entry in files for parent in _parents(entry.path) if parent.startswith(prefix)})
    if recursive.lower() not in ("true", "1"):
        files = [entry for entry in files if "/" not in entry.path.removeprefix(prefix)]
        folders = [path for path in folders if "/" not in path.removeprefix(prefix)]
    return files, [path for path in folders if path != root]


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]


_NAME: Final = r"(?P<name>[^/]+/[^/]+)"
ROUTES: Final = (
    (r"/api/v1/(?:login|repos/internalAccelerationInfo)", ms_nothing),
    (rf"/api/v1/models/{_NAME}/revisions", ms_revisions),
    (rf"/api/v1/models/{_NAME}/repo/files", ms_files),
    (rf"/api/v1/models/{_NAME}/repo", ms_file),
    (rf"/api/v1/models/{_NAME}", ms_info),
    (rf"/api/models/{_NAME}/tree/(?P<revision>[^/]+)/(?P<root>.+)", hf_tree),
    (rf"/api/models/{_NAME}/tree/(?P<revision>[^/]+)", hf_tree),
    (rf"/api/models/{_NAME}/revision/(?P<revision>[^/]+)", hf_info),
    (rf"/api/models/{_NAME}", hf_info),
    (rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", hf_file),
)

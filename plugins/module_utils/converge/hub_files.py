"""What a model hub says about the files of one revision: path, size and checksum, for ModelScope and Hugging Face."""

from __future__ import annotations

from typing import Any, Callable, Dict, List
from urllib.parse import quote

from .errors import RefusedError

# What a client asks when the site names no mirror.
UPSTREAM = {"modelscope": "https://www.modelscope.cn", "huggingface": "https://huggingface.co"}

# Takes a URL, returns the parsed JSON answer.
GetJson = Callable[[str], Any]
HubFile = Dict[str, Any]


def listing(model: Dict[str, Any], get_json: GetJson) -> List[HubFile]:
    """Return {path, size, sha256, git_sha1} of every file of *model* {source, repo, revision, endpoint}; "" is unknown.

    Raises RefusedError when the hub does not know the model.
    """
    endpoint = (model["endpoint"] or UPSTREAM[model["source"]]).rstrip("/")
    if model["source"] == "modelscope":
        return _modelscope(endpoint, model["repo"], model["revision"], get_json)
    return _huggingface(endpoint, model["repo"], model["revision"], get_json)


def _modelscope(endpoint: str, repo: str, revision: str, get_json: GetJson) -> List[HubFile]:
    url = f"{endpoint}/api/v1/models/{quote(repo)}/repo/files?Revision={quote(revision, safe='')}&Recursive=true"
    answer = get_json(url)
    entries = ((answer or {}).get("Data") or {}).get("Files")
    if not entries:
        found = (answer or {}).get("Message") or "no files"
        raise RefusedError(f"{url}: {found}, expected the files of the model that the catalog names")
    return [
        {"path": entry["Path"], "size": int(entry["Size"]), "sha256": entry.get("Sha256") or "", "git_sha1": ""}
        for entry in entries
        if entry.get("Type") != "tree"
    ]


def _huggingface(endpoint: str, repo: str, revision: str, get_json: GetJson) -> List[HubFile]:
    url = f"{endpoint}/api/models/{quote(repo)}/tree/{quote(revision, safe='')}?recursive=true"
    entries = get_json(url)
    if not isinstance(entries, list) or not entries:
        raise RefusedError(f"{url}: no list of files, expected the files of the model that the catalog names")
    files = []
    for entry in entries:
        if entry.get("type") == "file":
            lfs = entry.get("lfs") or {}
            sha256 = lfs.get("oid") or ""
            size = int(lfs.get("size") or entry["size"])
            files.append(
                {
                    "path": entry["path"],
                    "size": size,
                    "sha256": sha256,
                    "git_sha1": "" if sha256 else entry.get("oid") or "",
                }
            )
    return files

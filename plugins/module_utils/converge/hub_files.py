"""What a hub says about the files of one revision: path, size, checksum; ModelScope, Hugging Face and openMind."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Set
from urllib.parse import quote, urlencode

from .errors import RefusedError

# What a client asks when the site names no mirror.
UPSTREAM = {
    "modelscope": "https://www.modelscope.cn",
    "huggingface": "https://huggingface.co",
    "openmind": "https://modelers.cn",
}
MOST_FOLDERS = 1000

# Takes a URL, returns the parsed JSON answer.
GetJson = Callable[[str], Any]
# {path, size, sha256, git_sha1}; a size of -1 and "" are not known.
HubFile = Dict[str, Any]


def listing(model: Dict[str, Any], get_json: GetJson) -> List[HubFile]:
    """Return {path, size, sha256, git_sha1} of every file of *model* {source, repo, revision, endpoint}; "" is unknown.

    Raises RefusedError when the hub does not know the model.
    """
    endpoint = (model["endpoint"] or UPSTREAM[model["source"]]).rstrip("/")
    ask = {"modelscope": _modelscope, "huggingface": _huggingface, "openmind": _openmind}[model["source"]]
    return ask(endpoint, model["repo"], model["revision"], get_json)


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
            git_sha1 = "" if sha256 else entry.get("oid") or ""
            files.append({"path": entry["path"], "size": size, "sha256": sha256, "git_sha1": git_sha1})
    return files


def _openmind(endpoint: str, repo: str, revision: str, get_json: GetJson) -> List[HubFile]:
    """List folder by folder; the etag of a file is its sha256 in the large file store, else git's id."""
    files: List[HubFile] = []
    folders: List[str] = [""]
    seen: Set[str] = set()
    while folders and len(seen) < MOST_FOLDERS:
        folder = folders.pop(0)
        seen.add(folder)
        url = f"{endpoint}/api/v1/file/{quote(repo)}?{urlencode({'path': folder, 'ref': revision})}"
        tree = ((get_json(url) or {}).get("data") or {}).get("tree")
        if not tree:
            raise RefusedError(f"{url}: no list of files, expected the files of the model that the catalog names")
        for entry in tree:
            if entry.get("type") == "file":
                etag, large = entry.get("etag") or "", bool(entry.get("is_lfs"))
                sums = {"sha256": etag if large else "", "git_sha1": "" if large else etag}
                files.append({"path": entry["path"], "size": int(entry["size"]), **sums})
            elif entry.get("path") and entry["path"] not in seen:
                folders.append(entry["path"])
    return files

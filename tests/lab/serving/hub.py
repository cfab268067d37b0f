"""A model hub that the real `hf` and `modelscope` clients take for theirs: read only, standard library only.

Serves every folder `ROOT/<owner>/<name>` as a model repository with one commit, whose id is made from the content.
Hugging Face calls its branch `main` and ModelScope `master`; both names, and the id itself, work on both. The client of
openMind is answered, too (it speaks TLS only: --certificate), and plain GET below /files/ serves the same folders.
Longer than our other modules because it is one file on purpose: the service host gets it by copying that.
"""

import argparse
import hashlib
import json
import logging
import re
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

if __package__:
    from tests.lab.serving.faults import Faults
else:
    sys.path.insert(0, str(Path(__file__).parent))  # on the service host the two lie side by side
    from faults import Faults

LOG = logging.getLogger("hub")
BRANCHES = ("main", "master")
LARGE_SUFFIXES = (".safetensors", ".bin", ".pt", ".gguf")  # what a hub keeps in its large file store
LARGE_BYTES = 10 * 1024 * 1024
DATE = "2026-01-01T00:00:00.000Z"
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a repository."""

    path: str
    source: Path
    size: int
    sha256: str
    git_id: str

    @property
    def large(self) -> bool:
        """Whether a hub keeps it outside git: then its sha256 is its identity."""
        return self.size > LARGE_BYTES or self.path.endswith(LARGE_SUFFIXES)

    @property
    def etag(self) -> str:
        """Return what both clients compare with: sha256 of large files, git's blob id of the others."""
        return self.sha256 if self.large else self.git_id


@dataclass(frozen=True, slots=True)
class Repository:
    """One model: its files by path, and the id of its only commit."""

    name: str
    entries: dict[str, Entry]
    commit: str

    def has_revision(self, revision: str) -> bool:
        """Return whether *revision* is a branch or the commit, which may be shortened to seven digits."""
        return revision in BRANCHES or (len(revision) >= 7 and self.commit.startswith(revision))


@dataclass(slots=True)
class Store:
    """The repositories below *root*, read again when a file's size or time changed."""

    root: Path
    _known: dict[str, tuple[object, Repository]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, name: str) -> Repository | None:
        """Return the repository *name* (`owner/model`), or None."""
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or ".." in name.split("/"):
            return None
        folder = self.root / name
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        if not files:
            return None
        stamp = [(path, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        with self._lock:
            if name not in self._known or self._known[name][0] != stamp:
                self._known[name] = (stamp, _read_repository(name, folder, files))
            return self._known[name][1]


def _read_repository(name: str, folder: Path, files: list[Path]) -> Repository:
    entries = [_read_entry(path, path.relative_to(folder).as_posix()) for path in files]
    content = "".join(f"{entry.sha256}  {entry.path}\n" for entry in entries)
    commit = hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()
    return Repository(name, {entry.path: entry for entry in entries}, commit)


def _read_entry(source: Path, path: str) -> Entry:
    size = source.stat().st_size
    sha256, git_id = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with source.open("rb") as content:
        while block := content.read(CHUNK):
            sha256.update(block)
            git_id.update(block)
    return Entry(path, source, size, sha256.hexdigest(), git_id.hexdigest())


class HubHandler(BaseHTTPRequestHandler):
    """Answers one client; the routes of both hubs live side by side."""

    protocol_version = "HTTP/1.1"
    server_version = "lab-hub"
    store: Store  # these two are set by make_server
    faults: Faults

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    do_DELETE = do_PUT  # noqa: N815 - a name of the standard library

    def log_message(self, format: str, *args: object) -> None:
        LOG.info("%s %s", self.client_address[0], format % args)

    def _answer(self) -> None:
        if self.faults.controlled(self):
            return
        status = self.faults.refusal(self.headers.get("Authorization", "") + self.headers.get("Cookie", ""))
        if status:
            self.send_json({"Code": status, "Message": "refused", "error": "refused", "Success": False}, status)
            return
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        for pattern, action in ROUTES:
            if found := re.fullmatch(pattern, unquote(parts.path)):
                action(self, query, **found.groupdict())
                return
        self._refuse("EntryNotFound", f"there is nothing at {parts.path}")

    def send_json(self, content: object, status: int = HTTPStatus.OK, **more: str) -> None:
        """Send *content* as the whole answer."""
        body = json.dumps(content).encode()
        self.send_head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **more})
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_head(self, status: int, headers: dict[str, str]) -> None:
        """Send status line and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, code: str, message: str) -> None:
        """Say 404 so that each client finds its own words in it: headers for one, a body for the other."""
        body = {"Code": 10010205001, "Message": message, "Success": False, "error": message}
        self.send_json(body, HTTPStatus.NOT_FOUND, **{"X-Error-Code": code, "X-Error-Message": message})

    def find(self, name: str, revision: str) -> Repository | None:
        """Return the repository, or refuse and return None."""
        repository = self.store.get(name)
        if repository is None:
            self._refuse("RepoNotFound", f"model {name} does not exist")
        elif not repository.has_revision(revision):
            self._refuse("RevisionNotFound", f"model {name} has no revision {revision}; it has {', '.join(BRANCHES)}")
            return None
        return repository

    def send_entry(self, repository: Repository, path: str) -> None:
        """Send one file, or the range of it that was asked for."""
        entry = repository.entries.get(path)
        if entry is None or self.faults.is_missing(path):
            self._refuse("EntryNotFound", f"model {repository.name} has no file {path}")
            return
        span = _range(self.headers.get("Range"), entry.size)
        if span is None:
            gone = {"Content-Range": f"bytes */{entry.size}", "Content-Length": "0"}
            self.send_head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, gone)
            return
        start, end = span
        headers = _file_headers(repository, entry, end - start)
        if "Range" in self.headers:
            part = {"Content-Range": f"bytes {start}-{end - 1}/{entry.size}"}
            self.send_head(HTTPStatus.PARTIAL_CONTENT, headers | part)
        else:
            self.send_head(HTTPStatus.OK, headers)
        if self.command != "HEAD":
            self._copy(entry, start, end)

    def _copy(self, entry: Entry, start: int, end: int) -> None:
        try:
            self.faults.copy(self, entry.source, start, end, entry.path)
        except ConnectionError:  # the client went away in the middle, as one does that is killed
            self.close_connection = True


def _file_headers(repository: Repository, entry: Entry, length: int) -> dict[str, str]:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(length),
        "Accept-Ranges": "bytes",
        "ETag": f'"{entry.etag}"',
        "X-Repo-Commit": repository.commit,
    }
    if entry.large:
        headers |= {"X-Linked-Size": str(entry.size), "X-Linked-ETag": f'"{entry.sha256}"'}
    return headers


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of a Range header; the whole file without one; None when it cannot be met."""
    if header is None:
        return 0, size
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    return (start, end) if start < end else None


def hf_info(handler: HubHandler, _: dict[str, str], name: str, revision: str | None = None) -> None:
    """Answer `GET /api/models/ID[/revision/REV]`."""
    if repository := handler.find(name, revision or "main"):
        siblings = [{"rfilename": path} for path in repository.entries]
        flags = {"private": False, "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
        about = {"id": name, "modelId": name, "sha": repository.commit, "createdAt": DATE, "lastModified": DATE}
        handler.send_json({**about, "siblings": siblings, **flags})


def hf_tree(handler: HubHandler, query: dict[str, str], name: str, revision: str, root: str | None = None) -> None:
    """Answer `GET /api/models/ID/tree/REV[/FOLDER]`: files with their sha256, folders without content."""
    if repository := handler.find(name, revision):
        files, folders = _listing(repository, root or "", query.get("recursive", ""))
        trees = [{"type": "directory", "oid": repository.commit, "size": 0, "path": path} for path in folders]
        blobs = [{"type": "file", "oid": one.git_id, "size": one.size, "path": one.path, **_lfs(one)} for one in files]
        handler.send_json(trees + blobs)


def hf_file(handler: HubHandler, _: dict[str, str], name: str, revision: str, path: str) -> None:
    """Answer `GET` and `HEAD /ID/resolve/REV/PATH`."""
    if repository := handler.find(name, revision):
        handler.send_entry(repository, path)


def plain_file(handler: HubHandler, _: dict[str, str], name: str, path: str) -> None:
    """Answer `GET` and `HEAD /files/ID/PATH`, as any web server does with a folder."""
    if repository := handler.find(name, "main"):
        handler.send_entry(repository, path)


def ms_info(handler: HubHandler, _: dict[str, str], name: str) -> None:
    """Answer `GET /api/v1/models/ID`."""
    if handler.find(name, "master"):
        owner, model = name.split("/")
        _send_data(
            handler, {"Id": 1, "Path": owner, "Name": model, "Revision": "master", "Visibility": 5, "Private": False}
        )


def ms_revisions(handler: HubHandler, _: dict[str, str], name: str) -> None:
    """Answer `GET /api/v1/models/ID/revisions`."""
    if repository := handler.find(name, "master"):
        branches = [{"Revision": name, "CreatedAt": 1767225600, "CommitId": repository.commit} for name in BRANCHES]
        _send_data(handler, {"RevisionMap": {"Branches": branches, "Tags": []}})


def ms_files(handler: HubHandler, query: dict[str, str], name: str) -> None:
    """Answer `GET /api/v1/models/ID/repo/files?Revision=&Recursive=&Root=`."""
    if repository := handler.find(name, query.get("Revision") or "master"):
        files, folders = _listing(repository, query.get("Root", "").strip("/"), query.get("Recursive", ""))
        about = {"Revision": repository.commit, "CommitId": repository.commit, "CommittedDate": 1767225600}
        trees = [{"Path": path, "Name": Path(path).name, "Type": "tree", "Size": 0, **about} for path in folders]
        blobs = [{"Path": one.path, "Name": one.source.name, "Type": "blob", **about, **_content(one)} for one in files]
        _send_data(handler, {"Files": trees + blobs})


def _content(entry: Entry) -> dict[str, object]:
    return {"Size": entry.size, "Sha256": entry.sha256, "IsLFS": entry.large}


def ms_file(handler: HubHandler, query: dict[str, str], name: str) -> None:
    """Answer `GET /api/v1/models/ID/repo?Revision=&FilePath=`."""
    if repository := handler.find(name, query.get("Revision") or "master"):
        handler.send_entry(repository, query.get("FilePath", ""))


def ms_nothing(handler: HubHandler, _: dict[str, str]) -> None:
    """Answer questions about regions and sessions, which a hub of one's own does not have."""
    _send_data(handler, {})


def om_tree(handler: HubHandler, query: dict[str, str], name: str) -> None:
    """Answer openMind's `GET /api/v1/file/ID?path=&ref=`: one folder, not what lies deeper."""
    if repository := handler.find(name, query.get("ref") or "main"):
        files, folders = _listing(repository, query.get("path", "").strip("/"), "")
        commit = {"commit_sha": repository.commit, "message": "first", "created": DATE[:19] + "Z"}
        trees = [{"type": "dir", "path": path, "commit": commit} for path in folders]
        blobs = [
            {
                "type": "file",
                "path": one.path,
                "size": one.size,
                "etag": one.etag,
                "is_lfs": one.large,
                "commit": commit,
            }
            for one in files
        ]
        handler.send_json({"data": {"tree": trees + blobs, "last_commit": {"commit": commit}}})


def om_about(handler: HubHandler, query: dict[str, str], name: str) -> None:
    """Answer openMind's `GET /api/v1/file/ID/info?ref=&path=`."""
    if repository := handler.find(name, query.get("ref") or "main"):
        entry = repository.entries.get(query.get("path", ""))
        if entry is None or handler.faults.is_missing(entry.path):
            handler.send_json({"code": "branch_or_path_not_found", "msg": "not found"}, HTTPStatus.NOT_FOUND)
            return
        about = {"branch_last_commit": repository.commit, "etag": entry.etag, "size": entry.size, "url": ""}
        handler.send_json({"data": about})


def _send_data(handler: HubHandler, data: object) -> None:
    handler.send_json({"Code": 200, "Data": data, "Message": "", "RequestId": "lab", "Success": True})


def _lfs(entry: Entry) -> dict[str, object]:
    return {"lfs": {"oid": entry.sha256, "size": entry.size, "pointerSize": 134}} if entry.large else {}


def _listing(repository: Repository, root: str, recursive: str) -> tuple[list[Entry], list[str]]:
    """Return the files and folders below *root*; only its own unless *recursive* says true or 1."""
    prefix = f"{root}/" if root else ""
    files = [entry for entry in repository.entries.values() if entry.path.startswith(prefix)]
    parents = {parent.as_posix() for entry in files for parent in Path(entry.path).parents} - {".", root}
    folders = sorted(path for path in parents if path.startswith(prefix))
    if recursive.lower() not in ("true", "1"):
        files = [entry for entry in files if "/" not in entry.path.removeprefix(prefix)]
        folders = [path for path in folders if "/" not in path.removeprefix(prefix)]
    return files, folders


MODEL = r"(?P<name>[^/]+/[^/]+)"
ROUTES: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"/api/v1/(?:login|repos/internalAccelerationInfo)", ms_nothing),
    (rf"/api/v1/models/{MODEL}/revisions", ms_revisions),
    (rf"/api/v1/models/{MODEL}/repo/files", ms_files),
    (rf"/api/v1/models/{MODEL}/repo", ms_file),
    (rf"/api/v1/models/{MODEL}", ms_info),
    (rf"/api/models/{MODEL}/tree/(?P<revision>[^/]+)(?:/(?P<root>.+))?", hf_tree),
    (rf"/api/models/{MODEL}/revision/(?P<revision>[^/]+)", hf_info),
    (rf"/api/models/{MODEL}", hf_info),
    (rf"/api/v1/file/{MODEL}", om_tree),
    (rf"/api/v1/file/{MODEL}/info", om_about),
    (rf"/api/v1/file/{MODEL}/(?P<revision>[^/]+)/media/(?P<path>.+)", hf_file),
    (rf"/files/{MODEL}/(?P<path>.+)", plain_file),
    (rf"/{MODEL}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", hf_file),
)


def make_server(
    root: Path, address: str, port: int, certificate: Path | None = None, key: Path | None = None
) -> ThreadingHTTPServer:
    """Return the server, bound and not yet running; port 0 lets the system choose. Its switches are `faults`."""
    faults = Faults()
    handler = type("BoundHubHandler", (HubHandler,), {"store": Store(root), "faults": faults})
    server = ThreadingHTTPServer((address, port), handler)
    server.faults = faults  # type: ignore[attr-defined]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="Serve folders ROOT/<owner>/<name> to `hf` and `modelscope`.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--address", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with make_server(given.root, given.address, given.port, given.certificate, given.key) as server:
        LOG.info("serving %s on %s:%d", given.root, *server.server_address)
        server.serve_forever()


if __name__ == "__main__":
    main()

"""Git repositories with their big files in git-lfs, over HTTP: git's own backend, and the batch API of git-lfs.

`python3 gitlfs.py --root FOLDER` serves every FOLDER/<name>.git; `add` makes one from a folder of files. Needs git
and the standard library; no git-lfs, because the pointers are written here.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

if __package__:
    from tests.lab.serving.faults import Faults
else:
    sys.path.insert(0, str(Path(__file__).parent))  # on the service host the two lie side by side
    from faults import Faults

LARGE_SUFFIXES = (".safetensors", ".bin")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"
LFS_JSON = "application/vnd.git-lfs+json"
AUTHOR = {
    "GIT_AUTHOR_NAME": "lab",
    "GIT_AUTHOR_EMAIL": "lab@example.org",
    "GIT_COMMITTER_NAME": "lab",
    "GIT_COMMITTER_EMAIL": "lab@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(*words: str, folder: Path) -> str:
    """Run git in *folder* and return what it says."""
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **AUTHOR},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def add(root: Path, name: str, files: Path) -> str:
    """Make a commit of *files* in ROOT/<name>.git, which is made when it is not there; return its id."""
    bare = root / f"{name}.git"
    if not bare.exists():
        bare.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", folder=bare)
        git("config", "uploadpack.allowAnySHA1InWant", "true", folder=bare)
    objects = root / "lfs"
    objects.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=root) as place:
        work = Path(place) / "work"
        work.mkdir()
        for source in sorted(path for path in files.rglob("*") if path.is_file()):
            target = work / source.relative_to(files)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not source.name.endswith(LARGE_SUFFIXES):
                shutil.copyfile(source, target)
                continue
            oid = hashlib.sha256(source.read_bytes()).hexdigest()
            shutil.copyfile(source, objects / oid)
            target.write_text(POINTER.format(oid=oid, size=source.stat().st_size), encoding="ascii")
        rule = "".join(f"*{end} filter=lfs diff=lfs merge=lfs -text\n" for end in LARGE_SUFFIXES)
        (work / ".gitattributes").write_text(rule, encoding="ascii")
        base = [
            "--git-dir",
            str(bare),
            "--work-tree",
            str(work),
            "-c",
            "filter.lfs.clean=cat",
            "-c",
            "filter.lfs.smudge=cat",
        ]
        git(*base, "add", "--all", folder=work)
        git(*base, "commit", "--quiet", "--allow-empty", "--message", "files of the model", folder=work)
    return git("rev-parse", "main", folder=bare)


class Handler(BaseHTTPRequestHandler):
    """One request of git or git-lfs; `server` carries the folder."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_values: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.server.faults.controlled(self):
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind, _, words = self.headers.get("Authorization", "").partition(" ")
        path = urlsplit(self.path).path
        given = base64.b64decode(words).decode() if kind == "Basic" else words
        status = self.server.faults.refusal(self.server.faults.switches.token if path.startswith("/lfs/") else given)
        try:
            if status:
                self._answer(status, b"refused", "text/plain", {"WWW-Authenticate": 'Basic realm="lab"'})
            elif path.endswith("/info/lfs/objects/batch"):
                self._batch(json.loads(body))
            elif path.startswith("/lfs/"):
                self._object(path.removeprefix("/lfs/"))
            else:
                self._backend(body)
        except ConnectionError:
            self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of the standard library

    def _batch(self, asked: dict[str, list[dict[str, object]]]) -> None:
        host = self.headers["Host"].replace("127.0.0.1", "localhost")  # another host, as the stores of big hubs are
        objects = []
        for entry in asked["objects"]:
            oid = str(entry["oid"])
            if self.server.faults.is_missing(oid) or not (self.server.root / "lfs" / oid).is_file():
                objects.append({**entry, "error": {"code": 404, "message": "Object does not exist"}})
            else:
                objects.append({**entry, "actions": {"download": {"href": f"http://{host}/lfs/{oid}"}}})
        self._answer(200, json.dumps({"transfer": "basic", "objects": objects}).encode(), LFS_JSON, {})

    def _object(self, oid: str) -> None:
        source = self.server.root / "lfs" / oid
        if "Authorization" in self.headers and self.headers["Host"].startswith("localhost"):
            self._answer(400, b"only one way to log in, and the address has it already", "text/plain", {})
            return
        if not re.fullmatch(r"[0-9a-f]{64}", oid) or not source.is_file():
            self._answer(404, b"no such object", "text/plain", {})
            return
        size = source.stat().st_size
        first = self.headers.get("Range", "").removeprefix("bytes=").partition("-")[0]
        start = int(first) if first.isdigit() and int(first) < size else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        self.server.faults.copy(self, source, start, size, oid)

    def _backend(self, body: bytes) -> None:
        """Let git's own CGI program answer."""
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        self._answer(status, content, headers.pop("Content-Type", "text/plain"), headers)

    def _answer(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """The server with its folder and its switches."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], root: Path) -> None:
        super().__init__(address, Handler)
        self.root, self.faults = root, Faults()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8090)
    given = parser.parse_args()
    Server(("", given.port), given.root).serve_forever()


if __name__ == "__main__":
    main()

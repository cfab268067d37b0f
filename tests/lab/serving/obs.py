"""An object store on plain HTTP: what Huawei's client needs of one, with its signature checked.

`python3 obs.py --root FOLDER --port 9000 --access NAME --secret WORD`. Every folder below the root is a bucket, its
files are the objects. Standard library only. What it is not: no versions, no parts, no rights of users, one key.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import sys
import time
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

if __package__:
    from tests.lab.serving.faults import Faults
else:
    sys.path.insert(0, str(Path(__file__).parent))  # on the service host the two lie side by side
    from faults import Faults

SKEW_SECONDS = 900
META = ".meta"
"""Folder beside the buckets: what clients said about their objects."""
SPACE = "http://obs.myhwclouds.com/doc/2015-06-30/"


class RefusedError(Exception):
    """The request gets *status* and an XML body with *code*."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def signed(secret: str, method: str, headers: dict[str, str], resource: str) -> str:
    """Return the signature that a request has to carry; *headers* with small names."""
    own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith(("x-obs-", "x-amz-")))
    date = "" if headers.keys() & {"x-obs-date", "x-amz-date"} else headers.get("date", "")
    text = f"{method}\n{headers.get('content-md5', '')}\n{headers.get('content-type', '')}\n{date}\n{own}{resource}"
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Buckets:
    """The files below *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[Path]:
        return sorted(path for path in self.root.iterdir() if path.is_dir() and path.name != META)

    def bucket(self, name: str) -> Path:
        path = self.root / name
        if name.startswith(".") or not path.is_dir():
            raise RefusedError(404, "NoSuchBucket", f"The specified bucket {name} does not exist")
        return path

    def place(self, bucket: str, key: str) -> Path:
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise RefusedError(400, "InvalidArgument", f"the key {key!r} is no path below the bucket")
        return self.bucket(bucket) / key

    def known(self, bucket: str, key: str) -> Path:
        path = self.place(bucket, key)
        if not path.is_file():
            raise RefusedError(404, "NoSuchKey", f"The specified key {key} does not exist")
        return path

    def meta(self, bucket: str, key: str) -> dict[str, str]:
        """Return what the client said about the object, and its md5; the latter is counted once per content."""
        path = self.known(bucket, key)
        note = self.root / META / bucket / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        stamp = f"{path.stat().st_mtime_ns}-{path.stat().st_size}"
        found: dict[str, str] = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        if found.get("stamp") != stamp:
            with path.open("rb") as file:
                found = {"stamp": stamp, "etag": hashlib.file_digest(file, "md5").hexdigest()}
            self.remember(bucket, key, found)
        return found

    def remember(self, bucket: str, key: str, values: dict[str, str]) -> None:
        note = self.root / META / bucket / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(values), encoding="utf-8")


def xml(name: str, body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{SPACE}">{body}</{name}>'.encode()


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def bucket_list(buckets: Buckets) -> bytes:
    rows = "".join(
        f"<Bucket><Name>{escape(path.name)}</Name><CreationDate>{moment(path.stat().st_ctime)}</CreationDate></Bucket>"
        for path in buckets.names()
    )
    return xml("ListAllMyBucketsResult", f"<Owner><ID>lab</ID></Owner><Buckets>{rows}</Buckets>")


def object_list(buckets: Buckets, bucket: str, query: dict[str, str]) -> bytes:
    """Return the objects below a prefix; with a delimiter what lies deeper is one line per folder."""
    root = buckets.bucket(bucket)
    prefix, delimiter, marker = query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", "")
    keys = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    keys = [key for key in keys if key.startswith(prefix) and key > marker]
    folders = sorted(
        {prefix + key[len(prefix) :].split("/")[0] + "/" for key in keys if delimiter and "/" in key[len(prefix) :]}
    )
    keys = [key for key in keys if not delimiter or "/" not in key[len(prefix) :]]
    most = int(query.get("max-keys", "1000"))
    rows = "".join(object_row(buckets, bucket, key) for key in keys[:most])
    rows += "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
    more = len(keys) > most
    following = f"<NextMarker>{escape(keys[most - 1])}</NextMarker>" if more else ""
    return xml(
        "ListBucketResult", f"<Name>{bucket}</Name><IsTruncated>{str(more).lower()}</IsTruncated>{following}{rows}"
    )


def object_row(buckets: Buckets, bucket: str, key: str) -> str:
    found, etag = buckets.known(bucket, key).stat(), buckets.meta(bucket, key)["etag"]
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{moment(found.st_mtime)}</LastModified>"
        f"<ETag>&quot;{etag}&quot;</ETag><Size>{found.st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


class Handler(BaseHTTPRequestHandler):
    """One request; `server` carries the buckets and the key."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_values: object) -> None:
        """Say nothing: a store that is asked all day would fill the journal."""

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815  # names of the standard library

    def _handle(self) -> None:
        if self.server.faults.controlled(self):
            return
        try:
            status = self.server.faults.refusal(self.headers.get("Authorization", ""))
            if status:
                raise RefusedError(status, "AccessDenied", "refused")
            bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
            if self.command == "HEAD" and urlsplit(self.path).query == "apiversion":
                self._answer(200, b"", {"x-obs-api": "3.0"})  # a client that asks it signs as checked below, then
                return
            self._check(bucket, key)
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            if self.command in ("GET", "HEAD") and key:
                self._object(bucket, key)
            elif self.command in ("GET", "HEAD"):
                self._answer(
                    200, object_list(self.server.buckets, bucket, query) if bucket else bucket_list(self.server.buckets)
                )
            else:
                self._change(bucket, key)
        except ConnectionError:
            self.close_connection = True
        except OSError as error:
            # A bucket on a read-only file system takes nothing.
            self._drain()
            self._refuse(RefusedError(403, "AccessDenied", f"Access Denied: {error.strerror}"))
        except RefusedError as error:
            self._drain()
            self._refuse(error)

    def _refuse(self, error: RefusedError) -> None:
        body = f"<Code>{error.code}</Code><Message>{escape(str(error))}</Message><RequestId>LAB0</RequestId>"
        self._answer(error.status, f'<?xml version="1.0" encoding="UTF-8"?><Error>{body}</Error>'.encode())

    def _check(self, bucket: str, key: str) -> None:
        """Refuse a request without the right signature, or of another time."""
        headers = {name.lower(): value.strip() for name, value in self.headers.items()}
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        access, _, signature = credentials.partition(":")
        if (
            scheme not in ("OBS", "AWS") or not signature
        ):  # at a bare address, Huawei's Python client writes the older word
            raise RefusedError(403, "AccessDenied", "Access Denied")
        try:
            sent = parsedate_to_datetime(
                headers.get("x-obs-date") or headers.get("x-amz-date") or headers.get("date", "")
            ).timestamp()
        except (TypeError, ValueError):
            raise RefusedError(403, "AccessDenied", "a valid date header is required") from None
        if abs(time.time() - sent) > SKEW_SECONDS:
            raise RefusedError(
                403, "RequestTimeTooSkewed", "The difference between the request time and the server's is too large"
            )
        if access != self.server.access:
            raise RefusedError(
                403, "InvalidAccessKeyId", "The access key Id you provided does not exist in our records"
            )
        # of a bucket itself, clients sign the path with a slash at its end or without one
        resources = ["/"] if not bucket else [f"/{bucket}/{quote(key)}"] + ([] if key else [f"/{bucket}"])
        right = [signed(self.server.secret, self.command, headers, resource) for resource in resources]
        if not any(hmac.compare_digest(signature, one) for one in right):
            raise RefusedError(
                403, "SignatureDoesNotMatch", "The request signature does not match; check your secret access key"
            )

    def _object(self, bucket: str, key: str) -> None:
        path = self.server.buckets.known(bucket, key)
        if self.server.faults.is_missing(key):
            raise RefusedError(404, "NoSuchKey", f"The specified key {key} does not exist")
        meta = self.server.buckets.meta(bucket, key)
        size = path.stat().st_size
        first, last = self._span(size)
        whole = "Range" not in self.headers
        self.send_response(200 if whole else 206)
        self.send_header("Content-Length", str(last - first))
        if not whole:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{size}")
        self.send_header("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True))
        self.send_header("ETag", f'"{meta["etag"]}"')
        for name, value in meta.items():
            if name.startswith("x-obs-meta-"):
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.server.faults.copy(self, path, first, last, key)

    def _span(self, size: int) -> tuple[int, int]:
        """Return where the answer begins and ends: `Range: bytes=N-` and `bytes=N-M` are the forms that are known."""
        first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if not first.isdigit():
            return 0, size
        if int(first) >= size:
            raise RefusedError(416, "InvalidRange", "The requested range cannot be satisfied")
        return int(first), min(int(last) + 1, size) if last.isdigit() else size

    def _change(self, bucket: str, key: str) -> None:
        buckets = self.server.buckets
        if not key:
            raise RefusedError(405, "MethodNotAllowed", "buckets are made by whoever runs the store")
        if self.command == "DELETE":
            buckets.known(bucket, key).unlink()
            self._answer(204, b"")
            return
        path = buckets.place(bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.partial")
        rest = int(self.headers.get("Content-Length", "0"))
        with draft.open("wb") as out:
            while rest and (block := self.rfile.read(min(rest, 1 << 20))):
                out.write(block)
                rest -= len(block)
        draft.replace(path)
        etag = buckets.meta(bucket, key)
        said = {name.lower(): value for name, value in self.headers.items() if name.lower().startswith("x-obs-meta-")}
        buckets.remember(bucket, key, {**etag, **said})
        self._answer(200, b"")

    def _drain(self) -> None:
        """Read what the client still sends, so that it hears the answer."""
        rest = int(self.headers.get("Content-Length") or 0) if self.command == "PUT" else 0
        while rest and (block := self.rfile.read(min(rest, 1 << 20))):
            rest -= len(block)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """The store with what its handlers need."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], root: Path, access: str, secret: str) -> None:
        super().__init__(address, Handler)
        self.buckets, self.access, self.secret = Buckets(root), access, secret
        self.faults = Faults()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--access", required=True)
    parser.add_argument("--secret", required=True)
    given = parser.parse_args()
    Server(("", given.port), given.root, given.access, given.secret).serve_forever()


if __name__ == "__main__":
    main()

"""Plays the Docker Engine: it keeps what it is given as the real one does, and remembers what it was asked."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from tests.unit.images.parts import digest


class Engine:
    """Images by id, names for them, and what every source would give."""

    def __init__(self, gives: dict[str, dict[str, Any]] | None = None, info: dict[str, Any] | None = None) -> None:
        self.gives = gives or {}
        self.info = {"DockerRootDir": "/", **(info or {})}
        self.images: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.logins: list[dict[str, str]] = []
        self.refuses = ""
        self.retries = 0
        self.own: list[str] = []

    def get(self, url: str) -> Any:
        if url == "/info":
            return self.info
        name = unquote(url.removeprefix("/images/").removesuffix("/json"))
        return self.images.get(self.names.get(name, name))

    def post(self, url: str, query: dict[str, str]) -> None:
        self.names[f"{query['repo']}:{query['tag']}"] = unquote(url.removeprefix("/images/").removesuffix("/tag"))

    def stream(
        self, _: str, query: dict[str, str], headers: dict[str, str], silence: float
    ) -> Iterator[dict[str, Any]]:
        assert silence > 0
        repository, tag = query["fromImage"], query["tag"]
        self.asked.append((repository, tag))
        if headers:
            self.logins.append(json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"])))
        found = self.gives.get(repository)
        for _ in range(self.retries):
            yield {"id": "l1", "status": "Retrying in 1 second"}
        if found is None:
            yield {"error": "no such host", "errorDetail": {"message": "no such host"}}
            return
        yield {"id": "l1", "status": "Downloading", "progressDetail": {"current": 40, "total": 100}}
        yield {"id": "l1", "status": "Download complete"}
        yield {"id": "l1", "status": "Extracting", "progressDetail": {"current": 7, "total": 300}}
        self.images[found["Id"]] = found
        self.names[f"{repository}{'@' if tag.startswith('sha256:') else ':'}{tag}"] = found["Id"]

    def send(
        self, url: str, query: dict[str, str], body: Iterable[bytes], headers: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        content = b"".join(body)
        self.asked.append((url, headers["Content-Type"]))
        if self.refuses:
            yield {"stream": "Step 1/2 : FROM base\n"}
            yield {"error": self.refuses}
            return
        files = unpacked(content)
        if url == "/build":
            made = {"Id": digest(files["Dockerfile"]), "Architecture": "amd64", "RepoDigests": []}
            made["Config"] = {"Labels": json.loads(query["labels"])}
            self.images[str(made["Id"])] = made
            self.names[query["t"]] = str(made["Id"])
            return
        for entry in json.loads(files["manifest.json"]):
            config = json.loads(files[entry["Config"]])
            key = "sha256:own" if self.own else digest(files[entry["Config"]])
            assert all(layer in files for layer in entry["Layers"])
            self.images[key] = {"Id": key, "Architecture": config["architecture"], "RepoDigests": []}
            self.images[key]["RootFS"] = {"Layers": self.own or config["rootfs"]["diff_ids"]}
            self.names |= dict.fromkeys(entry["RepoTags"], key)
            yield {"stream": f"Loaded image: {entry['RepoTags'][0]}\n"}


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the files of a tar archive; of two with one name the last, as when it is unpacked."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            files[member.name] = stream.read() if stream else b""
    return files

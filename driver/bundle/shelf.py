"""What a bundle's server has to offer, looked up by the names that clients ask for, and the answers it can give."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from driver.bundle import contents
from driver.bundle.contents import Content, Image, Manifest, Model
from driver.bundle.registry import Reference
from driver.bundle.store import Store
from driver.bundled import folder_of

BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer whose body is a content of the store."""

    content: Content
    kind: str = BINARY
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """An answer whose body was made for it."""

    body: bytes = b""
    kind: str = "application/json"
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Stored | Made


def as_json(data: Any, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Made:
    """Return *data* as an answer; underscores in the names of headers stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Made(json.dumps(data).encode(), "application/json", status, named)


class Index:
    """One manifest, by what is asked for."""

    def __init__(self, manifest: Manifest) -> None:
        """Keep *manifest*; what is looked up is sorted on its first use."""
        self.manifest = manifest

    @cached_property
    def contents(self) -> dict[str, Content]:
        """Return every content by its sum."""
        return {sha256: Content(sha256=sha256, size=size) for sha256, (size, _) in self.manifest.contents().items()}

    @cached_property
    def files(self) -> dict[str, Content]:
        """Return packages, wheels and other files by name."""
        return {file.name: file for file in self.manifest.files}

    @cached_property
    def models(self) -> dict[str, Model]:
        """Return models by their name in the catalog."""
        return {model.name: model for model in self.manifest.models}

    @cached_property
    def sets(self) -> dict[str, dict[str, Content]]:
        """Return files by path, of all models (models/NAME) and repositories (apt/NAME, rpm/NAME)."""
        found: dict[str, dict[str, Content]] = {}
        for model in self.manifest.models:
            found[f"models/{model.name}"] = {entry.path: entry for entry in model.files}
        for one in self.manifest.repositories:
            found[f"{one.kind}/{one.name}"] = {entry.path: entry for entry in one.files}
        return found

    @cached_property
    def images(self) -> dict[str, dict[str, Image]]:
        """Return images by repository and tag; the registry that they come from is the first part of the name."""
        found: dict[str, dict[str, Image]] = {}
        for image in self.manifest.images:
            name = Reference.parse(image.name)
            found.setdefault(f"{folder_of(name.host)}/{name.repository}", {})[name.tag] = image
        return found

    def at_hub(self, repo: str) -> list[Model]:
        """Return the models that a hub knows as *repo*."""
        return [model for model in self.manifest.models if model.repo == repo]


class Shelf:
    """The bundle in *folder*; its manifest is read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest; raises SiteError when it is not one."""
        self.store = Store(folder)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._index = Index(Manifest())
        self.index()

    def index(self) -> Index:
        """Return the index of the manifest as it is now."""
        with self._lock:
            stamp = self._now()
            if stamp != self._stamp:
                self._index, self._stamp = Index(contents.read(self.store.root)), stamp
            return self._index

    def _now(self) -> tuple[int, int, int] | None:
        try:
            state = (self.store.root / contents.FILE).stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino

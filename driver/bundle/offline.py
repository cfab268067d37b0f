"""Answer what a site still lacks when nothing but a bundle is there: no network is asked beside the bundle's server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from driver.bundle import contents, repositories, survey, wheels
from driver.bundle.contents import Manifest
from driver.bundle.fetch import CONNECT_SECONDS, short
from driver.bundle.store import Store
from driver.errors import Unreachable

if TYPE_CHECKING:
    from driver.bundle.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that the site needs and the bundle does not have."""

    kind: str
    name: str
    found: str
    advice: str

    def __str__(self) -> str:
        """Return the line that the operator reads."""
        return f"{self.kind} {self.name}: found {self.found}" + (f"; {self.advice}" if self.advice else "")


def from_server(url: str) -> Manifest:
    """Return the manifest of the bundle's server at *url*; raises Unreachable."""
    address = f"{url}/{contents.FILE}"
    try:
        answer = requests.get(address, timeout=CONNECT_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Unreachable(
            f"{address}: {short(error)}; expected the server of the bundle; start it there: provision bundle serve, or "
            "name the folder of a bundle with --bundle"
        ) from error
    return contents.parse(answer.content, address)


def missing(wanted: Wanted, manifest: Manifest, folder: Path | None) -> list[Missing]:
    """Return what the bundle with *manifest* lacks; its bytes are looked for in *folder*, if that is at hand."""
    store = Store(folder) if folder else None
    cannot = [Missing("site", name, found, "") for name, found in wanted.faults]
    parts = (_files(wanted, manifest, store), _sets(wanted, manifest, store), _nowhere(wanted, manifest))
    return [*cannot, *itertools.chain(*parts), *_wheels(wanted, manifest, store)]


def _files(wanted: Wanted, manifest: Manifest, store: Store | None) -> Iterator[Missing]:
    for file in wanted.files:
        present = manifest.file(file.name)
        advice = "run `bundle build` where its source can be reached" if file.url else "get it by hand"
        advice += f", or `bundle add {file.name}`"
        if present is None:
            yield Missing(file.kind, file.name, "nothing", advice)
        elif file.sha256 not in ("", present.sha256):
            found = f"sha256 {present.sha256}, expected {file.sha256}"
            yield Missing(file.kind, file.name, found, advice)
        elif store is not None and not store.has(present):
            yield Missing(file.kind, file.name, "its name in the manifest, but not its bytes", advice)


def _sets(wanted: Wanted, manifest: Manifest, store: Store | None) -> Iterator[Missing]:
    build = "run `bundle build` where its source can be reached"
    for image in wanted.images:
        one = next((one for one in manifest.images if one.name == image.name), None)
        if one is None or not survey.has_image(image, one, store):
            had = f"{one.digest} for {', '.join(one.architectures)}" if one else "nothing"
            expected = f"{image.digest or 'any digest'} for {', '.join(image.architectures)}, whole"
            yield Missing("image", image.name, f"{had}, expected {expected}", build)
    for model in wanted.models:
        present = next((one for one in manifest.models if one.name == model.name), None)
        if present is None or not survey.has_model(model, present, store):
            had = f"{present.source} {present.repo} {present.revision}" if present else "nothing"
            expected = f"{model.source} {model.repo} {model.revision}".strip()
            yield Missing("model", model.name, f"{had}, expected all files of {expected}", build)
    for repository in (*wanted.apt, *wanted.rpm):
        key = (repository.kind, repository.name)
        copy = next((one for one in manifest.repositories if (one.kind, one.name) == key), None)
        if copy is None or not survey.has_repository(repository, copy, store):
            had = f"{copy.source} for {', '.join(copy.architectures)}" if copy else "nothing"
            expected = f"{repository.address} for {', '.join(repository.architectures)}, whole"
            yield Missing(repository.kind, repository.name, f"{had}, expected {expected}", build)


def _nowhere(wanted: Wanted, manifest: Manifest) -> Iterator[Missing]:
    bundle = wanted.site.bundle
    absent = [(one.kind, one.absent) for one in manifest.repositories]
    if bundle is None or not absent:
        return
    for name in repositories.found_nowhere(absent, bundle.kernels, bundle.packages):
        kind = "kernel" if name in bundle.kernels else "package"
        yield Missing(kind, name, "no repository with it", f"correct bundle.{kind}s, or name a repository that has it")


def _wheels(wanted: Wanted, manifest: Manifest, store: Store | None) -> Iterator[Missing]:
    for pin in wheels.missing(manifest, store, wanted.pins):
        yield Missing("wheel", pin, "nothing", "run `bundle build` where pip reaches its index")

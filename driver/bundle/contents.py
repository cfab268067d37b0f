"""What is in a bundle: manifest.json as frozen models, read strictly, because it may come from another machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError

from driver.errors import SiteError
from driver.site_values import Matching

SCHEMA: Final = 1
FILE: Final = "manifest.json"

_PATH = r"(?!\.\.?(/|$))[^/\0\n\r]+(/(?!\.\.?(/|$))[^/\0\n\r]+)*"
RelativePath = Annotated[str, AfterValidator(Matching(_PATH, "a relative path without . and .."))]
Sha256 = Annotated[str, AfterValidator(Matching(r"[0-9a-f]{64}", "a SHA-256 of 64 lower-case hexadecimal digits"))]
Size = Annotated[StrictInt, Field(ge=0)]


class Part(BaseModel):
    """The base of everything in a manifest: frozen, and nothing beside the named fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Content(Part):
    """Bytes of the store."""

    sha256: Sha256
    size: Size


class Entry(Content):
    """One file of a set: *path* inside of it."""

    path: RelativePath


class File(Content):
    """One file on its own: *name* is how it is asked for; *source* is where it came from."""

    kind: Literal["package", "wheel", "file"]
    name: RelativePath
    source: str = ""


class ImagePart(Content):
    """A manifest, a configuration or a layer of an image."""

    media_type: str


class Image(Part):
    """One image: *digest* is what its name stands for, of an index or of a single manifest."""

    name: str
    digest: str
    media_type: str
    architectures: tuple[str, ...]
    parts: tuple[ImagePart, ...]


class Model(Part):
    """One model: the *revision* is the commit whose files these are; *requested* is what was asked for."""

    name: str
    source: str
    repo: str
    requested: str
    revision: str
    files: tuple[Entry, ...]


class Repository(Part):
    """The part of a package repository that hosts need, with the repository's own signed indexes."""

    kind: Literal["apt", "rpm"]
    name: str
    suite: str = ""
    architectures: tuple[str, ...]
    source: str
    valid_until: str = ""
    patterns: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    files: tuple[Entry, ...]


class Manifest(Part):
    """The whole bundle; every list is sorted by name."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    sites: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    images: tuple[Image, ...] = ()
    models: tuple[Model, ...] = ()
    repositories: tuple[Repository, ...] = ()

    def contents(self) -> dict[str, tuple[int, str]]:
        """Return size and a name for people, of all bytes that the bundle has to hold, by sha256."""
        found: dict[str, tuple[int, str]] = {file.sha256: (file.size, file.name) for file in self.files}
        for image in self.images:
            found |= {part.sha256: (part.size, f"{image.name} ({part.media_type})") for part in image.parts}
        for several in (self.models, self.repositories):
            for one in several:
                found |= {entry.sha256: (entry.size, f"{one.name}/{entry.path}") for entry in one.files}
        return found

    def file(self, name: str) -> File | None:
        """Return the file called *name*."""
        return next((file for file in self.files if file.name == name), None)


Named = TypeVar("Named", bound="File | Image | Model | Repository")


def with_one(manifest: Manifest, new: File | Image | Model | Repository) -> Manifest:
    """Return *manifest* with *new* in place of what had its name."""
    if isinstance(new, File):
        return manifest.model_copy(update={"files": _put(manifest.files, new)})
    if isinstance(new, Image):
        return manifest.model_copy(update={"images": _put(manifest.images, new)})
    if isinstance(new, Model):
        return manifest.model_copy(update={"models": _put(manifest.models, new)})
    return manifest.model_copy(update={"repositories": _put(manifest.repositories, new)})


def _put(present: tuple[Named, ...], new: Named) -> tuple[Named, ...]:
    return tuple(sorted((*(one for one in present if _identity(one) != _identity(new)), new), key=_identity))


def _identity(one: File | Image | Model | Repository) -> tuple[str, str]:
    return getattr(one, "kind", ""), one.name


def merged(one: Manifest, other: Manifest) -> Manifest:
    """Return *one* with everything that *other* has; what both name is taken from *other*."""
    for several in (other.files, other.images, other.models, other.repositories):
        for new in several:
            one = with_one(one, new)
    return one.model_copy(update={"sites": tuple(sorted({*one.sites, *other.sites}))})


def parse(text: str | bytes, origin: str) -> Manifest:
    """Return the manifest in *text*; raises SiteError that names *origin*."""
    try:
        data = json.loads(text)
        if isinstance(data, dict) and isinstance(data.get("schema"), int) and data["schema"] > SCHEMA:
            raise SiteError(
                f"{origin}: found schema {data['schema']}; expected {SCHEMA}, the newest that this version knows; "
                "use the provision that made the bundle, or a newer one"
            )
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "(whole file)"
        raise SiteError(
            f"{origin}: {place}: {first['msg']}; expected the manifest of a bundle; make it again: bundle build"
        ) from error
    except ValueError as error:
        raise SiteError(
            f"{origin}: found no JSON ({error}); expected the manifest of a bundle; take it again"
        ) from error


def read(folder: Path) -> Manifest:
    """Return the manifest of the bundle in *folder*, an empty one where there is none yet."""
    file = folder / FILE
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise SiteError(f"{file}: {error.strerror}; expected the manifest of a bundle; make it readable") from error
    return parse(text, str(file))


def write(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of the bundle in *folder* at once: a reader never sees half of one."""
    text = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"
    draft = folder / f".{FILE}.{os.getpid()}.new"
    with draft.open("w", encoding="utf-8") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    draft.replace(folder / FILE)

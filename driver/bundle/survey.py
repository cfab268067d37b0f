"""Compare what a site needs with what a bundle has, and size what is still to be fetched before anything is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from driver.bundle import apt, images, models, repositories, rpm, wheels
from driver.bundle.contents import Content, Entry, File, Image, Manifest, Model, Repository
from driver.bundle.fetch import Said, Wish, fetch, plain, session, size_of
from driver.bundle.repositories import Copy, WantedRepository, Web
from driver.bundle.store import Store
from driver.bundle.together import together
from driver.errors import TaskFailed

if TYPE_CHECKING:
    import requests

    from driver.bundle.images import Access, WantedImage
    from driver.bundle.wanted import Wanted, WantedFile
    from driver.resolved import ResolvedModel
    from driver.vaults import Secrets

Made = File | Image | Model | Repository
Bring = Callable[[Said], Iterable[Made]]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of the bundle: *size* in bytes, 0 unknown; *rest* of them are not there; *fault* says why not."""

    kind: str
    name: str
    size: int
    rest: int = 0
    fault: str = ""
    note: str = ""
    bring: Bring | None = None

    @property
    def there(self) -> bool:
        """Return whether the bundle has it."""
        return self.bring is None and not self.fault

    def as_data(self) -> dict[str, Any]:
        """Return the item as an answer in JSON has it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "bytes": self.size,
            "missing_bytes": self.rest,
            "there": self.there,
            "fault": self.fault,
            "note": self.note,
        }


@dataclass(slots=True)
class Surveyor:
    """Asks the sources of a site how much there is, with the site's logins and tokens.

    With *update* it also asks where the bundle has something already whose name may stand for something newer.
    """

    wanted: Wanted
    manifest: Manifest
    store: Store
    access: Access
    secrets: Secrets | None = field(default=None, repr=False)
    update: bool = False
    client: requests.Session = field(default_factory=session)

    def items(self) -> Iterator[Item]:
        """Yield everything, small things first."""
        yield from (Item("site", name, 0, fault=f"found {found}") for name, found in self.wanted.faults)
        yield from map(self._file, self.wanted.files)
        yield self._wheels()
        yield from self._repositories("apt", self.wanted.apt)
        yield from self._repositories("rpm", self.wanted.rpm)
        yield from map(self._image, self.wanted.images)
        yield from map(self._model, self.wanted.models)

    def _file(self, file: WantedFile) -> Item:
        present = self.manifest.file(file.name)
        if present and file.sha256 in ("", present.sha256) and self.store.has(present):
            return Item(file.kind, file.name, present.size)
        if not file.url:
            return Item(file.kind, file.name, file.size, file.size, "has no address: get it, then `bundle add FILE`")
        size = file.size or size_of(file.url, plain(self.client))

        def bring(said: Said) -> list[Made]:
            content = fetch(self.store, Wish(file.name, (file.url,), file.sha256, file.size), self.client, said)
            source = file.url.partition("?")[0]  # whoever asks the server sees it, and a query may be a key
            return [File(kind=file.kind, name=file.name, source=source, **content.model_dump())]

        return Item(file.kind, file.name, size, size, bring=bring)

    def _wheels(self) -> Item:
        name = f"{len(self.wanted.pins)} Python packages of the tool"
        absent = wheels.missing(self.manifest, self.store, self.wanted.pins)
        size = sum(file.size for file in self.manifest.files if file.kind == "wheel")
        if not absent:
            return Item("wheels", name, size)
        return Item(
            "wheels", name, size, note=f"{len(absent)} to fetch", bring=lambda _: wheels.bring(self.store, absent)
        )

    def _image(self, image: WantedImage) -> Item:
        present = next((one for one in self.manifest.images if one.name == image.name), None)
        if present and has_image(image, present, self.store) and (image.digest or not self.update):
            return Item("image", image.name, sum(part.size for part in present.parts))
        try:
            found = images.look(image, self.access)
        except TaskFailed as error:
            return Item("image", image.name, image.size, image.size, str(error))
        rest = sum(part.size for part in found.parts() if not self.store.has(part))
        return Item(
            "image",
            image.name,
            found.size,
            rest,
            note=f"{found.digest} from {found.registry.reference.host}",
            bring=lambda said: [images.pull(self.store, image, found, self.client, said)],
        )

    def _model(self, model: ResolvedModel) -> Item:
        present = next((one for one in self.manifest.models if one.name == model.name), None)
        size = sum(file.size for file in model.files) or model.size_bytes
        if present and has_model(model, present, self.store) and (model.files or not self.update):
            return Item("model", model.name, size)
        fetcher = models.Fetcher(self.store, self.secrets)
        try:
            found = fetcher.listing(model)
        except TaskFailed as error:
            return Item("model", model.name, size, size, str(error))
        rest = sum(file.size for file in fetcher.absent(found))
        size = sum(file.size for file in found.files)
        note = f"{model.source} {model.repo} {found.revision}"
        return Item("model", model.name, size, rest, note=note, bring=lambda said: [fetcher.bring(model, found, said)])

    def _repositories(self, kind: Literal["apt", "rpm"], wanted: tuple[WantedRepository, ...]) -> Iterator[Item]:
        bundle = self.wanted.site.bundle
        patterns = repositories.names(kind, bundle.kernels if bundle else (), bundle.packages if bundle else ())
        present = {one.name: one for one in self.manifest.repositories if one.kind == kind}
        rest = {}
        for one in wanted:
            found = present.get(one.name)
            same = found and found.patterns == tuple(patterns) and not self.update
            if found and same and has_repository(one, found, self.store):
                yield Item(kind, one.name, sum(entry.size for entry in found.files), note=_note(found))
            else:
                rest[one.name] = one
        if not rest:
            return
        # Hosts see all their repositories at once, so what one of them lacks may come from a neighbour: all are read.
        read = apt.read if kind == "apt" else rpm.read
        copies, faults = repositories.survey(
            {one.name: one for one in wanted}, self.wanted.groups[kind], patterns, read, Web(self.client)
        )
        yield from (Item(kind, fault.partition(":")[0], 0, fault=fault) for fault in faults)
        yield from (self._copy(copy, tuple(patterns)) for copy in copies if copy.wanted.name in rest)

    def _copy(self, copy: Copy, patterns: tuple[str, ...]) -> Item:
        absent = [package for package in copy.packages.values() if not self.store.has(_content(package))]
        rest = sum(package.size for package in absent) + sum(map(len, copy.documents.values()))

        def bring(said: Said) -> list[Made]:
            return [_bring_copy(self.store, self.client, copy, patterns, said)]

        note = f"{len(copy.packages)} packages"
        bundle = self.wanted.site.bundle
        own = [name for name in copy.absent if bundle and (name in bundle.packages or name.endswith(bundle.kernels))]
        note += f", without {', '.join(own)}" if own else ""
        if copy.valid_until:
            note += f", hosts refuse its index after {copy.valid_until}"
        return Item(copy.wanted.kind, copy.wanted.name, copy.size, rest, note=note, bring=bring)


def _content(package: Any) -> Content:
    return Content(sha256=package.sha256 or "0" * 64, size=package.size)


def _bring_copy(
    store: Store, client: requests.Session, copy: Copy, patterns: tuple[str, ...], said: Said
) -> Repository:
    def one(package: Any, heard: Said) -> Entry:
        urls = (_base(copy, package.path),)
        content = fetch(store, Wish(package.path, urls, package.sha256, package.size), client, heard)
        heard(content.size)
        return Entry(path=package.path, **content.model_dump())

    entries = together(one, copy.packages.values(), said)
    entries += [Entry(path=path, **store.put(text).model_dump()) for path, text in copy.documents.items()]
    files = tuple(sorted(entries, key=lambda entry: entry.path))
    return Repository(patterns=patterns, files=files, **repositories.described(copy))


def _base(copy: Copy, path: str) -> str:
    """Return the address of a package: the folder of an architecture is a part of the repository's own address."""
    if copy.wanted.kind == "rpm":
        for arch in copy.wanted.architectures:
            inside = rpm.prefix(copy, arch)
            if inside and path.startswith(inside):
                return f"{rpm.address(copy, arch)}/{quote(path.removeprefix(inside))}"
    return f"{copy.wanted.address}/{quote(path)}"


def _note(found: Repository) -> str:
    return f"hosts refuse its index after {found.valid_until}" if found.valid_until else ""


def has_image(image: WantedImage, present: Image, store: Store | None) -> bool:
    """Return whether *present* is *image*, for all its architectures, with all its parts."""
    right = image.digest in ("", present.digest) and {*image.architectures} <= {*present.architectures}
    return right and (store is None or all(map(store.has, present.parts)))


def has_model(model: ResolvedModel, present: Model, store: Store | None) -> bool:
    """Return whether *present* is *model* at the revision that is wanted, with all its files."""
    if (present.source, present.repo) != (model.source, model.repo):
        return False
    if model.files:
        there = {(entry.path, entry.size): entry.sha256 for entry in present.files}
        found = [(there.get((file.path, file.size), "absent"), file.sha256) for file in model.files]
        right = all(sha256 != "absent" and expected in ("", sha256) for sha256, expected in found)
    else:
        right = model.revision in (present.revision, present.requested)
    return right and (store is None or all(map(store.has, present.files)))


def has_repository(one: WantedRepository, present: Repository, store: Store | None) -> bool:
    """Return whether *present* is a copy of *one* for all its architectures, with all its files."""
    right = (present.suite, present.source) == (one.suite, one.address)
    right = right and {*one.architectures} <= {*present.architectures}
    return right and (store is None or all(map(store.has, present.files)))

"""Bring a model's files into the store: its source's own client fetches and compares, the store takes over."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from driver.bundle.contents import Content, Entry, Model
from driver.bundle.fetch import Said
from driver.bundle.store import PARTIAL, Store
from driver.models import asking
from driver.models.parts import File, Listing, set_id

if TYPE_CHECKING:
    from driver.resolved import ResolvedModel
    from driver.vaults import Secrets


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Brings the files of models; *secrets* are those of the site, None to ask without any."""

    store: Store
    secrets: Secrets | None

    def listing(self, model: ResolvedModel) -> Listing:
        """Return the files of *model*: those of site.lock, else what its source says now. Raises TaskFailed."""
        if model.files:
            return Listing(model.revision, tuple(File(**file.model_dump()) for file in model.files))
        return asking.listing(asking.place(model, self.secrets))

    def absent(self, found: Listing) -> tuple[File, ...]:
        """Return the files that are not in the store."""
        return tuple(file for file in found.files if not self._there(file))

    def bring(self, model: ResolvedModel, found: Listing, said: Said) -> Model:
        """Bring every file of *model*; raises TaskFailed, and the next call goes on where this one ended."""
        known = {file.path: file for file in found.files}
        absent = self.absent(found)
        for file in self._brought(model, absent, said) if absent else ():
            known[file.path] = file
        entries = [Entry(path=path, sha256=file.sha256, size=file.size) for path, file in sorted(known.items())]
        return Model(
            name=model.name,
            source=model.source,
            repo=model.repo,
            requested=model.requested,
            revision=found.revision,
            files=tuple(entries),
        )

    def _brought(self, model: ResolvedModel, absent: tuple[File, ...], said: Said) -> list[File]:
        if model.source == "path":  # links, not copies, where the file system is the same
            contents = [self.store.take(Path(model.repo) / file.path, file.sha256) for file in absent]
            pairs = zip(absent, contents, strict=True)
            return [File(file.path, content.size, content.sha256) for file, content in pairs]
        folder = self.store.root / PARTIAL / f"model-{set_id(absent)[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        whole = asking.bring(asking.place(model, self.secrets), absent, folder, moved=said)
        for file in whole:
            self.store.keep(folder / file.path, Content(sha256=file.sha256, size=file.size))
        shutil.rmtree(folder)
        shutil.rmtree(folder.with_name(f"{folder.name}.client"), ignore_errors=True)
        return list(whole)

    def _there(self, file: File) -> bool:
        return bool(file.sha256) and self.store.has(Content(sha256=file.sha256, size=file.size))

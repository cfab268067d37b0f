"""Where a source puts the files of a model: beside the model, verified there, and only then given their final names.

A file at its final path has been compared with its checksum. What arrived and is not verified stays in the folder of
parts, so that an interrupted run goes on; the folder is gone when the model is whole.
"""

from __future__ import annotations

import os
import shutil
from typing import Any, Dict, List, Tuple

from .download import sha256_of
from .hub_files import HubFile
from .model_files import PARTS, content_fault, inside, note_verified

MODE = 0o644


class Stage:
    """The folder of parts of one model, and the *files* that are to come out of it."""

    def __init__(self, folder: str, files: List[HubFile]) -> None:
        """Make the folder of parts in the model's *folder*."""
        self.folder = folder
        self.path = os.path.join(folder, PARTS)
        self.waiting: Dict[str, HubFile] = {entry["path"]: entry for entry in files}
        self.good: List[Dict[str, Any]] = []
        self.faults: List[Dict[str, str]] = []
        self._seen: Dict[str, Tuple[int, int]] = {}
        if os.path.islink(self.path):
            os.unlink(self.path)  # whoever may write to the model's folder must not choose where root writes
        os.makedirs(self.path, mode=0o755, exist_ok=True)

    def take(self, final: bool = False) -> None:
        """Give every file that is whole and right its final name; *final*: the source has ended, nothing grows.

        While the source works, a file whose size nobody knows is left alone.
        """
        for name, entry in list(self.waiting.items()):
            staged = inside(self.path, name)
            size = _size(staged) if staged else -1
            if size < 0 or (not final and size != entry["size"]):
                continue
            if entry["size"] not in {-1, size}:
                self.faults.append({"file": name, "reason": f"{size} bytes, expected {entry['size']} bytes"})
                continue
            stamp = (size, os.stat(staged).st_mtime_ns)
            if not final and self._seen.get(name) == stamp:
                continue
            sha256 = sha256_of(staged)
            reason = content_fault(staged, sha256, entry)
            if reason and not final:
                self._seen[name] = stamp  # a source may make room for all of a file before it has all of it
                continue
            if reason:
                os.unlink(staged)
                self.faults.append({"file": name, "reason": reason})
                continue
            place(staged, os.path.join(self.folder, name), keep=not final)
            del self.waiting[name]
            self.good.append({"path": name, "size": size, "sha256": sha256})
            note_verified(self.folder, self.good[-1:])

    def missing(self) -> List[Dict[str, str]]:
        """Return {file, reason} of what the source did not bring, or brought wrong."""
        known = {fault["file"]: fault for fault in self.faults}
        return [known.get(name, {"file": name, "reason": "missing"}) for name in self.waiting]

    def forget_faults(self) -> None:
        """Begin another round."""
        self.faults = []

    def close(self) -> None:
        """Remove the folder of parts: the model is whole."""
        shutil.rmtree(self.path, ignore_errors=True)


def place(source: str, target: str, keep: bool) -> None:
    """Give the verified file *source* the name *target*, in one go; with *keep* the old name stays until the end.

    A client that still works on its other files may look at what it has brought. File systems without hard links
    get a rename instead.
    """
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    os.chmod(source, MODE)
    if keep:
        draft = target + ".incomplete"  # not the name under which hosts receive: that one is written to
        try:
            if os.path.lexists(draft):
                os.unlink(draft)
            os.link(source, draft)
        except OSError:
            os.replace(source, target)
            return
        os.replace(draft, target)
    else:
        os.replace(source, target)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size if os.path.isfile(path) else -1
    except OSError:
        return -1

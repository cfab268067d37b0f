"""Replace a small file in one go: whoever reads it sees the old one or the new one, never a part."""

from __future__ import annotations

import os


def put(path: str, text: str, mode: int, *, folder_mode: int = 0o700) -> None:
    """Write *text* to *path* with *mode*; a missing folder is made with *folder_mode*.

    The draft has its mode from the start: a secret must not be readable for a moment.
    """
    os.makedirs(os.path.dirname(path), mode=folder_mode, exist_ok=True)
    draft = path + ".provision-new"
    if os.path.lexists(draft):
        os.unlink(draft)  # of a run that was killed; it may have another owner and mode
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    os.chmod(draft, mode)
    os.replace(draft, path)

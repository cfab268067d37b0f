"""Write down which archive an image was loaded from: the engine keeps its id and forgets every digest."""

from __future__ import annotations

import json
from typing import List

from ..state.images import RECORD, recorded
from .atomic import put

MOST = 100


def remember(image_id: str, name: str, sha256: str, digests: List[str], path: str = RECORD) -> None:
    """Note that the image *image_id* came as *name* out of the archive *sha256*, and its other *digests*."""
    known = recorded(path)
    known.pop(image_id, None)
    known[image_id] = {"name": name, "archive": sha256, "digests": digests}
    put(path, json.dumps(dict(list(known.items())[-MOST:]), indent=1), 0o644, folder_mode=0o755)

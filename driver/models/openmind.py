"""Models on openMind (modelers.cn), or a mirror of it, by openmind_hub.

The client only speaks TLS, only to hosts of its own list, and only writes where it thinks it may: the host that the
site names joins the list, and the files come through the client's own cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from driver.models.parts import File, Listing, Place

CLIENT = "openmind_hub"


def _trust(place: Place) -> None:
    from openmind_hub.plugins.openmind import constants

    host = urlsplit(place.endpoint).hostname
    for known in (constants.HOSTNAME_WHITE_LIST, constants.DOWNLOAD_CDN_HOSTNAME_WHITE_LIST):
        if host and host not in known:
            known.append(host)


def _api(place: Place) -> Any:
    from openmind_hub import OmApi

    _trust(place)
    return OmApi(endpoint=place.endpoint or None)


def listing(place: Place) -> Listing:
    """Return the files at the commit that the revision is now."""
    api, token = _api(place), place.token or None
    commit = str(api.get_repo_last_commit(place.repo, revision=place.revision, token=token).oid or place.revision)
    entries = api.list_repo_tree(place.repo, recursive=True, revision=commit, token=token)
    return Listing(commit, tuple(_file(entry) for entry in entries if hasattr(entry, "size")))


def _file(entry: Any) -> File:
    sha256 = str(entry.lfs.sha256) if entry.lfs else ""
    return File(str(entry.path), int(entry.size), sha256, "" if sha256 else str(entry.blob_id))


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Do nothing: every file is asked for by itself."""


def bring(place: Place, file: File, part: Path) -> None:
    """Have the client bring the file into its cache, where it continues what it has left, and take it from there."""
    from openmind_hub import om_hub_download

    _trust(place)
    found = Path(
        om_hub_download(
            repo_id=place.repo,
            filename=file.path,
            revision=place.revision,
            token=place.token or None,
            endpoint=place.endpoint or None,
        )
    )
    found.resolve().replace(part)
    found.unlink(missing_ok=True)

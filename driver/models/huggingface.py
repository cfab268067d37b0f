"""Models on Hugging Face, or a mirror of it, by huggingface_hub."""

from __future__ import annotations

from pathlib import Path

from driver.models.parts import File, Listing, Place

CLIENT = "huggingface_hub"


def listing(place: Place) -> Listing:
    """Return the files at the commit that the revision is now."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=place.endpoint or None, token=place.token or False)
    commit = api.model_info(place.repo, revision=place.revision).sha or place.revision
    entries = api.list_repo_tree(place.repo, revision=commit, recursive=True)
    return Listing(commit, tuple(_file(entry) for entry in entries if isinstance(entry, RepoFile)))


def _file(entry: object) -> File:
    lfs = getattr(entry, "lfs", None)
    sha256 = str(lfs.sha256) if lfs else ""
    size = int(lfs.size if lfs else getattr(entry, "size", 0))
    return File(str(getattr(entry, "path", "")), size, sha256, "" if sha256 else str(getattr(entry, "blob_id", "")))


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Do nothing: every file is asked for by itself."""


def bring(place: Place, file: File, part: Path) -> None:
    """Continue *part* to the whole content, with the client's own transfer.

    Its command gives every process a temporary name of its own, and would begin anew after an interruption.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(place.repo, file.path, revision=place.revision, endpoint=place.endpoint or None)
    headers = build_hf_headers(token=place.token or False, library_name="provision")
    have = part.stat().st_size if part.exists() else 0
    if have > file.size:
        part.unlink()
        have = 0
    with part.open("ab") as target:
        http_get(url, target, resume_size=have, headers=headers, expected_size=file.size)

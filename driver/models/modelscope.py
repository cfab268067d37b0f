"""Models on ModelScope, or a mirror of it, by modelscope-hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from driver.models.parts import File, Listing, Place, SourceError

if TYPE_CHECKING:
    from modelscope_hub import HubApi

CLIENT = "modelscope-hub"
_COMMIT_DIGITS = 40


def _api(place: Place) -> HubApi:
    from modelscope_hub import HubApi

    return HubApi(endpoint=place.endpoint or None, token=place.token or None)


def listing(place: Place) -> Listing:
    """Return the files at the commit that the revision is now."""
    api = _api(place)
    entries = _entries(api, place.repo, place.revision)
    files = tuple(File(str(entry["Path"]), int(entry["Size"]), str(entry.get("Sha256") or "")) for entry in entries)
    if not files:
        raise SourceError("absent", f"{place.repo} has no files at {place.revision}")
    commit = _commit(api, place, entries)
    if commit != place.revision and _names(_entries(api, place.repo, commit)) != _names(entries):
        raise SourceError("failed", f"the commit {commit} of {place.repo} has other files than {place.revision}")
    return Listing(commit, files)


def _entries(api: HubApi, repo: str, revision: str) -> list[dict[str, Any]]:
    found = api.legacy.list_repo_files(repo_id=repo, repo_type="model", revision=revision, recursive=True)
    return [entry for entry in found if entry.get("Type") != "tree"]


def _names(entries: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(entry["Path"], entry["Size"], entry.get("Sha256")) for entry in entries}


def _commit(api: HubApi, place: Place, entries: list[dict[str, Any]]) -> str:
    """Return the commit of the revision: the hub's word for it, else that of the file that changed last."""
    if len(place.revision) == _COMMIT_DIGITS:
        return place.revision
    for known in api.list_repo_revisions(place.repo, "model"):
        if known.get("Revision") == place.revision and known.get("CommitId"):
            return str(known["CommitId"])
    newest = max(entries, key=lambda entry: int(entry.get("CommittedDate") or 0))
    return str(newest.get("CommitId") or newest.get("Revision") or place.revision)


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Do nothing: every file is asked for by itself."""


def bring(place: Place, file: File, part: Path) -> None:
    """Have the client bring the file; it continues what it has left in its own folder, and compares the checksum."""
    folder = Path(place.cache) / "modelscope"
    found = _api(place).download_file(
        place.repo,
        "model",
        file.path,
        revision=place.revision,
        local_dir=folder,
        expected_sha256=file.sha256 or None,
        file_size=file.size,
    )
    found.replace(part)

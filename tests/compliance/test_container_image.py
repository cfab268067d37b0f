"""The images: there, under the one canonical name, of the right architecture, and the very one by digest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.compliance import judge

FORMAT = (
    '{"id":{{json .Id}},"digests":{{json .RepoDigests}},"architecture":{{json .Architecture}},'
    '"labels":{{json .Config.Labels}}}'
)
RECORD = "/var/lib/provision/images.json"


@pytest.fixture(scope="session")
def first_seen() -> dict[tuple[str, str], tuple[str, set[str]]]:
    """For every name and architecture: the first host that was asked in this run, and what its image is."""
    return {}


def inspected(host: Any, image: dict[str, Any]) -> dict[str, Any]:
    text = judge.output(host, f"image {image['name']}", "docker image inspect --format %s %s", FORMAT, image["name"])
    found: dict[str, Any] = json.loads(text)
    return found


def identities(found: dict[str, Any]) -> set[str]:
    """Return every digest that an image goes by: its own, and those of the registries that it came from."""
    return {entry.rpartition("@")[2] for entry in found["digests"] or []} | {found["id"]}


def loaded(host: Any, image: dict[str, Any], image_id: str) -> set[str]:
    """Return the checksum of the archive that the host says the image came from, and the digests that this one had.

    The engine forgets both; what the image is now, its id, is what it was then.
    """
    if not image.get("archive") or not host.file(RECORD).exists:
        return set()
    entry = json.loads(host.file(RECORD).content_string).get(image_id, {})
    return {entry["archive"], *entry["digests"]} if entry else set()


def test_image_is_there_and_the_very_one(host: Any, image: dict[str, Any]) -> None:
    found = inspected(host, image)
    judge.equal(host, f"architecture of image {image['name']}", image["architecture"], found["architecture"])
    build = image.get("build") or {}
    if build:
        key = (found["labels"] or {}).get(build["label"])
        judge.equal(host, f"label {build['label']} of image {image['name']}", build["key"], key)
        return
    marks = {image["digest"], image.get("id") or ""} - {""}
    digests = identities(found) | loaded(host, image, found["id"])
    archive = (image.get("archive") or {}).get("sha256")
    marks |= {archive} if archive else set()
    if marks:
        expected = judge.listed(sorted(marks))
        judge.true(
            host, f"digest of image {image['name']}", bool(marks & digests), expected, judge.listed(sorted(digests))
        )


def test_image_is_the_same_on_every_host(
    host: Any, image: dict[str, Any], first_seen: dict[tuple[str, str], tuple[str, set[str]]]
) -> None:
    """Without a digest in the inventory two hosts may have pulled a tag before and after it moved."""
    mine, name = identities(inspected(host, image)), host.backend.get_hostname()
    other, digests = first_seen.setdefault((image["name"], image["architecture"]), (name, mine))
    judge.true(
        host,
        f"digest of image {image['name']}",
        mine & digests,
        f"one of {other}'s: {judge.listed(sorted(digests))}",
        judge.listed(sorted(mine)),
    )

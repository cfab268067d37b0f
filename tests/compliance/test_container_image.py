"""The images: there, under the one canonical name, of the right architecture, and the very one by digest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.compliance import judge

FORMAT = '{"id":{{json .Id}},"digests":{{json .RepoDigests}},"architecture":{{json .Architecture}}}'


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


def test_image_is_there_and_the_very_one(host: Any, image: dict[str, Any]) -> None:
    found = inspected(host, image)
    judge.equal(host, f"architecture of image {image['name']}", image["architecture"], found["architecture"])
    if image["digest"]:
        digests = identities(found)
        judge.true(
            host,
            f"digest of image {image['name']}",
            image["digest"] in digests,
            image["digest"],
            judge.listed(sorted(digests)),
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

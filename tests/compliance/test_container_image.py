"""The images: there, under the one canonical name, of the right architecture, and the very one by digest."""

from __future__ import annotations

import json
from typing import Any

from tests.compliance import judge

FORMAT = '{"id":{{json .Id}},"digests":{{json .RepoDigests}},"architecture":{{json .Architecture}}}'


def test_image_is_there_and_the_very_one(host: Any, image: dict[str, Any]) -> None:
    found = json.loads(
        judge.output(host, f"image {image['name']}", "docker image inspect --format %s %s", FORMAT, image["name"])
    )
    judge.equal(host, f"architecture of image {image['name']}", image["architecture"], found["architecture"])
    if image["digest"]:
        digests = {entry.rpartition("@")[2] for entry in found["digests"] or []} | {found["id"]}
        judge.true(
            host,
            f"digest of image {image['name']}",
            image["digest"] in digests,
            image["digest"],
            judge.listed(sorted(digests)),
        )

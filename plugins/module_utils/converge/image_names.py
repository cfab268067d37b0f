"""Names of images: repository and tag, the registry in front, and which chip the end of a tag stands for."""

from __future__ import annotations

from typing import List, Tuple

HUB = "docker.io"
HUB_ADDRESS = "registry-1.docker.io"  # where the API of that registry is


def split_reference(reference: str) -> Tuple[str, str]:
    """Return repository and tag of *reference*; a port in the registry's name is not a tag."""
    plain = reference.split("@", 1)[0]
    head, colon, tail = plain.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return plain, "latest"


def place_of(reference: str) -> Tuple[str, str]:
    """Return the registry of *reference* and the repository's path there, as the Docker Engine reads a name."""
    repository = split_reference(reference)[0]
    first, slash, rest = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest if first != HUB or "/" in rest else "library/" + rest
    return HUB, repository if slash else "library/" + repository


def foreign_suffix(reference: str, wanted: str, others: List[str]) -> str:
    """Return the one of *others*, ends of tags that stand for other chips, that *reference* has; "" without one.

    *wanted* is the canonical name: what it has itself is right. A variant may follow the end: v1-chip-system.
    """
    words, ours = (["-" + word for word in split_reference(name)[1].split("-")[1:]] for name in (reference, wanted))
    return next((suffix for suffix in others if suffix in words and suffix not in ours), "")

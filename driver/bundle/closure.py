"""Which packages of repositories hosts will need: the named ones, with all that those depend on, as managers choose."""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_PARTS = re.compile(r"(\D*)(\d*)")
_MOST_PROVIDERS = 8  # of a name that is no package; a manager takes one of them, and which one depends on the host


@dataclass(frozen=True, slots=True)
class Package:
    """One package of *repository*; *needs* are groups of names of which one is enough, *version* orders.

    *label* is name-version-release.architecture where a manager takes that for a name, too, and "" where it does not.
    """

    repository: str
    name: str
    version: tuple[Any, ...]
    path: str
    size: int
    sha256: str
    provides: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    label: str = ""


def order(text: str) -> tuple[Any, ...]:
    """Return a key by which versions sort as dpkg and rpm sort them: ~ comes before the end, numbers by value."""
    found = [(_letters(words), int(number or 0)) for words, number in _PARTS.findall(text) if words or number]
    return (*found, (_letters(""), 0))


def _letters(text: str) -> tuple[int, ...]:
    return (*(-1 if one == "~" else ord(one) + (0 if one.isalpha() else 256) for one in text), 0)


def version(epoch: str, upstream: str, release: str) -> tuple[Any, ...]:
    """Return the key of a whole version."""
    return int(epoch or 0), order(upstream), order(release)


class Selection:
    """The packages of one host's repositories."""

    def __init__(self, packages: Iterable[Package]) -> None:
        """Keep the newest package of each name, as a manager without further orders would."""
        self.newest: dict[str, Package] = {}
        self.labelled: dict[str, Package] = {}
        for package in packages:
            if package.label:
                self.labelled[package.label] = self.labelled[package.label.rpartition(".")[0]] = package
            present = self.newest.get(package.name)
            if present is None or package.version > present.version:
                self.newest[package.name] = package
        self.providers: dict[str, list[Package]] = defaultdict(list)
        for package in self.newest.values():
            for name in package.provides:
                self.providers[name].append(package)

    def closure(self, patterns: Iterable[str]) -> tuple[list[Package], list[str]]:
        """Return what *patterns* name with all that it needs, and those patterns that name nothing."""
        chosen: dict[str, Package] = {}
        absent, todo = [], []
        for pattern in patterns:
            named = self._named(pattern)
            todo += named
            absent += [] if named else [pattern]
        while todo:
            package = todo.pop()
            if package.path not in chosen:
                chosen[package.path] = package
                todo += [one for group in package.needs for one in self._one_of(group)]
        return [chosen[path] for path in sorted(chosen)], absent

    def _named(self, pattern: str) -> list[Package]:
        if "*" in pattern:
            named = [self.newest[name] for name in fnmatch.filter(self.newest, pattern)]
            return named + [self.labelled[name] for name in fnmatch.filter(self.labelled, pattern)]
        if pattern in self.labelled:
            return [self.labelled[pattern]]
        return [self.newest[pattern]] if pattern in self.newest else self.providers.get(pattern, [])[:_MOST_PROVIDERS]

    def _one_of(self, group: tuple[str, ...]) -> list[Package]:
        """Return the first of *group* that there is, as a manager prefers it; else what provides one of them."""
        for name in group:
            if name in self.newest:
                return [self.newest[name]]
        for name in group:
            if name in self.providers:
                return self.providers[name][:_MOST_PROVIDERS]
        return []

"""Sites to try things on: the shipped ones, with whatever a test changes in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import paths, resolve
from driver.errors import SiteError
from driver.resolved import ResolvedSite

Data = dict[str, Any]
Change = Callable[[Data], object]


def parent(data: Data, path: str) -> tuple[Any, Any]:
    """Return the container that a path such as hosts.0.name points into, and the last step."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".", path.count("."))]
    here: Any = data
    for step in steps:
        here = here[step]
    return here, last


def put(**values: Any) -> Change:
    """Return a change that sets values by their paths, dots written as two underscores."""
    return lambda data: put_all(data, {path.replace("__", "."): value for path, value in values.items()})


def put_all(data: Data, values: dict[str, Any]) -> None:
    for path, value in values.items():
        here, last = parent(data, path)
        if isinstance(here, list) and last == len(here):
            here.append(value)
        else:
            here[last] = value


def alone(data: Data) -> None:
    """Make the first service one of a single host."""
    data["services"][0] |= {"hosts": ["node1"], "distributed": "none"}


FILES_OF_FLEET = ("vault.yml", "vault.pass", "rpm.asc", "docker.asc", "root.pem", "revoked.crl")


def shipped(base: str) -> Data:
    """Return the site file of a shipped site, or of the fleet of these tests, without what nobody serves."""
    folder = Path(__file__).parent if base == "fleet" else paths.INVENTORIES / base
    file = folder / ("fleet.yml" if base == "fleet" else "site.yml")
    data = dict(yaml.safe_load(file.read_text(encoding="utf-8")))
    if base == "lab":
        data["models"] = [model for model in data["models"] if "hosts" not in model]
        del data["images"]
    return data


class Workshop:
    """Writes variants of a shipped site into a folder of its own and resolves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, change: Change = lambda _: None, *, base: str = "lab") -> Path:
        data = shipped(base)
        if base == "fleet":
            for name in FILES_OF_FLEET:
                (self.folder / name).touch()
        change(data)
        return self.text(yaml.safe_dump(data, sort_keys=False))

    def text(self, text: str) -> Path:
        (self.folder / "site.yml").write_text(text, encoding="utf-8")
        return self.folder

    def load(self, change: Change = lambda _: None, *, base: str = "lab") -> ResolvedSite:
        return resolve.load(self.write(change, base=base))

    def faults(self, change: Change, *, base: str = "lab") -> list[str]:
        """Return the lines of the refusal, without the name of the site file in front."""
        with pytest.raises(SiteError) as caught:
            self.load(change, base=base)
        return [line.removeprefix(f"{self.folder}/site.yml: ") for line in caught.value.lines]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def catalog_copy(tmp_path: Path) -> Path:
    """A catalog that a test may change."""
    return Path(shutil.copytree(paths.CATALOG, tmp_path / "catalog"))


@pytest.fixture(scope="session")
def lab() -> ResolvedSite:
    return resolve.load("lab")


@pytest.fixture(scope="session")
def prod() -> ResolvedSite:
    return resolve.load("prod")

"""Make our module_utils importable under the name that Ansible gives them, and store an image in a registry once."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils
import pytest

from plugins.module_utils.converge.progress import Progress
from tests.unit.images import servers
from tests.unit.images.parts import Image

FOLDER = str(Path(__file__).resolve().parents[3] / "plugins/module_utils")
if FOLDER not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(FOLDER)


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress("step", "work", folder=str(tmp_path / "progress"))


@pytest.fixture(scope="session")
def image() -> Image:
    return Image(environment=["SOC_VERSION=chip1a"])


@pytest.fixture
def store(tmp_path: Path, image: Image) -> Path:
    """A folder in which a registry finds *image* as org/engine:v1."""
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [image], "v1")
    return tmp_path

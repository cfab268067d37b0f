"""Make our module_utils importable under the name that Ansible gives them, so that modules can be imported here."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils
import pytest

from plugins.module_utils.converge.progress import Progress

ROOT = Path(__file__).resolve().parents[3]
FOLDER = str(ROOT / "plugins/module_utils")
if FOLDER not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(FOLDER)


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress("step", "work", folder=str(tmp_path / "progress"))

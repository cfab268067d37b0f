"""Guards on the repository as a whole: pins, settings, what must never be committed."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, read_yaml


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-fetch.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned_exactly(file: str) -> None:
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-r")):
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[\w.+!-]+", line), line


def test_ansible_settings_are_strict() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "ansible.cfg")
    defaults = settings["defaults"]
    assert "inventory" not in defaults
    assert defaults.getboolean("host_key_checking", fallback=True)
    assert not defaults.getboolean("inject_facts_as_vars", fallback=True)
    assert settings["inventory"].getboolean("unparsed_is_failed") or settings["inventory"].getboolean(
        "any_unparsed_is_failed"
    )


def test_no_task_uses_injected_facts_or_foreign_strategies() -> None:
    for path in [*ROOT.glob("roles/**/*.yml"), *ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/**/*.j2")]:
        text = path.read_text(encoding="utf-8")
        assert "strategy:" not in text, path
        assert not re.search(r"\bansible_(distribution|os_family|kernel|architecture|hostname|default_ipv4)\b", text), (
            path
        )


def test_playbooks_are_static() -> None:
    for path in (ROOT / "playbooks").iterdir():
        assert path.suffix == ".yml", path
        assert isinstance(read_yaml(path), list), path


def test_nothing_large_or_private_is_committed() -> None:
    machine = re.compile("|".join(["/wo" + "rk/", "/fa" + "rm/", r"/root/\.pyenv", "BEGIN [A-Z ]*PRIVATE " + "KEY"]))
    for path in tracked():
        assert path.stat().st_size <= 1 << 20, f"{path}: over 1 MiB"
        text = path.read_bytes()
        if b"\0" not in text:
            assert not machine.search(text.decode("utf-8", "replace")), path


def test_ci_calls_make_test() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_screen = "\n".join(readme.splitlines()[:30])
    assert "make lab" in first_screen
    assert "make test" in first_screen

"""obsutil's configuration: private from its first moment, the program's own changes to it are no difference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plugins.module_utils.converge import obsutil_config
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.state import obsutil

WANTED = {"endpoint": "obs.example.com", "ak": "ACCESS", "sk": "SECRET"}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    monkeypatch.setattr(obsutil, "OWNER_ROOT", os.getuid())
    return tmp_path / ".obsutilconfig", str(tmp_path / "memory.json")


def right(paths: tuple[Path, str], wanted: dict[str, str]) -> bool:
    return obsutil_config.is_right(str(paths[0]), obsutil_config.read_memory(paths[1]), wanted)


def test_the_file_is_private_and_has_address_and_keys(paths: tuple[Path, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    assert paths[0].read_text() == "endpoint=obs.example.com\nak=ACCESS\nsk=SECRET\n"
    assert paths[0].stat().st_mode & 0o777 == 0o600
    assert Path(paths[1]).stat().st_mode & 0o777 == 0o600
    assert right(paths, WANTED)


def test_keys_that_the_program_has_encrypted_are_still_the_same(paths: tuple[Path, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    paths[0].write_text("endpoint=obs.example.com\nak=9f3a==\nsk=77ab==\nmaxConnections=1000\n")
    assert right(paths, WANTED)


@pytest.mark.parametrize("other", [{"ak": "NEW"}, {"sk": "NEW"}, {"endpoint": "new.example.com"}])
def test_other_keys_and_another_address_are_a_difference(paths: tuple[Path, str], other: dict[str, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    assert not right(paths, {**WANTED, **other})


def test_a_file_that_others_can_read_is_a_difference(paths: tuple[Path, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    paths[0].chmod(0o644)
    assert not right(paths, WANTED)


def test_the_operators_settings_stay_and_come_back(paths: tuple[Path, str]) -> None:
    paths[0].write_text("ak=old\nsk=old\nendpoint=old\nrateLimitThreshold=1M\n")
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    assert paths[0].read_text().splitlines()[3:] == ["rateLimitThreshold=1M"]
    obsutil_config.write(str(paths[0]), paths[1], {**WANTED, "sk": "NEW"})
    assert obsutil_config.take_back(str(paths[0]), paths[1])
    assert paths[0].read_text() == "ak=old\nsk=old\nendpoint=old\nrateLimitThreshold=1M\n"
    assert not Path(paths[1]).exists()


def test_a_file_that_was_not_there_goes(paths: tuple[Path, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    assert obsutil_config.take_back(str(paths[0]), paths[1])
    assert not paths[0].exists()
    assert not obsutil_config.take_back(str(paths[0]), paths[1])


def test_keys_are_not_written_through_a_link(paths: tuple[Path, str], tmp_path: Path) -> None:
    paths[0].symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match=r"is no plain file.*not written through a link"):
        obsutil_config.write(str(paths[0]), paths[1], WANTED)
    assert not (tmp_path / "elsewhere").exists()


def test_new_keys_have_to_be_proven_again(paths: tuple[Path, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    assert not obsutil.proven(paths[1])
    assert obsutil_config.prove(paths[1])
    assert obsutil.proven(paths[1])
    assert not obsutil_config.prove(paths[1])
    obsutil_config.write(str(paths[0]), paths[1], {**WANTED, "sk": "NEW"})
    assert not obsutil.proven(paths[1])


def test_neither_memory_nor_facts_hold_a_key(paths: tuple[Path, str]) -> None:
    obsutil_config.write(str(paths[0]), paths[1], WANTED)
    told = Path(paths[1]).read_text() + str(obsutil.config(str(paths[0])))
    assert "ACCESS" not in told
    assert "SECRET" not in told

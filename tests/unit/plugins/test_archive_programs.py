"""Programs out of an archive: nobody's files are overwritten, and exactly ours go again."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from plugins.module_utils.converge import archive_programs
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.state import programs

NAMES = ["runc", "dockerd"]


def archive(folder: Path, files: dict[str, str], top: str = "docker") -> str:
    path = folder / "docker.tgz"
    with tarfile.open(path, "w:gz") as target:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(text), 0o644
            target.addfile(entry, io.BytesIO(text.encode()))
    return str(path)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, str]:
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin", str(tmp_path / "marker.json")


def unpack(tmp_path: Path, place: tuple[Path, str], files: dict[str, str], version: str = "1") -> list[str]:
    return archive_programs.unpack(
        archive(tmp_path, files), [], archive_programs.Place(str(place[0]), place[1]), version
    )


def test_programs_can_be_run_and_are_known(tmp_path: Path, place: tuple[Path, str]) -> None:
    found = unpack(tmp_path, place, {"dockerd": "one", "runc": "two"})
    assert found == [str(place[0] / "dockerd"), str(place[0] / "runc")]
    assert (place[0] / "runc").stat().st_mode & 0o777 == 0o755
    assert programs.observe(place[1]) == {"version": "1", "files": found, "missing": [], "changed": []}


def test_only_the_named_ones_are_taken(tmp_path: Path, place: tuple[Path, str]) -> None:
    packed = archive(tmp_path, {"obsutil": "x", "setup.sh": "y"}, "obsutil_linux_amd64_1")
    archive_programs.unpack(packed, ["obsutil"], archive_programs.Place(str(place[0]), place[1]), "1")
    assert [entry.name for entry in place[0].iterdir()] == ["obsutil"]


def test_a_missing_one_and_a_change_are_seen(tmp_path: Path, place: tuple[Path, str]) -> None:
    unpack(tmp_path, place, {"dockerd": "one", "runc": "two"})
    (place[0] / "runc").unlink()
    (place[0] / "dockerd").write_text("another program")
    seen = programs.observe(place[1])
    assert (seen["missing"], seen["changed"]) == ([str(place[0] / "runc")], [str(place[0] / "dockerd")])


def test_a_program_of_somebody_else_is_refused_before_anything_changes(tmp_path: Path, place: tuple[Path, str]) -> None:
    (place[0] / "runc").write_text("of a package")
    with pytest.raises(RefusedError, match=r"bin/runc is there already, and provision did not put them there.*Remove"):
        unpack(tmp_path, place, {"dockerd": "one", "runc": "two"})
    assert (place[0] / "runc").read_text() == "of a package"
    assert not (place[0] / "dockerd").exists()
    assert programs.observe(place[1])["version"] is None


def test_who_runs_the_programs_is_marked_for_a_restart_before_they_change(
    tmp_path: Path, place: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "run/restart"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(archive_programs, "_extract", killed)
    packed = archive(tmp_path, {"dockerd": "one"})
    with pytest.raises(KeyboardInterrupt):
        archive_programs.unpack(packed, [], archive_programs.Place(str(place[0]), place[1], str(mark)), "1")
    assert mark.read_text() == ""
    (place[0] / "runc").write_text("of a package")
    mark.unlink()
    with pytest.raises(RefusedError, match="is there already"):
        archive_programs.unpack(
            archive(tmp_path, {"runc": "x"}), [], archive_programs.Place(str(place[0]), place[1], str(mark)), "1"
        )
    assert not mark.exists()


def test_another_version_replaces_ours_and_drops_what_it_lacks(tmp_path: Path, place: tuple[Path, str]) -> None:
    unpack(tmp_path, place, {"dockerd": "one", "old": "x"})
    unpack(tmp_path, place, {"dockerd": "two", "new": "y"}, "2")
    assert sorted(entry.name for entry in place[0].iterdir()) == ["dockerd", "new"]
    assert programs.observe(place[1])["version"] == "2"


def test_removal_takes_ours_and_leaves_what_was_changed(tmp_path: Path, place: tuple[Path, str]) -> None:
    unpack(tmp_path, place, {"dockerd": "one", "runc": "two"})
    (place[0] / "mine").write_text("of the operator")
    (place[0] / "runc").write_text("patched")
    assert archive_programs.remove(place[1]) == [str(place[0] / "runc")]
    assert sorted(entry.name for entry in place[0].iterdir()) == ["mine", "runc"]
    assert not Path(place[1]).exists()


@pytest.mark.parametrize("files", [{"runc": "x"}, {}])
def test_an_archive_without_the_program_is_refused(
    tmp_path: Path, place: tuple[Path, str], files: dict[str, str]
) -> None:
    packed = archive(tmp_path, files)
    with pytest.raises(RefusedError, match=r"docker.tgz lacks dockerd; it has .*not the archive"):
        archive_programs.unpack(packed, ["dockerd"], archive_programs.Place(str(place[0]), place[1]), "1")


def test_what_is_no_archive_is_refused(tmp_path: Path, place: tuple[Path, str]) -> None:
    (tmp_path / "x.tgz").write_text("<html>")
    with pytest.raises(RefusedError, match=r"can not be read as an archive"):
        archive_programs.unpack(str(tmp_path / "x.tgz"), [], archive_programs.Place(str(place[0]), place[1]), "1")

"""Where things live."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import paths
from driver.errors import ProvisionError, SiteError


def test_a_site_by_name_folder_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/site.yml").touch()
    assert paths.site_dir("lab") == paths.INVENTORIES / "lab"
    assert paths.site_dir(tmp_path / "here") == tmp_path / "here"
    assert paths.site_dir(str(tmp_path / "here/site.yml")) == tmp_path / "here"
    monkeypatch.chdir(tmp_path)
    assert paths.site_dir("here/../here") == tmp_path / "here"


def test_unknown_site_lists_the_known_ones() -> None:
    expected = (
        r"^labb: no site of this name; expected a folder of .*, or a path that holds site\.yml; did you mean lab\?$"
    )
    with pytest.raises(SiteError, match=expected):
        paths.site_dir("labb")
    with pytest.raises(SiteError, match=r"name one of: lab, prod"):
        paths.site_dir("something else")
    with pytest.raises(SiteError, match="no site of this name"):
        paths.site_dir("")


def test_a_name_may_end_with_a_slash() -> None:
    assert paths.site_dir("lab/") == paths.INVENTORIES / "lab"


def test_what_is_no_site_is_said_and_paths_start_at_the_repository(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder/site.yml").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name, found in (
        (tmp_path / "empty", "a folder without site.yml"),
        (tmp_path / "folder", "its site.yml is no file"),
        (tmp_path / "file", "a file that is no site"),
        ("nosuch", "no site of this name"),
    ):
        with pytest.raises(SiteError, match=f"^{name}: {found}; expected a folder of inventories, or a path"):
            paths.site_dir(name)
    for name, found in (("x" * 5000, "File name too long"), ("~nobody-of-this-name/x", "home directory")):
        with pytest.raises(SiteError, match=f"{found}.*; expected the name or the path of a site"):
            paths.site_dir(name)


def test_runs_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROVISION_RUNS", raising=False)
    assert paths.runs_dir() == paths.ROOT / "runs"
    monkeypatch.setenv("PROVISION_RUNS", str(tmp_path))
    assert paths.runs_dir() == tmp_path


def test_control_folder_is_private() -> None:
    folder = paths.control_dir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_control_folder_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths.os, "getuid", lambda: 4_000_000)
    folder = Path("/tmp/provision-4000000")
    try:
        with pytest.raises(ProvisionError, match="found a link, or an owner with uid"):
            paths.control_dir()
    finally:
        folder.rmdir()

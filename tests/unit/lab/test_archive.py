"""The machine's own apt sources are what the simulated servers are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.site.archive import Source, debian_sources, parse_deb822, parse_list
from tests.lab.site.errors import LabError

DEB822 = """\
Types: deb deb-src
# a snapshot was here
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components:
 main
Enabled: yes

Types: deb
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://source.invalid/debian
Suites: bookworm
Components: main
"""


def test_deb822_sources_give_one_entry_per_suite() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert parse_deb822(DEB822) == [
        Source("http://mirror.invalid/debian", "bookworm", ("main", "contrib"), keyring),
        Source("http://mirror.invalid/debian", "bookworm-updates", ("main", "contrib"), keyring),
        Source("http://mirror.invalid/security", "bookworm-security", ("main",), ""),
    ]


def test_a_key_inside_a_deb822_stanza_is_not_taken_for_a_path() -> None:
    stanza = "Types: deb\nURIs: http://m.invalid\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n"
    assert parse_deb822(stanza) == [Source("http://m.invalid", "bookworm", ("main",), "")]


def test_one_line_sources_with_and_without_options_are_understood() -> None:
    text = (
        "# deb http://commented.invalid bookworm main\n"
        "deb http://a.invalid/debian bookworm main contrib # ours\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://b.invalid bookworm-security main\n"
        "deb-src http://c.invalid bookworm main\n"
    )
    assert parse_list(text) == [
        Source("http://a.invalid/debian", "bookworm", ("main", "contrib")),
        Source("http://b.invalid", "bookworm-security", ("main",), "/k.gpg"),
    ]


def test_a_source_is_written_as_apt_reads_it() -> None:
    source = Source("http://b.invalid", "bookworm", ("main", "contrib"), "/k.gpg")
    assert source.line() == "deb [signed-by=/k.gpg] http://b.invalid bookworm main contrib\n"
    assert parse_list(source.line()) == [source]


def test_the_suite_itself_comes_first_and_other_archives_are_left_out(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text("\n\n".join(reversed(DEB822.split("\n\n"))), encoding="utf-8")
    (parts / "other.list").write_text("deb http://other.invalid/apt stable main\n", encoding="utf-8")
    (parts / "debian.sources.bak").write_text("deb http://backup.invalid bookworm main\n", encoding="utf-8")
    found = debian_sources(tmp_path)
    assert [source.suite for source in found] == ["bookworm", "bookworm-updates", "bookworm-security"]
    assert {source.uri for source in found} == {"http://mirror.invalid/debian", "http://mirror.invalid/security"}


def test_a_machine_without_the_suite_is_told_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://other.invalid trixie main\n", encoding="utf-8")
    with pytest.raises(LabError, match=r"no source of Debian bookworm main .* add `deb <mirror> bookworm main` there"):
        debian_sources(tmp_path)

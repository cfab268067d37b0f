"""The archives that servers are made from, as this machine is set up to reach them: mirrors, keyrings, downloads."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.lab.site.command import output, run
from tests.lab.site.errors import LabError
from tests.lab.site.layout import SUITE

DEFAULT_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_FOLDER = Path("/etc/apt")


@dataclass(frozen=True, slots=True)
class Source:
    """One archive in apt's sources, in one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    def line(self) -> str:
        """Return the source as a line for sources.list."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}\n"


def parse_list(text: str) -> list[Source]:
    """Return the binary sources in *text*, one per line as sources.list(5) has them."""
    found = []
    pattern = re.compile(
        r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>[^#\n]*)", re.MULTILINE
    )
    for match in pattern.finditer(text):
        options = dict(word.split("=", 1) for word in (match["options"] or "").split() if "=" in word)
        found.append(
            Source(match["uri"], match["suite"], tuple(match["components"].split()), options.get("signed-by", ""))
        )
    return found


def parse_deb822(text: str) -> list[Source]:
    """Return the enabled binary sources in *text*, stanzas as sources.list(5) has them."""
    found = []
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields = {
            name.lower(): " ".join(value.split())
            for name, value in re.findall(r"^([\w-]+):((?:.*(?:\n[ \t].*)*))", stanza, re.MULTILINE)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        signed_by = fields.get("signed-by", "")
        found += [
            Source(uri, suite, tuple(fields.get("components", "").split()), signed_by if signed_by[:1] == "/" else "")
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def machine_sources(folder: Path = APT_FOLDER) -> list[Source]:
    """Return all sources that apt in *folder* is set up with."""
    files = sorted((folder / "sources.list.d").glob("*")) if (folder / "sources.list.d").is_dir() else []
    found: list[Source] = []
    for file in [folder / "sources.list", *files]:
        if file.suffix == ".sources":
            found += parse_deb822(file.read_text(encoding="utf-8"))
        elif file.suffix == ".list" and file.is_file():
            found += parse_list(file.read_text(encoding="utf-8"))
    return found


def debian_sources(folder: Path = APT_FOLDER, suite: str = SUITE) -> list[Source]:
    """Return where Debian's *suite* (and its updates and security) comes from, the suite itself first.

    This machine's mirrors of its own suite SUITE carry the others, too.

    Raises:
        LabError: apt here has no such source.
    """
    wanted = [
        source
        for source in machine_sources(folder)
        if source.suite in {SUITE, f"{SUITE}-updates", f"{SUITE}-security"} and "main" in source.components
    ]
    if not any(source.suite == SUITE for source in wanted):
        raise LabError(
            f"no source of Debian {SUITE} main in {folder}/sources.list and sources.list.d; the simulated servers are "
            f"made from it: add `deb <mirror> {SUITE} main` there and run apt-get update"
        )
    ordered = sorted(wanted, key=lambda source: len(source.suite))
    return [replace(source, suite=source.suite.replace(SUITE, suite, 1)) for source in ordered]


def debootstrap_arguments(
    packages: Sequence[str], target: Path, source: Source | None = None, foreign: str = ""
) -> list[str]:
    """Return the debootstrap call that makes a minimal root with *packages* in *target*.

    *source* is by default this machine's own suite, *foreign* the name of an architecture that is not this machine's.
    """
    source = source or debian_sources()[0]
    return [
        "debootstrap",
        "--variant=minbase",
        *([f"--arch={foreign}"] if foreign else []),
        f"--components={','.join(source.components)}",
        f"--include={','.join(packages)}",
        f"--keyring={source.signed_by or DEFAULT_KEYRING}",
        source.suite,
        str(target),
        source.uri,
    ]


class Downloader:
    """Fetches packages that a root lacks, with this machine's apt settings but apart from its own state."""

    def __init__(self, folder: Path, log: Path, sources: Sequence[Source] = (), foreign: str = "") -> None:
        self._folder = folder
        self._log = log
        self._sources = sources
        self._foreign = foreign
        self._lock = threading.Lock()
        self._updated = False

    def fetch(self, packages: Sequence[str], status: Path, target: Path) -> list[Path]:
        """Return *packages*, and whatever else a root with dpkg status file *status* needs for them, as files.

        They lie in *target*, which is there either whole or not at all.
        """
        if not target.is_dir():
            self._update()
            draft = target.with_name(target.name + ".partial")
            (draft / "partial").mkdir(parents=True, exist_ok=True)
            arguments = ["install", "--download-only", "--yes", "--no-install-recommends", *packages]
            run(["apt-get", *self._options(status, draft), *arguments], log=self._log)
            draft.rename(target)
        return sorted(target.glob("*.deb"))

    def _update(self) -> None:
        """Fetch the package lists, once."""
        with self._lock:
            if self._updated:
                return
            for name in ("state/lists/partial", "cache/archives/partial", "log"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
            sources = "".join(source.line() for source in self._sources or debian_sources())
            (self._folder / "sources.list").write_text(sources, encoding="utf-8")
            (self._folder / "status").touch()
            run(["apt-get", *self._options(self._folder / "status", None), "update"], log=self._log)
            self._updated = True

    def _options(self, status: Path, archives: Path | None) -> list[str]:
        settings: dict[str, object] = {
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State": self._folder / "state",
            "Dir::State::status": status,
            "Dir::Cache": self._folder / "cache",
            # Two downloads run side by side: nothing that both would write.
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Debug::NoLocking": "true",
            "Dir::Log": self._folder / "log",
            # Downloads run as root: the folder is not readable for apt's own account.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        if self._foreign:
            settings |= {"APT::Architecture": self._foreign, "APT::Architectures": self._foreign}
        if archives is not None:
            settings["Dir::Cache::archives"] = archives
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")] + ["-q"]


@cache
def architecture() -> str:
    """Return Debian's name of this machine's architecture, for example amd64."""
    return output(["dpkg", "--print-architecture"]).strip()

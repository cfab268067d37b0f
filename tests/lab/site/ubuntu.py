"""Ubuntu's archive: where this machine gets it from, and the key that it is signed with."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from tests.lab.site.archive import APT_FOLDER, Downloader, Source, debian_sources, machine_sources
from tests.lab.site.command import run
from tests.lab.site.errors import LabError
from tests.lab.site.layout import Layout

SETTING = "PROVISION_LAB_UBUNTU_MIRROR"
BOOTSTRAP_SCRIPTS = Path("/usr/share/debootstrap/scripts")
COMPONENTS = ("main", "universe")
KEYRING_SUITE = "trixie"
"""A suite of Debian that has the package with Ubuntu's keys, so that Debian's signature vouches for them."""
KEYRING_PACKAGE = "ubuntu-keyring"
KEYRING = Path("usr/share/keyrings/ubuntu-archive-keyring.gpg")
_KEYRING_LOCK = threading.Lock()


def mirror(suite: str, folder: Path = APT_FOLDER, scripts: Path = BOOTSTRAP_SCRIPTS) -> str:
    """Return the address of Ubuntu's archive: what SETTING names, else apt's here, else what debootstrap knows.

    Raises:
        LabError: none of the three knows one.
    """
    if os.environ.get(SETTING):
        return os.environ[SETTING]
    for source in machine_sources(folder):
        if source.uri.rstrip("/").endswith("/ubuntu") and source.suite == suite:
            return source.uri
    script = scripts / suite
    found = re.findall(r"^\s*default_mirror\s+(\S+)", script.read_text(), re.MULTILINE) if script.exists() else []
    # The script of a release that is still supported lists the archive of those that are not as well.
    current = [uri for uri in found if "old" not in uri and uri.endswith("/ubuntu")]
    if not current:
        raise LabError(
            f"no mirror of Ubuntu {suite} is known: neither {folder}/sources.list nor {script} names one; "
            f"set {SETTING} to its address, up to and with /ubuntu"
        )
    return current[0]


def sources(layout: Layout, suite: str) -> list[Source]:
    """Return where Ubuntu's *suite* (and its updates and security) comes from, the suite itself first."""
    uri, signed_by = mirror(suite), str(keyring(layout))
    return [Source(uri, f"{suite}{pocket}", COMPONENTS, signed_by) for pocket in ("", "-updates", "-security")]


def keyring(layout: Layout) -> Path:
    """Return the file with the keys of Ubuntu's archive; fetch it from Debian when it is missing."""
    if Path("/", KEYRING).exists():
        return Path("/", KEYRING)
    folder = layout.cache / "ubuntu-keyring"
    log = layout.logs / "ubuntu-keyring.log"
    with _KEYRING_LOCK:
        if not (folder / KEYRING).exists():
            downloads = Downloader(layout.cache / f"apt-{KEYRING_SUITE}", log, debian_sources(suite=KEYRING_SUITE))
            status = layout.cache / "empty-status"
            status.touch()
            packages = downloads.fetch([KEYRING_PACKAGE], status, layout.cache / "ubuntu-keyring-package")
            for package in packages:
                run(["dpkg-deb", "-x", package, folder], log=log)
    return folder / KEYRING

"""Where things live: the repository's own folders, the runs, and the folder of a site."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Final

from driver.errors import ProvisionError, SiteError

ROOT: Final = Path(__file__).resolve().parents[1]
CATALOG: Final = ROOT / "catalog"
TEMPLATES: Final = ROOT / "templates"
PLAYBOOKS: Final = ROOT / "playbooks"
INVENTORIES: Final = ROOT / "inventories"

SITE_FILE: Final = "site.yml"
LOCK_FILE: Final = "site.lock"


def runs_dir() -> Path:
    """Return the folder of all run artifacts: $PROVISION_RUNS, or runs/ of the repository."""
    return Path(os.environ.get("PROVISION_RUNS") or ROOT / "runs")


def known_sites(inventories: Path = INVENTORIES) -> list[str]:
    """Return the names of the sites below *inventories*."""
    return sorted(file.parent.name for file in inventories.glob(f"*/{SITE_FILE}"))


def site_dir(name_or_path: str | Path, inventories: Path = INVENTORIES) -> Path:
    """Return the absolute folder of a site.

    *name_or_path* is the name of a folder of *inventories*, a folder, or a site.yml. Raises SiteError that lists the
    known sites when nothing of that name has a site.yml.
    """
    text = str(name_or_path)
    if text and "/" not in text and text not in (".", "..") and (inventories / text / SITE_FILE).is_file():
        return inventories / text
    path = Path(text).expanduser()
    folder = path.parent if path.name == SITE_FILE else path
    if text and (folder / SITE_FILE).is_file():
        return Path(os.path.normpath(Path.cwd() / folder))
    known = known_sites(inventories)
    close = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"write one, or name one of: {', '.join(known) or '(none yet)'}"
    raise SiteError(
        f"{text or '(no name)'}: no site of this name; "
        f"expected a folder of {inventories}, or a path that holds {SITE_FILE}; {hint}"
    )


def shown(path: Path) -> str:
    """Return *path* as messages show it: relative to the repository where it lies inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def control_dir() -> Path:
    """Make and return the private folder of the SSH control sockets (the ControlPath of rendered/ssh_config).

    It lies in /tmp because a socket's path may have about 100 bytes only. Raises ProvisionError when the folder
    belongs to somebody else, who could then take over our connections.
    """
    folder = Path("/tmp") / f"provision-{os.getuid()}"  # noqa: S108 - owner and mode are checked below
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if folder.is_symlink() or state.st_uid != os.getuid():
        raise ProvisionError(
            f"{folder}: found a link, or an owner with uid {state.st_uid}; "
            f"expected a folder of uid {os.getuid()}; remove it and run again"
        )
    if state.st_mode & 0o077:
        folder.chmod(0o700)
    return folder

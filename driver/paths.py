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
    text = text.rstrip("/") or text  # the shell completes the name of a folder with a slash
    try:
        return _site_dir(text, inventories)
    except (OSError, RuntimeError, ValueError) as error:  # too long, no access, a home that does not exist
        reason = getattr(error, "strerror", None) or error
        raise SiteError(f"{text[:80]!r}: {reason}; expected the name or the path of a site that can be read") from error


def _site_dir(text: str, inventories: Path) -> Path:
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
        f"{text or '(no name)'}: {_nothing_there(text, folder, inventories)}; "
        f"expected a folder of {shown(inventories)}, or a path that holds {SITE_FILE}; {hint}"
    )


def _nothing_there(text: str, folder: Path, inventories: Path) -> str:
    """Return why *text* names no site."""
    places = [inventories / text, folder] if text else []
    if any((place / SITE_FILE).exists() for place in places):
        return f"its {SITE_FILE} is no file"
    if any(place.is_dir() for place in places):
        return f"a folder without {SITE_FILE}"
    return "a file that is no site" if any(place.exists() for place in places) else "no site of this name"


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

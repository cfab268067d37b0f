"""The enabled rpm sources of a host, and what its package manager leaves out when it installs or updates."""

from __future__ import annotations

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .items import Facts

FOLDER = "/etc/yum.repos.d"
SUFFIX = ".repo"
# The first one that exists is the one that the host's manager reads.
MAIN_FILES = ("/etc/dnf/dnf.conf", "/etc/yum.conf")
EXCLUDES = ("exclude", "excludepkgs")
_OFF = ("0", "no", "false", "off")


def sources(root: str = "") -> dict[str, list[Facts]]:
    """Return {file: [{id, uri, gpgcheck}]} of what dnf and yum read; disabled entries are left out."""
    found: dict[str, list[Facts]] = {}
    for name in files.names(root + FOLDER):
        if name.endswith(SUFFIX):
            entries = list(repositories(files.text(root + FOLDER + "/" + name) or ""))
            if entries:
                found["%s/%s" % (FOLDER, name)] = entries
    return found


def repositories(content: str) -> Iterator[Facts]:
    """Yield the enabled repositories in the text of a .repo file; one without any address is left out."""
    for section, values in sections(content):
        uri = values.get("baseurl") or values.get("mirrorlist") or values.get("metalink") or ""
        if section != "main" and uri and values.get("enabled", "1").lower() not in _OFF:
            signed = values.get("gpgcheck", "1").lower() not in _OFF
            yield {"id": section, "uri": uri, "gpgcheck": signed}


def sections(content: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield name and values of every section of an INI text; lines that begin with a blank continue the one above."""
    values: dict[str, str] = {}
    section, key = "", ""
    for line in content.splitlines():
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if line[0] in " \t" and key:
            values[key] += " " + text
        elif text[0] == "[" and "]" in text:
            if section:
                yield section, values
            section, values, key = text[1 : text.index("]")], {}, ""
        elif "=" in text:
            key = text.partition("=")[0].strip().lower()
            values[key] = text.partition("=")[2].strip()
    if section:
        yield section, values


def main_file(root: str = "") -> str | None:
    """Return the path of the manager's own settings, None where there are none."""
    return next((path for path in MAIN_FILES if files.kind(root + path) == "file"), None)


def excluded(root: str = "") -> list[str]:
    """Return the patterns of packages that the manager's settings leave out."""
    path = main_file(root)
    for section, values in sections((files.text(root + path) if path else None) or ""):
        if section == "main":
            return [word for key in EXCLUDES for word in values.get(key, "").replace(",", " ").split()]
    return []

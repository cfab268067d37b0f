"""The enabled apt sources of a host, both spellings: one line each, and deb822 stanzas."""

from __future__ import annotations

import re

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

FOLDERS = ("/etc/apt", "/etc/apt/sources.list.d")
SUFFIXES = (".list", ".sources")
_OPTIONS = re.compile(r"\[[^\]]*\]")


def sources(root: str = "") -> dict[str, list[Facts]]:
    """Return {file: [{uri, suite, components}]} of everything that apt reads; disabled entries are left out."""
    found: dict[str, list[Facts]] = {}
    lists = ["/etc/apt/sources.list"]
    folder = FOLDERS[1]
    lists += ["%s/%s" % (folder, name) for name in files.names(root + folder)]
    for path in lists:
        content = files.text(root + path) if path.endswith(SUFFIXES) else None
        if content is not None:
            entries = stanzas(content) if path.endswith(".sources") else lines(content)
            if entries:
                found[path] = entries
    return found


def lines(content: str) -> list[Facts]:
    """Return the binary sources of a sources.list file: deb [options] URI SUITE COMPONENT…"""
    found = []
    for line in content.splitlines():
        words = _OPTIONS.sub(" ", line.split("#", 1)[0]).split()
        if words[:1] == ["deb"] and len(words) > 2:
            found.append({"uri": words[1], "suite": words[2], "components": words[3:]})
    return found


def stanzas(content: str) -> list[Facts]:
    """Return the binary sources of a deb822 file, one for each pair of URI and suite."""
    found = []
    for stanza in re.split(r"\n\s*\n", content):
        fields = _fields(stanza)
        if fields.get("enabled", "yes").lower() in {"no", "false", "0"} or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                found.append({"uri": uri, "suite": suite, "components": fields.get("components", "").split()})
    return found


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in {" ", "\t"}:
            fields[name] = fields.get(name, "") + " " + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields

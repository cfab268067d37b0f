"""What daemon.json was like before provision wrote to it, key by key: so that every key can go back.

One file for all roles that write daemon.json. It has the file as it was found first (existed, text, mode), and for
every owner (a role) what each of its keys had been without it (`had`, absent when the key was) and what it `set`.
"""

from __future__ import annotations

import copy
import json
import os
import stat
from typing import Any, Dict

from ..state.docker import KEYS
from .atomic import put

Options = Dict[str, Any]


class Memory:
    """The memory in the file *path*; nothing is written before save()."""

    def __init__(self, path: str = KEYS) -> None:
        """Read *path*; an absent or broken file is an empty memory."""
        self.path = path
        try:
            with open(path, encoding="utf-8") as source:
                found = json.load(source)
            self.first: Dict[str, Any] = dict(found["first"])
            self.owners: Dict[str, Dict[str, Any]] = dict(found["owners"])
        except (OSError, ValueError, KeyError, TypeError):
            self.first, self.owners = {}, {}

    def save(self) -> None:
        """Write the memory, or remove its file when there is nothing left to remember."""
        if self.owners:
            put(self.path, json.dumps({"first": self.first, "owners": self.owners}, indent=1), 0o600)
        elif os.path.exists(self.path):
            os.unlink(self.path)

    def meet(self, path: str) -> None:
        """Remember the file *path* as it is, unless one is remembered already."""
        if self.first:
            return
        try:
            with open(path, encoding="utf-8") as source:
                text = source.read()
            mode = "%04o" % stat.S_IMODE(os.stat(path).st_mode)
            self.first = {"existed": True, "text": text, "mode": mode}
        except FileNotFoundError:
            self.first = {"existed": False, "text": "", "mode": "", "folder": os.path.isdir(os.path.dirname(path))}

    def without(self, owner: str, content: Options) -> Options:
        """Return *content* as it would be had *owner* never written to it: what others changed since stays."""
        result = copy.deepcopy(content)
        for key, entry in self.owners.get(owner, {}).items():
            if key in result:
                _undo(result, key, entry)
        return result

    def note(self, owner: str, before: Options, options: Options) -> None:
        """Remember that *owner* sets *options* over *before*, the content without it."""
        noted = {key: _entry(before, key, value) for key, value in options.items()}
        if noted:
            self.owners[owner] = noted
        else:
            self.owners.pop(owner, None)

    def mode(self) -> int:
        """Return the mode that the file had when it was found, 0 when it was not there or others could write it."""
        mode = int(self.first.get("mode") or "0", 8)
        return 0 if mode & 0o022 else mode

    def original(self, content: Options) -> str:
        """Return the text of the file as it was found, when *content* is what it says, else ""."""
        try:
            same = json.loads(self.first.get("text") or "{}") == content
        except ValueError:
            return ""
        return str(self.first.get("text") or "") if same else ""


def _entry(before: Options, key: str, value: Any) -> Dict[str, Any]:
    had = {"had": copy.deepcopy(before[key])} if key in before else {}
    return {"set": copy.deepcopy(value), **had}


def _undo(content: Options, key: str, entry: Dict[str, Any]) -> None:
    """Take what was set out of content[key]: members of lists and objects one by one, other values as a whole."""
    now, ours, had = content[key], entry["set"], entry.get("had")
    if isinstance(now, dict) and isinstance(ours, dict):
        before = had if isinstance(had, dict) else {}
        for name in [name for name in ours if name in now and now[name] == ours[name]]:
            if name in before:
                now[name] = copy.deepcopy(before[name])
            else:
                del now[name]
    elif isinstance(now, list) and isinstance(ours, list):
        before_list = had if isinstance(had, list) else []
        content[key] = [part for part in now if part not in ours or part in before_list]
    elif now == ours:
        content[key] = copy.deepcopy(had)
    if "had" not in entry and content[key] in ({}, [], None):
        del content[key]

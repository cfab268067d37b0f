"""Who may use the engine: lets accounts into its group, remembers whom, and takes out only those."""

from __future__ import annotations

import os
from typing import Callable, List, Tuple

from ..state import files
from ..state.docker import MEMBERS
from ..state.host import group_members
from .atomic import put
from .errors import RefusedError

Run = Callable[[List[str]], Tuple[int, str]]
GROUP = "docker"
NOT_A_MEMBER = 3


def remembered(path: str = MEMBERS) -> List[str]:
    """Return the accounts that were let in by us."""
    return (files.text(path) or "").split()


def converge(users: List[str], run: Run, check: bool, root: str = "") -> List[str]:
    """Let *users* in and take out those of ours that are not among them; return what was (to be) done, as words.

    Raises RefusedError.
    """
    members, ours = group_members(GROUP, root), remembered(root + MEMBERS)
    come = [name for name in users if name not in members]
    go = [name for name in ours if name not in users]
    done = ["add " + name for name in come] + ["delete " + name for name in go if name in members]
    if check:
        return done
    if come and not any(row.startswith(GROUP + ":") for row in (files.text(root + "/etc/group") or "").splitlines()):
        _must(run, ["groupadd", "--system", GROUP], (0,))
    # before they are in: a run that ends half-way knows whom to take out again
    let_in = list(dict.fromkeys(ours + come))
    _remember(root + MEMBERS, let_in, ours)
    for name in come:
        _must(run, ["gpasswd", "--add", name, GROUP], (0,))
    for name in go:
        _must(run, ["gpasswd", "--delete", name, GROUP], (0, NOT_A_MEMBER))
    _remember(root + MEMBERS, [name for name in let_in if name not in go], let_in)
    return done


def _must(run: Run, argv: List[str], codes: Tuple[int, ...]) -> None:
    code, output = run(argv)
    if code not in codes:
        raise RefusedError(
            f"{' '.join(argv)} ended with code {code}: {output.strip()}. The accounts come from site.yml: "
            f"docker.users; they have to exist on the host."
        )


def _remember(path: str, names: List[str], before: List[str]) -> None:
    if names:
        if names != before:
            put(path, "\n".join(names) + "\n", 0o600)
    elif os.path.exists(path):
        os.unlink(path)

"""The rendered inventories and commands of the shipped sites, kept; renewed by `python -m tests.golden.update`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from driver import commands, paths, render, resolve
from tests.golden.release import RELEASES, with_sums
from tests.lab import vendor

FOLDER = Path(__file__).resolve().parent
SITES = ("lab", "prod")


def tree(name: str) -> dict[str, str]:
    """Return every file of the golden tree of the site *name*, as it is now.

    The site is resolved from a copy without its site.lock, which depends on who pushed the image and when.
    """
    with TemporaryDirectory() as root:
        folder = Path(root) / "inventories" / name
        folder.mkdir(parents=True)
        shutil.copy(paths.INVENTORIES / name / paths.SITE_FILE, folder)
        site = resolve.load(folder)
        files = {f"rendered/{path}": text for path, text in render.documents(site).items()}
        for host, lines in commands.commands(site).items():
            files[f"commands/{host}.sh"] = "\n".join([*lines, ""])
        return {path: text.replace(root, "{ROOT}") for path, text in files.items()}


def kept(name: str) -> dict[str, str]:
    """Return the golden tree of the site *name* as it is in the repository."""
    folder = FOLDER / name
    return {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file()
    }


def update() -> int:
    """Write the sums of the lab's packages and the golden trees anew; return the number of files."""
    with TemporaryDirectory() as folder:
        built = {path.name: path for path in vendor.build(Path(folder))}
        for release in RELEASES:
            release.write_text(with_sums(release.read_text(encoding="utf-8"), built), encoding="utf-8")
    count = 1
    for name in SITES:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        for path, text in tree(name).items():
            target = FOLDER / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            count += 1
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{update()} files written; look at `git diff tests/golden`\n")

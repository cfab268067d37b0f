"""Which kernel the next boot starts, from the files of GRUB: its environment, its entries, its menu."""

from __future__ import annotations

import glob
import os
import re

from . import commands, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENTS = ("/boot/grub2/grubenv", "/boot/efi/EFI/*/grubenv", "/boot/grub/grubenv")
MENUS = ("/boot/grub2/grub.cfg", "/boot/efi/EFI/*/grub.cfg", "/boot/grub/grub.cfg")
ENTRIES = "/boot/loader/entries"
LINKS = ("/boot/vmlinuz", "/vmlinuz")
GRUBBY_SECONDS = 10.0
_MENU_ENTRY = re.compile(r"""^\s*menuentry\s+(?P<quote>['"])(?P<title>.*?)(?P=quote)""")
_LINUX = re.compile(r"^\s*linux(?:efi|16)?\s+\S*?vmlinuz-(?P<kernel>\S+)")


def next_kernel(root: str = "") -> str | None:
    """Return the kernel that the next boot starts, None when nothing here says so."""
    for path in _found(root, ENVIRONMENTS):
        saved = files.pairs(files.text(path))
        chosen = saved.get("next_entry") or saved.get("saved_entry") or ""
        kernel = _of_entry(root, chosen) or _of_menu(root, chosen) if chosen else None
        if kernel:
            return kernel
    for link in LINKS:
        target = os.path.basename(os.path.realpath(root + link))
        if target.startswith("vmlinuz-"):
            return target[len("vmlinuz-") :]
    return _of_grubby() if not root else None


def _found(root: str, patterns: tuple[str, ...]) -> list[str]:
    return [path for pattern in patterns for path in sorted(glob.glob(root + pattern))]


def _of_entry(root: str, name: str) -> str | None:
    """Return the kernel of the boot loader specification's entry *name*."""
    content = files.text("%s%s/%s.conf" % (root, ENTRIES, name)) if "/" not in name else None
    kernels = [match.group("kernel") for match in map(_LINUX.match, (content or "").splitlines()) if match]
    return kernels[0] if kernels else None


def _of_menu(root: str, chosen: str) -> str | None:
    """Return the kernel of the entry of GRUB's menu that has the title or the number *chosen*."""
    for path in _found(root, MENUS):
        entries = list(menu(files.text(path) or ""))
        title = chosen.rpartition(">")[2]  # a submenu's title stands in front
        for number, (name, kernel) in enumerate(entries):
            if title == name or (chosen.isdigit() and number == int(chosen)):
                return kernel
    return None


def menu(content: str) -> Iterator[tuple[str, str]]:
    """Yield title and kernel of every entry in the text of a grub.cfg that starts a kernel."""
    title = None
    for line in content.splitlines():
        entry = _MENU_ENTRY.match(line)
        kernel = _LINUX.match(line)
        if entry:
            title = entry.group("title")
        elif kernel and title is not None:
            yield title, kernel.group("kernel")
            title = None


def _of_grubby() -> str | None:
    """Ask grubby, where there is one: it also knows loaders whose files are elsewhere."""
    path = files.which("grubby")
    if path is None:
        return None
    code, output = commands.run([path, "--default-kernel"], GRUBBY_SECONDS)
    name = output.strip().rpartition("/")[2]
    return name[len("vmlinuz-") :] if code == 0 and name.startswith("vmlinuz-") else None

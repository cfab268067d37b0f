"""Programs of another architecture on this machine: an entry in the kernel's binfmt_misc, taken out at the end."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.site.command import output, run, tool
from tests.lab.site.errors import LabError

FOLDER = Path("/proc/sys/fs/binfmt_misc")
PREFIX = "provision-lab-"
NATIVE_PROGRAMS = {
    "iptables": ("usr/local/sbin/iptables", "usr/local/sbin/ip6tables"),
    "containerd-shim-runc-v2": ("usr/local/sbin/containerd-shim-runc-v2",),
    "runc": ("usr/local/lib/native/runc", "usr/local/sbin/runc"),
}
"""Programs of this machine -> where a root of another architecture has them, too."""
EMULATORS = {"arm64": "qemu-aarch64-static"}
"""Debian's name of an architecture -> the program that runs its programs."""
MAGIC = {
    # ELF, 64 bits, little endian, any ABI, executable or shared object, machine 183 (AArch64)
    "arm64": (
        r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
        r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff",
    ),
}


def ensure(architecture: str, log: Path) -> None:
    """Let this machine run programs of *architecture*, in every root: the kernel keeps the emulator open (flag F).

    Raises:
        LabError: nothing is known about the architecture.
        MissingToolError: the emulator is not installed.
    """
    if architecture not in EMULATORS:
        raise LabError(f"no emulator is known for {architecture}; there is one for {', '.join(EMULATORS)}")
    emulator = tool(EMULATORS[architecture])
    if not (FOLDER / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", FOLDER], log=log)
    if _answers(architecture):
        return
    magic, mask = MAGIC[architecture]
    # C: with the rights of the program, so that sudo works; P: it keeps its own first word; F: see above.
    (FOLDER / "register").write_text(f":{PREFIX}{architecture}:M::{magic}:{mask}:{emulator}:PCF", encoding="ascii")


def forget() -> None:
    """Take our entries out again; those of the machine's owner stay."""
    if FOLDER.is_dir():
        for entry in FOLDER.glob(f"{PREFIX}*"):
            entry.write_text("-1", encoding="ascii")


def _answers(architecture: str) -> bool:
    """Return whether an entry for *architecture* is there, ours or another one that works in every root."""
    ours = FOLDER / f"{PREFIX}{architecture}"
    theirs = FOLDER / EMULATORS[architecture].removesuffix("-static")
    return ours.exists() or (theirs.exists() and "F" in theirs.read_text(encoding="ascii").partition("flags:")[2])


def put_native_programs(root: Path) -> None:
    """Put this machine's own NATIVE_PROGRAMS into *root*, before the emulated ones in the PATH of services.

    They ask the kernel for what emulated programs cannot, and without them no Docker Engine starts a container.
    """
    for name, places in NATIVE_PROGRAMS.items():
        program = Path(tool(name)).resolve()
        for library in {Path(word) for word in output(["ldd", program]).split() if word.startswith("/")}:
            _copy(library, root)
            if library.name.startswith("libxtables"):
                extensions = library.resolve().parent / "xtables"
                shutil.copytree(extensions, root / extensions.relative_to("/"), dirs_exist_ok=True)
        for place in places:
            # The narrowed runtime stands at the place of runc where this machine needs one, and calls the other.
            if not (root / place).exists():
                (root / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(program, root / place)


def _copy(library: Path, root: Path) -> None:
    target = root / library.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(library, target)

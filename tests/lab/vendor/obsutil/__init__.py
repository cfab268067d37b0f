"""Stand-in for Huawei's client for object storage: `program/` in one executable file, in the vendor's archive."""

import io
import tarfile
import zipfile
from pathlib import Path

from tests.lab.vendor.packer import MTIME, fill, gzip_stored

PROGRAM = Path(__file__).parent / "program"


def file_name(spelling: str) -> str:
    """Return the archive's name; *spelling* is the vendor's name of the architecture, such as amd64."""
    return f"obsutil_linux_{spelling}.tar.gz"


def program(version: str, spelling: str) -> bytes:
    """Return the program: a line that names the interpreter, then a zip with the modules."""
    buffer = io.BytesIO(b"#!/usr/bin/env python3\n")
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as pack:
        for source in sorted(PROGRAM.glob("*.py")):
            text = fill(source.read_text(encoding="utf-8"), {"VERSION": version, "ARCH": spelling})
            entry = zipfile.ZipInfo(source.name, (2026, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            pack.writestr(entry, text)
    return buffer.getvalue()


def archive(version: str, spelling: str) -> bytes:
    """Return the vendor's archive: one folder with the program and the script that comes with it."""
    folder = f"obsutil_linux_{spelling}_{version}"
    setup = b"#!/bin/bash\n# Puts the folder of obsutil on PATH for this shell.\nexport PATH=$PATH:$(pwd)\n"
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in (("", None), ("/obsutil", program(version, spelling)), ("/setup.sh", setup)):
            entry = tarfile.TarInfo(folder + name)
            # No execute bit, and not root's name: a tar made on somebody's desk.
            entry.mtime, entry.uid, entry.gid = MTIME, 1001, 1001
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
    return gzip_stored(tar_bytes.getvalue())

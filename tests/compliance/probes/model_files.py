"""Runs on a host: is a model whole, and has it the files that somebody lists? Arguments: folder, list, deep or "".

Every file of the index has to be there, every safetensors file as long as its header says; what was fetched is in a
manifest, and each entry of it has to be there with its size. With deep the files of the list are read and hashed.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

INDEX = "model.safetensors.index.json"
MANIFEST = ".provision-manifest.json"


def fault(path):
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            if head.startswith(b"version "):
                return "a git-lfs pointer in place of the file"
            if len(head) < 8:
                return f"{size} bytes only"
            (length,) = struct.unpack("<Q", head)
            if length > min(size - 8, 100 << 20):
                return f"a header of {length} bytes in a file of {size}"
            header = json.loads(file.read(length).decode())
        end = max([value["data_offsets"][1] for key, value in header.items() if key != "__metadata__"] or [0])
        return None if 8 + length + end == size else f"expected {8 + length + end} bytes, found {size}"
    except (OSError, ValueError, KeyError, IndexError) as error:
        return f"{type(error).__name__}: {error}"


def shards(folder):
    if (folder / INDEX).exists():
        return sorted(set(json.loads((folder / INDEX).read_text())["weight_map"].values()))
    return sorted(path.name for path in folder.glob("*.safetensors"))


def manifest(folder):
    try:
        return json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return {}


def sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 22), b""):
            digest.update(block)
    return digest.hexdigest()


def unlike(folder, entry, deep):
    path = folder / entry["path"]
    size = path.stat().st_size if path.is_file() else None
    if size != entry["size"]:
        return "missing" if size is None else f"expected {entry['size']} bytes, found {size}"
    if deep and entry.get("sha256") and sha256(path) != entry["sha256"]:
        return f"its sha256 is not {entry['sha256']}"
    return None


def look(folder, listed, deep):
    bad = {}
    names = []
    try:
        names = shards(folder)
    except (OSError, ValueError, KeyError) as error:
        bad[INDEX] = f"{type(error).__name__}: {error}"
    if not (folder / "config.json").exists():
        bad["config.json"] = "missing"
    bad.update({name: why for name in names for why in [fault(folder / name)] if why})
    known = manifest(folder)
    entries = {entry["path"]: entry for entry in [*known.get("files", []), *listed]}
    bad.update({name: why for name, entry in entries.items() for why in [unlike(folder, entry, deep)] if why})
    sums = {entry["path"]: entry.get("sha256") for entry in known.get("files", [])}
    other = [entry["path"] for entry in listed if entry.get("sha256") not in (None, "", sums.get(entry["path"]))]
    begun = [path.name for path in folder.glob("*") if path.name == ".provision-parts" or path.name.endswith(".part")]
    origin = [known.get("repo"), known.get("revision")] if known else None
    return {"shards": len(names), "bad": bad, "origin": origin, "other": other, "begun": begun}


sys.stdout.write(json.dumps(look(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "deep")) + "\n")

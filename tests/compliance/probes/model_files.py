"""Runs on a host: is every file of a model's index there, and is every safetensors file as long as its header says?"""

import json
import struct
import sys
from pathlib import Path

INDEX = "model.safetensors.index.json"


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


def look(folder):
    bad = {}
    names = []
    try:
        names = shards(folder)
    except (OSError, ValueError, KeyError) as error:
        bad[INDEX] = f"{type(error).__name__}: {error}"
    if not (folder / "config.json").exists():
        bad["config.json"] = "missing"
    bad.update({name: why for name in names for why in [fault(folder / name)] if why})
    return {"shards": len(names), "bad": bad}


sys.stdout.write(json.dumps(look(Path(sys.argv[1]))) + "\n")

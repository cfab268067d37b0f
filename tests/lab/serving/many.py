"""A model of many shards for the hub: nobody serves it, it is there to be moved. Numbers that cannot be compressed.

Every byte follows from the recipe below, so its checksums are the same on every machine; `build` keeps what is there.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import struct
from pathlib import Path

from tests.lab.serving.model import COPIED, SOURCE

REPO = "provision-lab/wide-qwen2"
SHARDS = 48
ROWS, COLUMNS = 3072, 1024
"""Of the one weight in each shard, two bytes for a number."""
SEED = 20_261_120
KEPT = "tokenizer.json"


def build(out: Path, stamp: Path) -> Path:
    """Write the model below *out* unless *stamp* says that it is there; return its folder, `out/<owner>/<name>`."""
    target = out / REPO
    recipe = f"{SHARDS} {ROWS} {COLUMNS} {SEED}"
    if target.is_dir() and stamp.is_file() and stamp.read_text(encoding="ascii") == recipe:
        return target
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in (*COPIED, KEPT):
        shutil.copyfile(SOURCE / name, draft / name)
    places = {}
    for number in range(1, SHARDS + 1):
        weight = f"model.layers.{number - 1}.mlp.down_proj.weight"
        places[weight] = shard_name(number)
        write_shard(draft / shard_name(number), weight, SEED + number)
    index = {"metadata": {"total_size": SHARDS * ROWS * COLUMNS * 2}, "weight_map": places}
    (draft / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(recipe, encoding="ascii")
    return target


def shard_name(number: int) -> str:
    """Return the name of shard *number*, counted from 1."""
    return f"model-{number:05d}-of-{SHARDS:05d}.safetensors"


def write_shard(file: Path, weight: str, seed: int) -> str:
    """Write one safetensors file with one *weight* that follows from *seed*; return its sha256."""
    data = random.Random(seed).randbytes(ROWS * COLUMNS * 2)
    tensor = {"dtype": "BF16", "shape": [ROWS, COLUMNS], "data_offsets": [0, len(data)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, weight: tensor}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    content = struct.pack("<Q", len(header)) + header + data
    file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()

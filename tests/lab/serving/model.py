"""A Qwen2 of three megabytes that any engine loads: sharded, deterministic, written without torch.

The layers are random. Embedding and output head are random too, but paired: the head's row of a token is the embedding
of the token before it in one fixed sentence, and the layers add too little to change that. So the model answers with
the sentence, whatever it was asked: proof that the first and the last shard were loaded and that hosts which share the
vocabulary put it together. It says nothing about the shards between them; their sizes and sha256 have to.
"""

import json
import random
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

REPO = "provision-lab/tiny-qwen2"
SOURCE = Path(__file__).parent / "tiny_qwen2"
COPIED = ("config.json", "configuration.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja")
SHARDS = 4
SEED = 20_260_822
NOISE = 0.02  # standard deviation of the layers' weights; the embeddings have 1.0, so the sentence wins

Tensors = dict[str, tuple[list[int], bytes]]


def build_model(out: Path) -> Path:
    """Write the model below *out* and return its folder, `out/<owner>/<name>`; the same bytes every time."""
    target = out / REPO
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    words = _words()
    config = json.loads((SOURCE / "config.json").read_text(encoding="utf-8")) | {"vocab_size": len(words)}
    for name in COPIED:
        shutil.copyfile(SOURCE / name, draft / name)
    _write_json(draft / "config.json", config)
    _write_json(draft / "tokenizer.json", _tokenizer(words))
    _write_shards(draft, _tensors(config, words))
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return target


def answer() -> str:
    """Return the sentence that the model says."""
    return "".join(_vocabulary()["answer"])


def _vocabulary() -> dict[str, list[str]]:
    """Return the words by kind: special, answer (in order), common."""
    kinds: dict[str, list[str]] = json.loads((SOURCE / "vocabulary.json").read_text(encoding="utf-8"))
    return kinds


def _byte_letters() -> list[str]:
    """Return the printable letter that byte-level BPE writes for each of the 256 bytes (GPT-2's table)."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


def _spell(word: str) -> str:
    """Return *word* in the letters of byte-level BPE."""
    letters = _byte_letters()
    return "".join(letters[byte] for byte in word.encode())


def _words() -> list[str]:
    """Return the vocabulary in order of id: bytes, special tokens, then every beginning of every word."""
    kinds = _vocabulary()
    words = dict.fromkeys([*_byte_letters(), *kinds["special"]])
    for word in map(_spell, kinds["answer"] + kinds["common"]):
        words.update(dict.fromkeys(word[:end] for end in range(2, len(word) + 1)))
    return list(words)


def _tokenizer(words: list[str]) -> dict[str, object]:
    """Return tokenizer.json: a word's merges are its beginnings, so it is read as one token."""
    skeleton: dict[str, object] = json.loads((SOURCE / "tokenizer.json").read_text(encoding="utf-8"))
    special = _vocabulary()["special"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": words.index(word), "content": word, **flags} for word in special]
    merges = [[word[:-1], word[-1]] for word in words if len(word) > 1 and word not in special]
    model = skeleton["model"]
    assert isinstance(model, dict)
    return skeleton | {
        "added_tokens": added,
        "model": model | {"vocab": {word: number for number, word in enumerate(words)}, "merges": merges},
    }


def _tensors(config: dict[str, int], words: list[str]) -> Tensors:
    """Return every weight as (shape, bfloat16 little endian), in the order in which they are sharded."""
    hidden, vocabulary = config["hidden_size"], len(words)
    rng = random.Random(SEED)  # reproducible weights are the point
    embedding = _normal(rng, vocabulary * hidden, 1.0)
    tensors: Tensors = {"model.embed_tokens.weight": ([vocabulary, hidden], embedding)}
    for layer in range(config["num_hidden_layers"]):
        for name, shape in _layer_shapes(config):
            size = shape[0] * (shape[1] if len(shape) > 1 else 1)
            weight = _ones(size) if name.endswith("norm.weight") else _normal(rng, size, NOISE)
            tensors[f"model.layers.{layer}.{name}"] = (shape, weight)
    tensors["model.norm.weight"] = ([hidden], _ones(hidden))
    tensors["lm_head.weight"] = ([vocabulary, hidden], _head(embedding, words, hidden))
    return tensors


def _layer_shapes(config: dict[str, int]) -> list[tuple[str, list[int]]]:
    """Return name and shape of each weight of one decoder layer."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    keys = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    projections = (("q", hidden), ("k", keys), ("v", keys))
    return [
        ("input_layernorm.weight", [hidden]),
        ("post_attention_layernorm.weight", [hidden]),
        *((f"self_attn.{name}_proj.bias", [size]) for name, size in projections),
        *((f"self_attn.{name}_proj.weight", [size, hidden]) for name, size in projections),
        ("self_attn.o_proj.weight", [hidden, hidden]),
        ("mlp.gate_proj.weight", [inner, hidden]),
        ("mlp.up_proj.weight", [inner, hidden]),
        ("mlp.down_proj.weight", [hidden, inner]),
    ]


def _head(embedding: bytes, words: list[str], hidden: int) -> bytes:
    """Return the output head that says the sentence: the row of a token holds what comes before it.

    The first word follows everything that is not in the sentence, and that is most of the vocabulary: its row is
    the sum of those embeddings, which would be huge, so it is the embedding of the newline, which ends every
    prompt that the chat template writes. The token of the end of a turn follows the last word.
    """
    chain = [words.index(_spell(word)) for word in _vocabulary()["answer"]]
    before = dict(zip([*chain, words.index("<|im_end|>")], [words.index(_spell("\n")), *chain], strict=True))
    row = hidden * 2  # bytes
    rows = (before.get(token) for token in range(len(words)))
    return b"".join(bytes(row) if at is None else embedding[at * row : (at + 1) * row] for at in rows)


def _bfloat16(value: float) -> bytes:
    """Return *value* as bfloat16, little endian: the upper half of a float32."""
    return struct.pack("<f", value)[2:]


def _ones(count: int) -> bytes:
    return _bfloat16(1.0) * count


def _normal(rng: random.Random, count: int, deviation: float) -> bytes:
    """Return *count* bfloat16 numbers drawn from 256 samples of a normal distribution, which is fast and enough."""
    samples = [_bfloat16(rng.gauss(0.0, deviation)) for _ in range(256)]
    drawn = rng.randbytes(count)
    numbers = bytearray(2 * count)
    numbers[0::2] = drawn.translate(bytes(sample[0] for sample in samples))
    numbers[1::2] = drawn.translate(bytes(sample[1] for sample in samples))
    return bytes(numbers)


def _write_shards(folder: Path, tensors: Tensors) -> None:
    """Write the safetensors files, of about equal size, and the index that says which file holds what."""
    total = sum(len(data) for _, data in tensors.values())
    places: dict[str, str] = {}
    for number, names in enumerate(_split(tensors, total), start=1):
        file = f"model-{number:05d}-of-{SHARDS:05d}.safetensors"
        (folder / file).write_bytes(_safetensors({name: tensors[name] for name in names}))
        places.update(dict.fromkeys(names, file))
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    _write_json(folder / "model.safetensors.index.json", index)


def _split(tensors: Tensors, total: int) -> Iterator[list[str]]:
    """Yield the names for each shard: whole tensors, in order, cut where a share of *total* bytes is full."""
    names: list[str] = []
    seen, shares = 0, 1
    for name, (_, data) in tensors.items():
        names.append(name)
        seen += len(data)
        if seen >= total * shares / SHARDS:
            yield names
            names, shares = [], shares + 1


def _safetensors(tensors: Tensors) -> bytes:
    """Return one safetensors file: length of the header, header padded to 8 bytes, data."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values())


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

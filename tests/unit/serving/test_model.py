"""The tiny model: the same bytes every time, whole, and built so that it says its sentence."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.lab.serving.model import REPO, answer, build_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("models"))


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def tensors(folder: Path) -> dict[str, tuple[list[int], bytes]]:
    """Return every tensor of every shard as (shape, bytes)."""
    found = {}
    for file in folder.glob("*.safetensors"):
        content = file.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__")
        data = content[8 + length :]
        assert max(entry["data_offsets"][1] for entry in header.values()) == len(data), file
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            found[name] = (entry["shape"], data[start:end])
    return found


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_two_builds_are_equal(model: Path, tmp_path: Path) -> None:
    assert model.parts[-2:] == tuple(REPO.split("/"))
    assert hashes(build_model(tmp_path)) == hashes(model)


def test_a_second_build_replaces_a_damaged_one(tmp_path: Path) -> None:
    first = build_model(tmp_path)
    wanted = hashes(first)
    (first / "model-00002-of-00004.safetensors").write_bytes(b"cut")
    assert hashes(build_model(tmp_path)) == wanted
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_the_index_names_every_tensor_of_several_shards(model: Path) -> None:
    index = read(model, "model.safetensors.index.json")
    found = tensors(model)
    assert set(index["weight_map"]) == set(found)
    assert set(index["weight_map"].values()) == {file.name for file in model.glob("*.safetensors")}
    assert len(set(index["weight_map"].values())) > 2
    assert index["metadata"]["total_size"] == sum(len(data) for _, data in found.values())


def test_shapes_fit_the_configuration(model: Path) -> None:
    config = read(model, "config.json")
    assert config["num_attention_heads"] % 2 == config["num_key_value_heads"] % 2 == 0, "two hosts share the heads"
    assert config["hidden_size"] // config["num_attention_heads"] == 64, "vLLM's CPU attention refuses 16"
    for name, (shape, data) in tensors(model).items():
        size = shape[0] * (shape[1] if len(shape) == 2 else 1)
        assert len(data) == 2 * size, name
    assert tensors(model)["lm_head.weight"][0] == [config["vocab_size"], config["hidden_size"]]


def test_every_merge_makes_a_word_of_the_vocabulary(model: Path) -> None:
    tokenizer = read(model, "tokenizer.json")
    vocabulary = tokenizer["model"]["vocab"]
    assert sorted(vocabulary.values()) == list(range(read(model, "config.json")["vocab_size"]))
    for left, right in tokenizer["model"]["merges"]:
        assert {left, right, left + right} <= vocabulary.keys()
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    assert special["<|im_end|>"] in read(model, "generation_config.json")["eos_token_id"]


def test_the_output_head_leads_from_a_newline_through_the_sentence_to_the_end(model: Path) -> None:
    vocabulary = read(model, "tokenizer.json")["model"]["vocab"]
    words = {number: word for word, number in vocabulary.items()}
    found = tensors(model)
    row = 2 * found["lm_head.weight"][0][1]
    cut = {
        name: [data[at : at + row] for at in range(0, len(data), row)]
        for name, (_, data) in found.items()
        if name in ("lm_head.weight", "model.embed_tokens.weight")
    }
    token, said = vocabulary["Ċ"], []
    while token != vocabulary["<|im_end|>"]:
        token = cut["lm_head.weight"].index(cut["model.embed_tokens.weight"][token])
        said.append(words[token].replace("Ġ", " "))
    assert "".join(said[:-1]) == answer()

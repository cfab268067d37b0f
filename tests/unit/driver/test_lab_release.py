"""The release of the lab states what the lab builds."""

from __future__ import annotations

from pathlib import Path

from driver import catalog
from tests.golden.release import RELEASES, with_sums
from tests.lab import vendor
from tests.lab.serving import build_model, hub


def test_sums_are_those_of_the_packages(tmp_path: Path) -> None:
    built = {path.name: path for path in vendor.build(tmp_path)}
    texts = {release.name: release.read_text(encoding="utf-8") for release in RELEASES}
    assert {name: text.count("sha256:") for name, text in texts.items()} == {
        "lab-24.yml": 10,
        "lab-signed.yml": 4,
        "lab.yml": 19,
    }
    for text in texts.values():
        assert with_sums(text, built) == text, "the stand-ins have changed: python -m tests.golden.update"


def test_the_model_is_pinned_to_the_commit_that_the_hub_serves(tmp_path: Path) -> None:
    model = catalog.load().models["lab-tiny-qwen2"]
    build_model(tmp_path)
    store = hub.Store(tmp_path)
    assert model.sources.names == ["modelscope", "huggingface"]
    for name in model.sources.names:
        source = model.sources.get(name)
        assert source is not None
        repository = store.get(source.repo)
        assert repository is not None
        assert source.revision == repository.commit

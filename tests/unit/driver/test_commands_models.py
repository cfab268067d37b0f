"""The commands that bring a model by hand, for every source."""

from __future__ import annotations

from typing import Any

import pytest

from driver import commands_models
from driver.resolved import HostModel
from driver.site_models import SOURCES

COMMIT = "b" * 40


def lines(source: str, repo: str, **changed: Any) -> list[str]:
    given = {"name": "m", "path": "/data/m x", "endpoint": "", "size_bytes": 0, "fetch": "node1", "shared": False}
    given |= {"image": "i:1", "revision": COMMIT, "source": source, "repo": repo}
    return commands_models.model(HostModel.model_validate(given | changed))[2:]


@pytest.mark.parametrize(
    ("source", "repo", "said"),
    [
        ("modelscope", "a/b", f"i:1 modelscope download --model a/b --revision {COMMIT} --local_dir /model"),
        ("huggingface", "a/b", f"i:1 hf download a/b --revision {COMMIT} --local-dir /model"),
        ("obs", "models/a/b", "obsutil cp obs://models/a/b/ '/data/m x' -r -f -flat -u -vlength -vmd5"),
        ("git", "https://x/a.git", "GIT_LFS_SKIP_SMUDGE=1 git clone https://x/a.git '/data/m x'"),
        ("http", "http://x/a", "# each file of http://x/a/manifest.json"),
        ("path", "/mnt/a", "cp --recursive --no-target-directory /mnt/a '/data/m x'"),
        ("openmind", "a/b", "from openmind_hub import snapshot_download"),
    ],
)
def test_the_client_of_the_source(source: str, repo: str, said: str) -> None:
    assert any(said in line for line in lines(source, repo)), lines(source, repo)


def test_every_source_has_its_commands() -> None:
    assert set(commands_models._WAYS) == set(SOURCES)


def test_a_file_of_a_web_server_is_continued() -> None:
    (line,) = lines("http", "http://x/a", files=[{"path": "n/a b", "size": 1, "sha256": "a" * 64}])
    assert line == "curl --fail --location --continue-at - --create-dirs --output '/data/m x/n/a b' http://x/a/n/a%20b"


def test_of_shared_storage_one_host_writes() -> None:
    given = {"name": "m", "path": "/data/m", "endpoint": "", "size_bytes": 0, "fetch": "node1", "shared": True}
    given |= {"image": "i:1", "revision": "", "source": "path", "repo": "/mnt/a"}
    assert "on one host" in commands_models.model(HostModel.model_validate(given))[0]

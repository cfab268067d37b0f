"""The play of the models on three hosts, as namespaces: who asks the source, who gets it from whom, what stays."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAMES = ["n1", "n2", "n3"]
SPACES = [*([] if os.geteuid() == 0 else ["-U", "-r"]), "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc"]


def weights(letter: bytes) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [200000], "data_offsets": [0, 200000]}}).encode()
    return struct.pack("<Q", len(header)) + header + letter * 200000


CONTENT = {
    "config.json": b"{}",
    "tokenizer.json": b"[]",
    "a.safetensors": weights(b"a"),
    "b.safetensors": weights(b"b"),
}


class Site:
    """Three hosts that want one model of a web folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "hub/o/tiny"
        self.source.mkdir(parents=True)
        for name, data in CONTENT.items():
            (self.source / name).write_bytes(data)
        rows = CONTENT.items()
        files = [{"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in rows]
        (self.source / "manifest.json").write_text(json.dumps({"files": files}))

    def inventory(self, **changes: Any) -> str:
        """Write the inventory and return its path."""
        url = "http://10.199.0.1:8099/files/o/tiny"
        model = {
            "name": "tiny", "path": "/data/tiny", "source": "http", "repo": url, "revision": "", "endpoint": "",
            "image": "", "size_bytes": 0, "fetch": "n1", "shared": False, "from": "", "files": [], **changes,
        }  # fmt: skip
        members = [{"host": name, "address": f"10.199.0.1{name[1]}"} for name in NAMES]
        moves = {"enabled": True, "port": 7790, "rate_limit_mbit": 0, "encrypt": False, "members": members}
        role = {"models": [model], "moves": moves}
        place = self.folder / "inventory"
        (place / "wanted").mkdir(parents=True, exist_ok=True)
        hosts = {}
        for name in NAMES:
            hosts[name] = {f"model_store_{key}": value for key, value in role.items()}
            hosts[name] |= {"ansible_connection": "local", "ansible_become": False}
            hosts[name]["ansible_python_interpreter"] = str(self.folder / f"python-{name}")
            wanted = {"schema": 1, "host": name, "roles": ["model_store"], "model_store": role}
            (place / f"wanted/{name}.json").write_text(json.dumps(wanted))
        group = {"model_store": {"hosts": {name: {} for name in NAMES}}}
        (place / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "children": group}}))
        return str(place)

    def play(self, *words: str, hub: bool = True, book: str = "site", **changes: Any) -> str:
        """Play it in a world of its own and return what Ansible said."""
        ansible = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", self.inventory(**changes)]
        command = [*ansible, f"playbooks/{book}.yml", "--tags", "model_store", *words]
        root = str(self.folder / "hub") if hub else "-"
        spaces = [sys.executable, str(Path(__file__).with_name("spaces.py")), str(self.folder), str(len(NAMES)), root]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["unshare", *SPACES, *spaces, *command],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    def model(self, name: str) -> Path:
        return self.folder / name / "data/tiny"

    def assert_whole(self) -> None:
        for name in NAMES:
            folder = self.model(name)
            assert {path.name for path in folder.iterdir()} - set(CONTENT) == {
                ".provision-manifest.json",
                ".provision-lock",
            }
            assert {part: (folder / part).read_bytes() for part in CONTENT} == CONTENT
            assert not (self.folder / name / "run/move").exists()


def brought(said: str) -> dict[str, int | None]:
    """Return by host how many bytes came from other hosts; None is from the source.

    From which one is for the unit tests to say: on a busy machine the one before may still be starting.
    """
    found: dict[str, int | None] = {}
    for name, text in re.findall(r"^(\w+) \| CHANGED => (\{.*?^\})", said, re.MULTILINE | re.DOTALL):
        for entry in json.loads(text).get("fetched", []):
            found[name] = sum(entry["from"].values()) if "from" in entry else None
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


WHOLE = sum(map(len, CONTENT.values()))


def test_one_host_asks_the_source_and_the_others_get_it_in_line(site: Site) -> None:
    assert brought(site.play()) == {"n1": None, "n2": WHOLE, "n3": WHOLE}
    site.assert_whole()
    # two lose something: nobody asks the source, which is not even there
    shutil.rmtree(site.model("n2"))
    (site.model("n3") / "a.safetensors").unlink()
    found = brought(site.play(hub=False))
    assert found == {"n2": WHOLE, "n3": len(CONTENT["a.safetensors"])}
    site.assert_whole()


def test_without_checksums_and_with_one_fork_the_last_host_may_fetch(site: Site) -> None:
    share = site.folder / "n3/data/share"
    shutil.copytree(site.source, share, ignore=shutil.ignore_patterns("manifest.json"))
    found = brought(site.play("--forks", "1", hub=False, source="path", repo="/data/share", fetch="n3"))
    assert found == {"n3": None, "n1": WHOLE, "n2": WHOLE}
    site.assert_whole()


def test_only_models_that_provision_brought_are_removed_and_shared_ones_only_from_all_hosts(site: Site) -> None:
    own, other = site.model("n1"), site.model("n2")
    for folder in (own, other):
        shutil.copytree(site.source, folder)
    (own / ".provision-manifest.json").write_text("{}")
    site.play("-e", "purge_models=true", "--limit", "n1", hub=False, book="teardown", shared=True)
    assert own.is_dir()
    site.play("-e", "purge_models=true", hub=False, book="teardown", shared=True)
    assert not own.exists()
    assert {path.name for path in other.iterdir()} == {*CONTENT, "manifest.json"}

"""The role brings an archive once, passes it on along the line, and ends what it started, also outside the play."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("container_image_archive", "container_image_present", "move_files", "move_stopped")
NAME = "hub/x:v1"
MEMBERS = [{"host": f"node{number}", "address": f"192.0.2.{number}"} for number in (1, 2, 3, 4)]
SECRET, PASSWORD = "what-members-show", "what-opens-a-registry"


def inventory() -> dict[str, Any]:
    archive = {"name": NAME, "url": "http://x/y", "sha256": "aa", "size_bytes": 5}
    image = {"name": NAME, "digest": "", "sources": [], "architecture": "amd64", "size_bytes": 0, "archive": archive}
    image |= {"fetch": "node4", "members": MEMBERS[:3]}
    moves = {"enabled": True, "port": 7790, "rate_limit_mbit": 0, "encrypt": False, "members": MEMBERS}
    wanted = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "host_state": {"drift": {"container_image": [{"what": "image", "detail": {"name": NAME}}]}},
        "container_image_images": [image],
        "container_image_moves": moves,
        "container_image_move_secret": SECRET,
        "container_image_registries": [{"host": "h", "user": "u"}],
        "container_image_passwords": {"h": "{{ lookup('ansible.builtin.env', 'WORD') }}"},
    }
    hosts: dict[str, Any] = {f"node{number}": {} for number in (1, 2, 3)}
    return {"all": {"children": {"container_image": {"hosts": hosts}}, "hosts": {"node4": {}}, "vars": wanted}}


def played(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    for name in MODULES:
        shutil.copy(Path(__file__).with_name("recorder.py"), folder / f"{name}.py")
    play = [{"hosts": "container_image", "gather_facts": False, "roles": ["container_image"]}]
    (folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory()), encoding="utf-8")
    record = folder / "record"
    given = {"RECORD": str(record), "WORD": PASSWORD, "ANSIBLE_LIBRARY": str(folder)}
    given |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "False"}
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [program, "-v", "-i", folder / "hosts.yml", folder / "play.yml", "--limit", "node2,node3"]
    done = subprocess.run(argv, env=os.environ | given, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout, [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def test_an_archive_goes_its_way(tmp_path: Path) -> None:
    said, calls = played(tmp_path)
    assert SECRET not in said
    assert PASSWORD not in said
    order = list(dict.fromkeys(call["module"] for call in calls))
    assert order == ["container_image_archive", "move_files", "move_stopped", "container_image_present"]
    moves = [call["given"] for call in calls if call["module"] == "move_files"]
    assert all(move["secret"] == SECRET and len(move["members"]) == 4 for move in moves)
    held = [move for move in moves if move["sets"][0]["mode"] == "hold"]
    assert {move["name"] for move in held} == {"node4"}
    lines = {move["name"]: [one["name"] for one in move["upstreams"]] for move in moves if move not in held}
    assert lines == {"node2": ["node4"], "node3": ["node2", "node4"]}
    assert [call["module"] for call in calls].count("move_stopped") == 3, "two that play, and the one that fetched"
    (first, _) = [call["given"] for call in calls if call["module"] == "container_image_present"]
    assert first["archives"] == {NAME: "/var/cache/provision/images/aa/image.tar"}
    assert first["passwords"] == {"h": PASSWORD}
    removed = [call["given"] for call in calls if call["given"].get("state") == "absent"]
    assert len(removed) == 3

"""A site of four plain hosts that only pass files on: what the tests of moves write, run, break and look at."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.serving import many
from tests.lab.site import machines
from tests.lab.site.layout import SERVICES_ADDRESS, Node
from tests.lab.site.probes import wait_for_ssh
from tests.situations import places

from .site import MINUTE, ROOT, inside

HUB = f"http://{SERVICES_ADDRESS}:8080"
REPO = "provision-lab/moving"
PATH = "/data/models/wide-qwen2"
HOSTS = ("node1", "node2", "node3", "node4")
MODEL = {
    "model": "lab-wide-qwen2", "path": PATH, "source": "http", "from": f"{HUB}/files/{REPO}", "hosts": list(HOSTS),
}  # fmt: skip
SHARDS = 24
"""Enough to be caught in the middle, and no more than two cores like to hash for four hosts."""


@dataclass(slots=True)
class Source:
    """The folder on the hub that the hosts' model comes from: *sums* by file, *size* of all together."""

    folder: Path
    sums: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the bytes of the model."""
        return sum((self.folder / name).stat().st_size for name in self.sums)

    def fill(self, wide: Path) -> None:
        """Link what is not a shard and the first SHARDS of the model in *wide*, and write the manifest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shards = [many.shard_name(number) for number in range(1, SHARDS + 1)]
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", *shards):
            (self.folder / name).unlink(missing_ok=True)
            (self.folder / name).hardlink_to(wide / name)
        index = json.loads((wide / "model.safetensors.index.json").read_text(encoding="utf-8"))
        index["weight_map"] = {weight: name for weight, name in index["weight_map"].items() if name in shards}
        (self.folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
        self.note()

    def note(self) -> None:
        """Write the manifest of what is there."""
        files = sorted(path for path in self.folder.iterdir() if path.name != "manifest.json")
        self.sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        listed = [{"path": path.name, "size": path.stat().st_size, "sha256": self.sums[path.name]} for path in files]
        text = json.dumps({"schema": 1, "files": listed})
        (self.folder / "manifest.json").write_text(text, encoding="utf-8")

    def renew(self, number: int) -> int:
        """Give shard *number* another content; return its size."""
        file = self.folder / many.shard_name(number)
        file.unlink()  # the other name of these bytes belongs to the lab's own model
        weight = f"model.layers.{number - 1}.mlp.down_proj.weight"
        many.write_shard(file, weight, time.monotonic_ns())
        self.note()
        return file.stat().st_size


@dataclass(slots=True)
class Moving:
    """The site in *folder*, and the hub's counters and switches."""

    folder: Path
    source: Source

    def write(self, **changes: Any) -> None:
        """Write the site file: four hosts, one model, nothing served; *changes* are put over it."""
        document = places.lab_site()
        pattern = document["hosts"][0]
        hosts = [
            {**pattern, "name": name, "address": str(Node(index).address)} for index, name in enumerate(HOSTS, start=1)
        ]
        site = {**document, "site": "moving", "hosts": hosts, "models": [MODEL], "services": [], "images": []}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "site.yml").write_text(yaml.safe_dump({**site, **changes}, sort_keys=False), encoding="utf-8")

    def forget_lock(self) -> None:
        """Let the next run ask the source anew."""
        (self.folder / "site.lock").unlink(missing_ok=True)

    def words(self, *words: str) -> list[str]:
        """Return the call of the product for this site."""
        return [sys.executable, "-m", "driver", "--inventory", str(self.folder), *words]

    def run(
        self, *words: str, code: int = 0, environment: Mapping[str, str] | None = None, seconds: float = 10 * MINUTE
    ) -> str:
        """Run a verb; its exit code has to be *code*. Return what it printed."""
        done = subprocess.run(
            self.words(*words),
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{words}: exit code {done.returncode}, expected {code}\n{output[-9000:]}"
        return output

    def up(self, *words: str, **settings: Any) -> str:
        """Bring the models to the hosts."""
        return self.run("up", "--yes", "--tags", "model_store", *words, **settings)

    def started(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """Begin to bring the models to the hosts; the output goes to *log*."""
        with log.open("wb") as out:
            return subprocess.Popen(
                self.words("up", "--yes", "--tags", "model_store", *words),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def on(self, host: str, command: str, *, check: bool = True) -> str:
        """Run a shell line as root on *host* and return its output."""
        return inside(host, command, check=check)

    def remove(self, *hosts: str) -> None:
        """Take the model away from *hosts*, with whatever an earlier run has left there."""
        for host in hosts:
            self.on(host, f"systemctl stop provision-move.service 2>/dev/null; rm -rf {shlex.quote(PATH)}", check=False)

    def require_whole(self, *hosts: str) -> None:
        """Compare every file of the model on *hosts* with the source, byte by byte."""
        expected = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(self.source.sums.items()))
        for host in hosts:
            names = " ".join(sorted(self.source.sums))
            assert self.on(host, f"cd {PATH} && sha256sum {names}") == expected.strip(), host
            left = self.on(host, f"find {PATH} -name '*.part' -o -name .provision-parts")
            assert left == "", f"{host}: {left}"

    def arrived(self, host: str) -> int:
        """Return how many shards *host* has under their final names."""
        return int(self.on(host, f"ls {PATH} 2>/dev/null | grep -c 'safetensors$'", check=False) or 0)

    def wait(self, what: str, look: Callable[[], bool], running: subprocess.Popen[bytes], log: Path) -> None:
        """Wait until *look* says so; it is a fault when the run ends before."""
        limit = time.monotonic() + 5 * MINUTE
        while not look():
            text = log.read_text(encoding="utf-8", errors="replace")[-4000:]
            assert running.poll() is None, f"the run ended before {what}\n{text}"
            assert time.monotonic() < limit, f"not seen: {what}\n{text}"
            time.sleep(0.1)

    def faults(self, **switches: Any) -> None:
        """Let the hub behave badly, or well again without *switches*."""
        _control("PUT", switches)

    def sent(self) -> int:
        """Return how many bytes of content have left the hub."""
        return sum(_control("GET")["sent"].values())

    def kill(self, host: str) -> None:
        """Take the power away from *host*."""
        _, found = places.lab()
        found.client.containers.get(f"provision-lab-{host}").kill()

    def boot(self, host: str) -> None:
        """Switch *host* on again, and wait until it lets the operator in."""
        layout, found = places.lab()
        node = Node(HOSTS.index(host) + 1)
        container = machines.find(found, node.container)
        assert container is not None
        container.start()
        wait_for_ssh(layout, node, found.url)


def _control(method: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps(content).encode() if content is not None else None
    request = urllib.request.Request(f"{HUB}/.faults", data=body, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        document: dict[str, Any] = json.load(answer)
    return document

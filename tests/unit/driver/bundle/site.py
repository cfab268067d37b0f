"""A small site whose every source is on loopback, and the command line on it."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from driver import cli
from tests.unit.driver.bundle.web import Web, serving
from tests.unit.images import servers
from tests.unit.images.parts import Image

IMAGE = "quay.io/ascend/vllm-ascend:v0.11.0"
PACKAGES = {
    "Ascend-hdk-910b-npu-driver_25.3.rc1_linux-aarch64.run": b"driver" * 400_000,
    "Ascend-hdk-910b-npu-firmware_7.8.0.2.212.run": b"firmware" * 1000,
    "Ascend-docker-runtime_6.0.0_linux-aarch64.run": b"runtime" * 1000,
}
SHARDS = {"config.json": b"{}\n", "model.safetensors": bytes(range(256)) * 8000}
# the tool's own Python packages come from an index, which these tests do not ask
LAUNCH = (
    "import signal, sys",
    "signal.signal(signal.SIGINT, signal.default_int_handler)",  # children of background jobs ignore it
    "from driver.bundle import wanted",
    "wanted.pins = lambda: ()",
    "from driver.cli import main",
)
ALONE = "\n".join((*LAUNCH, "sys.exit(main())"))


@dataclass
class Small:
    """The site in *folder*; *web* has its packages and its model, *registry* its image."""

    folder: Path
    web: Web
    registry: str
    document: dict[str, Any] = field(default_factory=dict)

    def write(self, **changed: Any) -> None:
        """Write site.yml with some keys changed."""
        self.document |= changed
        (self.folder / "site.yml").write_text(yaml.safe_dump(self.document), encoding="utf-8")

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-c", ALONE, "--inventory", str(self.folder), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(["--inventory", str(self.folder), *words])
        return subprocess.CompletedProcess([*words], code, out.getvalue(), err.getvalue())

    def build(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("bundle", "build", "--bundle", str(self.folder / "bundle"), *words)

    def answer(self, *words: str) -> Any:
        """Run the command line and return its JSON."""
        return json.loads(self.run(*words, "--json").stdout)


@contextlib.contextmanager
def small(folder: Path) -> Iterator[Small]:
    """Serve everything that the site needs, and write its site.yml."""
    folder.mkdir(exist_ok=True)
    image = Image("arm64", "an engine", ["SOC_VERSION=x"])
    with serving(Web()) as web, servers.registry(folder) as registry:
        servers.push(registry, "ascend/vllm-ascend", [image], "v0.11.0")
        web.files |= PACKAGES | {f"model/{path}": data for path, data in SHARDS.items()}
        listed = [
            {"path": path, "size": len(data), "sha256": web.sum(f"model/{path}")} for path, data in SHARDS.items()
        ]
        web.files["model/manifest.json"] = json.dumps({"schema": 1, "files": listed}).encode()
        cards = {"type": "ascend-910b", "product": "910B2", "count": 8}
        site = Small(folder, web, registry)
        site.write(
            site="small",
            release="hdk-25.3.rc1",
            connection={"user": "operator"},
            mirrors={
                "packages": web.url,
                "registries": {"quay.io": [registry]},
                "insecure_registries": [registry],
            },
            checksums={name: web.sum(name) for name in PACKAGES},
            hosts=[{"name": "node1", "address": "127.0.0.1", "arch": "aarch64", "accelerator": cards}],
            models=[{"model": "qwen2.5-7b-instruct", "path": "/data/m", "source": "http", "from": f"{web.url}/model"}],
            services=[
                {
                    "name": "chat",
                    "version": "v0.11.0",
                    "model": "qwen2.5-7b-instruct",
                    "hosts": ["node1"],
                    "cards": [0],
                    "port": 8000,
                }
            ],
        )
        yield site

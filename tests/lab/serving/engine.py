"""The engine image of the lab: what the upstream image does, with a CPU where its card would be.

vLLM, Ray and the hub clients are real and pinned in engine-requirements.txt; `site/` adds the platform plugin and the
stand-ins that make them take `/dev/davinciN` for cards. Everything is built as root with the Python that the image has.
"""

import hashlib
import json
import platform
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lab.serving.image import Blob, manifest, write_config
from tests.lab.serving.packages import BuildError, base_layer, engine_layer, install, libraries_layer, warm
from tests.lab.serving.registry import Registry

HERE = Path(__file__).parent
SETTINGS = HERE / "engine.json"
INPUTS = ("engine.json", "engine-requirements.txt", "image.py", "packages.py", "warm.py")
TREE = "site"
LABEL = "provision.lab.inputs"
MACHINES = {"x86_64": "amd64"}  # vLLM's kernels for other processors exist, but were never tried here

Report = Callable[[str], None]
Settings = dict[str, Any]


def build_engine_image(cache: Path, registry: str, report: Report, base_root: Path | None = None) -> str:
    """Build the engine image unless *registry* has it, and push it there; return its digest, `sha256:…`.

    Downloads are kept in *cache*, layers only until the registry has them. *base_root* is a tar archive of a Debian
    root with the packages of engine.json (libnuma1 may be absent); without it one is made with debootstrap.
    Raises BuildError and RegistryError.
    """
    settings: Settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    _refuse_foreign_python(settings["python"])
    key = _inputs_key()
    store = Registry(registry, settings["repository"])
    present = _digest_in(store, settings["tag"], key)
    if present:
        report("engine image: the registry has it")
        return present
    work = cache / "engine"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    layers = _build_layers(work, cache, settings, base_root, report)
    config = write_config(work / "config.json", settings["config"], layers, {LABEL: key}, MACHINES[platform.machine()])
    with ThreadPoolExecutor(max_workers=1) as cleaner:  # its twenty thousand files take as long to go as the push does
        cleaner.submit(shutil.rmtree, work / TREE)
        for number, blob in enumerate([*layers, config], start=1):
            report(f"engine image: pushing {number} of {len(layers) + 1}, {blob.size / 1e6:.1f} MB")
            store.push(blob)
            blob.path.unlink()
        digest = store.tag(manifest(config, layers), settings["tag"])
    shutil.rmtree(work)
    return digest


def _refuse_foreign_python(wanted: str) -> None:
    """Raise unless this Python can choose wheels and compile byte code for the image's."""
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if platform.python_implementation() != "CPython" or found != wanted or platform.machine() not in MACHINES:
        raise BuildError(
            f"the engine image needs CPython {wanted} on {' or '.join(MACHINES)} to build, and this is "
            f"{platform.python_implementation()} {found} on {platform.machine()}: run the lab on Debian 12"
        )


def _inputs_key() -> str:
    """Return a hash of every file of this folder that decides what the image contains."""
    files = [HERE / name for name in INPUTS]
    files += sorted(path for path in (HERE / "site").rglob("*") if path.is_file() and path.suffix != ".pyc")
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(HERE)}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def _digest_in(store: Registry, tag: str, key: str) -> str | None:
    """Return the digest of *tag* when it was built from the same inputs and all of it is there."""
    found = store.manifest(tag)
    if found is None:
        return None
    digest, document = found
    layers = document["layers"]
    assert isinstance(layers, list)
    whole = store.labels(document).get(LABEL) == key and all(store.has(layer["digest"]) for layer in layers)
    return digest if whole else None


def _build_layers(work: Path, cache: Path, settings: Settings, base_root: Path | None, report: Report) -> list[Blob]:
    """Return the layers, bottom first. Base and libraries are written while the byte code is still being made."""
    tree = work / TREE
    with ThreadPoolExecutor(max_workers=2) as workers:
        base = workers.submit(base_layer, work / "base.tar", cache, settings, base_root, report)
        install(tree, cache, report)
        libraries = workers.submit(libraries_layer, work / "libraries.tar", tree, settings)
        report("engine image: compiling what the engine imports")
        warm(tree, work / "vllm-cache", settings)
        libraries.result()
        report("engine image: writing layers")
        engine = engine_layer(work / "engine.tar", tree, work / "vllm-cache", settings)
        return [base.result(), libraries.result(), engine]

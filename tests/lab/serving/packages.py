"""What goes into the layers of the engine image: a Debian root, Python packages, their byte code, their commands."""

import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from tests.lab.serving.image import EPOCH, Blob, Keep, LayerWriter
from tests.lab.site.errors import LabError

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "engine-requirements.txt"
NUMA_PACKAGE, NUMA_LIBRARY = "libnuma1", "/libnuma.so.1"
PIP_HINT = (
    "pip did not get the packages of engine-requirements.txt; where torch's CPU build comes from is said by "
    "PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL"
)

Report = Callable[[str], None]
Settings = dict[str, Any]


class BuildError(LabError):
    """The engine image cannot be built here."""


def base_layer(target: Path, cache: Path, settings: Settings, base_root: Path | None, report: Report) -> Blob:
    """Write the layer below everything else: Debian without documents, host names, keys and caches."""
    source = base_root or _debootstrap(cache, settings, report)
    wanted = _matcher(settings["left_out"]["base"])
    seen_numa = False

    def keep(name: str) -> bool:
        nonlocal seen_numa
        seen_numa = seen_numa or name.endswith(NUMA_LIBRARY)
        return not wanted(name)

    with LayerWriter(target) as layer:
        with source.open("rb") as archive:
            layer.add_archive(archive, keep)
        if not seen_numa:
            _add_numa(layer, cache)
        layer.add_folder(settings["config"]["WorkingDir"].lstrip("/"))
    return layer.blob()


def install(tree: Path, cache: Path, report: Report) -> None:
    """Download the pinned packages into *cache*, install them into *tree* without byte code, add our stand-ins."""
    wheels = cache / "wheels"
    mark = wheels / f".complete-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    if not mark.exists():
        report("engine image: downloading Python packages, about 560 MB")
        _pip("download", "--no-deps", "--dest", str(wheels))
        mark.touch()
    report("engine image: installing Python packages")
    _pip("install", "--no-deps", "--no-compile", "--no-index", "--find-links", str(wheels), "--target", str(tree))
    shutil.copytree(HERE / "site", tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for source in tree.rglob("*.py"):  # byte code names the time of its source, and the layer sets that
        os.utime(source, (EPOCH, EPOCH))


def libraries_layer(target: Path, tree: Path, settings: Settings) -> Blob:
    """Write the layer with the shared libraries, two thirds of all bytes."""
    left_out, native = _matcher(settings["left_out"]["engine"]), _matcher(settings["native"])
    return _package_layer(target, tree, settings, lambda name: native(name) and not left_out(name))


def engine_layer(target: Path, tree: Path, vllm_cache: Path, settings: Settings) -> Blob:
    """Write the layer with the Python code, its byte code, the commands, and vLLM's record of the architectures."""
    left_out, native = _matcher(settings["left_out"]["engine"]), _matcher(settings["native"])
    scripts = target.with_suffix(".bin")
    write_commands(tree, scripts)
    extra = ((scripts, "usr/local/bin"), (vllm_cache, "root/.cache/vllm"))
    return _package_layer(target, tree, settings, lambda name: not native(name) and not left_out(name), extra)


def warm(tree: Path, vllm_cache: Path, settings: Settings) -> None:
    """Run the imports of warm.py on *tree*: Python leaves the byte code beside each module."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "PYTHONPATH": str(tree),
            "PYTHONHASHSEED": "0",
            "VLLM_CACHE_ROOT": str(vllm_cache),
            "VLLM_NO_USAGE_STATS": "1",
        }
        # -S: only the image's packages and the standard library, not those of the environment that builds
        names = [*settings["warm"], "--", *settings["architectures"]]
        _run(
            [sys.executable, "-S", "-P", str(HERE / "warm.py"), *names],
            "the packages of the engine image do not import",
            environment,
        )


def write_commands(tree: Path, folder: Path) -> None:
    """Write each distribution's console scripts into *folder*; pip's own would start the builder's Python."""
    folder.mkdir()
    for distribution in distributions(path=[str(tree)]):
        for entry in distribution.entry_points:
            if entry.group == "console_scripts":
                script = folder / entry.name
                start = f"from {entry.module} import {entry.attr.split('.')[0]}"
                # guarded, because processes that are spawned run the script again
                guard = 'if __name__ == "__main__":'
                lines = ("#!/usr/bin/python3", "import sys", start, guard, f"    sys.exit({entry.attr}())", "")
                script.write_text("\n".join(lines), encoding="utf-8")
                script.chmod(0o755)


def _package_layer(
    target: Path, tree: Path, settings: Settings, keep: Keep, extra: Sequence[tuple[Path, str]] = ()
) -> Blob:
    """Write a layer with those files of *tree* that *keep* names, and the *extra* folders."""
    with LayerWriter(target) as layer:
        layer.add_tree(tree, f"usr/local/lib/python{settings['python']}/dist-packages", keep)
        for folder, prefix in extra:
            layer.add_tree(folder, prefix, lambda _: True)
    return layer.blob()


def _matcher(patterns: list[str]) -> Callable[[str], bool]:
    """Return a function that says whether a path matches one of the shell *patterns*, in which `*` crosses `/`."""
    return re.compile("|".join(map(fnmatch.translate, patterns))).match  # type: ignore[return-value]


def _debootstrap(cache: Path, settings: Settings, report: Report) -> Path:
    """Return a tar archive of a minimal Debian root, made once."""
    words = [settings["suite"], *sorted(settings["packages"])]
    archive = cache / f"engine-root-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:16]}.tar"
    if not archive.exists():
        report("engine image: making its Debian root")
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            root, draft = Path(folder) / "root", Path(folder) / "root.tar"
            include = f"--include={','.join(settings['packages'])}"
            _run(["debootstrap", "--variant=minbase", include, settings["suite"], str(root)], "debootstrap failed")
            _run(["tar", "-C", str(root), "-cf", str(draft), "."], "packing the Debian root failed")
            draft.rename(archive)
    return archive


def _add_numa(layer: LayerWriter, cache: Path) -> None:
    """Add the one library of vLLM's kernels that a bare host's root does not have."""
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", NUMA_PACKAGE]
        _run(download, "run `apt-get update` first", cwd=folder)
        (package,) = Path(folder).glob("*.deb")
        content = Path(folder) / "content.tar"
        with content.open("wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=out, check=True)
        with content.open("rb") as archive:
            layer.add_archive(archive, lambda name: name.startswith("usr/lib/"))


def _pip(verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *arguments]
    _run([*command, "-r", str(REQUIREMENTS)], PIP_HINT)


def _run(command: list[str], meaning: str, environment: dict[str, str] | None = None, cwd: str | None = None) -> None:
    """Run *command*; raise with *meaning* and the end of what it printed when it fails."""
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise BuildError(f"{meaning} ({command[0]} {command[1]} ended with {done.returncode}):\n{said}")

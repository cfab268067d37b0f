"""Build the packages that `packages.yml` lists."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.lab.vendor import obsutil
from tests.lab.vendor.packer import fill, filler, pack, write

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Package:
    """One `.run` file: what it is and what goes into it. *family* is empty where chips do not matter."""

    kind: str
    family: str
    version: str
    arch: str
    eula: bool
    layout: dict[str, Any]
    chips: dict[str, Any]
    own_values: dict[str, str]

    @cached_property
    def file(self) -> str:
        return fill(self.layout["file"], {**self.own_values, "ARCH": self.layout["archs"][self.arch]})

    @cached_property
    def values(self) -> dict[str, str]:
        label = fill(self.layout["label"], {"LABEL": self.own_values.get("PREFIX", "").upper()})
        return {**self.own_values, "ARCH": self.arch, "FILE": self.file, "LABEL": label}


def listed() -> dict[str, Any]:
    """Return the content of `packages.yml`."""
    found: dict[str, Any] = yaml.safe_load((HERE / "packages.yml").read_text(encoding="utf-8"))
    return found


def packages() -> Iterator[Package]:
    """Yield every package of `packages.yml`, one per family and architecture where the name has one."""
    data = listed()
    for item in data["packages"]:
        layout = data["kinds"][item["kind"]]
        for family in item.get("families", [""]):
            chips = data["families"].get(family, {})
            values = {key: str(value) for key, value in item["values"].items()}
            if chips:
                values |= {"FAMILY": family, "PREFIX": chips["prefix"], "DEVICES": "|".join(chips["devices"])}
            for arch in layout["archs"]:
                own = {**values, "VERSION": item["version"]}
                yield Package(item["kind"], family, item["version"], arch, item.get("eula", False), layout, chips, own)


def contents(package: Package) -> dict[str, bytes]:
    """Return path in the archive to content; a later folder overrides an earlier one."""
    layout = package.layout
    image = {fill(path, package.values): size for path, size in layout.get("image", {}).items()}
    files = {path: filler(f"{package.file}:{path}", size) for path, size in image.items()}
    for folder in layout["folders"]:
        for source in sorted((HERE / folder).rglob("*")):
            if not source.is_file() or "__pycache__" in source.parts:
                continue
            path = source.relative_to(HERE / folder).as_posix()
            text = fill(source.read_text(encoding="utf-8"), package.values)
            files[layout.get("rename", {}).get(path, path)] = text.encode()
    if "family_file" in layout:
        files[layout["family_file"]] = family_facts(package)
        for path in [] if package.chips["chips"]["network"] else layout["network_files"]:
            del files[path]
    return files


def family_facts(package: Package) -> bytes:
    """Return what the driver's tools know about the chips they serve."""
    facts = {"family": package.family, **{key: package.chips[key] for key in ("devices", "chips", "products")}}
    return json.dumps(facts, indent=1, sort_keys=True).encode()


def build(out_dir: Path) -> list[Path]:
    """Write everything that is the same bytes on every machine below *out_dir* and return the paths.

    A file that is there already with the same content is left alone, so that it can be read meanwhile.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    built = []
    for package in packages():
        files = contents(package)
        header = (HERE / "header" / package.layout["header"]).read_text(encoding="utf-8")
        values = {**package.values, "HELP": files["help.info"].decode().rstrip("\n")}
        built.append(write(out_dir / package.file, pack(header, files, values), 0o755))
    data = listed()["obsutil"]
    for arch in data["archs"].values():
        built.append(write(out_dir / obsutil.file_name(arch), obsutil.archive(data["version"], arch), 0o644))
    return built


def describe(built: list[Path]) -> list[dict[str, Any]]:
    """Return what a release catalog says about each built package: kind, family, version, arch, file, size, sha256."""
    by_name = {path.name: path.read_bytes() for path in built}
    rows: list[dict[str, Any]] = [
        {
            "kind": package.kind,
            "family": package.family,
            "version": package.version,
            "arch": package.arch,
            "file": package.file,
            "eula": package.eula,
        }
        for package in packages()
    ]
    data = listed()["obsutil"]
    rows += [
        {"kind": "obsutil", "version": data["version"], "arch": arch, "file": obsutil.file_name(spelling)}
        for arch, spelling in data["archs"].items()
    ]
    for row in rows:
        content = by_name[row["file"]]
        row |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return rows

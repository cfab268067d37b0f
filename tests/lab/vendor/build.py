"""Build the packages that `packages.yml` lists."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.vendor.packer import fill, filler, pack

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Package:
    """One `.run` file: what it is and what goes into it."""

    kind: str
    version: str
    arch: str
    file: str
    eula: bool
    header: str
    folders: tuple[str, ...]
    rename: dict[str, str]
    image: dict[str, int]
    values: dict[str, str]


def packages() -> Iterator[Package]:
    """Yield every package of `packages.yml`, one per architecture where the name has one."""
    listed: dict[str, Any] = yaml.safe_load((HERE / "packages.yml").read_text(encoding="utf-8"))
    for item in listed["packages"]:
        family = listed["families"][item["kind"]]
        for arch, spelling in family["archs"].items():
            file = fill(family["file"], {"VERSION": item["version"], "ARCH": spelling})
            yield Package(
                kind=item["kind"],
                version=item["version"],
                arch=arch,
                file=file,
                eula=item.get("eula", False),
                header=family["header"],
                folders=tuple(family["folders"]),
                rename=family.get("rename", {}),
                image=family.get("image", {}),
                values={
                    **{key: str(value) for key, value in item["values"].items()},
                    "VERSION": item["version"],
                    "ARCH": arch,
                    "FILE": file,
                    "LABEL": family["label"],
                },
            )


def contents(package: Package) -> dict[str, bytes]:
    """Return path in the archive to content; a later folder overrides an earlier one."""
    files = {path: filler(f"{package.file}:{path}", size) for path, size in package.image.items()}
    for folder in package.folders:
        for source in sorted((HERE / folder).rglob("*")):
            if not source.is_file() or "__pycache__" in source.parts:
                continue
            path = source.relative_to(HERE / folder).as_posix()
            text = fill(source.read_text(encoding="utf-8"), package.values)
            files[package.rename.get(path, path)] = text.encode()
    return files


def build(out_dir: Path) -> list[Path]:
    """Write every package below *out_dir* (made when absent) and return their paths."""
    out_dir.mkdir(parents=True, exist_ok=True)
    built = []
    for package in packages():
        files = contents(package)
        header = (HERE / "header" / package.header).read_text(encoding="utf-8")
        values = {**package.values, "HELP": files["help.info"].decode().rstrip("\n")}
        target = out_dir / package.file
        target.write_bytes(pack(header, files, values))
        target.chmod(0o755)
        built.append(target)
    return built


def describe(built: list[Path]) -> list[dict[str, Any]]:
    """Return what a release catalog says about each built file: kind, version, arch, file, eula, size, sha256."""
    by_name = {path.name: path.read_bytes() for path in built}
    return [
        {
            "kind": package.kind,
            "version": package.version,
            "arch": package.arch,
            "file": package.file,
            "eula": package.eula,
            "size": len(by_name[package.file]),
            "sha256": hashlib.sha256(by_name[package.file]).hexdigest(),
        }
        for package in packages()
    ]

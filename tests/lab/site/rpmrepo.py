"""A signed RPM repository made of Debian packages: their files, under the names that the RPM families have for them."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.site.aptrepo import OWNER, Keyring
from tests.lab.site.command import output, run, tool
from tests.lab.site.layout import ASSETS
from tests.lab.site.roots import fresh_folder

RECIPE = ASSETS / "rpm/package.spec"
NAMES = ASSETS / "rpm/names.yml"
LIBRARIES = "system-libraries"
"""The package with all that none of the others holds."""
DROPPED = ("doc", "info", "lintian", "locale", "man")
"""Folders of usr/share that nobody reads in a simulated server."""
MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders of the root that are links into usr."""


@dataclass(frozen=True, slots=True)
class Package:
    """One RPM package to be: the Debian packages with its files, and what is different about them here."""

    name: str
    debs: Sequence[str]
    requires: Sequence[str] = ()
    provides: Sequence[str] = ()
    before: str = ""
    moved: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    version: tuple[str, str] = ("", "")
    """Version and release; empty: those of the first of its Debian packages."""


def packages(found: Iterable[str], kernel: str | None = None) -> list[Package]:
    """Return what the Debian packages *found* become; those of *kernel* (headers) are in the last one."""
    names: dict[str, dict[str, Any]] = yaml.safe_load(NAMES.read_text(encoding="utf-8"))
    claimed = {deb for fields in names.values() for deb in fields["debs"]}
    there = set(found)
    made = [Package(name, **fields) for name, fields in names.items() if there & set(fields["debs"])]
    # The shell, which every package with a script needs, is on the host, but rpm there does not know of it.
    made.append(Package(LIBRARIES, sorted(there - claimed), provides=["/bin/sh"]))
    return [*made, *kernel_packages(kernel or platform.release())]


def kernel_packages(kernel: str) -> list[Package]:
    """Return the packages with the build tree of *kernel*: name-version-release has to be kernel-devel-<kernel>.

    The kernel of this machine may have more dashes in its name than those of the RPM families have; then the first part
    of it belongs to the package's name.
    """
    head, _, release = kernel.removesuffix(f".{platform.machine()}").rpartition("-")
    name, _, version = head.rpartition("-")
    numbers = (version or release, release) if head else (release, "1")
    found = []
    for kind in ("kernel-devel", "kernel-headers"):
        parts = [kind, name] if name else [kind]
        # rpm takes no version with two dashes
        provides = [kind, *([] if name else [f"{kind}-uname-r = {kernel}"])]
        found.append(Package("-".join(parts), (), provides=provides, version=numbers))
    return found


def build(target: Path, debs: Sequence[Path], work: Path, key: Path, log: Path) -> Path:
    """Make *target* a repository of the files in *debs*, signed by secret key file *key*; return *target*.

    *work* is a scratch folder of its own.
    """
    fresh_folder(work)
    by_name = {output(["dpkg-deb", "--field", deb, "Package"]).strip(): deb for deb in debs}
    pool = fresh_folder(work / "packages")
    for package in packages(by_name):
        root = fresh_folder(work / "root")
        for name in package.debs:
            if name in by_name:
                run(["dpkg-deb", "-x", by_name[name], root], log=log)
        if not package.debs:
            _write_build_tree(package, root)
        _arrange(package, root)
        first = next((by_name[name] for name in package.debs if name in by_name), None)
        _build_package(package, package.version if first is None else upstream_version(first), root, work, log)
    _sign_and_index(pool, key, log)
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    # The folder itself stays: the service host looks into it.
    for made in pool.iterdir():
        made.rename(target / made.name)
    shutil.rmtree(work)
    return target


def upstream_version(deb: Path) -> tuple[str, str]:
    """Return version and release for the files of *deb*, without what Debian adds to the program's own numbers."""
    full = output(["dpkg-deb", "--field", deb, "Version"]).strip()
    found = re.match(r"(?:\d+:)?(\d[\d.]*)", full)
    return (found.group(1).rstrip("."), "1") if found else ("1", "1")


def _arrange(package: Package, root: Path) -> None:
    """Bring the files in *root* to where a merged /usr and the names of the RPM families have them."""
    for name in MERGED:
        if (root / name).is_dir():
            shutil.copytree(root / name, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(root / name)
    for name in DROPPED:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    if (root / "usr/share").is_dir() and not any((root / "usr/share").iterdir()):
        (root / "usr/share").rmdir()
    for old, new in package.moved.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)
    for name, texts in package.replaced.items():
        text = (root / name).read_text(encoding="utf-8")
        for old, new in texts.items():
            text = text.replace(old, new)
        (root / name).write_text(text, encoding="utf-8")
    for name, aim in package.links.items():
        if not (root / name).is_symlink() and not (root / name).exists():
            (root / name).symlink_to(aim)


def _write_build_tree(package: Package, root: Path) -> None:
    """Write what module builders look for, into *root*; the second package is only a name, as its files are glibc's."""
    if package.name.startswith("kernel-headers"):
        return
    kernel = platform.release()
    folder = root / "usr/src/kernels" / kernel
    folder.mkdir(parents=True)
    text = (ASSETS / "headers/Makefile").read_text(encoding="utf-8").replace("@KERNEL@", kernel)
    (folder / "Makefile").write_text(text, encoding="utf-8")
    modules = root / "usr/lib/modules" / kernel
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(f"/usr/src/kernels/{kernel}")


def _build_package(package: Package, version: tuple[str, str], root: Path, work: Path, log: Path) -> None:
    needs = [*package.requires, *([] if package.name == LIBRARIES or not package.debs else [LIBRARIES])]
    tags = [f"Provides: {name}" for name in package.provides] + [f"Requires: {name}" for name in needs]
    texts = {
        "NAME": package.name,
        "VERSION": version[0],
        "RELEASE": version[1],
        "TAGS": "\n".join(tags),
        "DEBS": ", ".join(package.debs) or "none",
        "BEFORE": package.before or ":",
        "AFTER": _after(root),
        "ROOT": str(root),
        "LIST": str(work / "list"),
    }
    text = RECIPE.read_text(encoding="utf-8")
    for name, value in texts.items():
        text = text.replace(f"@{name}@", value)
    (work / "package.spec").write_text(text, encoding="utf-8")
    (work / "list").write_text("".join(_listed(root)), encoding="utf-8")
    places = {"_topdir": work / "top", "_rpmdir": work / "packages", "_build_name_fmt": "%%{NAME}-%%{VERSION}.rpm"}
    defines = [word for name, value in places.items() for word in ("--define", f"{name} {value}")]
    run(["rpmbuild", "-bb", "--quiet", *defines, "--buildroot", work / "buildroot", work / "package.spec"], log=log)


def _after(root: Path) -> str:
    """Return what has to be done once the files of *root* are on the host; both take a second there."""
    reload = "systemctl daemon-reload" if any((root / "usr/lib/systemd/system").glob("*")) else ":"
    return f"{reload}\n{'ldconfig' if any((root / 'usr/lib').rglob('*.so*')) else ':'}"


def _listed(root: Path) -> list[str]:
    """Return the lines of a %files list: files, links and empty folders; what is below etc is the operator's."""
    lines = ["%defattr(-,root,root,-)\n"]
    for path in sorted(root.rglob("*")):
        name = f"/{path.relative_to(root)}"
        if path.is_dir() and not path.is_symlink():
            lines += [f'%dir "{name}"\n'] if not any(path.iterdir()) else []
        else:
            lines.append(f'%config(noreplace) "{name}"\n' if name.startswith("/etc/") else f'"{name}"\n')
    return lines


def _sign_and_index(pool: Path, key: Path, log: Path) -> None:
    with Keyring(log) as keyring:
        keyring.gpg("--import", key)
        settings = {"_gpg_name": OWNER, "_gpg_path": keyring.folder, "__gpg": tool("gpg")}
        defines = [word for name, value in settings.items() for word in ("--define", f"{name} {value}")]
        run(["rpmsign", *defines, "--addsign", *sorted(pool.glob("*.rpm"))], log=log)
        run(["createrepo_c", "--quiet", pool], log=log)
        keyring.gpg("--armor", "--detach-sign", pool / "repodata/repomd.xml")

"""Docker's own repository as the site's mirror has it: the distribution's engine under the names that Docker uses.

`linux/debian/dists/<suite>/stable` and `linux/debian/gpg`, as below download.docker.com; docker-ce conflicts with
docker.io, as Docker's does.
"""

import gzip
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

COMPONENT = "stable"
RENAMED = {"docker.io": "docker-ce", "containerd": "containerd.io"}
CLIENT = "docker-ce-cli"
"""Empty here: Debian 12 has the client in the engine's package."""
EPOCH = {"docker-ce": "5:", CLIENT: "5:", "containerd.io": ""}

Sign = Callable[[Path], None]
"""Signs the folder of a suite: writes InRelease beside Release."""


def publish(debs: Sequence[Path], target: Path, suite: str, architecture: str, key: Path, sign: Sign) -> int:
    """Make *target* (the folder `linux/debian`) from the engine among *debs*; return how many packages it offers.

    Nothing is done when it was made from the same packages; 0 when there is no engine among them.
    """
    sources = {name: deb for deb in debs for name in RENAMED if deb.name.startswith(f"{name}_")}
    if set(sources) != set(RENAMED):
        return 0
    stamp = target / "sources"
    note = " ".join(sorted(deb.name for deb in sources.values()))
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == note):
        pool = target / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        for old in pool.iterdir():
            old.unlink()
        built = [_renamed(deb, RENAMED[name], pool) for name, deb in sources.items()]
        built.append(_client(_version(sources["docker.io"]), architecture, pool))
        (target / "gpg").write_bytes(key.read_bytes())
        _index(target, suite, architecture, sorted(built))
        sign(target / "dists" / suite)
        stamp.write_text(note, encoding="utf-8")
    return len(RENAMED) + 1


def _version(deb: Path) -> str:
    found = re.match(r"[^_]+_([0-9.]+)", deb.name)
    return f"{found[1] if found else '0'}-1~debian"


def _renamed(deb: Path, name: str, pool: Path) -> Path:
    """Pack *deb* anew under *name*, with what it then conflicts with and stands for."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        subprocess.run(["dpkg-deb", "--raw-extract", deb, root], check=True)
        control = root / "DEBIAN" / "control"
        old = deb.name.partition("_")[0]
        lines = [line for line in control.read_text(encoding="utf-8").splitlines() if not _replaced(line)]
        depends = next(line for line in lines if line.startswith("Depends:"))
        lines[lines.index(depends)] = re.sub(r"\bcontainerd \([^)]*\)", "containerd.io", depends)
        lines += [f"Package: {name}", f"Version: {EPOCH[name]}{_version(deb)}"]
        lines += [f"Conflicts: {old}", f"Replaces: {old}", f"Provides: {old}"]
        control.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return _pack(root, pool / f"{name}_{_version(deb)}.deb")


def _replaced(line: str) -> bool:
    return line.startswith(("Package:", "Version:", "Conflicts:", "Replaces:", "Provides:", "Breaks:"))


def _client(version: str, architecture: str, pool: Path) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        (root / "DEBIAN").mkdir(parents=True)
        fields = {
            "Package": CLIENT,
            "Version": EPOCH[CLIENT] + version,
            "Architecture": architecture,
            "Maintainer": "Simulated site archive <archive@site.invalid>",
            "Description": "client of the engine, which is in the engine's package here",
        }
        text = "".join(f"{name}: {value}\n" for name, value in fields.items())
        (root / "DEBIAN" / "control").write_text(text, encoding="utf-8")
        return _pack(root, pool / f"{CLIENT}_{version}.deb")


def _pack(root: Path, target: Path) -> Path:
    argv: list[str | Path] = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, target]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return target


def _index(target: Path, suite: str, architecture: str, debs: Sequence[Path]) -> None:
    folder = target / "dists" / suite / COMPONENT / f"binary-{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    stanzas = []
    for deb in debs:
        fields = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
        with deb.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        stanzas.append(f"{fields}Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
    index = "\n".join(stanzas).encode()
    files = {folder / "Packages": index, folder / "Packages.gz": gzip.compress(index, mtime=0)}
    lines = [
        f"Suite: {suite}",
        f"Codename: {suite}",
        f"Components: {COMPONENT}",
        f"Architectures: {architecture}",
        f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}",
        "SHA256:",
    ]
    for file, content in files.items():
        file.write_bytes(content)
        name = file.relative_to(target / "dists" / suite)
        lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}")
    (target / "dists" / suite / "Release").write_text("\n".join(lines) + "\n", encoding="utf-8")

"""What the programs that are compared read: written into the folder of the host that they run on."""

from __future__ import annotations

from pathlib import Path

from .lab import Lab

TEMPLATES = Path(__file__).parent / "templates"


def fill(name: str, target: Path, **values: object) -> Path:
    """Write the template *name* with *values* to *target*."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    target.write_text(text, encoding="utf-8")
    return target


def nginx_origin(lab: Lab, port: int) -> Path:
    home = lab.home(0)
    return fill("origin.nginx", home / "nginx.conf", home=home, data=lab.data(0), port=port)


def nginx_link(lab: Lab, number: int, port: int, upstream: str) -> Path:
    home = lab.home(number)
    return fill("link.nginx", home / "nginx.conf", home=home, port=port, upstream=upstream)


def rsyncd(lab: Lab, port: int) -> Path:
    home = lab.home(0)
    return fill("rsyncd", home / "rsyncd.conf", home=home, data=lab.data(0), port=port)


def hook(lab: Lab, number: int) -> Path:
    """Return the script that aria2 runs when all has come."""
    target = fill("done.sh", lab.home(number) / "done.sh", flag=lab.home(number) / "done")
    target.chmod(0o755)
    return target

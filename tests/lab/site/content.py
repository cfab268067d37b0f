"""What the service host serves: the vendor's files, the apt repository, models, images, names."""

from __future__ import annotations

import hashlib
import platform
import shutil
from pathlib import Path

from tests.lab import serving, vendor
from tests.lab.serving import hub
from tests.lab.serving.packages import BuildError
from tests.lab.serving.registry import RegistryError
from tests.lab.site import aptrepo, headers, images
from tests.lab.site.archive import Downloader, architecture
from tests.lab.site.errors import LabError
from tests.lab.site.layout import ASSETS, MOST_HOSTS, REGISTRY, SERVICES_ADDRESS, Layout, Node
from tests.lab.site.progress import Progress


def vendor_packages(layout: Layout) -> int:
    """Build the vendor's packages into the mirror; return how many there are."""
    layout.packages.mkdir(parents=True, exist_ok=True)
    return len(vendor.build(layout.packages))


def model(layout: Layout) -> Path:
    """Build the model into the folder of the hub, unless it is there; return its folder."""
    layout.hub.mkdir(parents=True, exist_ok=True)
    return serving.build_model(layout.hub)


def engine_image(layout: Layout, progress: Progress) -> str:
    """Build the inference image and push it to the site's registry, unless it is there; return its digest.

    Raises:
        LabError: it cannot be built, or the registry does not take it.
    """
    try:
        return serving.build_engine_image(
            layout.cache / "engine-image", REGISTRY, progress.say, images.base_tarball(layout)
        )
    except (BuildError, RegistryError) as error:
        raise LabError(str(error)) from error


def apt_repository(layout: Layout, downloader: Downloader) -> int:
    """Make the apt repository, unless it is the one that would be made; return how many packages it offers."""
    log = layout.logs / "apt-repository.log"
    debs = images.repository_packages(layout, downloader)
    target = layout.apt / "repository"
    key = "\n".join([platform.release(), *_texts(ASSETS / "headers"), *(deb.name for deb in debs)])
    stamp = layout.apt / "repository.stamp"
    digest = hashlib.sha256(key.encode()).hexdigest()
    if not (stamp.exists() and stamp.read_text(encoding="ascii") == digest and layout.archive_key.exists()):
        secret = aptrepo.ensure_key(layout.apt / "private" / "archive-key.secret", layout.archive_key, log)
        built = headers.build(layout.cache / "headers", layout.cache / "headers.partial", log)
        aptrepo.build(target, [*debs, built], architecture(), secret, log)
        stamp.write_text(digest, encoding="ascii")
    return len(debs) + 1


def programs(layout: Layout) -> bool:
    """Put the hub and the list of names where the service host finds them; return whether the hub is another one."""
    layout.programs.mkdir(parents=True, exist_ok=True)
    layout.resolver.write_text(f"nameserver {SERVICES_ADDRESS}\n", encoding="ascii")
    names = [
        f"{SERVICES_ADDRESS} services",
        *(f"{node.address} {node.name}" for node in map(Node, range(1, MOST_HOSTS + 1))),
    ]
    (layout.programs / "hosts").write_text("\n".join(names) + "\n", encoding="ascii")
    program = Path(hub.__file__)
    target = layout.programs / program.name
    changed = not target.exists() or target.read_bytes() != program.read_bytes()
    if changed:
        shutil.copyfile(program, target)
    return changed


def _texts(folder: Path) -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())]

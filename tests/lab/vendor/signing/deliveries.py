"""The vendor's archives: one zip per chip and architecture with a signed zip for the driver and one for the firmware.

`VARIANTS` are the same archives with something wrong, each in a folder of its own.
"""

import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.vendor.build import listed
from tests.lab.vendor.packer import fill
from tests.lab.vendor.signing.authority import Authority

ZIP_TIME = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Variant:
    """How an archive is made: who signs, which list goes in, whether the driver is changed after it was signed."""

    signer: str = "signer"
    new_list: bool = False
    tampered: bool = False


VARIANTS = {
    "tampered": Variant(tampered=True),
    # The list inside knows it already.
    "revoked": Variant(signer="revoked", new_list=True),
    # Only a newer list, the site's, knows it.
    "revoked-late": Variant(signer="revoked"),
    "other-root": Variant(signer="other/signer"),
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One archive: its name, and the names of the `.run` files inside."""

    file: str
    runs: tuple[str, str]


def deliveries() -> Iterator[Delivery]:
    """Yield what `packages.yml` lists, one per architecture."""
    data = listed()
    driver, firmware = data["kinds"]["driver"], data["kinds"]["firmware"]
    for item in data["deliveries"]:
        prefix = data["families"][item["family"]]["prefix"]
        for spelling in driver["archs"].values():
            names = {"PREFIX": prefix, "ARCH": spelling}
            yield Delivery(
                f"{prefix}-npu_{item['version']}_linux-{spelling}.zip",
                (
                    fill(driver["file"], {**names, "VERSION": item["driver"]}),
                    fill(firmware["file"], {**names, "VERSION": item["firmware"]}),
                ),
            )


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of *files* without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as pack:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system, entry.external_attr = 3, 0o100640 << 16
            pack.writestr(entry, content)
    return buffer.getvalue()


def packed(delivery: Delivery, packages: Path, authority: Authority, variant: Variant) -> bytes:
    """Return the archive for *delivery* out of the `.run` files in *packages*."""
    revoked = (authority.new_list if variant.new_list else authority.old_list).read_bytes()
    outer = {}
    with tempfile.TemporaryDirectory() as folder:
        for run in delivery.runs:
            inner = Path(folder) / run.replace(".run", ".zip")
            content = (packages / run).read_bytes()
            inner.write_bytes(zipped({run: content}))
            signature = inner.with_name(inner.name + ".cms")
            authority.sign(inner, signature, variant.signer)
            if variant.tampered and run == delivery.runs[0]:
                # Still a sound zip with a sound package inside: only the signature tells.
                inner.write_bytes(zipped({run: content, "readme.txt": b"added later\n"}))
            outer[inner.name] = inner.read_bytes()
            outer[signature.name] = signature.read_bytes()
            # The vendor's lists come with bytes behind their end.
            outer[inner.name + ".crl"] = revoked + b"\n"
    return zipped(outer)


def deliver(packages: Path, authority: Authority) -> int:
    """Write every archive beside the `.run` files in *packages*, the variants below `variants/`; return how many.

    Signatures differ from run to run, so what is there for the same packages and the same authority stays.
    """
    stamp = authority.folder / "deliveries.stamp"
    key = hashlib.sha256(authority.root.read_bytes())
    for path in sorted({packages / run for delivery in deliveries() for run in delivery.runs}):
        key.update(hashlib.sha256(path.read_bytes()).digest())
    jobs = [(packages / delivery.file, delivery, Variant()) for delivery in deliveries()]
    first = listed()["deliveries"][0]
    prefix = listed()["families"][first["family"]]["prefix"] + f"-npu_{first['version']}_"
    for name, variant in VARIANTS.items():
        folder = packages / "variants" / name
        jobs += [(folder / one.file, one, variant) for one in deliveries() if one.file.startswith(prefix)]
    fresh = stamp.is_file() and stamp.read_text(encoding="ascii") == key.hexdigest()
    if not fresh or not all(target.is_file() for target, _, _ in jobs):
        shutil.rmtree(packages / "variants", ignore_errors=True)
        for target, delivery, variant in jobs:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.partial")
            draft.write_bytes(packed(delivery, packages, authority, variant))
            draft.replace(target)
        stamp.write_text(key.hexdigest(), encoding="ascii")
    return len(jobs)

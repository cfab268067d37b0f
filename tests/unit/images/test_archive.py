"""Archives of images: read in both forms and every compression, judged before they are loaded, known by id after."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import image_build, image_engine, image_load, image_pull, image_record
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.image_archive import read
from plugins.module_utils.converge.progress import Progress
from plugins.module_utils.state import images as noted
from tests.unit.images import servers
from tests.unit.images.engine import Engine
from tests.unit.images.parts import NAME, Image, digest, layout, put, saved, tar_of, wanted

SHA = "f" * 64


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "images.json"
    monkeypatch.setattr(image_record.remember, "__defaults__", (str(path),))
    monkeypatch.setattr(noted.recorded, "__defaults__", (str(path),))
    return path


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=content, capture_output=True, check=True).stdout


PACKERS: dict[str, Any] = {"tar": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("form", ["saved", "layout"])
def test_an_archive_is_loaded_under_the_canonical_name(
    tmp_path: Path, image: Image, progress: Progress, packer: str, form: str
) -> None:
    content = saved({"elsewhere/x:v9": image}) if form == "saved" else layout([image])
    path = put(tmp_path / "image.archive", PACKERS[packer](content))
    engine, one = Engine(), wanted(archive={"sha256": SHA})
    assert image_load.load(engine, one, str(path), progress) == path.stat().st_size
    assert engine.names == {NAME: image.id}, "no other name of the archive comes to the host"
    found = image_engine.describe(engine, NAME)
    assert image_pull.is_wanted(found, one)
    assert image_pull.is_wanted(found, wanted(id=image.id))
    assert not image_pull.is_wanted(found, wanted(archive={"sha256": "0" * 64}))


def test_the_digest_that_loading_loses_is_remembered(
    tmp_path: Path, image: Image, progress: Progress, record: Path
) -> None:
    path = put(tmp_path / "image.tar", layout([image]))
    engine = Engine()
    image_load.load(engine, wanted(archive={"sha256": SHA}), str(path), progress)
    assert image_pull.is_wanted(image_engine.describe(engine, NAME), wanted(image))
    assert json.loads(record.read_text(encoding="utf-8"))[image.id]["archive"] == SHA


def test_one_of_several_images_is_loaded(tmp_path: Path, image: Image, progress: Progress) -> None:
    other, arm = Image(text="other"), Image(architecture="arm64")
    path = str(put(tmp_path / "image.tar", saved({"a/b:v1": other, NAME: image, "a/c:v1": arm})))
    for one, expected in ((wanted(), image), (wanted(id=other.id), other), (wanted(architecture="arm64"), arm)):
        engine = Engine()
        image_load.load(engine, one, path, progress)
        assert engine.names == {NAME: expected.id}
        assert list(engine.images) == [expected.id]


def test_an_engine_that_names_images_its_own_way_is_believed_by_the_layers(
    tmp_path: Path, image: Image, progress: Progress
) -> None:
    path, one = str(put(tmp_path / "image.tar", saved({NAME: image}))), wanted(archive={"sha256": SHA})
    engine = Engine()
    engine.own = [digest(image.layer)]
    image_load.load(engine, one, path, progress)
    assert image_pull.is_wanted(image_engine.describe(engine, NAME), one)
    engine.own = ["sha256:of something else"]
    with pytest.raises(RefusedError, match=rf"it is sha256:own after loading, expected {image.id} of the archive"):
        image_load.load(engine, one, path, progress)


CHIP = {"soc_pattern": "^chip2", "others": []}


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["a/b:v1"], {"architecture": "arm64"}, r"holds a/b:v1 for amd64; expected exactly one image for arm64"),
        (["a/b:v1"], {"chip": CHIP}, r"built for chip1a, and this host's chips are \^chip2 .*; nothing was loaded"),
        (["a/b:v1-b2"], {"chip": {"others": ["-b2"]}}, r"called a/b:v1-b2, and -b2 stands for another chip"),
    ],
)
def test_another_image_is_refused_before_it_is_loaded(
    tmp_path: Path, image: Image, progress: Progress, names: list[str], changes: dict[str, Any], message: str
) -> None:
    path = put(tmp_path / "image.tar", saved(dict.fromkeys(names, image)))
    engine = Engine()
    with pytest.raises(RefusedError, match=message):
        image_load.load(engine, wanted(**changes), str(path), progress)
    assert engine.asked == []


def test_two_that_fit_are_refused(tmp_path: Path, image: Image, progress: Progress) -> None:
    path = put(tmp_path / "image.tar", saved({"a/b:v1": image, "a/c:v1": Image(text="other")}))
    with pytest.raises(RefusedError, match=rf"holds a/b:v1 for amd64; a/c:v1 for amd64; .* called {NAME}"):
        image_load.load(Engine(), wanted(), str(path), progress)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (layout([Image()])[:2000], "no archive that can be read: unexpected end of data"),
        (gzip.compress(layout([Image()]))[:300], "no archive that can be read"),
        (b"x" * 3000, "no archive that can be read: invalid header"),
        (tar_of({"a.txt": b"a"}), r"it names no image; expected the whole archive"),
        (
            tar_of({"manifest.json": b'[{"Config": "c.json", "Layers": ["l/layer.tar"]}]', "c.json": b"{}"}),
            "l/layer.tar is missing in it; expected the whole archive",
        ),
    ],
    ids=["cut", "cut while packed", "no archive", "no image", "lacks a layer"],
)
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, progress: Progress, content: bytes, message: str) -> None:
    path = put(tmp_path / "image.tar", content)
    with pytest.raises(RefusedError, match=message):
        image_load.load(Engine(), wanted(), str(path), progress)


def test_room_for_the_archive_twice_is_asked_for(
    tmp_path: Path, image: Image, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_engine, "free_bytes", lambda _: 10)
    path = put(tmp_path / "image.tar", saved({NAME: image}))
    room = 2 * read(str(path), "amd64").unpacked
    engine = Engine()
    with pytest.raises(RefusedError, match=rf"has 10 bytes free, expected {room}: .*docker.data_root"):
        image_load.load(engine, wanted(), str(path), progress)
    assert engine.asked == []


def test_what_the_engine_says_is_passed_on(tmp_path: Path, image: Image, progress: Progress) -> None:
    engine = Engine()
    engine.refuses = "no space left on device"
    path = put(tmp_path / "image.tar", saved({NAME: image}))
    with pytest.raises(RefusedError, match=r"the engine refuses .*image.tar: no space left on device"):
        image_load.load(engine, wanted(), str(path), progress)


BUILD = {"dockerfile": "FROM base/x:v1\n", "base": "base/x:v1", "label": "provision.build", "key": "k"}


def test_an_image_is_built_on_its_base_and_labelled(progress: Progress) -> None:
    engine = Engine()
    with pytest.raises(RefusedError, match=r"its base base/x:v1 is not on this host \(images.build.base"):
        image_build.build(engine, wanted(build=BUILD), {}, progress)
    engine.images["sha256:base"] = {"Id": "sha256:base", "Architecture": "amd64"}
    engine.names["base/x:v1"] = "sha256:base"
    with pytest.raises(RefusedError, match="was built for amd64, this host needs arm64"):
        image_build.build(engine, wanted(build=BUILD, architecture="arm64"), {}, progress)
    image_build.build(engine, wanted(build=BUILD), {}, progress)
    assert image_pull.is_wanted(image_engine.describe(engine, NAME), wanted(build=BUILD))
    engine.refuses = "pip failed"
    with pytest.raises(RefusedError, match=r"the build ended with: pip failed. Its last lines: Step 1/2 : FROM base"):
        image_build.build(engine, wanted(build=BUILD), {}, progress)


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_skopeo_packs_is_read(tmp_path: Path, store: Path, image: Image, progress: Progress, form: str) -> None:
    path = tmp_path / "image.archive"
    with servers.registry(store) as address:
        source, target = f"docker://{address}/org/engine:v1", f"{form}:{path}:elsewhere/x:v9"
        options = ["--insecure-policy", "--src-tls-verify=false"]
        subprocess.run(["skopeo", *options[:1], "copy", "-q", *options[1:], source, target], check=True)
    engine = Engine()
    one = wanted(id=image.id, archive={"sha256": SHA})
    image_load.load(engine, one, str(path), progress)
    (loaded,) = engine.images
    assert engine.names == {NAME: loaded}
    assert (loaded == image.id) == (form == "docker-archive"), "the other form has a configuration of its own"
    assert image_pull.is_wanted(image_engine.describe(engine, NAME), one)

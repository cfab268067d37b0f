"""A bundle from its plan to a site that asks nothing else: built, interrupted, spoilt, split, joined, checked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import paths, resolve
from driver.bundle import contents, wanted
from driver.bundle.server import make_server
from driver.bundle.store import Store
from tests.unit.driver.bundle.site import IMAGE, PACKAGES, SHARDS, Small, small
from tests.unit.driver.bundle.web import running

DRIVER = "Ascend-hdk-910b-npu-driver_25.3.rc1_linux-aarch64.run"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setattr(wanted, "pins", lambda: ())
    with small(tmp_path / "small") as made:
        yield made


def bundle(site: Small) -> Path:
    return site.folder / "bundle"


def test_the_plan_tells_sizes_and_writes_nothing(site: Small) -> None:
    answer = site.answer("bundle", "plan", "--bundle", str(bundle(site)))
    sizes = {item["name"]: item["missing_bytes"] for item in answer["items"] if item["kind"] == "package"}
    assert sizes == {name: len(data) for name, data in PACKAGES.items()}
    model = next(item for item in answer["items"] if item["kind"] == "model")
    assert model["missing_bytes"] == sum(map(len, SHARDS.values()))
    assert answer["missing_bytes"] == sum(item["missing_bytes"] for item in answer["items"])
    assert not bundle(site).exists()


def test_a_bundle_is_built_once_and_then_complete(site: Small) -> None:
    done = site.build()
    assert done.returncode == 0, done.stderr
    assert "5.8 MB" in done.stderr or "MB in all" in done.stderr
    manifest = contents.read(bundle(site))
    assert {file.name for file in manifest.files} == {*PACKAGES}
    assert [image.name for image in manifest.images] == [IMAGE]
    assert {entry.path for entry in manifest.models[0].files} == {*SHARDS}
    assert manifest.sites == ("small",)
    site.web.asked.clear()
    assert site.build().returncode == 0
    assert [path for path, _ in site.web.asked if not path.endswith("manifest.json")] == []
    done = site.run("bundle", "verify", "--bundle", str(bundle(site)))
    assert (done.returncode, "the bundle is whole" in done.stdout) == (0, True)
    done = site.run("validate", "--offline", "--bundle", str(bundle(site)))
    assert done.returncode == 0, done.stderr
    assert "has everything that it needs" in done.stdout


def test_what_may_be_newer_is_asked_for_again_only_on_request(site: Small) -> None:
    assert site.build().returncode == 0
    before = contents.read(bundle(site))
    site.web.files["model/config.json"] = b'{"new": 1}\n'
    listed = json.loads(site.web.files["model/manifest.json"])
    listed["files"][0] |= {"size": 11, "sha256": site.web.sum("model/config.json")}
    site.web.files["model/manifest.json"] = json.dumps(listed).encode()
    assert site.build().returncode == 0
    assert contents.read(bundle(site)) == before
    assert site.build("--update").returncode == 0
    after = contents.read(bundle(site))
    assert after.models != before.models
    assert (after.files, after.images) == (before.files, before.images)
    old = before.models[0].files[0].sha256
    assert Store(bundle(site)).path(old).exists()
    assert site.answer("bundle", "verify", "--remove", "--bundle", str(bundle(site)))["not_in_manifest"] == [old]
    assert not Store(bundle(site)).path(old).exists()


def test_a_build_that_was_killed_goes_on(site: Small) -> None:
    site.web.cut, site.web.times = 300_000, 1 << 30  # pieces: the kill falls between two of them
    process = subprocess.Popen(
        site.words("bundle", "build", "--bundle", str(bundle(site))), cwd=paths.ROOT, stderr=subprocess.DEVNULL
    )
    limit = time.monotonic() + 30
    while time.monotonic() < limit and not any(span.startswith("bytes=3") for _, span in site.web.asked):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    site.web.cut = 0
    assert list((bundle(site) / "partial").glob("*.part"))
    site.web.asked.clear()
    done = site.build()
    assert done.returncode == 0, done.stderr
    assert next(span for path, span in site.web.asked if path == DRIVER).startswith("bytes=")
    assert site.run("bundle", "verify", "--bundle", str(bundle(site))).returncode == 0


def test_one_thing_that_fails_does_not_keep_the_others_away(site: Small) -> None:
    site.web.files[DRIVER] = b"another driver" * 100
    done = site.build()
    assert done.returncode == 5
    assert f"package {DRIVER}: no place gave it." in done.stderr
    assert "expected " + site.document["checksums"][DRIVER] in done.stderr
    assert "Everything else is in the bundle" in done.stderr
    assert {file.name for file in contents.read(bundle(site)).files} == {*PACKAGES} - {DRIVER}
    done = site.run("validate", "--offline", "--bundle", str(bundle(site)))
    assert done.returncode == 3
    assert f"package {DRIVER}: found nothing; run `bundle build`" in done.stderr


def test_a_full_disk_is_said_and_what_arrived_is_kept(site: Small) -> None:
    """The size is hidden, so the room cannot be asked for beforehand: the disk is full in the middle of the file."""
    site.web.hidden = True
    place = bundle(site)
    place.mkdir()
    script = f'mount -t tmpfs -o size=1500k tmpfs {place} && "$@"; code=$?; ls -s {place}/partial >&2; exit $code'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", *site.words("bundle", "build", "--bundle", str(place))]
    done = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT, check=False, timeout=60)
    assert done.returncode == 5
    assert "No space left on device" in done.stderr or "found 1.5 MB free; expected" in done.stderr, done.stderr
    assert "make room there" in done.stderr


def test_room_is_asked_for_beforehand(site: Small) -> None:
    place = bundle(site)
    place.mkdir()
    script = f'mount -t tmpfs -o size=5m tmpfs {place} && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", *site.words("bundle", "build", "--bundle", str(place))]
    done = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT, check=False, timeout=60)
    assert done.returncode == 5
    assert "MB free; expected" in done.stderr
    assert [path for path, span in site.web.asked if path == DRIVER and span != "bytes=0-0"] == []


def test_two_builds_at_a_time_are_refused(site: Small) -> None:
    bundle(site).mkdir()
    holder = subprocess.Popen(["flock", str(bundle(site) / ".lock"), "sleep", "30"], start_new_session=True)
    try:
        time.sleep(0.3)
        done = site.build()
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
    assert done.returncode == 7
    assert "another run is writing to this bundle" in done.stderr


def test_verify_says_what_is_spoilt_and_missing_and_build_mends_it(site: Small) -> None:
    assert site.build().returncode == 0
    store, manifest = Store(bundle(site)), contents.read(bundle(site))
    first, second = manifest.file(DRIVER), manifest.models[0].files[1]
    assert first is not None
    data = bytearray(store.read(first.sha256))
    data[100] ^= 1
    store.path(first.sha256).unlink()
    store.path(first.sha256).write_bytes(data)
    store.path(second.sha256).unlink()
    store.put(b"a stranger")
    done = site.run("bundle", "verify", "--bundle", str(bundle(site)))
    assert done.returncode == 6
    assert f"spoilt: {DRIVER}" in done.stdout
    assert "missing: qwen2.5-7b-instruct/model.safetensors" in done.stdout
    assert "not in the manifest: 1 content" in done.stdout
    done = site.run("validate", "--offline", "--bundle", str(bundle(site)))
    assert "model qwen2.5-7b-instruct: found http" in done.stderr
    assert site.run("bundle", "verify", "--remove", "--bundle", str(bundle(site))).returncode == 6
    assert site.build().returncode == 0
    assert site.run("bundle", "verify", "--bundle", str(bundle(site))).returncode == 0


def test_files_behind_a_login_are_added_by_hand(site: Small, tmp_path: Path) -> None:
    site.web.status[DRIVER] = 403
    done = site.build()
    assert (done.returncode, "it asks for a login" in done.stderr) == (5, True)
    wrong = tmp_path / DRIVER
    wrong.write_bytes(b"not the driver")
    place = ("--bundle", str(bundle(site)))
    done = site.run("bundle", "add", *place, str(wrong))
    assert done.returncode == 5
    assert "expected " + site.document["checksums"][DRIVER] in done.stderr
    typo = tmp_path / "Ascend-hdk-910b-npu-driver_25.3.rc1_linux-aarch64(1).run"
    typo.write_bytes(PACKAGES[DRIVER])
    done = site.run("bundle", "add", *place, str(typo))
    assert done.returncode == 2
    assert f"did you mean {DRIVER}?" in done.stderr
    wrong.write_bytes(PACKAGES[DRIVER])
    assert site.run("bundle", "add", *place, str(wrong)).returncode == 0
    assert site.run("bundle", "add", "--other", *place, str(typo)).returncode == 0
    assert site.run("validate", "--offline", *place).returncode == 0
    assert site.build().returncode == 0


def test_a_bundle_is_split_and_joined_in_any_order(site: Small, tmp_path: Path) -> None:
    site.web.files["big.tar"] = os.urandom(30_000_000)
    extra = {"name": "big.tar", "url": f"{site.web.url}/big.tar", "sha256": site.web.sum("big.tar"), "size": 30_000_000}
    site.write(bundle={"files": [extra]})
    done = site.build("--volumes", "17M", "--to", str(tmp_path / "volumes"))
    assert done.returncode == 0, done.stderr
    volumes = sorted((tmp_path / "volumes").iterdir())
    assert len(volumes) == 3
    for volume in volumes:
        assert sum(file.stat().st_size for file in volume.rglob("*") if file.is_file()) <= 17_000_000
    shutil.rmtree(bundle(site))
    there = tmp_path / "there"
    for number, volume in enumerate([volumes[2], volumes[0], volumes[0], volumes[1]]):
        done = site.run("bundle", "add", "--bundle", str(there), str(volume))
        assert done.returncode == 0, done.stderr
        assert ("the bundle is whole" in done.stdout) == (number == 3), done.stdout
    assert site.run("bundle", "verify", "--bundle", str(there)).returncode == 0
    assert site.run("validate", "--offline", "--bundle", str(there)).returncode == 0
    assert not list((there / "partial").glob("*.joined.part"))


def test_volumes_of_another_size_are_refused_or_replaced(site: Small, tmp_path: Path) -> None:
    site.web.files["big.tar"] = os.urandom(30_000_000)
    extra = {"name": "big.tar", "url": f"{site.web.url}/big.tar", "sha256": site.web.sum("big.tar")}
    site.write(bundle={"files": [extra]})
    to = ("--to", str(tmp_path / "volumes"))
    assert site.build("--volumes", "1M", *to).returncode == 2
    assert site.build("--volumes", "a lot", *to).returncode == 2
    assert site.build("--volumes", "17M", *to).returncode == 0
    done = site.build("--volumes", "30M", *to)
    assert done.returncode == 5
    assert "volume-003: found a volume of another split; expected 2 volumes there; remove it" in done.stderr
    shutil.rmtree(tmp_path / "volumes/volume-003")
    assert site.build("--volumes", "30M", *to).returncode == 0
    for volume in (tmp_path / "volumes").iterdir():
        listed = json.loads((volume / "volume.json").read_text(encoding="utf-8"))["pieces"]
        assert {f"{one['sha256']}.{one['offset']}" for one in listed} == {
            file.name for file in (volume / "pieces").iterdir()
        }


def test_a_volume_that_was_copied_badly_is_refused(site: Small, tmp_path: Path) -> None:
    assert site.build("--volumes", "17M", "--to", str(tmp_path / "volumes")).returncode == 0
    volume = tmp_path / "volumes/volume-001"
    piece = max((volume / "pieces").iterdir(), key=lambda file: file.stat().st_size)
    data = piece.read_bytes()
    piece.unlink()
    piece.write_bytes(data[:-1] + b"!")
    done = site.run("bundle", "add", "--bundle", str(tmp_path / "there"), str(volume))
    assert done.returncode == 5
    assert "found another content; expected" in done.stderr
    assert "copy the volume again" in done.stderr


def test_a_site_with_a_bundle_asks_nothing_but_its_server(site: Small) -> None:
    assert site.build().returncode == 0
    with running(make_server(bundle(site), "127.0.0.1", 0)) as url:
        site.write(bundle={"url": url})
        done = site.run("validate", "--offline")
        assert done.returncode == 0, done.stderr
        assert f"{url} has everything" in done.stdout
        resolved = resolve.load(site.folder)
        host = resolved.hosts[0]
        server = url.removeprefix("http://")
        assert host.driver.url == f"{url}/packages/{DRIVER}"
        assert host.images[0].sources[0] == f"{server}/quay.io/ascend/vllm-ascend:v0.11.0"
        assert server in resolved.docker.daemon_options["insecure-registries"]
        model = host.models[0]
        assert (model.source, model.repo) == ("http", f"{url}/models/qwen2.5-7b-instruct")
        # what builds a bundle still asks the sources
        assert resolve.load(site.folder, bundled=False).hosts[0].driver.url == f"{site.web.url}/{DRIVER}"
    done = site.run("validate", "--offline")
    assert done.returncode == 4
    assert "expected the server of the bundle; start it there: provision bundle serve" in done.stderr


def test_serve_says_what_the_site_file_must_say(site: Small) -> None:
    assert site.build().returncode == 0
    words = site.words("bundle", "serve", "--bundle", str(bundle(site)), "--port", "0")
    with subprocess.Popen(words, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(20)
            finally:
                process.kill()
    assert str(bundle(site)) in first
    assert second.startswith('bundle: {url: "http://127.0.0.1:')
    assert code == 130


def test_a_bundle_that_is_none_is_refused(site: Small) -> None:
    done = site.run("bundle", "serve", "--bundle", str(site.folder))
    assert done.returncode == 2
    assert "found no manifest.json; expected the folder of a bundle" in done.stderr
    bundle(site).mkdir()
    (bundle(site) / "manifest.json").write_text(json.dumps({"schema": 1, "files": [{"path": "../x"}]}), "utf-8")
    done = site.run("bundle", "verify", "--bundle", str(bundle(site)))
    assert done.returncode == 3
    assert "expected the manifest of a bundle" in done.stderr


def test_the_key_in_an_address_is_not_for_those_who_ask_the_server(site: Small) -> None:
    site.web.files["python.tar.gz"] = b"an archive"
    address = f"{site.web.url}/python.tar.gz"
    entry = {"name": "python.tar.gz", "url": f"{address}?key=open-sesame", "sha256": site.web.sum("python.tar.gz")}
    site.write(bundle={"files": [entry]})
    done = site.build()
    assert done.returncode == 0, done.stderr
    file = contents.read(site.folder / "bundle").file("python.tar.gz")
    assert file is not None
    assert file.source == address
    assert "open-sesame" not in (site.folder / "bundle/manifest.json").read_text(encoding="utf-8")

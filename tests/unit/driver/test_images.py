"""Images of a site file: what is refused, what the hosts get, and what site.lock says of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import dockerfile, render
from driver.commands import commands
from driver.errors import SiteError
from driver.images import lock
from driver.resolved import ResolvedImage, ResolvedSite
from tests.unit.images import servers
from tests.unit.images.parts import Image

from .conftest import Change, Data, Workshop

NAME = "quay.io/ascend/vllm-ascend:v0.23.0"
SHA = "a" * 64
ARCHIVE = {"url": "http://files.example/engine.tar", "sha256": SHA, "size": 3_000_000_000}
BUILD = {"template": "packages", "from": "quay.io/ascend/vllm-ascend:v0.18.0", "arguments": {"pip": ["one"]}}
CASES: list[Data] = yaml.safe_load(Path(__file__).with_name("image_refusals.yml").read_text(encoding="utf-8"))
LOGIN = {"host": "10.77.0.2:5000", "user": "reader", "password": {"env": "REGISTRY_WORD"}}


def images(*entries: Data, **more: Any) -> Change:
    return lambda data: data.update({"images": list(entries), **more})


def filled(value: Any) -> Any:
    """Return *value* with the names that stand for something."""
    return json.loads(json.dumps(value).replace("$NAME", NAME).replace("$SHA", SHA))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_what_cannot_be_is_refused(case: Data, workshop: Workshop) -> None:
    given = filled({key: case[key] for key in ("images",) if key in case} | case.get("more", {}))
    faults = workshop.faults(lambda data: data.update(given))
    assert len(faults) == 1, faults
    assert faults[0].startswith(filled(case["says"][0])), faults[0]
    assert all(filled(part) in faults[0] for part in case["says"]), faults[0]
    assert "open-sesame" not in faults[0]


def variables(site: ResolvedSite) -> tuple[Data, Data]:
    files = render.documents(site)
    shown = yaml.safe_load(files[Path("host_vars/node1.yml")])
    return shown, yaml.safe_load(files[Path("wanted/node1.json")])["container_image"]


def test_an_archive_is_for_all_hosts_of_its_image(workshop: Workshop) -> None:
    shown, wanted = variables(workshop.load(images({"service": "chat", "archive": ARCHIVE})))
    (image,) = shown["container_image_images"]
    assert image["archive"] == {
        "name": NAME, "url": "http://files.example/engine.tar", "sha256": SHA, "size_bytes": 3_000_000_000,
    }  # fmt: skip
    assert image["sources"] == []
    assert image["fetch"] == "first"
    assert [one["host"] for one in image["members"]] == ["node1", "node2"]
    assert wanted["images"] == [image]


def test_without_moves_every_host_fetches_for_itself(workshop: Workshop) -> None:
    site = workshop.load(images({"image": NAME, "archive": ARCHIVE}, moves={"enabled": False}))
    assert site.hosts[0].images[0].fetch == "each"


def test_another_archive_is_another_service(workshop: Workshop) -> None:
    first = workshop.load(images({"image": NAME, "archive": ARCHIVE})).hosts[0].ray_members[0].digest
    second = workshop.load(images({"image": NAME, "archive": ARCHIVE | {"sha256": "b" * 64}}))
    assert second.hosts[0].ray_members[0].digest != first


def test_a_build_brings_its_base_and_changes_with_it(workshop: Workshop) -> None:
    site = workshop.load(images({"image": NAME, "build": BUILD}))
    base, built = site.hosts[0].images
    assert base.name == BUILD["from"]
    assert base.sources == ("10.77.0.2:5000/ascend/vllm-ascend:v0.18.0", BUILD["from"])
    assert built.sources == ()
    assert built.build["dockerfile"].startswith(f"FROM {BUILD['from']}\nRUN python3 -m pip install --no-cache-dir one")
    assert any("no digest of quay.io/ascend/vllm-ascend:v0.18.0" in line for line in site.warnings)
    lock_file = {"images": {BUILD["from"]: "sha256:" + SHA}}
    (workshop.folder / "site.lock").write_text(yaml.safe_dump(lock_file), encoding="utf-8")
    again = workshop.load(images({"image": NAME, "build": BUILD}))
    assert again.hosts[0].images[1].build["key"] != built.build["key"]


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        ({"archive": ARCHIVE}, [f"curl -fL -o image.tar {ARCHIVE['url']}", "sha256sum -c && docker load -i image.tar"]),
        ({"archive": {"path": "/mnt/x/e.tar", "sha256": SHA}}, [f"echo '{SHA}  /mnt/x/e.tar' | sha256sum -c"]),
        ({"build": BUILD}, ["docker pull --platform linux/amd64 10.77", f"-t {NAME} - <<'EOF'"]),
    ],
)  # fmt: skip
def test_the_same_by_hand(entry: Data, lines: list[str], workshop: Workshop) -> None:
    told = "\n".join(commands(workshop.load(images({"image": NAME, **entry})))["node1"])
    assert all(line in told for line in lines), told


def test_arguments_of_a_dockerfile_are_quoted() -> None:
    text = dockerfile.rendered("packages", "x/y:v1", {"pip": ["a; rm -rf /", "b>=1"]})
    assert text.splitlines()[1].endswith("--no-cache-dir 'a; rm -rf /' 'b>=1' ")
    assert dockerfile.templates() == ["mineru", "packages"]
    with pytest.raises(SiteError, match="'requirements' is undefined"):
        dockerfile.rendered("mineru", "x/y:v1", {})


def test_a_password_is_looked_up_and_stands_nowhere(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_WORD", "a-long-word")
    site = workshop.load(lambda data: data.update(registries=[LOGIN]))
    shown, wanted = variables(site)
    assert shown["container_image_registries"] == [{"host": "10.77.0.2:5000", "user": "reader"}]
    lookup = "{{ lookup('ansible.builtin.env', 'PROVISION_SECRET_REGISTRY_0') }}"
    assert shown["container_image_passwords"] == {"10.77.0.2:5000": lookup}
    assert "passwords" not in wanted
    assert site.secrets["REGISTRY_0"]["role"] == "container_image"
    assert "a-long-word" not in "".join(render.documents(site).values())
    assert lock.access(site).logins == {"10.77.0.2:5000": ("reader", "a-long-word")}


def test_the_image_knows_the_chips_of_its_hosts(prod: ResolvedSite) -> None:
    chip = prod.hosts[0].images[0].chip
    assert chip["soc_pattern"]
    assert prod.hosts[0].accelerator.image_suffix not in chip["others"]
    assert chip["others"]


def of_registry(lab: ResolvedSite, folder: Path, address: str, image: ResolvedImage) -> ResolvedSite:
    docker = lab.docker.model_copy(update={"daemon_options": {"insecure-registries": [address]}})
    source = image.model_copy(update={"sources": (f"{address}/org/engine:v1",)})
    return lab.model_copy(update={"folder": folder, "images": (source,), "docker": docker})


def test_the_lock_gets_digest_and_id_of_a_tag(lab: ResolvedSite, tmp_path: Path) -> None:
    one, arm = Image(), Image(architecture="arm64")
    image = lab.images[0].model_copy(update={"digest": ""})
    with servers.registry(tmp_path) as address:
        site = of_registry(lab, tmp_path, address, image)
        for pushed in ([one], [one, arm]):
            digest = servers.push(address, "org/engine", pushed, "v1")
            (outcome,) = lock.lock(site)
            assert (outcome.state, outcome.digest, outcome.ids) == ("locked", digest, {"amd64": one.id})
            written = yaml.safe_load((tmp_path / "site.lock").read_text(encoding="utf-8"))
            assert written == {"images": {NAME: digest}, "image_ids": {NAME: {"amd64": one.id}}}


def test_what_is_locked_stays_until_it_is_renewed(lab: ResolvedSite, tmp_path: Path) -> None:
    image = lab.images[0].model_copy(update={"digest": "sha256:" + "0" * 64})
    with servers.registry(tmp_path) as address:
        digest = servers.push(address, "org/engine", [Image()], "v1")
        site = of_registry(lab, tmp_path, address, image)
        (kept,) = lock.lock(site)
        assert (kept.state, kept.digest) == ("kept", image.digest)
        assert not (tmp_path / "site.lock").exists()
        (renewed,) = lock.lock(site, update=True)
        assert f"renewed: {digest} for amd64, before {image.digest}" in renewed.sentence()
    shutil.rmtree(tmp_path / "store")
    (failed,) = lock.lock(site, update=True)
    assert failed.state == "failed"
    assert "no registry gave it" in failed.sentence()
    assert yaml.safe_load((tmp_path / "site.lock").read_text(encoding="utf-8"))["images"] == {NAME: digest}

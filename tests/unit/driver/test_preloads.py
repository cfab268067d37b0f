"""Models and images that the site names hosts for: they get them though no service there uses them."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Data, Workshop, put

ARCHIVE = {"url": "http://files.example/large.tar", "sha256": "b" * 64, "size": 5}
IMAGE = {"image": "quay.io/lab/large:v1", "archive": ARCHIVE}
MODEL = {"model": "lab-wide-qwen2", "path": "/data/models/wide", "source": "huggingface"}


def third(data: Data) -> None:
    """Add a host that serves nothing."""
    data["hosts"].append({**data["hosts"][1], "name": "node3", "address": "10.77.0.13"})


def test_named_hosts_get_a_model_that_nobody_serves(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        third(data)
        data["models"].append({**MODEL, "hosts": ["node3", "node2"]})

    site = workshop.load(change)
    names = {host.name: [model.name for model in host.models] for host in site.hosts}
    assert names == {
        "node1": ["lab-tiny-qwen2"],
        "node2": ["lab-tiny-qwen2", "lab-wide-qwen2"],
        "node3": ["lab-wide-qwen2"],
    }
    # node2 has an engine, whose image has the client of the hub
    assert {model.fetch for host in site.hosts for model in host.models if model.name == MODEL["model"]} == {"node2"}
    assert "model_store" in site.hosts[2].roles
    assert "ray_cluster" not in site.hosts[2].roles


def test_all_stands_for_every_host(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        third(data)
        data["models"].append({**MODEL, "hosts": "all"})
        data["images"] = [{**IMAGE, "hosts": "all"}]

    site = workshop.load(change)
    assert next(model.hosts for model in site.models if model.name == MODEL["model"]) == ("node1", "node2", "node3")
    for host in site.hosts:
        image = next(image for image in host.images if image.name == IMAGE["image"])
        assert image.archive["size_bytes"] == 5
        assert [member.host for member in image.members] == ["node1", "node2", "node3"]
        assert "container_image" in host.roles


def test_an_archive_of_a_served_image_reaches_further_hosts_too(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        third(data)
        data["images"] = [{"service": "chat", "archive": ARCHIVE, "hosts": ["node3"]}]

    site = workshop.load(change)
    images = [host.images for host in site.hosts]
    assert [[image.name for image in found] for found in images] == [[images[0][0].name]] * 3
    assert [[member.host for member in image.members] for image in images[2]] == [["node1", "node2", "node3"]]


def entry(kind: str, value: dict[str, Any]) -> Any:
    return put(models__1=value) if kind == "models" else (lambda data: data.update(images=[value]))


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (
            "models",
            {**MODEL, "hosts": ["node1", "node9"]},
            "models.1.hosts.1: found unknown host node9; expected all, or a list of node1, node2",
        ),
        (
            "images",
            {**IMAGE, "hosts": ["node9"]},
            "images.0.hosts.0: found unknown host node9; expected all, or a list of node1, node2",
        ),
        ("images", IMAGE, "images.0.image: found quay.io/lab/large:v1; expected an image that a service uses"),
        (
            "images",
            {
                "service": "chat",
                "build": {"template": "packages", "from": "quay.io/x/y:v1", "arguments": {"pip": ["x"]}},
            }
            | {"hosts": "all"},
            "images.0.hosts: found hosts with build; expected an archive",
        ),
    ],
)
def test_what_cannot_be_is_refused(kind: str, value: Data, says: str, workshop: Workshop) -> None:
    faults = workshop.faults(entry(kind, value))
    assert len(faults) == 1, faults
    assert faults[0].startswith(says), faults[0]


def test_a_hub_needs_a_host_with_an_engine_or_this_machine(workshop: Workshop) -> None:
    def change(data: Data, **more: Any) -> None:
        third(data)
        data["models"].append({**MODEL, "hosts": ["node3"], **more})

    faults = workshop.faults(change)
    assert faults == [
        "models.1.fetch: found first, and node3 runs no service; expected a host that runs an engine, whose image has "
        "the client of the hub, or controller; write fetch: controller, or name such a host"
    ]
    site = workshop.load(lambda data: change(data, fetch="controller"))
    assert [model.fetch for model in site.hosts[2].models] == ["controller"]

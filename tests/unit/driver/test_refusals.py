"""Every refusal by its message: where it is, what was found, what was expected, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from driver import catalog, resolve
from driver.catalog import Catalog
from driver.resolved import ResolvedSite

from .conftest import Change, Data, Workshop, alone, parent, put, put_all, shipped

CASES: list[Data] = yaml.safe_load(Path(__file__).with_name("refusals.yml").read_text(encoding="utf-8"))


def change_of(case: Data) -> Change:
    def change(data: Data) -> None:
        put_all(data, case.get("set", {}))
        for path, new in case.get("rename", {}).items():
            here, last = parent(data, path)
            here[new] = here.pop(last)
        for path in case.get("drop", []):
            key, *rest = path.split(".", 1)
            if key == "checksums":  # names of files have dots
                del data[key][rest[0]]
            else:
                here, last = parent(data, path)
                del here[last]
        if "service" in case:
            add_service(data, case["service"])
        if case.get("alone"):
            alone(data)
            data["services"][0]["parallel"] = {"tensor": data["services"][0]["cards"]["count"]}

    return change


def add_service(data: Data, keys: Data) -> None:
    """Add a service like the first one, on one host and with other keys."""
    other = {"name": "second", "hosts": ["node1"], "cards": [1], "parallel": {}, "distributed": "none", "port": 9000}
    data["services"].append({**data["services"][0], **other, **keys})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_refused_with_one_line(case: Data, workshop: Workshop) -> None:
    faults = workshop.faults(change_of(case), base=case.get("base", "lab"))
    assert len(faults) == case.get("lines", 1), faults
    assert faults[0].startswith(case["says"][0]), faults[0]
    assert all(part in faults[0] for part in case["says"]), faults[0]
    assert not [part for part in case.get("says_not", []) if part in faults[0]]


def places(faults: list[str]) -> list[str]:
    return [fault.split(": ")[0] for fault in faults]


def test_all_faults_at_once(workshop: Workshop) -> None:
    case = {
        "rename": {"hosts.0.accelerator": "acelerator"},
        "set": {
            "hosts.1.accelerator.type": "ascend-910z",
            "hosts.1.address": "10.77.0.11",
            "services.0.version": "v9",
            "services.0.served_name": "{{ x }}",
            "services.0.parallel.tensor": 16,
            "connection.python": "{% x %}",
        },
    }
    assert places(workshop.faults(change_of(case))) == [
        "connection.python",
        "services.0.served_name",
        "hosts.0.acelerator",
        "hosts.1.address",
        "hosts.1.accelerator.type",
        "services.0.parallel",
        "services.0.version",
        "services.0.parallel.tensor",
    ]


def test_faults_of_form_beyond_repair_are_all_listed(workshop: Workshop) -> None:
    faults = workshop.faults(put(services__0__port="http", hosts__0__address=10, connection__port=0))
    assert places(faults) == ["connection.port", "hosts.0.address", "services.0.port"]


def test_a_value_beyond_repair_hides_no_other_fault(workshop: Workshop) -> None:
    case = {
        "rename": {"hosts.0.accelerator": "acelerator"},
        "set": {"hosts.1.address": "10.77.0.300", "services.0.version": "v9", "services.0.cards": "0"},
    }
    assert places(workshop.faults(change_of(case))) == [
        "hosts.0.acelerator",
        "hosts.1.address",
        "services.0.cards",
        "services.0.version",
    ]


def test_faults_of_the_lock_stand_beside_those_of_the_site(workshop: Workshop) -> None:
    (workshop.folder / "site.lock").write_text("images: {a: latest}\n", encoding="utf-8")
    assert [fault.split(": found")[0] for fault in workshop.faults(put(release="lap"))] == [
        "release",
        f"{workshop.folder}/site.lock: images.a",
    ]


def leaves(data: Any, where: str = "") -> Iterator[str]:
    """Yield the path of every value in *data* that is neither free text nor a name of somebody else's."""
    if where.endswith(("arguments", "registries", "checksums")):
        return
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield f"{where}.{key}".lstrip(".")
        yield from leaves(value, f"{where}.{key}")


@pytest.mark.parametrize("wrong", [1.5, "{{ x }}"])
@pytest.mark.parametrize("base", ["lab", "prod", "fleet"])
def test_one_broken_value_is_one_fault_wherever_it_stands(base: str, wrong: Any, workshop: Workshop) -> None:
    for where in leaves(shipped(base)):
        change: Data = {"set": {where: wrong}}
        faults = workshop.faults(change_of(change), base=base)
        assert {place[: len(where)] for place in places(faults)} == {where}, faults


def test_eight_cards_are_tight_and_allowed(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        alone(data)
        data["services"][0]["parallel"] = {"tensor": 8}

    assert workshop.load(change, base="prod").service("qwen3-235b").tensor == 8


@pytest.fixture
def second_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a second accelerator into the catalog, for which no engine has an image and no release a driver."""
    known = catalog.load()
    other = known.accelerators["ascend-910b"].model_copy(update={"name": "other", "package_family": "other"})
    both = Catalog({**known.accelerators, "other": other}, known.engines, known.models, known.releases)
    monkeypatch.setattr(catalog, "load", lambda *_: both)


@pytest.mark.usefixtures("second_kind")
def test_engine_without_an_image_for_the_accelerator(workshop: Workshop) -> None:
    faults = workshop.faults(put(hosts__0__accelerator__type="other", hosts__1__accelerator__type="other"))
    assert faults[0].startswith("release: found lab, which has no driver for other (node1); expected one of")
    assert faults[-1].startswith("services.0.engine: found vllm on other; expected an engine with an image for it")


@pytest.mark.usefixtures("second_kind")
def test_one_kind_of_accelerator_for_a_service(workshop: Workshop) -> None:
    faults = workshop.faults(put(hosts__1__accelerator__type="other"))
    assert any(fault.startswith("services.0.hosts: found ascend-910b, other; expected one kind") for fault in faults)


LEFT_OUT = """\
services.0.arguments.enable_reasoning: left out for vllm v0.23.0: deprecated in vLLM 0.9.0
services.0.environment.VLLM_TEST_ENABLE_EP: left out for vllm v0.23.0: removed from vLLM in March 2025
services.0.environment.VLLM_USE_V1: left out for vllm v0.23.0: vLLM has one engine left
"""


def test_settings_that_once_were_right_are_left_out_with_a_warning(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["services"][0]["arguments"]["enable_reasoning"] = True
        data["services"][0]["environment"] = {"VLLM_TEST_ENABLE_EP": "1", "VLLM_USE_V1": "0"}

    site = workshop.load(change)
    assert "--enable-reasoning" not in site.service("chat").argv
    assert {"VLLM_TEST_ENABLE_EP", "VLLM_USE_V1"}.isdisjoint(site.host("node1").ray_members[0].environment)
    said = [warning for warning in site.warnings if "left out for" in warning]
    for warning, start in zip(said, LEFT_OUT.splitlines(), strict=True):
        assert start in warning


def test_registries_without_tls_are_those_of_both_places(workshop: Workshop) -> None:
    site = workshop.load(put(docker={"daemon_options": {"insecure-registries": ["192.0.2.7:5000"], "debug": True}}))
    expected = {"insecure-registries": ["10.77.0.2:5000", "192.0.2.7:5000"], "debug": True}
    assert site.docker.daemon_options == expected


def test_recommendation_taken_away_leaves_the_default(workshop: Workshop) -> None:
    site = workshop.load(put(services__0__arguments={"gpu-memory-utilization": None}), base="prod")
    assert "--gpu-memory-utilization" not in site.service("qwen3-235b").argv


def test_old_driver_is_a_warning(workshop: Workshop) -> None:
    site = workshop.load(put(services__0__version="v0.23.0"), base="prod")
    expected = "vllm v0.23.0 wants driver 25.5.1 or newer, release hdk-25.0.rc1 has 25.0.rc1.b080: its default graph"
    assert any(expected in warning for warning in site.warnings)


def test_example_checksums_are_a_warning(prod: ResolvedSite) -> None:
    assert len([warning for warning in prod.warnings if "an example value" in warning]) == 3


def test_what_is_not_pinned_is_a_warning(prod: ResolvedSite) -> None:
    image, model = [warning for warning in prod.warnings if "an example value" not in warning]
    name = "quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler"
    assert image.startswith(f"inventories/prod/site.lock: images: no digest of {name}, ")
    assert f'write `images: {{"{name}": "sha256:…"}}`' in image
    assert model.startswith("inventories/prod/site.yml: models.0.source: master of Qwen/Qwen3-235B-A22B is a branch, ")
    assert "`provision lock` writes the commit that it is now into site.lock" in model


def test_what_is_pinned_is_no_warning(workshop: Workshop, catalog_copy: Path) -> None:
    name = "quay.io/ascend/vllm-ascend:v0.23.0"
    (workshop.folder / "site.lock").write_text(f'images: {{"{name}": "sha256:{"0" * 64}"}}\n', encoding="utf-8")
    assert workshop.load().warnings == ()
    file = catalog_copy / "models/lab-tiny-qwen2.yml"
    text = re.sub(r"revision: \w+", "revision: master", file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    assert len(resolve.load(workshop.write(), catalog=catalog_copy).warnings) == 1


@pytest.mark.parametrize("case", [case for case in CASES if "hidden" in str(case)], ids=lambda case: case["case"])
def test_a_refused_secret_is_not_shown(case: Data, workshop: Workshop) -> None:
    assert not any("hidden" in fault for fault in workshop.faults(change_of(case), base=case.get("base", "lab")))


def test_an_address_with_an_at_sign_in_its_path_is_no_secret(workshop: Workshop) -> None:
    given = {"HF_ENDPOINT": "http://192.0.2.1:8080/a@b", "MAIL": "me@192.0.2.1", "PATHS": "/a:/b@c", "X": "a:b"}
    given["IMAGE"] = "name:tag@sha256:0"
    assert workshop.load(put(services__0__environment=given)).service("chat")


def test_missing_identity_file_is_no_fault_of_the_site(workshop: Workshop) -> None:
    site = workshop.load(put(connection__identity_file="nowhere/key"))
    assert site.connection.identity_file == f"{workshop.folder}/nowhere/key"


def test_resolved_values_are_frozen(lab: ResolvedSite) -> None:
    changed: Any = lab
    with pytest.raises(ValidationError):
        changed.name = "x"

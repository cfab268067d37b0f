"""Rendering: exact, atomic, repeatable, and nothing that Ansible would evaluate."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from jinja2 import UndefinedError

from driver import paths, render
from driver.errors import ProvisionError
from driver.resolved import ROLES, ResolvedSite

from .conftest import Data, Workshop


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_second_render_changes_nothing(workshop: Workshop) -> None:
    site = workshop.load()
    first = render.render(site)
    before = snapshot(site.rendered)
    second = render.render(workshop.load())
    assert {str(path.relative_to(first.folder)) for path in first.changed} == set(before)
    assert (second.changed, second.diff) == ((), "")
    assert snapshot(site.rendered) == before


def test_dry_run_writes_nothing(workshop: Workshop) -> None:
    site = workshop.load()
    result = render.render(site, write=False)
    assert len(result.changed) == 7
    assert "+npu_driver_version: " in result.diff
    assert not site.rendered.exists()


def test_a_change_is_shown_as_a_diff(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["services"][0]["port"] = 9001

    render.render(workshop.load())
    result = render.render(workshop.load(change), write=False)
    assert [path.name for path in result.changed] == ["node1.yml", "node1.json"]
    assert "--- old/host_vars/node1.yml" in result.diff


def test_files_of_an_earlier_site_are_removed(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["hosts"][1]["name"] = "other"
        data["services"][0]["hosts"] = ["node1", "other"]

    site = workshop.load()
    render.render(site)
    (site.rendered / "left/over").mkdir(parents=True)
    (site.rendered / "left/over/.draft.new").touch()
    result = render.render(workshop.load(change))
    names = {str(path.relative_to(site.rendered)) for path in result.changed}
    assert {"host_vars/node2.yml", "host_vars/other.yml", "wanted/node2.json", "left/over/.draft.new"} <= names
    assert not (site.rendered / "host_vars/node2.yml").exists()
    assert not (site.rendered / "left").exists()


@pytest.mark.parametrize("name", ["lab", "prod"])
def test_wanted_is_the_role_variables(name: str, request: pytest.FixtureRequest) -> None:
    site: ResolvedSite = request.getfixturevalue(name)
    files = render.documents(site)
    for host in site.hosts:
        variables = yaml.safe_load(files[Path(f"host_vars/{host.name}.yml")])
        wanted = json.loads(files[Path(f"wanted/{host.name}.json")])
        assert (wanted["schema"], wanted["host"], wanted["roles"]) == (1, host.name, list(host.roles))
        again = {f"{role}_{key}": value for role in host.roles for key, value in wanted[role].items()}
        left_out = {name for name in variables if name not in again}
        assert again == {name: value for name, value in variables.items() if name in again}
        # what is looked up during a run, and nothing else
        assert left_out == {name for name, value in variables.items() if "{{ lookup" in str(value)}


def test_every_role_is_a_group_and_every_variable_has_its_prefix(lab: ResolvedSite) -> None:
    files = render.documents(lab)
    groups = yaml.safe_load(files[Path("hosts.yml")])["all"]["children"]
    assert tuple(groups) == ROLES
    assert groups["inference_service"]["hosts"] == {"node1": {}}
    for name in yaml.safe_load(files[Path("host_vars/node1.yml")]):
        assert sum(name.startswith(f"{role}_") for role in ROLES) == 1, name


def test_template_marks_never_reach_a_rendered_file() -> None:
    with pytest.raises(ProvisionError, match="would be evaluated by Ansible"):
        render.as_yaml({"a": ["{{ b }}"]})


def test_unknown_names_fail() -> None:
    with pytest.raises(UndefinedError, match="nowhere"):
        render.environment().from_string("{{ nowhere.x | yaml }}").render()


def test_values_are_quoted_for_ssh(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["connection"] |= {
            "identity_file": "keys/my key",
            "jump": "me@10.0.0.1:2222",
            "known_hosts": "~/.ssh/known_hosts",
        }

    text = render.documents(workshop.load(change))[Path("ssh_config")]
    assert f'IdentityFile "{workshop.folder}/keys/my key"' in text
    assert 'UserKnownHostsFile "~/.ssh/known_hosts"' in text
    assert text.count("ProxyJump me@10.0.0.1:2222") == 2
    assert render.as_ssh("50%") == '"50%%"'


def test_openssh_understands_the_configuration(workshop: Workshop) -> None:
    site = workshop.load()
    render.render(site)
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(site.rendered / "ssh_config"), "node2"], capture_output=True, text=True, check=True
    ).stdout
    assert {"hostname 10.77.0.12", "user operator", "batchmode yes", "stricthostkeychecking true"} <= set(
        shown.splitlines()
    )
    assert f"/provision-{paths.control_dir().name.rsplit('-', 1)[1]}/" in shown

"""The commands that a person would type say the same as the roles' variables."""

from __future__ import annotations

import shlex
import subprocess

import yaml

from driver import commands, commands_host, paths
from driver.resolved import ResolvedSite

from .conftest import Data, Workshop


def words(command: str) -> list[str]:
    return shlex.split(command.replace("\\\n", " "), comments=True)


def test_every_line_is_shell(lab: ResolvedSite, prod: ResolvedSite) -> None:
    for site in (lab, prod):
        for lines in commands.commands(site).values():
            subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=True)


def test_container_commands_are_those_of_the_units(lab: ResolvedSite) -> None:
    host = lab.host("node1")
    typed = [words(line) for line in commands.commands(lab)["node1"]]
    for argv in (host.ray_members[0].argv, host.services[0].argv):
        by_hand = ["docker", argv[1], "--detach", *argv[2:]]
        assert by_hand in typed


def test_order_on_a_host(lab: ResolvedSite) -> None:
    text = "\n".join(commands.commands(lab)["node1"])
    marks = [
        "groupadd",
        "docker.io",
        "npu-driver",
        "npu-firmware",
        "systemctl reboot",
        "Ascend-docker-runtime",
        "docker pull",
        "modelscope download",
        "ray start",
        "vllm serve",
        "curl -fsS http://10.77.0.11:8006/v1/chat",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_installers_have_a_limit_and_no_prompt(prod: ResolvedSite) -> None:
    calls = [line for line in commands.commands(prod)["node2"] if ".run --" in line]
    assert len(calls) == 3
    assert all(line.startswith("timeout ") and line.endswith("< /dev/null") for line in calls)
    assert "--nox11 --full --quiet --install-for-all" in calls[0]


def test_options_are_those_of_the_roles(lab: ResolvedSite) -> None:
    lines = commands.commands(lab)["node1"]
    for role in ("npu_driver", "npu_firmware"):
        text = (paths.ROOT / "roles" / role / "vars" / "main.yml").read_text(encoding="utf-8")
        options = {name.removeprefix(f"__{role}_"): value for name, value in yaml.safe_load(text).items()}
        kind = role.removeprefix("npu_")
        call = next(line for line in lines if line.startswith("timeout") and f"-npu-{kind}" in line)
        assert f".run {' '.join(options['install_options'])} < /dev/null" in call
        assert any(f": {' '.join(options['upgrade_options'])} in place" in line for line in lines)


def test_an_account_that_is_not_the_vendors_is_named_to_the_first_installer(workshop: Workshop) -> None:
    site = workshop.load(lambda data: data.update(service_account={"name": "npu"}))
    calls = [line for line in commands.commands(site)["node1"] if line.startswith("timeout") and "install-user" in line]
    assert len(calls) == 1
    assert "--install-for-all --install-username=npu --install-usergroup=HwHiAiUser < /dev/null" in calls[0]


def test_licence_is_answered(lab: ResolvedSite) -> None:
    assert (
        "printf 'Y\\n' | timeout 120 bash /var/cache/provision/Ascend-docker-runtime_26.1.0_linux-x86_64.run --install"
        in commands.commands(lab)["node1"]
    )


def test_obsutil_is_optional(workshop: Workshop, prod: ResolvedSite) -> None:
    assert "obsutil" not in "\n".join(commands.commands(prod)["node1"])
    site = workshop.load(base="fleet")
    lines = commands.commands(site)["node1"]
    assert any("obs.example.org" in line for line in lines)
    assert not any("fleet_secret" in line or "FLEET_" in line for line in lines)


def test_what_is_left_out_is_said_with_the_role_that_does_it(workshop: Workshop, lab: ResolvedSite) -> None:
    site = workshop.load(base="fleet")
    said = {host: [line for line in lines if "not printed" in line] for host, lines in commands.commands(site).items()}
    everywhere = {
        "host_baseline": ["system.selinux", "system.firewalld", "system.time_sync", "system.ip_forward"],
        "npu_driver": ["npu.accept_from", "npu.drain", "npu.modules_signed"],
        "ascend_docker_runtime": ["docker.default_runtime", "docker.runtime_mounts"],
    }
    lines = {f"# not printed: {key} (role {role} does it)" for role, keys in everywhere.items() for key in keys}
    hold, tls = (
        f"# not printed: {words} does it)"
        for words in ("system.hold_kernel (role host_baseline", "npu_tls (role npu_network")
    )
    rpm = "# not printed: mirrors.rpm (role host_baseline does it)"
    assert set(said["node1"]) == {*lines, hold, tls}
    assert set(said["node2"]) == {*lines, hold, rpm}
    assert set(said["node3"]) == {*lines, hold, rpm, tls}
    assert "not printed" not in "\n".join(commands.commands(lab)["node1"])


def test_a_version_of_docker_is_pinned(workshop: Workshop) -> None:
    text = "\n".join(commands.commands(workshop.load(base="fleet"))["node1"])
    assert 'apt-get install -y "docker-ce=5:28.0.4-*" "docker-ce-cli=5:28.0.4-*" containerd.io' in text
    assert 'dnf install -y "docker-ce-28.0.4" "docker-ce-cli-28.0.4" containerd.io' in text


def test_a_signed_delivery_is_run_from_where_it_was_unpacked(workshop: Workshop) -> None:
    site = workshop.load(base="fleet")
    host = site.host("node1")
    signed = host.driver.model_copy(update={"file": "hdk.zip", "archive": {"run": "driver.run"}})
    lines = commands_host.driver(site, host.model_copy(update={"driver": signed}))
    unpack = lines.index("unzip -o -d /var/cache/provision/hdk.zip.d /var/cache/provision/hdk.zip.d/*.zip")
    call = next(line for line in lines if line.startswith("timeout"))
    assert "bash /var/cache/provision/hdk.zip.d/driver.run --nox11 --full" in call
    assert unpack < lines.index(call)


def test_hugging_face_and_docker_that_is_there(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["models"][0]["source"] = "huggingface"
        data["docker"] = {"source": "present", "users": ["me"]}

    lines = commands.commands(workshop.load(change))["node1"]
    fetch = next(line for line in lines if "hf download" in line)
    assert "HF_ENDPOINT=http://10.77.0.2:8080" in words(fetch)
    assert "type=bind,source=/data/models/tiny-qwen2,target=/model" in words(fetch)
    assert "usermod --append --groups docker me" in lines
    assert not [line for line in lines if "docker.io" in line]

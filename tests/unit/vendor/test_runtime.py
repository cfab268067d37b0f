"""ascend-docker-runtime: the installer on a throwaway host, and what the runtime does to a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.vendor.runtime import ascend_docker_runtime as runtime
from tests.lab.vendor.runtime import plugin_install_helper as helper

NEW = "Ascend-docker-runtime_26.1.0_linux-$(uname -m).run"
OLD = "Ascend-docker-runtime_7.3.0_linux-$(uname -m).run"
HOME = "/usr/local/Ascend/Ascend-Docker-Runtime"
DAEMON = "/etc/docker/daemon.json"
LIST = "/etc/ascend-docker-runtime.d/base.list"
NODES = "davinci2 davinci_manager devmm_svm hisi_hdc"
INSTALLED = "[INFO] please reboot daemon and container engine to take effect"


def test_agreement_is_asked_for_ever_on_closed_input(bare) -> None:
    done = bare.run(f"timeout 4 bash {NEW} --install </dev/null")
    assert done.returncode == 124
    assert done.stdout.count("Do you accept the EULA to install Ascend-docker-runtime?[Y/N]") > 3


def test_declined_agreement_ends_with_code_0_and_nothing_installed(bare) -> None:
    done = bare.run(f"bash {NEW} --install", stdin="N\n")
    assert done.returncode == 0
    assert bare.run(f"ls {HOME}").returncode == 2


def test_installation_merges_the_engine_file(box) -> None:
    box.ok(f'mkdir -p /etc/docker; chmod 755 /etc/docker; echo \'{{"z": 1, "data-root": "/data"}}\' >{DAEMON}')
    done = box.run(f"bash {NEW} --install", stdin="Y\n")
    assert done.returncode == 0
    assert INSTALLED in done.stdout
    text = box.ok(f"cat {DAEMON}")
    assert text.startswith(
        '{\n        "data-root": "/data",\n        "default-runtime": "ascend",\n        "runtimes": {'
    )
    assert json.loads(text)["runtimes"]["ascend"] == {"path": f"{HOME}/ascend-docker-runtime", "runtimeArgs": []}
    modes = box.ok(f"stat -c '%a %n' {DAEMON} {HOME}/ascend-docker-* {HOME}/script/uninstall.sh {HOME}/*.info {LIST}")
    assert [line.split()[0] for line in modes.splitlines()] == ["600", *["550"] * 5, "500", "640", "440"]
    assert "version=v26.1.0" in box.ok(f"cat {HOME}/ascend_docker_runtime_install.info").splitlines()
    assert "install success" in box.ok("cat /var/log/ascend-docker-runtime/installer.log")


@pytest.mark.parametrize("version", ["6.0.0", "7.3.0"])
def test_older_versions_do_not_ask(box, version: str) -> None:
    assert INSTALLED in box.ok(f"bash Ascend-docker-runtime_{version}_linux-$(uname -m).run --install </dev/null")
    assert f"version=v{version}" in box.ok(f"cat {HOME}/ascend_docker_runtime_install.info").splitlines()


def test_upgrade_leaves_the_engine_file_alone(box) -> None:
    assert "does not exist, stopping upgrading" in box.run(f"bash {NEW} --upgrade", stdin="Y\n").stdout
    box.ok(f"bash {OLD} --install; echo '{{}}' >{DAEMON}")
    assert box.run(f"bash {NEW} --upgrade", stdin="Y\n").returncode == 0
    assert box.ok(f"cat {DAEMON}") == "{}\n"
    assert "version=v26.1.0" in box.ok(f"cat {HOME}/ascend_docker_runtime_install.info")


def test_broken_engine_file_is_refused(box) -> None:
    box.ok(f"mkdir -p /etc/docker; echo '{{broken' >{DAEMON}")
    done = box.run(f"bash {OLD} --install")
    assert done.returncode == 1
    assert "load daemon.json failed" in done.stderr
    assert box.ok(f"cat {DAEMON}") == "{broken\n"


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        ("mkdir /opt/a; ln -s /opt/a /usr/local/Ascend", "/usr/local/Ascend is soft link"),
        ("mkdir /usr/local/Ascend; chmod 775 /usr/local/Ascend", "has write permission"),
        ("mkdir /etc/docker; echo {} >/etc/docker/daemon.json; chown 12345 /etc/docker/daemon.json", "is not root"),
    ],
)
def test_unsound_paths_are_refused(box, spoil: str, text: str) -> None:
    box.ok(spoil)
    done = box.run(f"bash {OLD} --install")
    assert done.returncode == 1
    assert text in done.stdout


def test_removal(box) -> None:
    assert "uninstall skipping" in box.ok(f"bash {OLD} --uninstall")
    box.ok(f"bash {OLD} --install --install-path=/opt/x; bash {OLD} --uninstall --install-path=/opt/x")
    assert json.loads(box.ok(f"cat {DAEMON}")) == {"runtimes": {}}
    assert box.run("ls /opt/x/Ascend-Docker-Runtime /etc/ascend-docker-runtime.d").stdout == ""


def test_package_of_another_machine_is_refused(box) -> None:
    other = "aarch64" if box.ok("uname -m").strip() == "x86_64" else "x86_64"
    done = box.run(f"bash Ascend-docker-runtime_7.3.0_linux-{other}.run --install")
    assert done.returncode == 1
    assert "mismatch" in done.stdout


def test_container_gets_its_cards_and_runc_takes_over(box) -> None:
    box.ok(f"bash {OLD} --install; for n in {NODES}; do mknod -m 660 /dev/$n c 1 3; done")
    box.ok("printf '#!/bin/sh\\necho runc \"$@\"\\n' >/usr/local/bin/docker-runc; chmod 755 /usr/local/bin/docker-runc")
    box.ok("mkdir -p /tmp/bundle /usr/local/dcmi")
    spec = {"process": {"env": ["ASCEND_VISIBLE_DEVICES=void", "ASCEND_VISIBLE_DEVICES=npu-2"]}}
    box.run("cat >/tmp/bundle/config.json", stdin=json.dumps(spec))
    assert (
        box.ok(f"{HOME}/ascend-docker-runtime create --bundle /tmp/bundle x") == "runc create --bundle /tmp/bundle x\n"
    )
    made = json.loads(box.ok("cat /tmp/bundle/config.json"))
    assert [device["path"] for device in made["linux"]["devices"]] == [
        "/dev/davinci2",
        "/dev/davinci_manager",
        "/dev/devmm_svm",
        "/dev/hisi_hdc",
    ]
    assert {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"} in made["linux"]["resources"][
        "devices"
    ]
    mount = next(mount for mount in made["mounts"] if mount["destination"] == "/usr/local/dcmi")
    assert {"ro", "nosuid"} <= set(mount["options"])
    assert "ASCEND_DOCKER_RUNTIME=True" in made["process"]["env"]
    box.run("cat >/tmp/bundle/config.json", stdin=json.dumps({"process": {"env": ["ASCEND_VISIBLE_DEVICES=7"]}}))
    missing = box.run(f"{HOME}/ascend-docker-runtime create --bundle /tmp/bundle x")
    assert missing.returncode == 1
    assert "cannot get device /dev/davinci7" in missing.stderr
    box.ok("chown 12345 /usr/local/bin/docker-runc")
    assert "does not belong to root" in box.run(f"{HOME}/ascend-docker-runtime state x").stderr


@pytest.mark.parametrize(
    ("text", "devices"),
    [("0", [0]), ("2,0", [0, 2]), ("0-3,5", [0, 1, 2, 3, 5]), ("npu-1", [1]), ("Ascend910-1,Ascend910-2", [1, 2])],
)
def test_devices_are_understood(text: str, devices: list[int]) -> None:
    assert runtime.parse_devices(text) == devices


@pytest.mark.parametrize("text", ["0,npu-1", "3-1", "0-129", "a", "1-2-3", "0,,1", "Ascend920-1"])
def test_other_device_lists_are_refused(text: str) -> None:
    with pytest.raises(runtime.RefusedError, match="ASCEND_VISIBLE_DEVICES"):
        runtime.parse_devices(text)


def test_entry_without_equals_sign_hides_everything() -> None:
    assert runtime.lookup(["ASCEND_VISIBLE_DEVICES=0"], "ASCEND_VISIBLE_DEVICES") == "0"
    assert runtime.lookup(["ASCEND_VISIBLE_DEVICES=0", "BROKEN"], "ASCEND_VISIBLE_DEVICES") == ""


@pytest.mark.parametrize("environment", [[], ["ASCEND_VISIBLE_DEVICES="], ["ASCEND_VISIBLE_DEVICES=void"]])
def test_container_that_asks_for_nothing_is_left_alone(environment: list[str]) -> None:
    spec: dict[str, Any] = {"process": {"env": list(environment)}}
    assert not runtime.inject(spec)
    assert spec == {"process": {"env": environment}}


@pytest.mark.parametrize(("family", "needed"), [("310b", 1), ("910b", 3), ("", 3)])
def test_small_boards_have_other_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, needed: int
) -> None:
    monkeypatch.setattr(runtime, "FAMILY", tmp_path / "family.json")
    if family:
        (tmp_path / "family.json").write_text(json.dumps({"family": family}), encoding="utf-8")
    always, optional = runtime.control_nodes()
    assert (len(always), always[0]) == (needed, "/dev/davinci_manager")
    assert ("/dev/svm0" in optional) == (family == "310b")


def test_named_lists_replace_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "LISTS", tmp_path)
    (tmp_path / "extra.list").write_text(f"{tmp_path}\n/no/such/path\n")
    assert runtime.list_names(["ASCEND_RUNTIME_MOUNTS=Extra"]) == ["extra"]
    assert runtime.list_names(["ASCEND_RUNTIME_MOUNTS=" + "x" * 129]) == ["base"]
    assert runtime.mount_paths(["extra"]) == [str(tmp_path)]
    with pytest.raises(runtime.RefusedError, match="there is no list"):
        runtime.mount_paths(["absent"])


def test_containerd_file_gets_the_runtime_and_loses_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    section = 'plugins."io.containerd.grpc.v1.cri".containerd'
    config.write_text(f'version = 2\n[{section}]\ndefault_runtime_name = "runc"\n[{section}.runtimes.runc]\n')
    added = helper.edit(["add", str(config), "draft", "/x/ascend-docker-runtime", "no", "containerd"])
    assert 'default_runtime_name = "ascend"' in added
    assert f'[{section}.runtimes.ascend.options]\nBinaryName = "/x/ascend-docker-runtime"' in added
    once_more = tmp_path / "second.toml"
    once_more.write_text(added)
    assert helper.edit(["add", str(once_more), "draft", "/x/ascend-docker-runtime", "no", "containerd"]) == added
    assert helper.edit(["rm", str(once_more), "draft", "containerd"]) == config.read_text()

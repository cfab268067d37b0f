"""How dockerd is started: options and proxies are found in whatever file they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.module_utils.state import docker_start

UNIT = "/lib/systemd/system/docker.service"
FOLDER = "/etc/systemd/system/docker.service.d"


def put(root: Path, path: str, text: str) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def shown(argv: str, **more: str) -> str:
    lines = {
        "ExecStart": f"{{ path=/usr/bin/dockerd ; argv[]={argv} ; ignore_errors=no ; pid=0 }}",
        "FragmentPath": UNIT,
    }
    return "\n".join(f"{name}={value}" for name, value in {**lines, **more}.items())


def test_options_of_the_unit_and_of_its_variables_are_found_with_their_file(tmp_path: Path) -> None:
    put(tmp_path, UNIT, "ExecStart=/usr/bin/dockerd -H fd:// $OPTIONS ${MORE} $NOTHING\n")
    put(
        tmp_path,
        "/etc/sysconfig/docker",
        "# --debug is not set\nOPTIONS='--log-driver=journald --insecure-registry a:1'\n",
    )
    output = shown(
        "/usr/bin/dockerd -H fd:// $OPTIONS ${MORE} $NOTHING",
        EnvironmentFiles="/etc/sysconfig/docker (ignore_errors=yes)",
        Environment="MORE=--live-restore",
    )
    put(tmp_path, f"{FOLDER}/more.conf", "[Service]\nEnvironment=MORE=--live-restore\n")
    found = docker_start.describe(f"{output}\nDropInPaths={FOLDER}/more.conf", str(tmp_path))
    assert found["options"] == {
        "host": UNIT,
        "log-driver": "/etc/sysconfig/docker",
        "insecure-registry": "/etc/sysconfig/docker",
        "live-restore": f"{FOLDER}/more.conf",
    }


def test_a_drop_in_that_replaces_the_command_line_is_named(tmp_path: Path) -> None:
    put(tmp_path, UNIT, "ExecStart=/usr/bin/dockerd -H fd://\n")
    put(tmp_path, f"{FOLDER}/local.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -D -g /data -H fd://\n")
    output = shown("/usr/bin/dockerd -D -g /data -H fd://", DropInPaths=f"{FOLDER}/local.conf")
    found = docker_start.describe(output, str(tmp_path))
    local = f"{FOLDER}/local.conf"
    assert found["options"] == {"debug": local, "data-root": local, "host": local}
    twice = docker_start.given_twice(["debug", "data-root", "log-driver", "runtimes"], found)
    assert twice == [
        {"key": "data-root", "option": "--data-root", "file": local},
        {"key": "debug", "option": "--debug", "file": local},
    ]


@pytest.mark.parametrize("key", ["insecure-registries", "registry-mirrors", "hosts", "labels", "log-opts", "exec-opts"])
def test_keys_are_found_by_the_name_of_their_option(key: str) -> None:
    start = {**docker_start.absent(), "options": {docker_start.FLAG_OF[key]: UNIT}}
    assert docker_start.given_twice([key], start) == [
        {"key": key, "option": f"--{docker_start.FLAG_OF[key]}", "file": UNIT}
    ]


def test_runtimes_may_stand_in_both_places() -> None:
    start = {**docker_start.absent(), "options": {"runtimes": UNIT, "add-runtime": UNIT}}
    assert docker_start.given_twice(["runtimes"], start) == []


def test_proxies_of_unit_file_and_process_are_told_apart_without_their_logins(tmp_path: Path) -> None:
    put(
        tmp_path,
        docker_start.PROXY_DROP_IN,
        '[Service]\nEnvironment=HTTP_PROXY=http://p:1\nEnvironment="NO_PROXY=a,b%%c"\n',
    )
    put(tmp_path, f"{FOLDER}/old.conf", "[Service]\nEnvironment=https_proxy=http://user:word@old:1\n")
    put(tmp_path, "/proc/77/environ", "PATH=/bin\0HTTP_PROXY=http://me:secret@p:9\0")
    output = shown(
        "/usr/bin/dockerd",
        Environment='HTTP_PROXY=http://p:1 NO_PROXY=a,b%c "https_proxy=http://user:word@old:1"',
        DropInPaths=f"{docker_start.PROXY_DROP_IN} {FOLDER}/old.conf",
        MainPID="77",
    )
    found = docker_start.describe(output, str(tmp_path))
    assert found["drop_in"] == {"HTTP_PROXY": "http://p:1", "NO_PROXY": "a,b%c"}
    assert found["proxies"]["HTTPS_PROXY"] == "http://***@old:1"
    assert found["running_proxies"] == {"HTTP_PROXY": "http://***@p:9"}
    assert found["proxy_files"]["HTTP_PROXY"] == docker_start.PROXY_DROP_IN
    assert found["proxy_files"]["HTTPS_PROXY"] == f"{FOLDER}/old.conf"


def test_without_a_unit_there_is_nothing(tmp_path: Path) -> None:
    found = docker_start.describe("ExecStart=\nFragmentPath=\nMainPID=0\n", str(tmp_path))
    assert found == docker_start.absent()


@pytest.mark.parametrize(
    "argv", ["/usr/bin/dockerd --config-file=/etc/d.json", "/usr/bin/dockerd --config-file /etc/d.json"]
)
def test_another_configuration_is_seen(argv: str, tmp_path: Path) -> None:
    assert docker_start.describe(shown(argv), str(tmp_path))["config_file"] == "/etc/d.json"

"""What a service becomes: devices, mounts, variables, engine arguments, Ray."""

from __future__ import annotations

import itertools
import shlex

from driver import containers
from driver.resolved import ROLES, ResolvedSite

from .conftest import Data, Workshop

ON_REQUEST = {"npu_network", "obsutil"}
EVERYWHERE = ("host_baseline", "docker_engine", "npu_driver", "npu_firmware", "ascend_docker_runtime")


def options(argv: tuple[str, ...], name: str) -> list[str]:
    return [value for option, value in itertools.pairwise(argv) if option == name]


def alone(data: Data) -> None:
    """Make the lab's service one of a single host."""
    data["services"][0] |= {"hosts": ["node2"], "cards": [3, 5], "parallel": {"tensor": 2}, "distributed": "none"}


def test_prod_gives_every_card_and_mount_of_the_recipe(prod: ResolvedSite) -> None:
    argv = prod.host("node1").ray_members[0].argv
    assert options(argv, "--device") == [f"/dev/davinci{card}" for card in range(8)] + [
        "/dev/davinci_manager",
        "/dev/devmm_svm",
        "/dev/hisi_hdc",
    ]
    sources = {mount.split(",")[1].removeprefix("src=") for mount in options(argv, "--mount")}
    assert sources == {
        "/usr/local/dcmi",
        "/usr/local/bin/npu-smi",
        "/usr/local/Ascend/driver/lib64",
        "/usr/local/Ascend/driver/version.info",
        "/etc/ascend_install.info",
        "/data2/Qwen3-235B-A22B",
    }
    assert all(mount.endswith(",readonly") and mount.startswith("type=bind,") for mount in options(argv, "--mount"))
    assert options(argv, "--shm-size") == ["500g"]
    assert "--privileged" not in argv
    assert "-v" not in argv


def test_prod_variables_are_those_of_each_host(prod: ResolvedSite) -> None:
    first, second = (prod.host(name).ray_members[0].environment for name in ("node1", "node2"))
    assert first | {"HCCL_IF_IP": "192.168.0.21", "VLLM_HOST_IP": "192.168.0.21"} == second
    assert {first[f"{kind}_SOCKET_IFNAME"] for kind in ("GLOO", "TP", "HCCL")} == {"enp67s0f0"}
    assert first["ASCEND_RT_VISIBLE_DEVICES"] == "0,1,2,3,4,5,6,7"
    assert first["RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES"] == "1"
    assert first["VLLM_USE_V1"] == "0"  # the recipe's engine, which this version still has


def test_prod_serves_as_the_recipe_does(prod: ResolvedSite) -> None:
    argv = prod.service("qwen3-235b").argv
    assert argv[:3] == ("vllm", "serve", "/data2/Qwen3-235B-A22B")
    expected = {
        "--host": "0.0.0.0",
        "--port": "8006",
        "--served-model-name": "Qwen3-235B-A22B",
        "--tensor-parallel-size": "16",
        "--distributed-executor-backend": "ray",
        "--gpu-memory-utilization": "0.95",
        "--reasoning-parser": "deepseek_r1",
        "--block-size": "128",
    }
    assert {name: options(argv, name) for name in expected} == {name: [value] for name, value in expected.items()}
    assert {"--enable-reasoning", "--enable-expert-parallel", "--enforce-eager"} <= set(argv)
    assert prod.service("qwen3-235b").url == "http://192.168.0.15:8006"


def test_ray_follows_the_version(lab: ResolvedSite, prod: ResolvedSite) -> None:
    head, worker = (prod.host(name).ray_members[0].start_argv for name in ("node1", "node2"))
    assert head[:5] == ("ray", "start", "--head", "--port=6379", "--num-gpus=8")
    assert worker[:3] == ("ray", "start", "--address=192.168.0.15:6379")
    assert not [word for word in lab.host("node1").ray_members[0].start_argv if word.startswith("--num-gpus")]
    assert head[-1] == worker[-1] == "--block"


def test_images_come_from_mirrors_first(lab: ResolvedSite, prod: ResolvedSite) -> None:
    assert lab.images[0].sources == ("10.77.0.2:5000/ascend/vllm-ascend:v0.23.0", "quay.io/ascend/vllm-ascend:v0.23.0")
    assert prod.images[0].sources == (
        "swr.cn-east-3.myhuaweicloud.com/kubesre/quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler-linux-arm64",
        "swr.cn-north-4.myhuaweicloud.com/ddn-k8s/quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler-linuxarm64",
        "quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler",
    )
    assert (lab.images[0].architecture, prod.images[0].architecture) == ("amd64", "arm64")


def test_service_over_ray_runs_inside_the_head(lab: ResolvedSite) -> None:
    assert not lab.host("node2").services
    service, member = lab.host("node1").services[0], lab.host("node1").ray_members[0]
    assert (service.kind, service.container, service.after_unit) == ("exec-in-ray", member.container, member.unit)
    assert service.argv[:3] == (containers.DOCKER, "exec", "provision-ray-chat")
    assert service.argv[-1] == f"echo $$ > /run/provision-chat.pid; exec {shlex.join(service.engine_argv)}"
    assert "kill -TERM" in service.stop_argv[-1]
    assert (member.npus_total, member.npus_local, member.hosts_total, member.resource) == (2, 1, 2, "NPU")


def test_service_on_one_host_has_its_own_container(workshop: Workshop) -> None:
    site = workshop.load(alone)
    service = site.host("node2").services[0]
    assert (service.kind, service.container, service.unit, service.after_unit) == (
        "docker-run",
        "provision-chat",
        "provision-chat.service",
        "",
    )
    assert options(service.argv, "--device")[:2] == ["/dev/davinci3", "/dev/davinci5"]
    assert "ASCEND_RT_VISIBLE_DEVICES=0,1" in service.argv  # inside, cards count from 0
    assert not [word for word in service.argv if word.startswith(("HCCL_IF_IP", "RAY_"))]
    assert service.stop_argv == (containers.DOCKER, "stop", "-t", "60", "provision-chat")
    assert service.argv[-3:-1] == ("bash", "-ic")
    assert site.host("node1").roles == EVERYWHERE
    assert site.host("node2").roles == tuple(role for role in ROLES if role not in {"ray_cluster", *ON_REQUEST})


def test_digest_follows_what_runs(workshop: Workshop) -> None:
    def digest(**keys: object) -> tuple[str, ...]:
        def change(data: Data) -> None:
            data["services"][0] |= keys

        site = workshop.load(change)
        return (
            *(member.digest for host in site.hosts for member in host.ray_members),
            site.host("node1").services[0].digest,
        )

    before = digest()
    assert digest() == before
    assert digest(arguments={"max-model-len": 128})[:2] == before[:2]
    assert digest(arguments={"max-model-len": 128})[2] != before[2]
    assert not set(digest(environment={"A": "b"})) & set(before)
    assert digest(ready_timeout_seconds=5) == before


def test_image_digest_comes_from_the_lock(workshop: Workshop) -> None:
    before = workshop.load()
    wanted = f"sha256:{'0123456789abcdef' * 4}"
    (workshop.folder / "site.lock").write_text(
        f'images: {{"quay.io/ascend/vllm-ascend:v0.23.0": "{wanted}"}}\n', encoding="utf-8"
    )
    after = workshop.load()
    assert (before.images[0].digest, after.images[0].digest) == ("", wanted)
    assert before.host("node1").ray_members[0].digest != after.host("node1").ray_members[0].digest


def test_site_overrides_and_takes_away(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["services"][0]["arguments"] = {
            "gpu_memory_utilization": 0.8,
            "enable-expert-parallel": False,
            "additional-config": {"a": {"b": [1, "x"]}},
            "stop": ["a", "b"],
            "trust-remote-code": None,
        }

    argv = workshop.load(change, base="prod").service("qwen3-235b").argv
    assert argv[-7:] == (
        "--gpu-memory-utilization",
        "0.8",
        "--additional-config",
        '{"a":{"b":[1,"x"]}}',
        "--stop",
        "a",
        "b",
    )
    assert not {"--enable-expert-parallel", "--trust-remote-code"} & set(argv)


def test_extra_mounts_are_needed_on_the_host(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        data["services"][0]["mounts"] = ["/etc/hccn.conf"]

    member = workshop.load(change).host("node2").ray_members[0]
    assert "/etc/hccn.conf" in member.mounts_required
    assert "type=bind,src=/etc/hccn.conf,dst=/etc/hccn.conf,readonly" in member.argv


def test_all_cards_without_a_choice(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        del data["services"][0]["cards"]

    assert workshop.load(change, base="prod").host("node2").ray_members[0].npus_local == 8


def test_model_goes_where_it_is_served(workshop: Workshop) -> None:
    site = workshop.load(alone)
    assert site.models[0].hosts == ("node2",)
    assert site.host("node2").models[0].image == "quay.io/ascend/vllm-ascend:v0.23.0"
    assert site.host("node2").models[0].endpoint == "http://10.77.0.2:8080"


def test_site_without_services_is_a_site(workshop: Workshop) -> None:
    def change(data: Data) -> None:
        del data["services"], data["models"]

    assert {host.roles for host in workshop.load(change).hosts} == {EVERYWHERE}


def test_packages_come_from_the_mirror_or_from_upstream(lab: ResolvedSite, prod: ResolvedSite) -> None:
    assert lab.host("node1").driver.url == f"http://10.77.0.2/{lab.host('node1').driver.file}"
    assert prod.host("node1").docker_runtime.url.startswith(
        "https://gitee.com/ascend/mind-cluster/releases/download/v6.0.0/"
    )


def test_whole_site_is_plain_data(prod: ResolvedSite) -> None:
    data = prod.model_dump(mode="json")
    assert data["hosts"][0]["accelerator"]["pci_ids"] == ["19e5:d802"]
    assert data["folder"].endswith("inventories/prod")

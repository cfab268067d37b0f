"""Models and images from host to host, on four hosts with real SSH and systemd: who sends what, what they survive."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.serving import archive
from tests.lab.site import content
from tests.lab.site.layout import SERVICES_ADDRESS, default_layout
from tests.situations import places

from .moving import HOSTS, MODEL, PATH, REPO, SHARDS, Moving, Source
from .site import MINUTE

SLOW = {"rate_limit_mbit": 120}
"""Of every host: the model takes ten seconds, time enough to break something in the middle."""


MANIFEST = 100_000
"""More bytes than a list of files takes, and fewer than any shard."""


@pytest.fixture(scope="module")
def source() -> Source:
    """The model's folder on the hub."""
    layout = default_layout()
    found = Source(layout.hub / REPO)
    found.fill(content.wide_model(layout))
    return found


@pytest.fixture
def site(source: Source) -> Iterator[Moving]:
    """The site, written anew; the hub behaves well before and after."""
    found = Moving(default_layout().root / "moving", source)
    found.write()
    found.faults()
    yield found
    found.faults()


def test_01_the_hub_sends_a_model_once_and_the_hosts_the_rest(site: Moving) -> None:
    site.forget_lock()
    site.remove(*HOSTS)
    before = site.sent()
    output = site.up()
    sent = site.sent() - before
    assert site.source.size <= sent <= 1.05 * site.source.size, (sent, site.source.size)
    site.require_whole(*HOSTS)
    assert f"{len(HOSTS)} of {len(HOSTS)} hosts" in output


def test_02_a_second_run_moves_nothing(site: Moving) -> None:
    look = f"stat -c '%n %Y %i' {PATH}/*"
    files = {host: site.on(host, look) for host in HOSTS}
    before = site.sent()
    output = site.up()
    assert "no drift" in output or "nothing to do" in output, output
    assert site.sent() == before
    assert {host: site.on(host, look) for host in HOSTS} == files
    # nobody waits for anything: no agent is left running, and nothing of its state
    for host in HOSTS:
        assert site.on(host, "systemctl is-active provision-move.service", check=False) != "active"


def test_03_a_revision_that_shares_shards_moves_only_the_difference(site: Moving) -> None:
    look = f"stat -c '%n %Y %i' {PATH}/*.safetensors"
    files = {host: site.on(host, look).splitlines() for host in HOSTS}
    changed = site.source.renew(5)
    site.run("lock", "--update")
    before = site.sent()
    site.up()
    assert site.sent() - before < changed + 200_000
    site.require_whole(*HOSTS)
    for host in HOSTS:
        kept = set(files[host]) & set(site.on(host, look).splitlines())
        assert len(kept) == SHARDS - 1, host


def test_04_a_host_that_dies_is_passed_by_and_goes_on_when_it_is_back(site: Moving, tmp_path: Path) -> None:
    site.write(moves=SLOW)
    site.remove("node2", "node3", "node4")
    log = tmp_path / "up.log"
    before = site.sent()
    running = site.started(log)
    try:
        site.wait("shards on node3", lambda: site.arrived("node3") >= 2, running, log)
        site.kill("node3")
        code = running.wait(10 * MINUTE)
    finally:
        running.kill()
        site.boot("node3")
    text = log.read_text(encoding="utf-8", errors="replace")
    assert code in (4, 5), text[-4000:]
    assert "node3" in text
    site.require_whole("node2", "node4")
    there = site.arrived("node3")
    assert there >= 2
    site.write()
    site.up()
    site.require_whole(*HOSTS)
    assert site.sent() - before < MANIFEST


def test_05_the_origin_may_die_once_another_host_has_all(site: Moving, tmp_path: Path) -> None:
    site.write(moves=SLOW)
    site.remove("node3", "node4")
    log = tmp_path / "up.log"
    running = site.started(log)
    try:
        site.wait("shards on node3", lambda: site.arrived("node3") >= 2, running, log)
        site.kill("node1")
        code = running.wait(10 * MINUTE)
    finally:
        running.kill()
        site.boot("node1")
    text = log.read_text(encoding="utf-8", errors="replace")
    assert code in (0, 4, 5), text[-4000:]
    assert "from node2 now instead of node1" in text
    site.require_whole("node2", "node3", "node4")
    site.write()
    site.up()
    site.require_whole(*HOSTS)


def test_06_a_corrupt_peer_is_named_and_spoils_nothing(site: Moving) -> None:
    shard = f"{PATH}/model-00007-of-00048.safetensors"
    # same size, same time: nobody sees it without reading all of it
    spoil = f"touch -r {shard} /tmp/when && printf x | dd of={shard} bs=1 seek=4000000 conv=notrunc status=none"
    site.on("node1", f"{spoil} && touch -r /tmp/when {shard}")
    good = site.on("node2", f"sha256sum < {shard}")
    assert site.on("node1", f"sha256sum < {shard}") != good
    site.remove("node3", "node4")
    output = site.up()
    site.require_whole("node2", "node3", "node4")
    assert "It is not asked again" in output
    site.remove("node1")
    site.up()
    site.require_whole(*HOSTS)


def test_07_a_killed_controller_is_finished_by_the_next_run(site: Moving, tmp_path: Path) -> None:
    site.write(moves=SLOW)
    site.remove(*HOSTS)
    log = tmp_path / "up.log"
    before = site.sent()
    running = site.started(log)
    site.wait("shards on node4", lambda: site.arrived("node4") >= 2, running, log)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    there = {host: site.on(host, f"stat -c '%n %i' {PATH}/*.safetensors").splitlines() for host in HOSTS}
    site.write()
    site.up()
    site.require_whole(*HOSTS)
    assert site.sent() - before <= 1.3 * site.source.size
    for host in HOSTS:
        after = site.on(host, f"stat -c '%n %i' {PATH}/*.safetensors").splitlines()
        assert set(there[host]) <= set(after), host


def test_08_a_disk_without_room_is_refused_before_the_first_byte(site: Moving) -> None:
    small = "/data/small"
    site.on("node4", f"mkdir -p {small} && mount -t tmpfs -o size=40m none {small}")
    try:
        site.write(models=[{**MODEL, "path": f"{small}/wide-qwen2"}])
        before = site.sent()
        output = site.up("--limit", "node4", code=5)
        assert site.sent() - before < MANIFEST
        assert small in output
        assert "free" in output or "room" in output
        assert int(site.on("node4", f"du -sk {small} | cut -f1")) < 100
    finally:
        site.on("node4", f"umount {small} && rmdir {small}", check=False)


def test_09_an_expired_token_is_said_and_not_shown(site: Moving, tmp_path: Path) -> None:
    model = {**MODEL, "path": "/data/models/private", "source": "huggingface", "fetch": "controller"}
    del model["from"]
    site.write(models=[model], tokens={"huggingface": {"env": "LAB_HUB_TOKEN"}})
    site.forget_lock()
    site.faults(token="of-today-4711")
    given = {"PROVISION_CACHE": str(tmp_path / "cache")}
    output = site.up(code=5, environment={**given, "LAB_HUB_TOKEN": "of-yesterday-0815"})
    assert "401" in output or "token" in output.lower()
    assert "of-yesterday-0815" not in output
    for host in HOSTS:
        assert site.on(host, "ls /data/models/private 2>/dev/null | wc -l") == "0"
    before = site.sent()
    site.up(environment={**given, "LAB_HUB_TOKEN": "of-today-4711"})
    wide = default_layout().hub / "provision-lab/wide-qwen2"
    size = sum(file.stat().st_size for file in wide.iterdir())
    assert site.sent() - before <= 1.05 * size
    for host in HOSTS:
        assert int(site.on(host, "ls /data/models/private/*.safetensors | wc -l")) == 48
        site.on(host, "rm -rf /data/models/private")


def test_10_an_archive_reaches_every_engine_and_leaves_its_source_once(site: Moving) -> None:
    layout = default_layout()
    file = layout.packages / "lab-medium.tar"
    size, sha256 = archive.build(file, archive.Recipe(layers=2, files=4, pieces=16))
    image = {
        "image": archive.NAME, "hosts": list(HOSTS),
        "archive": {"url": f"http://{SERVICES_ADDRESS}/{file.name}", "sha256": sha256, "size": size},
    }  # fmt: skip
    site.write(models=[], images=[image])
    site.run("up", "--yes", "--tags", "host_baseline,docker_engine", seconds=20 * MINUTE)
    log = "cat /var/log/nginx/mirror.log"
    before = site.on("services", log).count(f"GET /{file.name}")
    site.run("up", "--yes", "--tags", "container_image", seconds=20 * MINUTE)
    assert site.on("services", log).count(f"GET /{file.name}") - before <= 1
    ids = {site.on(host, f"docker image inspect --format '{{{{.Id}}}}' {archive.NAME}") for host in HOSTS}
    assert len(ids) == 1
    for host in HOSTS:
        assert site.on(host, "ls /var/cache/provision/images 2>/dev/null") == ""
    again = site.run("up", "--yes", "--tags", "container_image")
    assert "nothing to do" in again or "no drift" in again


def test_11_a_dead_mirror_in_front_is_passed_by(site: Moving) -> None:
    document = places.lab_site()
    registries = {"quay.io": ["10.77.0.3:5000", *document["mirrors"]["registries"]["quay.io"]]}
    service = {**document["services"][0], "hosts": ["node1"], "parallel": {"tensor": 1}, "distributed": "none"}
    site.write(models=document["models"], services=[service], mirrors={**document["mirrors"], "registries": registries})
    site.run("up", "--yes", "--tags", "host_baseline,docker_engine", "--limit", "node1", seconds=20 * MINUTE)
    began = time.monotonic()
    site.run("up", "--yes", "--tags", "container_image", "--limit", "node1", seconds=20 * MINUTE)
    assert time.monotonic() - began < 5 * MINUTE
    assert "vllm-ascend" in site.on("node1", "docker image ls --format '{{.Repository}}'")

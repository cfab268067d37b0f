"""Reboots of a fleet: the canary alone, then batches, and none after a host that does not come back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.lab.site import machines, probes
from tests.lab.site.lanes import Lane
from tests.situations import places
from tests.situations.host import Host

from . import steps
from .track import PLAIN, Outcome, Track, tracks

SIZE = 4
PATIENCE = 30
"""Seconds that a host gets to come back: the lab's need about ten."""


@pytest.fixture
def fleet() -> Iterator[tuple[Track, list[Lane]]]:
    """Yield the first lanes of the lab, installed, each waiting for a reboot; whatever happens, all run afterwards."""
    track = tracks(steps.wanted())[PLAIN]
    chosen = [lane for lane in track.members if not lane.slow and lane.kind == "container"][:SIZE]
    assert len(chosen) == SIZE
    track.members = chosen
    ready = track.once("reboots-ready", "up", "--yes")
    assert ready.code == 0, ready.output
    track.everywhere(lambda lane: track.host(lane).shell("rm /dev/davinci0"))
    try:
        yield track, chosen
    finally:
        layout, found = places.lab()
        for lane in chosen:
            container = machines.find(found, lane.container)
            assert container is not None
            container.update(restart_policy={"Name": "unless-stopped"})
            container.start()
            probes.wait_for_ssh(layout, lane, found.url)


def boot(host: Host) -> str:
    return host.shell("cut -d' ' -f22 /proc/1/stat")


def test_a_host_that_does_not_come_back_ends_the_reboots(
    fleet: tuple[Track, list[Lane]], record_property: Callable[[str, object], None]
) -> None:
    for key, value in {"lane": steps.FLEET, "sentence": "reboot.batches"}.items():
        record_property(key, value)
    track, (canary, lost, *rest) = fleet
    before = {lane.name: boot(track.host(lane)) for lane in (canary, *rest)}
    _, found = places.lab()
    container = machines.find(found, lost.container)
    assert container is not None
    container.update(restart_policy={"Name": "no"})  # its reboot ends it

    outcome = hurried(track, canary=1, batch=1)

    assert outcome.code == 5, outcome.output
    said = " ".join(outcome.output.split())
    assert f"{lost.name}: " in said
    assert "No further host is rebooted" in said
    assert f"with a reboot still to come: {', '.join(lane.name for lane in rest)}" in said
    assert f"Mend {lost.name}, then run again" in said
    assert boot(track.host(canary)) != before[canary.name], "the canary was not rebooted"
    assert track.host(canary).shell("ls /dev/davinci0") == "/dev/davinci0"
    for lane in rest:
        assert boot(track.host(lane)) == before[lane.name], f"{lane.name} was rebooted after {lost.name} was lost"


def hurried(track: Track, canary: int, batch: int) -> Outcome:
    """Run `up` on the track's site with little patience for reboots."""
    site = track.folder / "site/site.yml"
    document = yaml.safe_load(site.read_text(encoding="utf-8"))
    document["npu"] = {"reboot": {"canary": canary, "batch": batch, "timeout_seconds": PATIENCE}}
    folder = track.folder / "hurried"
    folder.mkdir(exist_ok=True)
    (folder / "site.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(
        [track.interpreter, "-m", "driver", "--inventory", str(folder), "up", "--yes", "--tags", "npu_driver"],
        cwd=places.ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=1200,
    )
    return Outcome(done.returncode, {}, done.stdout + done.stderr)

"""A site from a bundle alone: built while the sources answer, then the hosts reach nothing but the bundle's server.

The network of the lab has no way out; with its service host stopped nothing is left in it but hosts, and this machine
with `provision bundle serve`. LANES names lanes with commas as in tests/lanes; the first of Debian 12 also serves.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.serving import model as tiny
from tests.lab.site import lanehosts, lanes, machines
from tests.lab.site.layout import GATEWAY, SERVICES_ADDRESS, SERVICES_CONTAINER, SUBNET
from tests.lab.site.progress import Progress
from tests.lanes import track
from tests.situations import places

from .site import MINUTE, ROOT

NAMES = os.environ.get("LANES", "debian12").split(",")
SERVING = "debian12"
QUICK = "mkdir -p /var/lib/davinci-sim && echo 0.1 > /var/lib/davinci-sim/pace"
ELSEWHERE = "192.0.2.1"  # RFC 5737: nobody's


@dataclass(frozen=True, slots=True)
class Cut:
    """The lanes of one ansible-core as one site, its bundle, and the address of its server."""

    track: track.Track
    url: str

    @property
    def folder(self) -> Path:
        """Return the folder of the site."""
        return self.track.folder / "site"

    @property
    def bundle(self) -> Path:
        """Return the folder of the bundle."""
        return self.track.folder / "bundle"

    def words(self, *words: str) -> list[str]:
        """Return the call of the product for this site."""
        return [self.track.interpreter, "-m", "driver", "--inventory", str(self.folder), *words]

    def run(self, *words: str, code: int = 0) -> str:
        """Run a verb; its exit code has to be *code*. Return what it printed."""
        done = subprocess.run(
            self.words(*words),
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60 * MINUTE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{words}: exit code {done.returncode}, expected {code}\n{output[-9000:]}"
        return output


def write_site(cut: Cut) -> None:
    """Write the site: every lane gets a model, the serving one an engine, too; all from the bundle's server."""
    layout, _ = places.lab()
    track.write_site(cut.track.members, cut.folder)
    file = cut.folder / "site.yml"
    site: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    names = [lane.name for lane in cut.track.members]
    kernel = os.uname().release
    site |= {"site": f"cut-{cut.track.name}", "bundle": {"url": cut.url, "kernels": [kernel]}}
    site["models"] = [
        {
            "model": "lab-tiny-qwen2", "path": "/data/models/tiny-qwen2", "hosts": names,
            "source": "path", "from": str(layout.hub / tiny.REPO), "fetch": "controller",
        }
    ]  # fmt: skip
    if SERVING in names:
        service = places.lab_site()["services"][0]
        site["services"] = [
            {**service, "hosts": [SERVING], "parallel": {"tensor": 1, "pipeline": 1}, "distributed": "none"}
        ]
        shutil.copyfile(layout.site_lock, cut.folder / "site.lock")
    file.write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")


def free_port() -> int:
    """Return a port of this machine that nobody listens on; the server takes it a moment later."""
    with socket.socket() as probe:
        probe.bind((str(GATEWAY), 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module", params=sorted({lane.ansible_core or track.PLAIN for lane in lanes.chosen(NAMES)}))
def cut(request: pytest.FixtureRequest) -> Iterator[Cut]:
    """Build the bundle on a site that has all its sources, take these away, and serve the bundle."""
    layout, found = places.lab()
    one = track.tracks(lanes.chosen(NAMES))[request.param]
    one.folder = layout.root / "cut" / one.name
    shutil.rmtree(one.folder, ignore_errors=True)
    for lane in one.members:
        lanehosts.renew(layout, found, lane, Progress())
        one.host(lane).shell(QUICK)
    made = Cut(one, f"http://{GATEWAY}:{free_port()}")
    write_site(made)
    made.run("bundle", "build", "--bundle", str(made.bundle))
    services = machines.find(found, SERVICES_CONTAINER)
    assert services is not None
    port = made.url.rpartition(":")[2]
    with (one.folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [*made.words("bundle", "serve", "--bundle", str(made.bundle)), "--address", str(GATEWAY), "--port", port],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        services.stop()
        wait_for(made.url, server)
        yield made
    finally:
        server.terminate()
        server.wait(30)
        services.start()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the bundle's server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    limit = time.monotonic() + MINUTE
    while True:
        assert server.poll() is None, "the server of the bundle ended"
        try:
            opener.open(f"{url}/v2/", timeout=5).close()
            return
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < limit, f"{url} does not answer"
            time.sleep(0.2)


def reaches(cut: Cut, lane: lanes.Lane, address: str, port: int) -> bool:
    """Return whether *lane* can open a connection."""
    line = f"import socket; socket.create_connection(({address!r}, {port}), 4)"
    return (
        cut.track.host(lane).shell(f"python3 -c '{line.replace(chr(39), chr(34))}' && echo yes || true").endswith("yes")
    )


def test_01_hosts_reach_the_server_of_the_bundle_and_nothing_else(cut: Cut) -> None:
    for lane in cut.track.members:
        assert reaches(cut, lane, str(GATEWAY), int(cut.url.rpartition(":")[2])), lane.name
        for port in (80, 5000, 8080):
            assert not reaches(cut, lane, str(SERVICES_ADDRESS), port), lane.name
        assert not reaches(cut, lane, ELSEWHERE, 80), lane.name
        routes = cut.track.host(lane).shell("ip route show default; ip -4 -o route show").splitlines()
        assert all(str(SUBNET) in line or "docker" in line or line.startswith("default") for line in routes), routes


def test_02_nothing_is_missing_for_the_site(cut: Cut) -> None:
    cut.run("validate", "--offline", "--bundle", str(cut.bundle))
    cut.run("bundle", "verify", "--bundle", str(cut.bundle))


def test_03_the_site_is_brought_up_from_the_bundle(cut: Cut) -> None:
    output = cut.run("up", "--yes")
    if SERVING in [lane.name for lane in cut.track.members]:
        assert "tiny test model" in output
    for lane in cut.track.members:
        host = cut.track.host(lane)
        sources = host.shell("grep -rhE '^(URIs|deb |baseurl)' /etc/apt/sources.list.d /etc/apt/sources.list "
                             "/etc/yum.repos.d 2>/dev/null || true")  # fmt: skip
        assert cut.url in sources, (lane.name, sources)


def test_04_a_second_run_changes_nothing_and_the_checks_are_green(cut: Cut) -> None:
    again = cut.run("up", "--yes")
    assert "no drift" in again or "nothing to do" in again, again
    cut.run("check")

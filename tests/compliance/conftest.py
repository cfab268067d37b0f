"""Ties the suite together: hosts from the rendered inventory, one open shell each, results as JSON, hosts counted."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra.host

from tests.compliance import mesh
from tests.compliance.backend import HostSilentError, ShellBackend
from tests.compliance.hccn import Ports
from tests.compliance.npu import Npus
from tests.compliance.site import Rendered

ROOT = Path(__file__).resolve().parents[2]
# fixtures that stand for one item of a list in the inventory: a check runs once for each
ITEMS = {
    "image": "container_image_images",
    "model": "model_store_models",
    "member": "ray_cluster_members",
    "service": "inference_service_services",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("provision")
    group.addoption(
        "--rendered", type=Path, default=ROOT / "inventories/lab/rendered", help="rendered inventory of the site"
    )
    group.addoption("--site-hosts", default="", help="only these hosts, with commas")
    group.addoption("--results", type=Path, default=None, help="where to write the results as JSON")
    group.addoption("--deep", action="store_true", help="also what takes long: pings between all ports of the chips")


class Suite:
    """One session: the inventory, the open hosts, what was checked."""

    def __init__(self, config: pytest.Config) -> None:
        self.rendered = Rendered(config.getoption("--rendered"))
        self.results: Path | None = config.getoption("--results")
        chosen = [name for name in config.getoption("--site-hosts").split(",") if name]
        self.hosts = chosen or self.rendered.hosts()
        self.backends: dict[str, ShellBackend] = {}
        self.foreseen: dict[str, list[str]] = {}
        self.npus: dict[str, Npus] = {}
        self.ports: dict[str, Ports] = {}
        self.rails: mesh.Matrix | None = None
        self.unreachable: dict[str, str] = {}
        self.checks: dict[str, dict[str, Any]] = {}
        digest = hashlib.sha256(
            f"{self.rendered.folder.resolve()} {sorted(config.args)} {config.getoption('--deep')}".encode()
        ).hexdigest()[:16]
        self.memory = Path(f"/tmp/provision-{os.getuid()}/checks-{digest}.json")

    def open(self) -> None:
        """Open the shells of all hosts at the same time, with the commands that the last run had for them."""
        self.memory.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            self.foreseen = json.loads(self.memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.foreseen = {}
        for name in self.hosts:
            self.backends[name] = ShellBackend(name, self.rendered.ssh_config, self.foreseen.get(name, []))
        for name, backend in self.backends.items():
            try:
                backend.open()
            except HostSilentError as error:
                self.unreachable[name] = str(error).removeprefix(f"{name}: ")

    def close(self) -> None:
        """Remember the commands of this run, end the shells, write the results."""
        for backend in self.backends.values():
            backend.close()
        sent = {name: backend.sent for name, backend in self.backends.items() if backend.sent}
        if sent:
            self.memory.write_text(json.dumps({**self.foreseen, **sent}), encoding="utf-8")
        if self.results:
            document = {"hosts": self.hosts, "unreachable": self.unreachable, "checks": list(self.checks.values())}
            document["mesh"] = None if self.rails is None else mesh.as_json(self.rails)
            self.results.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

    def members(self, role: str) -> dict[str, testinfra.host.Host]:
        """Return the hosts of group *role* that this session is about and that answer."""
        names = [name for name in self.rendered.groups().get(role, []) if name in self.hosts]
        return {name: testinfra.host.Host(self.backends[name]) for name in names if name not in self.unreachable}

    def ports_of(self, name: str, host: testinfra.host.Host) -> Ports:
        """Return the ports of one host, asked once per run."""
        return self.ports.setdefault(name, Ports(host, self.rendered.variables(name)))

    def missing(self) -> list[str]:
        """Return the hosts that no check has seen."""
        seen = {check["host"] for check in self.checks.values()}
        return [host for host in self.hosts if host not in seen]


SUITE = pytest.StashKey[Suite]()
NOTHING = pytest.mark.items()  # nobody asks for it: collected for no host, and left out


def suite_of(config: pytest.Config) -> Suite:
    if SUITE not in config.stash:
        config.stash[SUITE] = Suite(config)
    return config.stash[SUITE]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "asked_for(variable): only hosts where this variable of the inventory says something"
    )
    config.addinivalue_line("markers", "deep: only with --deep, and where there are two hosts to look at")
    config.addinivalue_line("markers", "items(**values): only items of the inventory that have these values")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every check of test_<role>.py on the hosts of group <role>, and once per item where it asks for one."""
    if "host" not in metafunc.fixturenames:
        return
    rendered = suite_of(metafunc.config).rendered
    role = metafunc.module.__name__.rpartition(".")[2].removeprefix("test_")
    asked = [mark.args[0] for mark in metafunc.definition.iter_markers("asked_for")]
    hosts = [host for host in rendered.groups().get(role, []) if all(rendered.variables(host)[name] for name in asked)]
    item = next((name for name in ITEMS if name in metafunc.fixturenames), None)
    if item is None:
        metafunc.parametrize(
            "host", hosts or [pytest.param("", marks=NOTHING)] * bool(asked), indirect=True, scope="session"
        )
        return
    wanted = {key: value for mark in metafunc.definition.iter_markers("items") for key, value in mark.kwargs.items()}
    pairs = [
        (host, entry)
        for host in hosts
        for entry in rendered.variables(host)[ITEMS[item]]
        if wanted.items() <= entry.items()
    ]
    ids = [f"{host}-{entry['name']}" for host, entry in pairs]
    metafunc.parametrize(("host", item), pairs, indirect=["host"], ids=ids, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the hosts that this session is not about; what is left must not be empty."""
    suite = suite_of(config)
    kept = [item for item in items if not hasattr(item, "callspec") or item.callspec.params.get("host") in suite.hosts]
    alone = len(suite.rendered.groups().get("npu_network", [])) < 2
    if alone or not config.getoption("--deep"):
        kept = [item for item in kept if not item.get_closest_marker("deep")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    found = suite_of(request.config)
    found.open()
    yield found
    found.close()


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest, suite: Suite) -> testinfra.host.Host:
    """The host under check, as testinfra sees it through its open shell."""
    name = request.param
    if name in suite.unreachable:
        pytest.fail(f"{name}: unreachable: {suite.unreachable[name]}", pytrace=False)
    return testinfra.host.Host(suite.backends[name])


@pytest.fixture(scope="session")
def expected(host: testinfra.host.Host, suite: Suite) -> dict[str, Any]:
    """The variables of the host in the rendered inventory."""
    return suite.rendered.variables(host.backend.get_hostname())


@pytest.fixture(scope="session")
def npus(host: testinfra.host.Host, suite: Suite) -> Npus:
    """What the monitor command says on this host: asked once per run, never by two at the same time."""
    return suite.npus.setdefault(host.backend.get_hostname(), Npus(host))


@pytest.fixture(scope="session")
def ports(host: testinfra.host.Host, suite: Suite) -> Ports:
    """What hccn_tool says about the network ports of this host's chips."""
    return suite.ports_of(host.backend.get_hostname(), host)


@pytest.fixture(scope="session")
def all_ports(suite: Suite) -> dict[str, Ports]:
    """The ports of every host of this session: what has to be the same everywhere."""
    return {name: suite.ports_of(name, host) for name, host in suite.members("npu_network").items()}


@pytest.fixture(scope="session")
def rails(suite: Suite) -> mesh.Matrix:
    """Who reaches whom over the chips' own ports, measured once per run and on all hosts at the same time."""
    if suite.rails is None:
        names = suite.rendered.groups()["npu_network"]
        suite.rails = mesh.measured(
            suite.members("npu_network"), {name: suite.rendered.variables(name) for name in names}
        )
    return suite.rails


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("host") if callspec else None
    suite = suite_of(item.config)
    if name is None or name in suite.unreachable or (report.when != "call" and not report.failed):
        return
    words = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", " ")
    entry = next((f" ({callspec.params[key]['name']})" for key in ITEMS if key in callspec.params), "")
    suite.checks[item.nodeid] = {
        "host": name,
        "role": item.path.stem.removeprefix("test_"),
        "name": words + entry,
        "passed": report.passed,
        "message": "" if report.passed else _message(name, words, report),
        "seconds": round(report.duration, 3),
    }


def _message(name: str, words: str, report: pytest.TestReport) -> str:
    text = report.longreprtext.strip()
    if text.startswith(f"{name}: "):
        return text
    last = text.splitlines()[-1].removeprefix("E").strip() if text else "no reason"
    return f"{name}: {words}: the check itself broke: {last}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a session that left a host out into a red one."""
    suite = suite_of(session.config)
    if session.exitstatus == pytest.ExitCode.OK and not session.config.option.keyword and suite.missing():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

"""Copies of package repositories: the right packages, the repository's own signature, and apt as the judge."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from driver import paths
from driver.bundle import apt, offline, repositories, rpm, survey
from driver.bundle.closure import Package, Selection, order, version
from driver.bundle.contents import Manifest, write
from driver.bundle.fetch import session
from driver.bundle.images import Access
from driver.bundle.repositories import Copy, WantedRepository, Web
from driver.bundle.server import make_server
from driver.bundle.store import Store
from driver.site_bundle import Bundle
from tests.lab.site import aptrepo
from tests.unit.driver.bundle.web import running

DATA = Path(__file__).with_name("data")
DEBS = {
    "gcc": ("4:12.2.0-3", "gcc-12 (>= 12), libfirst | gone", ""),
    "gcc-12": ("12.2.0-14", "virtual-thing", ""),
    "provider": ("1.0", "", "virtual-thing"),
    "libfirst": ("1.0", "", ""),
    "unrelated": ("1.0", "", ""),
    "linux-headers-6.1.0-1": ("6.1", "", ""),
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def served(folder: Path) -> http.server.ThreadingHTTPServer:
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))


def built(folder: Path, name: str) -> Path:
    number, depends, provides = DEBS[name]
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    fields = {"Package": name, "Version": number, "Architecture": "amd64", "Maintainer": "lab <lab@site.invalid>"}
    fields |= {"Description": name, "Depends": depends, "Provides": provides}
    text = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    (root / "DEBIAN/control").write_text(text, encoding="ascii")
    file = folder / f"{name}_{number.replace(':', '%3a')}_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(root), str(file)], check=True, capture_output=True)
    return file


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A signed apt repository on loopback, and the file with its key."""
    folder = tmp_path_factory.mktemp("apt")
    secret = aptrepo.ensure_key(folder / "private/key.secret", folder / "key.asc", folder / "log")
    debs = [built(folder / "debs", name) for name in DEBS]
    aptrepo.build(folder / "repository", debs, "amd64", secret, folder / "log")
    with running(served(folder / "repository")) as url:
        yield url, folder / "key.asc"


def copied(upstream: tuple[str, Path], patterns: list[str]) -> Copy:
    url, key = upstream
    wanted = WantedRepository("apt", "os", url, "bookworm", ("main",), str(key), ("x86_64",))
    copies, faults = repositories.survey({"os": wanted}, [(("os",), "x86_64")], patterns, apt.read, Web(session()))
    assert faults == []
    return copies[0]


def names(copy: Copy) -> set[str]:
    return {package.name for package in copy.packages.values()}


def test_what_is_named_comes_with_all_that_it_needs_and_nothing_else(upstream: tuple[str, Path]) -> None:
    copy = copied(upstream, ["gcc", "absent"])
    assert names(copy) == {"gcc", "gcc-12", "provider", "libfirst"}
    assert copy.absent == ("absent",)


def test_kernels_are_patterns(upstream: tuple[str, Path]) -> None:
    assert "linux-headers-6.1.0-1" in names(copied(upstream, repositories.names("apt", (), ())))
    assert "linux-headers-6.1.0-1" in names(copied(upstream, repositories.names("apt", ("6.1.0-1",), ())))
    assert "linux-headers-6.1.0-1" not in names(copied(upstream, repositories.names("apt", ("5.10.0-1",), ())))


def test_apt_takes_the_copy_for_the_repository(upstream: tuple[str, Path], store: Store, tmp_path: Path) -> None:
    """A private root of apt asks the bundle's server: the upstream signature holds, and packages install from there."""
    made = survey._bring_copy(store, session(), copied(upstream, ["gcc"]), ("gcc",), lambda _: None)
    write(store.root, Manifest(repositories=(made,)))
    root = tmp_path / "root"
    for name in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("", encoding="ascii")
    options = {"Dir": str(root), "Dir::State::status": str(root / "var/lib/dpkg/status")}
    options |= {"APT::Architecture": "amd64", "APT::Sandbox::User": "root", "Acquire::http::Proxy": "false"}
    words = ["apt-get", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        line = f"deb [signed-by={upstream[1]}] {url}/apt/os bookworm main\n"
        (root / "etc/apt/sources.list").write_text(line, encoding="ascii")
        done = subprocess.run([*words, "update"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "W:" not in done.stderr, done.stderr
        done = subprocess.run(
            [*words, "install", "--yes", "--download-only", "--no-install-recommends", "gcc"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        done = subprocess.run(
            [*words, "install", "--yes", "--download-only", "unrelated"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 0
        assert "404" in done.stderr
    debs = {file.name.partition("_")[0] for file in (root / "var/cache/apt/archives").glob("*.deb")}
    assert debs == {"gcc", "gcc-12", "provider", "libfirst"}


def test_an_index_that_does_not_fit_its_release_is_refused(upstream: tuple[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    for source in ("InRelease", "Release", "main/binary-amd64/Packages"):
        (folder / "dists/bookworm" / source).parent.mkdir(parents=True, exist_ok=True)
        (folder / "dists/bookworm" / source).write_bytes(
            session().get(f"{upstream[0]}/dists/bookworm/{source}").content
        )
    (folder / "dists/bookworm/main/binary-amd64/Packages").write_text("Package: evil\n", encoding="ascii")
    with running(served(folder)) as url:
        wanted = WantedRepository("apt", "os", url, "bookworm", ("main",), "", ("x86_64",))
        copies, faults = repositories.survey({"os": wanted}, [(("os",), "x86_64")], ["gcc"], apt.read, Web(session()))
    assert copies == []
    assert "binary-amd64/Packages: found sha256" in faults[0]


def test_a_repository_that_is_none_is_said(tmp_path: Path) -> None:
    with running(served(tmp_path)) as url:
        wanted = WantedRepository("apt", "os", url, "bookworm", ("main",), "", ("x86_64",))
        _, faults = repositories.survey({"os": wanted}, [(("os",), "x86_64")], ["gcc"], apt.read, Web(session()))
        wanted = WantedRepository("rpm", "os", url, "", (), "", ("x86_64",))
        _, more = repositories.survey({"os": wanted}, [(("os",), "x86_64")], ["gcc"], rpm.read, Web(session()))
    assert "neither InRelease nor Release, expected an apt repository" in faults[0]
    assert "repodata/repomd.xml: status 404" in more[0]


def test_a_missing_key_file_is_said(upstream: tuple[str, Path]) -> None:
    wanted = WantedRepository("apt", "os", upstream[0], "bookworm", ("main",), "/absent/key.asc", ("x86_64",))
    _, faults = repositories.survey({"os": wanted}, [(("os",), "x86_64")], ["gcc"], apt.read, Web(session()))
    assert faults == ["os: /absent/key.asc: No such file or directory (key_file in site.yml)"]


def test_hosts_with_other_repositories_do_not_mix() -> None:
    """Two releases of a system in one site: each host gets what its own repositories have."""
    old = Package("old", "gcc", version("0", "11", "1"), "old.deb", 1, "", (), ())
    new = Package("new", "gcc", version("0", "12", "1"), "new.deb", 1, "", (), ())
    found = {"old": [old], "new": [new]}
    wanted = {name: WantedRepository("apt", name, "http://x", "s", ("main",), "", ("x86_64",)) for name in found}
    groups = [(("old",), "x86_64"), (("new",), "x86_64")]
    copies, _ = repositories.survey(
        wanted, groups, ["gcc"], lambda copy, _arch, _web: found[copy.wanted.name], Web(session())
    )
    assert {copy.wanted.name: [*copy.packages] for copy in copies} == {"old": ["old.deb"], "new": ["new.deb"]}


def test_an_rpm_repository_is_copied_by_what_packages_require(store: Store, tmp_path: Path) -> None:
    """The repository was made by createrepo_c from packages that rpmbuild has made; data/README says how."""
    shutil.copytree(DATA / "rpm", tmp_path / "os/x86_64")
    with running(served(tmp_path)) as url:
        wanted = WantedRepository("rpm", "os", f"{url}/os/$basearch", "", (), "", ("x86_64",))
        copies, faults = repositories.survey(
            {"os": wanted}, [(("os",), "x86_64")], ["top", "kernel-devel-6*"], rpm.read, Web(session())
        )
        assert faults == []
        assert {package.name for package in copies[0].packages.values()} == {"top", "base", "tool", "kernel-devel"}
        made = survey._bring_copy(store, session(), copies[0], ("top",), lambda _: None)
    paths_there = {entry.path for entry in made.files}
    assert "x86_64/repodata/repomd.xml" in paths_there
    assert {Path(path).name.partition("-")[0] for path in paths_there if path.endswith(".rpm")} == {
        "top",
        "base",
        "tool",
        "kernel",
    }
    assert all(map(store.has, made.files))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0", "1.1"),
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0+b1"),
        ("1.0a", "1.0b"),
        ("1.0", "1.0.1"),
        ("1~", "1"),
    ],
)
def test_versions_sort_as_dpkg_sorts_them(older: str, newer: str) -> None:
    assert order(older) < order(newer)
    words = ["dpkg", "--compare-versions", older, "lt", newer]
    assert subprocess.run(words, check=False).returncode == 0


def test_the_newest_is_chosen_and_an_epoch_wins() -> None:
    several = [Package("os", "a", version(epoch, "1", "1"), f"{epoch}.deb", 1, "", (), ()) for epoch in ("0", "2", "1")]
    assert [package.path for package in Selection(several).closure(["a"])[0]] == ["2.deb"]


def flat(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from flat(one)
    elif isinstance(value, str) and "{" not in value:
        yield value


@pytest.mark.parametrize(
    "file", sorted((paths.ROOT / "roles").glob("*/vars/*.yml")), ids=lambda file: f"{file.parts[-3]}-{file.stem}"
)
def test_every_package_that_a_role_installs_is_copied(file: Path) -> None:
    variables = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    installed = {name for key, value in variables.items() if key.endswith("_packages") for name in flat(value)}
    known = {*repositories.names("apt", (), ()), *repositories.names("rpm", (), ())}
    assert installed <= known, f"add to catalog/bundle.yml: {sorted(installed - known)}"


def test_a_kernel_that_no_repository_has_is_said(upstream: tuple[str, Path], store: Store) -> None:
    bundle = Bundle(kernels=("5.10.0-1", "6.1.0-1"), packages=("tcpdump", "unrelated"))
    patterns = repositories.names("apt", bundle.kernels, bundle.packages)
    copy = copied(upstream, patterns)
    needs: Any = SimpleNamespace(
        site=SimpleNamespace(bundle=bundle),
        files=(),
        images=(),
        models=(),
        rpm=(),
        pins=(),
        faults=(),
        apt=(copy.wanted,),
    )
    item = survey.Surveyor(needs, Manifest(), store, Access())._copy(copy, tuple(patterns))
    assert item.note.endswith("without linux-headers-5.10.0-1, tcpdump")
    made = survey._bring_copy(store, session(), copy, tuple(patterns), lambda _: None)
    lacking = offline.missing(needs, Manifest(repositories=(made,)), store.root)
    assert [(one.kind, one.name) for one in lacking] == [("kernel", "5.10.0-1"), ("package", "tcpdump")]
    assert "correct bundle.kernels, or name a repository that has it" in str(lacking[0])


def test_a_kernel_of_one_host_need_not_be_in_the_repositories_of_another() -> None:
    absent = [("apt", ["linux-headers-b"]), ("rpm", ["kernel-devel-a", "kernel-headers-a", "tool"])]
    assert repositories.found_nowhere(absent, ("a", "b"), ("tool",)) == []  # type: ignore[arg-type]
    assert repositories.found_nowhere(absent[:1], ("a", "b"), ("tool",)) == ["b"]  # type: ignore[arg-type]


def package(path: str) -> Package:
    return Package("os", "gcc", version("", "1", ""), path, 5, "a" * 64, (), ())


def nonsense(*_: object) -> list[Package]:
    return [package("x"), package(str(int("no number")))]


def outside(*_: object) -> list[Package]:
    return [package("../../etc/passwd")]


@pytest.mark.parametrize(
    ("reader", "message"),
    [(nonsense, "os: found indexes that can not be read .*no number"), (outside, "a relative path without . and ..")],
)
def test_a_repository_with_nonsense_is_said_and_the_others_are_copied(reader: Any, message: str) -> None:
    wanted = {name: WantedRepository("apt", name, "http://x", "", (), "", ("x86_64",)) for name in ("os", "good")}

    def read(copy: Copy, arch: str, web: Web) -> list[Package]:
        del arch, web
        return reader() if copy.wanted.name == "os" else []

    copies, faults = repositories.survey(wanted, [(("os", "good"), "x86_64")], ["gcc"], read, Web(session()))
    assert [copy.wanted.name for copy in copies] == ["good"]
    (fault,) = faults
    assert re.search(message, fault)

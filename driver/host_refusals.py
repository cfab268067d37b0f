"""What a site of correct form may not say about its hosts: package sources, the engine, driver changes, secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from driver import docker_options, paths, secret, vaults, versions
from driver.catalog import Catalog
from driver.catalog_models import Family, Package, Release
from driver.faults import Location, listed, suggestion
from driver.findings import Findings
from driver.site import Site

# Keys of daemon.json that ascend_docker_runtime writes; two writers would undo each other on every run.
_RUNTIME_OPTIONS = frozenset({"default-runtime", "runtimes"})
_OURS = "provision-"


@dataclass(frozen=True, slots=True)
class HostCheck:
    """One pass over what *site* says of all hosts; *folder* is where its relative paths start."""

    site: Site
    catalog: Catalog
    found: Findings
    folder: Path

    def run(self) -> None:
        """Find every fault."""
        self._systems()
        self._package_sources()
        self._daemon_options()
        self._engine()
        self._secrets()
        self._obsutil()
        self._npu()
        release = self.catalog.releases.get(self.site.release)
        if release is not None:
            self._accepted(release)
            self._of_the_release(release)

    def _systems(self) -> None:
        """Refuse a system that no role knows under this name; without one a host's own name is looked up."""
        known = sorted({file.stem for file in (paths.ROOT / "roles").glob("*/vars/*.yml")} - {"main"})
        for index, host in enumerate(self.site.hosts):
            if host.system is not None and host.system not in known:
                where: Location = ("hosts", index, "system")
                advice = suggestion(host.system, known, f"add roles/<role>/vars/{host.system}.yml")
                self.found.refuse(
                    where, f"{host.system}, which no role has a file for", f"one of {listed(known)}", advice
                )

    def _package_sources(self) -> None:
        names = [host.name for host in self.site.hosts]
        for kind in ("apt", "rpm"):
            sources = getattr(self.site.mirrors, kind)
            self.found.unique(f"mirrors.{kind}", "name", [source.name for source in sources])
            for index, source in enumerate(sources):
                for number, name in enumerate(source.hosts or ()):
                    if name not in names:
                        where: Location = ("mirrors", kind, index, "hosts", number)
                        advice = suggestion(name, names, "remove it, or add the host")
                        self.found.refuse(where, f"unknown host {name}", f"one of {listed(names)}", advice)

    def _daemon_options(self) -> None:
        given = self.site.docker.daemon_options
        for key in sorted(_RUNTIME_OPTIONS & given.keys()):
            expected = "a key that no role owns, and ascend_docker_runtime owns this one"
            self.found.refuse(("docker", "daemon_options", key), key, expected, "remove it")
        for key in sorted(docker_options.own_keys(self.site.docker).keys() & given.keys()):
            found = f"{key}, which {docker_options.OWNED[key]} says, too"
            self.found.refuse(("docker", "daemon_options", key), found, "one place for it", "remove one of the two")
        for where in secret.addresses(given, ("docker", "daemon_options")):
            self.found.refuse(where, "an address with user or password", secret.EXPECTED, secret.ADVICE)

    def _engine(self) -> None:
        given = self.site.docker
        if given.version and given.source in ("distribution", "present"):
            found = f"{given.version} with source {given.source}, which has the version that it has"
            advice = "remove it, or write source: docker or source: static"
            self.found.refuse(("docker", "version"), found, "no version", advice)
        if given.repository is not None and given.source != "docker":
            found = f"a repository with source {given.source}"
            self.found.refuse(("docker", "repository"), found, "source: docker", "remove it, or write source: docker")
        if given.source == "docker" and not (
            given.repository and (given.repository.key_file or given.repository.key_sha256)
        ):
            expected = "the key that the packages are signed with, or its SHA-256"
            advice = "name a file of this machine as key_file, or write key_sha256 of the key that you have checked"
            self.found.refuse(("docker", "repository"), "neither key_file nor key_sha256", expected, advice)
        if given.proxy is not None and not (given.proxy.http or given.proxy.https):
            found, advice = "neither http nor https", "add one of them, or remove proxy"
            self.found.refuse(("docker", "proxy"), found, "the address of a proxy", advice)

    def _of_the_release(self, release: Release) -> None:
        """Refuse what docker wants and *release* does not have; a missing archive is refused where it is asked for."""
        given, static = self.site.docker, release.docker.static
        named = release.docker.repository or (given.repository and given.repository.uri)
        if given.source == "docker" and not named:
            found = f"none, and release {release.name} names none either"
            self.found.refuse(("docker", "repository", "uri"), found, "the address of the repository", "add it")
        if given.source == "static" and static is not None and given.version not in (None, static.version):
            found = f"{given.version}, and release {release.name} has the archive of {static.version}"
            advice = "remove it, or add the archive to the release"
            self.found.refuse(("docker", "version"), found, static.version, advice)

    def _secrets(self) -> None:
        if self.site.vault is None:
            for where, reference in vaults.places(self.site):
                if reference.vault:
                    advice = "add vault: {file: vault.yml}, which `ansible-vault create` makes, or use {env: NAME}"
                    self.found.refuse(where, "a name in the vault, and no vault", "vault.file in this file", advice)
        else:
            self._files(("vault", "file"), [self.site.vault.file])
            if self.site.vault.password_file:
                self._files(("vault", "password_file"), [self.site.vault.password_file])

    def _obsutil(self) -> None:
        given = self.site.obsutil
        for key, what in (
            ("endpoint", "the address of the object storage"),
            ("access_key", "{env: NAME} or {vault: NAME}"),
            ("secret_key", "{env: NAME} or {vault: NAME}"),
        ):
            if given.enabled and getattr(given, key) is None:
                self.found.refuse(("obsutil", key), "nothing, and enabled: true", what, f"add {key}")

    def _npu(self) -> None:
        given = self.site.npu
        for index, unit in enumerate(given.drain):
            if unit.startswith(_OURS):
                found, expected = f"{unit}, which provision stops by itself", "a unit of your own"
                self.found.refuse(("npu", "drain", index), found, expected, "remove it")
        if given.signature is not None:
            for key in ("root_certificates", "revocation_lists"):
                self._files(("npu", "signature", key), getattr(given.signature, key), numbered=True)
        if self.site.npu_tls and not any(host.npu_network for host in self.site.hosts):
            self.found.warn(("npu_tls",), "no host has npu_network, so nothing sets it")

    def _files(self, where: Location, names: Iterable[str], *, numbered: bool = False) -> None:
        """Refuse every file of this machine that is not there."""
        for index, name in enumerate(names):
            path = self.folder / Path(name).expanduser()
            if not path.is_file():
                place = (*where, index) if numbered else where
                self.found.refuse(place, f"{name}, which is no file", "a file of this machine", f"look at {path}")

    def _accepted(self, release: Release) -> None:
        """Refuse a version to accept that is newer than the release's own."""
        for kind, package in self._packages(release):
            accepted = getattr(self.site.npu.accept_from, kind)
            if accepted and versions.key(accepted) > versions.key(package.version):
                found = f"{accepted}, which is newer than {package.version} of release {release.name}"
                expected = "an older version that is good enough where it is installed already"
                self.found.refuse(("npu", "accept_from", kind), found, expected, "lower it, or choose a newer release")

    def _packages(self, release: Release) -> Iterator[tuple[str, Package]]:
        for family in self._families(release):
            yield "driver", family.driver
            yield "firmware", family.firmware

    def _families(self, release: Release) -> list[Family]:
        """Return the families of *release* that a host of the site has."""
        profiles = [self.catalog.accelerators.get(host.accelerator.type) for host in self.site.hosts]
        names = dict.fromkeys(profile.package_family for profile in profiles if profile)
        return [release.families[name] for name in names if name in release.families]

"""Choose a vendor's file for a host's architecture; a file without a checksum is a fault, never a download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from driver.catalog_models import Package, PackageFile, Release
from driver.errors import SiteError
from driver.faults import listed, suggestion
from driver.findings import Findings
from driver.resolved_parts import ResolvedPackage
from driver.site import Site


@dataclass(frozen=True, slots=True)
class Shelf:
    """The packages of a *release* as *site* gets them; *found* grows while it is asked."""

    site: Site
    release: Release
    found: Findings

    def pick(self, kind: str, package: Package, arch: str) -> ResolvedPackage | None:
        """Return the file of *package* for *arch*; None after noting why there is none."""
        files: Mapping[str, PackageFile] = {str(name): entry for name, entry in package.files.items()}
        entry = files.get(arch) or files.get("noarch")
        if entry is None:
            found = f"{self.release.name}, whose {kind} {package.version} has no file for {arch}"
            advice = "choose another release, or add the file to it"
            self.found.refuse(("release",), found, f"one for {listed(files)}", advice)
            return None
        if package.eula and not self.site.accept_eula:
            found = f"false, but {entry.file} asks for its licence"
            self.found.refuse(("accept_eula",), found, "true", "read the licence, then write accept_eula: true")
        return ResolvedPackage(
            version=package.version,
            file=entry.file,
            url=self._url(entry),
            sha256=self._checksum(entry),
            size=entry.size,
            eula=package.eula,
            install_timeout_seconds=package.install_timeout_seconds,
            archive={"run": entry.archive.run} if entry.archive else {},
        )

    def need(self, package: Package, arch: str) -> ResolvedPackage:
        """Return the file of *package* for *arch* after `pick` has found no fault with it."""
        picked = self.pick("package", package, arch)
        if picked is None:
            raise SiteError(map(str, self.found.faults))
        return picked

    def pick_obsutil(self, arch: str) -> None:
        """Ask for the object storage client, which a release may lack."""
        if self.release.obsutil is None:
            found = f"true, but release {self.release.name} has none"
            self.found.refuse(("obsutil", "enabled"), found, "a release that has it", "write false")
        else:
            self.pick("obsutil", self.release.obsutil, arch)

    def pick_static(self, arch: str) -> None:
        """Ask for Docker's own archive, which a release may lack."""
        if self.release.docker.static is None:
            found = f"static, but release {self.release.name} names no archive of Docker"
            advice = "write distribution or docker, or add docker.static to the release"
            self.found.refuse(("docker", "source"), found, "a release that has one", advice)
        else:
            self.pick("docker", self.release.docker.static, arch)

    def check_names(self) -> None:
        """Note every checksum whose file is none of the release."""
        optional = (self.release.obsutil, self.release.docker.static)
        packages = [self.release.docker_runtime, *(package for package in optional if package is not None)]
        packages += [package for part in self.release.families.values() for package in (part.driver, part.firmware)]
        known = sorted({entry.file for package in packages for entry in package.files.values()})
        for name in self.site.checksums:
            if name not in known:
                expected = f"a file of release {self.release.name}: {listed(known)}"
                advice = suggestion(name, known, "remove it")
                self.found.refuse(("checksums", name), f"unknown file {name}", expected, advice)

    def _checksum(self, entry: PackageFile) -> str:
        given = self.site.checksums.get(entry.file)
        signed = entry.archive is not None and self.site.npu.signature is not None
        if given is None and entry.sha256 is None and signed:
            return ""
        if given is None and entry.sha256 is None and entry.archive is not None:
            found = f"nothing, and {entry.file} is a signed archive without a known SHA-256"
            advice = (
                "name the vendor's root certificates and revocation lists as npu.signature.root_certificates and "
                f"npu.signature.revocation_lists, or add `{entry.file}: SUM` to checksums"
            )
            self.found.refuse(
                ("npu", "signature"), found, "one of the two, to tell that the file is the vendor's", advice
            )
        elif given is None and entry.sha256 is None:
            expected = f"its SHA-256, because release {self.release.name} knows none"
            advice = f"add `{entry.file}: SUM` to checksums, with the SUM that `sha256sum {entry.file}` prints"
            self.found.refuse(("checksums",), f"none for {entry.file}", expected, advice)
        elif given and entry.sha256 and given != entry.sha256:
            expected = f"{entry.sha256} as in release {self.release.name}"
            self.found.refuse(("checksums", entry.file), given, expected, "remove the line, or get the right file")
        sha256 = given or entry.sha256 or ""
        if len(set(sha256)) == 1:
            text = f"an example value ({sha256[:4]}…) that no file has; write what `sha256sum {entry.file}` prints"
            self.found.warn(("checksums", entry.file), text)
        return sha256

    def _url(self, entry: PackageFile) -> str:
        if self.site.mirrors.packages:
            return f"{self.site.mirrors.packages}/{entry.file}"
        if entry.url is None and self.release.base_url is None:
            found, advice = f"none for {entry.file}", "name a mirror that has the file"
            self.found.refuse(("mirrors", "packages"), found, "an address", advice)
        return entry.url or f"{self.release.base_url}/{entry.file}"

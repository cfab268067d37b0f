"""The parts of a resolved site that packages, connections and the container engine are made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Resolved(BaseModel):
    """The base of everything resolved: frozen, and nothing beside the named fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResolvedConnection(Resolved):
    """How hosts are reached; paths are absolute, or start with ~ as in the site file (OpenSSH expands it)."""

    user: str
    port: int
    identity_file: str
    known_hosts: str
    jump: str
    python: str
    asks_password: bool


class ResolvedPackage(Resolved):
    """One vendor's file for one architecture; *size* in bytes, 0 when nobody has published it."""

    version: str
    file: str
    url: str
    sha256: str
    size: int
    eula: bool
    install_timeout_seconds: int
    archive: dict[str, str] = Field(default_factory=dict)

    @property
    def artifact(self) -> dict[str, Any]:
        """Return what a role needs to fetch the file."""
        return self.model_dump(include={"file", "url", "sha256", "size", "eula"})

    @property
    def delivery(self) -> dict[str, Any]:
        """Return what a role needs to fetch a file that may be a signed archive."""
        return self.artifact | {"archive": self.archive}

    @property
    def pinned(self) -> dict[str, Any]:
        """Return file and version for a role that takes both as one."""
        return self.model_dump(include={"version", "file", "url", "sha256", "size"})


class ResolvedDocker(Resolved):
    """The container engine of all hosts; *daemon_options* are the keys of daemon.json that are ours."""

    source: str
    version: str
    version_min: str
    repository: dict[str, str]
    proxy: dict[str, Any]
    default_runtime: bool
    runtime_mounts: tuple[str, ...]
    daemon_options: dict[str, Any]
    users: tuple[str, ...]


class ResolvedVault(Resolved):
    """The encrypted file of the site's secrets; without *password_file* Ansible's own variable names that file."""

    file: str
    password_file: str

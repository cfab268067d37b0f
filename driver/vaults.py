"""Secrets that a site file names and never holds: found when they are needed, in the environment or in the vault."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driver import paths, scrub, yamlfile
from driver.errors import SiteError

if TYPE_CHECKING:
    from driver.faults import Location
    from driver.site import Site
    from driver.site_values import Secret

PREFIX: Final = "PROVISION_SECRET_"  # of the variables that hold secrets during a run; the rendered files look them up
BECOME: Final = "BECOME"
MOVE: Final = "MOVE"  # what the members of one run's moves know each other by: made anew for every run
_MOVING: Final = frozenset({"model_store", "container_image"})
_ROLES: Final = {
    "connection": "",
    "tokens": "model_store",
    "registries": "container_image",
}  # who wants a secret, where its key is no role; "" is all
PASSWORD_FILE: Final = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105 - the name of Ansible's own variable


def places(site: Site) -> Iterator[tuple[Location, Secret]]:
    """Yield every secret that *site* names, and where."""
    keys = ("access_key", "secret_key") if site.obsutil.enabled else ()
    found: dict[Location, Secret | None] = {("connection", "become_password"): site.connection.become_password}
    found |= {("obsutil", key): getattr(site.obsutil, key) for key in keys}
    found |= {("tokens", name): getattr(site.tokens, name, None) for name in {placed.source for placed in site.models}}
    found |= {("registries", at, "password"): login.password for at, login in enumerate(site.registries)}
    yield from ((where, reference) for where, reference in found.items() if reference is not None)


def references(site: Site) -> dict[str, dict[str, str]]:
    """Return the secrets of *site* as plain data: by the name that runs know each by, where it is and who wants it."""
    return {
        _name(where): {
            "key": ".".join(map(str, where)),
            "role": _ROLES.get(str(where[0]), str(where[0])),
            "env": reference.env or "",
            "vault": reference.vault or "",
        }
        for where, reference in places(site)
    }


def _name(where: Location) -> str:
    if where[0] == "registries":
        return registry(int(where[1]))
    return BECOME if where[0] == "connection" else "_".join(map(str, where)).upper()


def registry(number: int) -> str:
    """Return the name that runs know the password of the registry *number* of the site by."""
    return f"REGISTRY_{number}"


@dataclass(slots=True, eq=False)
class Secrets:
    """The secrets of one site: what was found is kept in memory, and never shown."""

    folder: Path
    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    vault: dict[str, str] | None = None
    encrypt: bool = False
    _found: dict[str, str] = field(default_factory=dict, repr=False)
    _moves: dict[str, str] = field(default_factory=dict, repr=False)
    _opened: dict[str, Any] | None = field(default=None, repr=False)

    def become(self) -> str | None:
        """Return the password of sudo; None where the hosts ask for none."""
        return self.value(BECOME) if BECOME in self.wanted else None

    def environment(self, roles: Iterable[str]) -> dict[str, str]:
        """Return the variables that a run of *roles* looks its secrets up in; raises SiteError when one is missing."""
        chosen = {"", *roles}
        found = {f"{PREFIX}{name}": self.value(name) for name, where in self.wanted.items() if where["role"] in chosen}
        return found | {f"{PREFIX}{name}": value for name, value in self.moves(chosen).items()}

    def moves(self, roles: Iterable[str]) -> dict[str, str]:
        """Return what the members of this run's moves know each other by, {} when *roles* move nothing."""
        if not _MOVING & set(roles):
            return {}
        if MOVE not in self._moves:
            self._moves[MOVE] = secrets.token_hex(32)
            if self.encrypt:
                from driver.certificate import make

                self._moves[f"{MOVE}_CERTIFICATE"], self._moves[f"{MOVE}_KEY"] = make()
            for part in (self._moves[MOVE], *self._moves.get(f"{MOVE}_KEY", "").splitlines()[1:-1]):
                scrub.hide(part)
        return self._moves

    def value(self, name: str) -> str:
        """Return the secret *name*; raises SiteError when it is not where the site says."""
        if name not in self._found:
            where = self.wanted[name]
            value = self._from_environment(where) if where["env"] else self._from_vault(where)
            if "\n" in value or "\r" in value:
                raise self._fault(where["key"], "a value of several lines", "one line", "correct it where it is kept")
            scrub.hide(value)
            self._found[name] = value
        return self._found[name]

    def _from_environment(self, where: dict[str, str]) -> str:
        name = where["env"]
        value = os.environ.get(name, "")
        if not value:
            advice = f"set it first: read -rs {name} && export {name}"
            raise self._fault(where["key"], f"no environment variable {name}", "the secret in it", advice)
        return value

    def _from_vault(self, where: dict[str, str]) -> str:
        from driver.faults import listed, suggestion

        if self._opened is None:
            self._opened = self._open()
        name, known = where["vault"], sorted(map(str, self._opened))
        value = self._opened.get(name)
        if value is None:
            expected = f"one of {listed(known)}"
            advice = suggestion(name, known, "add it: ansible-vault edit")
            raise self._fault(where["key"], f"no {name} in the vault", expected, advice)
        if not isinstance(value, str) or not value:
            raise self._fault(where["key"], f"{name} of the vault, which is no text", "text", "write it in quotes")
        return value

    def _open(self) -> dict[str, Any]:
        """Return what is in the vault."""
        from ansible.errors import AnsibleError
        from ansible.parsing.dataloader import DataLoader
        from ansible.parsing.vault import VaultLib, get_file_vault_secret, is_encrypted

        given = self.vault or {}
        file = Path(given["file"])
        keeper = given["password_file"] or os.environ.get(PASSWORD_FILE, "")
        refuse = partial(self._fault, "vault.file")
        if not keeper:
            advice = f"name a file, or set {PASSWORD_FILE}"
            raise self._fault("vault.password_file", "nothing", "the file with the vault's password", advice)
        try:
            text = file.read_bytes()
        except OSError as error:
            raise refuse(f"{file} ({error.strerror})", "a file that can be read", "correct the path") from error
        if not is_encrypted(text):
            advice = f"encrypt it: ansible-vault encrypt {file}"
            raise refuse(f"{file}, which is not encrypted", "a file that ansible-vault has encrypted", advice)
        try:
            secret = get_file_vault_secret(filename=keeper, loader=DataLoader())
            secret.load()
            content = yamlfile.parse(VaultLib([("default", secret)]).decrypt(text).decode("utf-8"))
        except (AnsibleError, OSError) as error:
            found = f"{file}, which the password of {keeper} does not open ({_first_line(error)})"
            raise refuse(found, "its password", "correct vault.password_file or the file that it names") from error
        except ValueError as error:
            found = f"{file}, whose content is no YAML"
            raise refuse(found, "names and values", "correct it: ansible-vault edit") from error
        if not isinstance(content, dict):
            raise refuse(f"{file}, which holds no mapping", "names and values", "correct it: ansible-vault edit")
        return content

    def _fault(self, key: str, found: str, expected: str, advice: str) -> SiteError:
        from driver.faults import Fault

        file = paths.shown(self.folder / paths.SITE_FILE)
        return SiteError(str(Fault(file, tuple(key.split(".")), found, expected, advice)))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

"""Secrets: found where the site says, refused by name when they are not there, and shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from driver import scrub
from driver.errors import SiteError
from driver.vaults import PASSWORD_FILE, Secrets

SUDO = {"key": "connection.become_password", "role": "", "env": "SITE_SUDO", "vault": ""}
KEPT = {**SUDO, "env": "", "vault": "sudo"}
KEY = {"key": "obsutil.access_key", "role": "obsutil", "env": "SITE_KEY", "vault": ""}


def vault(folder: Path, content: object, opened_by: str = "opens") -> dict[str, str]:
    """Write a vault and the file with its password; return what a site says of them."""
    text = yaml.safe_dump(content).encode()
    encrypted = VaultLib([("default", VaultSecret(b"opens"))]).encrypt(text)
    (folder / "vault.yml").write_bytes(encrypted if isinstance(encrypted, bytes) else encrypted.encode())
    (folder / "vault.pass").write_text(f"{opened_by}\n", encoding="utf-8")
    return {"file": str(folder / "vault.yml"), "password_file": str(folder / "vault.pass")}


def refusal(secrets: Secrets) -> str:
    with pytest.raises(SiteError) as caught:
        secrets.become()
    (line,) = caught.value.lines
    return line


def test_hosts_without_a_password_ask_for_nothing(tmp_path: Path) -> None:
    assert Secrets(tmp_path).become() is None
    assert Secrets(tmp_path).environment(["obsutil"]) == {}


def test_a_run_gets_the_secrets_of_its_roles_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_SUDO", "wide open")
    secrets = Secrets(tmp_path, {"BECOME": SUDO, "OBSUTIL_ACCESS_KEY": KEY})
    assert secrets.environment(["npu_driver"]) == {"PROVISION_SECRET_BECOME": "wide open"}
    with pytest.raises(SiteError, match=r"obsutil\.access_key: found no environment variable SITE_KEY; "):
        secrets.environment(["obsutil"])


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SITE_SUDO", raising=False)
    expected = (
        "connection.become_password: found no environment variable SITE_SUDO; expected the secret in it; set it first: "
    )
    assert expected in refusal(Secrets(tmp_path, {"BECOME": SUDO}))


def test_the_vault_is_opened_with_the_file_or_ansibles_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = vault(tmp_path, {"sudo": "from the vault"})
    assert Secrets(tmp_path, {"BECOME": KEPT}, given).become() == "from the vault"
    monkeypatch.setenv(PASSWORD_FILE, given["password_file"])
    assert Secrets(tmp_path, {"BECOME": KEPT}, {**given, "password_file": ""}).become() == "from the vault"


@pytest.mark.parametrize(
    ("content", "password", "says"),
    [
        ({"sudoo": "x"}, "opens", "found no sudo in the vault; expected one of sudoo; did you mean sudoo?"),
        ({"sudo": 7}, "opens", "found sudo of the vault, which is no text; expected text; write it in quotes"),
        ({"sudo": "a\nb"}, "opens", "found a value of several lines; expected one line"),
        (["sudo"], "opens", "which holds no mapping; expected names and values"),
        ({"sudo": "x"}, "other", "does not open ("),
    ],
)
def test_a_vault_that_does_not_serve_is_refused(content: object, password: str, says: str, tmp_path: Path) -> None:
    given = vault(tmp_path, content, password)
    assert says in refusal(Secrets(tmp_path, {"BECOME": KEPT}, given))


def test_a_vault_without_its_password_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_FILE, raising=False)
    given = {**vault(tmp_path, {"sudo": "x"}), "password_file": ""}
    line = refusal(Secrets(tmp_path, {"BECOME": KEPT}, given))
    assert "vault.password_file: found nothing; expected the file with the vault's password; " in line
    assert line.endswith(f"name a file, or set {PASSWORD_FILE}")


def test_a_vault_in_plain_text_is_refused(tmp_path: Path) -> None:
    given = vault(tmp_path, {})
    Path(given["file"]).write_text("sudo: readable\n", encoding="utf-8")
    line = refusal(Secrets(tmp_path, {"BECOME": KEPT}, given))
    assert "which is not encrypted; expected a file that ansible-vault has encrypted; encrypt it: " in line
    assert "readable" not in line


def test_what_was_found_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_SUDO", "unspeakable")
    secrets = Secrets(tmp_path, {"BECOME": SUDO})
    assert secrets.become() == "unspeakable"
    assert "unspeakable" not in repr(secrets)
    assert scrub.scrub("sudo said unspeakable twice: unspeakable") == "sudo said … twice: …"

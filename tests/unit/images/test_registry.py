"""The registry is asked before the engine: processor, chip, digest and login, against Debian's own registry."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import image_mirrors, registry_client
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.image_manifest import judge, look
from plugins.module_utils.converge.image_mirrors import Engine, Mirrors
from plugins.module_utils.converge.registry_client import Login, RegistryClient, Way
from tests.unit.images import servers
from tests.unit.images.parts import Image, wanted

PLAIN = Way(insecure=True)
LOGIN = Login(servers.USER, servers.PASSWORD)
CHIP = {"suffix": "", "others": ["-b2"], "soc_pattern": "^chip1"}


def ask(address: str, image: dict[str, Any], login: Login | None = None) -> Any:
    seen = look(RegistryClient(address, login, PLAIN), "org/engine", image["digest"] or "v1", {**image, "tag": "v1"})
    judge(seen, image)
    return seen


def test_an_image_is_seen_without_moving_it(store: Path, image: Image) -> None:
    with servers.registry(store) as address:
        seen = ask(address, wanted(image, chip=CHIP, id=image.id))
    assert (seen.image_id, seen.architecture, seen.socs) == (image.id, "amd64", ["chip1a"])
    assert seen.size_bytes == len(image.packed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "arm64"}, r"it was built for amd64, this host needs arm64 \(hosts.arch of site.yml\)"),
        ({"chip": {**CHIP, "soc_pattern": "^chip2"}}, r"built for chip1a, and this host's chips are \^chip2 .*catalog"),
        ({"id": "sha256:" + "0" * 64}, r"its id is sha256:\w+, expected sha256:000\w+ \(image_ids of site.lock\)"),
        ({"digest": "sha256:" + "0" * 64}, r"has sha256:\w+ as v1 of org/engine, expected sha256:000\w+ \(site.lock\)"),
    ],
)
def test_another_image_is_refused_before_it_moves(
    store: Path, image: Image, changes: dict[str, Any], message: str
) -> None:
    with servers.registry(store) as address, pytest.raises(RefusedError, match=message):
        ask(address, wanted(image, **changes))


def test_the_processor_is_found_in_a_list(tmp_path: Path, image: Image) -> None:
    other = Image(architecture="arm64", text="other")
    with servers.registry(tmp_path) as address:
        listed = servers.push(address, "org/engine", [image, other], "v1")
        assert ask(address, wanted(digest=listed)).image_id == image.id
        assert ask(address, wanted(digest=listed, architecture="arm64")).image_id == other.id
        with pytest.raises(RefusedError, match="it is there for amd64, arm64, and this host needs riscv64"):
            ask(address, wanted(digest=listed, architecture="riscv64"))


@pytest.mark.parametrize("guard", [servers.guarded_by_password, servers.guarded_by_tokens])
def test_a_login_opens_the_registry(store: Path, image: Image, guard: Any) -> None:
    with guard(store) as address:
        assert ask(address, wanted(image), LOGIN).image_id == image.id
        for login in (None, Login(servers.USER, "wrong")):
            with pytest.raises(RefusedError, match=r"registries of site.yml: user and password for 127") as refused:
                ask(address, wanted(image), login)
            assert "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "message"), [(401, "status 401.*without a login"), (429, "too many requests, again in 30 s")]
)
def test_a_refusal_says_what_to_do(image: Image, status: int, message: str) -> None:
    with servers.misbehaving(status, Retry_After="30") as address, pytest.raises(RefusedError, match=message):
        ask(address, wanted(image))


def test_a_password_is_not_sent_to_a_plain_realm_of_a_registry_with_tls() -> None:
    client = RegistryClient("hub.example", LOGIN)
    refused = servers.answer_of(401, 'Bearer realm="http://elsewhere.example/token",service="x"')
    with pytest.raises(RefusedError, match=r"wants the password sent to http://elsewhere.example/token, which is not"):
        client._log_in("org/engine", refused)


def test_a_registry_with_tls_is_believed_by_the_engines_own_certificates(
    store: Path, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = servers.Signer(store)
    folder = store / "certs.d"
    monkeypatch.setattr(registry_client, "CERTIFICATES", str(folder))
    tls = {"certificate": str(signer.file), "key": str(signer.key_file(store))}
    with servers.registry(store, tls=tls) as address:
        with pytest.raises(
            RefusedError, match=rf"https://{address}/v2/org/engine/manifests/.*CERTIFICATE_VERIFY_FAILED"
        ):
            look(RegistryClient(address), "org/engine", image.digest, {**wanted(image), "tag": "v1"})
        (folder / address).mkdir(parents=True)
        shutil.copy(signer.file, folder / address / "ca.crt")
        seen = look(RegistryClient(address), "org/engine", image.digest, {**wanted(image), "tag": "v1"})
    assert seen.image_id == image.id


def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(Engine({}, ["127.0.0.0/8"], []), {}, str(tmp_path / "registries.json"))


def test_dead_and_slow_mirrors_cost_seconds_once(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_mirrors.probe_all, "__defaults__", (1.0,))
    dead = servers.dead()
    with servers.registry(store) as good, servers.silent() as slow:
        sources = [f"{place}/org/engine:v1" for place in (dead, slow, good)]
        began = time.monotonic()
        usable, faults = mirrors(tmp_path).order(sources)
        assert time.monotonic() - began < 4
        assert usable == [sources[2]]
        assert [fault.split(" ")[0] for fault in faults] == [f"{sources[0]}:", f"{sources[1]}:"]
        assert "refused" in faults[0]
        began = time.monotonic()
        assert mirrors(tmp_path).order(sources)[0] == [sources[2]]
        assert time.monotonic() - began < 0.5, "the second step of the run asks nobody again"


def test_what_was_found_long_ago_is_asked_again(tmp_path: Path, store: Path) -> None:
    with servers.registry(store) as address:
        old = {"answers": False, "seconds": 5, "reason": "old", "checked": time.time() - 61}
        (tmp_path / "registries.json").write_text(json.dumps({address: old}), encoding="utf-8")
        assert mirrors(tmp_path).order([f"{address}/org/engine:v1"])[0]


def test_the_order_of_the_site_stays_and_slow_ones_come_last(tmp_path: Path) -> None:
    known = mirrors(tmp_path)
    for name, seconds in (("slow.example", 3.0), ("one.example", 0.5), ("two.example", 0.1)):
        known.probes[name] = {"answers": True, "seconds": seconds, "reason": ""}
    sources = [f"{name}/x:v1" for name in ("slow.example", "one.example", "two.example")]
    assert known.order(sources) == ([sources[1], sources[2], sources[0]], [])


def test_networks_go_past_a_proxy_too() -> None:
    client = RegistryClient("10.1.2.3:5000", way=Way(proxies={"http": "http://proxy:1", "no": "10.0.0.0/8"}))
    assert client._proxies("10.1.2.3:5000") == {}
    assert client._proxies("11.1.2.3:5000") == {"http": "http://proxy:1"}


@pytest.mark.parametrize(
    ("engine", "blind"),
    [
        (Engine({"https": "http://xxxxx:xxxxx@proxy:1"}, [], []), [True, True]),
        (Engine({"https": "http://xxxxx:xxxxx@proxy:1", "no": "one.example"}, [], []), [False, True]),
        (Engine({"https": "http://xxxxx:xxxxx@proxy:1", "no": "a, 10.0.0.0/8,.example"}, [], []), [False, True]),
        (Engine({"https": "http://proxy:1"}, [], ["http://mirror"]), [False, True]),
        (Engine({}, [], []), [False, False]),
    ],
    ids=["a proxy's login is masked", "goes past it", "goes past it by domain", "mirrors of daemon.json", "plain"],
)
def test_where_only_the_engine_can_ask_it_is_let(tmp_path: Path, engine: Engine, blind: list[bool]) -> None:
    known = Mirrors(engine, {}, str(tmp_path / "registries.json"))
    sources = ["one.example/x/y:v1", "docker.io/x/y:v1"]
    assert [known.blind(source) for source in sources] == blind
    for name in ("one.example", "docker.io"):
        known.probes[name] = {"answers": False, "seconds": 0.1, "reason": "no"}
    assert known.order(sources)[0] == [source for source, yes in zip(sources, blind, strict=True) if yes]


def test_the_engines_own_settings_are_taken() -> None:
    configs = {"mirror:5000": {"Secure": False}, "docker.io": {"Secure": True}}
    info = {"RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": configs, "Mirrors": ["x"]}}
    engine = image_mirrors.engine_of({**info, "HttpsProxy": "http://proxy:1", "NoProxy": "a"})
    assert engine.way("mirror:5000").insecure
    assert engine.way("127.0.0.1:5000").insecure
    assert not engine.way("docker.io").insecure
    assert engine.proxies == {"http": "", "https": "http://proxy:1", "no": "a"}
    assert engine.hub_mirrors == ["x"]


def test_the_systems_authorities_are_believed_by_any_python(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python from elsewhere knows no authority, and the engine would pull all the same."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    monkeypatch.setattr(registry_client, "CERTIFICATES", str(tmp_path / "certs.d"))
    signer = servers.Signer(store)
    tls = {"certificate": str(signer.file), "key": str(signer.key_file(store))}
    with servers.registry(store, tls=tls) as address:
        monkeypatch.setattr(registry_client, "SYSTEM_AUTHORITIES", (str(tmp_path / "absent.pem"),))
        with pytest.raises(RefusedError, match="CERTIFICATE_VERIFY_FAILED"):
            RegistryClient(address).ping(5)
        monkeypatch.setattr(registry_client, "SYSTEM_AUTHORITIES", (str(tmp_path / "absent.pem"), str(signer.file)))
        assert RegistryClient(address).ping(5).status == 200

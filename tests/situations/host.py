"""A host of the lab as situations use it: a root shell, the product's verbs on it, and the state it is in."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .places import Place
from .schema import State

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("footprint_program.py")
MARK = "/root/.situation-state"  # on the host itself, so that a host that is made anew loses it
QUICK = {"pace": "0.1", "smi_seconds": "0.1", "start_seconds": "0.5"}
"""How long the vendor's stand-ins take; tests/lab/vendor/README.md."""
REACH: dict[str, list[str]] = {
    "based": ["up", "--yes", "--tags", "host_baseline,docker_engine"],
    "installed": ["up", "--yes"],
    "served-not": ["up", "--yes", "--tags", "container_image,model_store"],
}
"""What is played for a state. A host that is served-not has image and model, and no service."""
PATH_TO: dict[str, tuple[str, ...]] = {
    "bare": (),
    "based": ("bare",),
    "installed": ("bare", "based"),
    "served-not": ("bare", "based", "installed"),
}
"""From which states the product itself takes a host to the one; from any other the host is made anew."""
SHELL_SECONDS = 180


class HostError(AssertionError):
    """The host is not where a situation needs it, or a shell line on it failed."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a call of the product printed, and its exit code."""

    words: str
    code: int
    output: str

    @property
    def flat(self) -> str:
        """Return the output with every run of white space as one blank: lines may be folded anywhere."""
        return " ".join(self.output.split())


@dataclass(frozen=True, slots=True)
class Host:
    """A place, and the folder where the sites for it are written."""

    place: Place
    folder: Path

    def shell(self, line: str, *, check: bool = True) -> str:
        """Run a shell line as root and return what it printed."""
        done = subprocess.run(
            self.place.as_root(line),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SHELL_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise HostError(f"{self.place.name}: {line}: code {done.returncode}: {done.stdout}{done.stderr}")
        return (done.stdout + done.stderr).strip()

    def site(self, changes: Mapping[str, Any], name: str, files: Mapping[str, str] | None = None) -> Path:
        """Write the lane's site with *changes* merged over it, with *files* beside it; return its folder."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in (files or {}).items():
            (folder / file).write_text(text, encoding="utf-8")
        document = merged(self.place.site, changes)
        (folder / "site.yml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return folder

    def provision(self, site: Path, words: list[str], env: Mapping[str, str], seconds: float) -> Done:
        """Run one verb as a person would, without a terminal."""
        done = subprocess.run(
            [*self.place.driver(sys.executable), "--inventory", str(site), *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PROVISION_RUNS": str(self.folder / "runs"), **env},
        )
        return Done(shlex.join(words), done.returncode, done.stdout + done.stderr)

    def footprint(self, verb: str, name: str = "situation") -> list[str]:
        """Take the host's footprint, or compare it with the one taken under *name* and return the differences."""
        done = subprocess.run(
            self.place.as_root(f"python3 - {verb} {name}"),
            input=PROGRAM.read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            timeout=SHELL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise HostError(f"{self.place.name}: footprint: {done.stderr}")
        return done.stdout.splitlines()

    def fresh(self) -> None:
        """Make the host anew, with quick stand-ins."""
        self.place.fresh()
        files = "; ".join(f"echo {value} > /var/lib/davinci-sim/{name}" for name, value in QUICK.items())
        self.shell(f"mkdir -p /var/lib/davinci-sim; {files}; echo bare > {MARK}")

    def reach(self, state: State) -> None:
        """Bring the host to *state* with the product itself, unless it is there and nothing on it differs."""
        # situations follow each other faster than systemd lets a unit be started again and again
        self.shell("systemctl reset-failed docker.service 2>/dev/null", check=False)
        now = self.shell(f"cat {MARK} 2>/dev/null", check=False)
        if now == state and not self.astray(state):
            return
        if now not in PATH_TO[state] or self.astray(now):
            self.fresh()
        if state != "bare":
            done = self.provision(self.base(state), REACH[state], {}, 900)
            if done.code:
                raise HostError(f"{self.place.name} cannot be brought to {state}: code {done.code}\n{done.output}")
        self.shell(f"echo {state} > {MARK}")

    def astray(self, state: str) -> str:
        """Return what keeps the host from being in *state*, by the product's own plan; empty when nothing does."""
        if state == "bare":
            return self.shell("ls -d /usr/local/Ascend /etc/docker /var/lib/provision 2>/dev/null", check=False)
        tags = REACH[state][2:]
        done = self.provision(self.base(state), ["plan", "--json", *tags], {}, 120)
        if done.code:
            return f"plan ends with code {done.code}: {done.output}"
        return "" if '"drift": false' in done.output else done.output

    def base(self, state: str) -> Path:
        """Return the site of a host in *state*."""
        serving: dict[str, Any] = {} if state == "served-not" else {"services": [], "models": []}
        return self.site(serving, f"base-{state}")

    def spoil(self) -> None:
        """Let nobody trust the host's state any more."""
        self.shell(f"rm -f {MARK}", check=False)


def merged(base: Any, changes: Any) -> Any:
    """Return *changes* over *base*: mappings key by key, hosts one by one, null removes, anything else replaces."""
    if not isinstance(base, dict) or not isinstance(changes, Mapping):
        return changes
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif key == "hosts" and isinstance(value, list) and isinstance(result.get(key), list):
            olds = [*result[key], *[{}] * len(value)]
            result[key] = [merged(old, new) for old, new in zip(olds, value, strict=False)] + result[key][len(value) :]
        else:
            result[key] = merged(result.get(key), value)
    return result


def filled(document: Any, place: Place) -> Any:
    """Return *document* with @host@, @address@ and @lab@ filled in."""
    text = json.dumps(document)
    for name, value in {"host": place.name, "address": place.address, "lab": str(place.lab)}.items():
        text = text.replace(f"@{name}@", value)
    return json.loads(text)

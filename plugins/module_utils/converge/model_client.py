"""Run the hub's own client inside the engine image: no Python packages on the host, and one version everywhere.

Its files go to the folder of parts, and to their final names when they have been compared with the hub's checksums.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any, Dict, List, Sequence
from urllib.parse import urlsplit

from .errors import RefusedError
from .installer import tail
from .model_access import Way
from .model_files import bytes_below
from .model_stage import Stage
from .unit_wait import command

INSIDE = "/model"
POLL_SECONDS = 1.0
STALL_SECONDS = 900.0
REMOVE_SECONDS = 60.0
GRACE_SECONDS = 10.0
LOG_FOLDER = "/var/log/provision"
# The variable in which each client looks for its token.
TOKENS = {"modelscope": "MODELSCOPE_API_TOKEN", "huggingface": "HF_TOKEN", "openmind": "OPENMIND_TOKEN"}
# openMind's client is a library without a command that takes a folder.
OPENMIND = (
    "import os, sys; from openmind_hub import snapshot_download; "
    "snapshot_download(repo_id=sys.argv[1], revision=sys.argv[2], local_dir=sys.argv[3], local_dir_use_symlinks=False, "
    "token=os.environ.get('OPENMIND_TOKEN') or None, allow_patterns=sys.argv[4:] or None)"
)


def environment(model: Dict[str, Any]) -> Dict[str, str]:
    """Return what tells the client which hub to ask; old ModelScope clients only know the domain."""
    found = {"HUB_WHITE_LIST_PATHS": INSIDE} if model["source"] == "openmind" else {}
    if not model["endpoint"]:
        return found
    if model["source"] == "modelscope":
        return {"MODELSCOPE_ENDPOINT": model["endpoint"], "MODELSCOPE_DOMAIN": urlsplit(model["endpoint"]).netloc}
    if model["source"] == "openmind":
        return {**found, "OPENMIND_HUB_ENDPOINT": model["endpoint"]}
    return {"HF_ENDPOINT": model["endpoint"], "HF_HUB_DISABLE_XET": "1"}


def client_argv(model: Dict[str, Any], names: Sequence[str] = ()) -> List[str]:
    """Return the client's command as it runs inside the image; *names* are the files, all of them without."""
    repo, revision = model["repo"], model["revision"]
    if model["source"] == "modelscope":
        chosen = ["--include", *names] if names else []
        return ["modelscope", "download", "--model", repo, "--revision", revision, "--local_dir", INSIDE, *chosen]
    if model["source"] == "openmind":
        return ["python3", "-c", OPENMIND, repo, revision, INSIDE, *names]
    return ["hf", "download", repo, *names, "--revision", revision, "--local-dir", INSIDE]


def container_name(model: Dict[str, Any]) -> str:
    """Return the container's name: fixed, so that what a killed run left can be found."""
    return f"provision-fetch-{model['name']}"


def docker_argv(model: Dict[str, Any], folder: str, names: Sequence[str] = (), token: bool = False) -> List[str]:
    """Return the whole command; --mount fails on a missing folder where -v would make one.

    A *token* is named only: docker takes its value from our environment, and every account can read an argument.
    """
    found = ["docker", "run", "--rm", "--name", container_name(model), "--network", "host"]
    found += ["--label", "provision.fetch=" + model["name"]]
    found += ["--mount", f"type=bind,source={folder},target={INSIDE}"]
    for name, value in environment(model).items():
        found += ["--env", f"{name}={value}"]
    if token:
        found += ["--env", TOKENS[model["source"]]]
    return [*found, model["image"], *client_argv(model, names)]


def forget(model: Dict[str, Any]) -> str:
    """Remove the container of an earlier run: two clients in one folder spoil it. Return the fault, "" is none."""
    code, text = command(["docker", "rm", "--force", container_name(model)], REMOVE_SECONDS)
    gone = code == 0 or "no such container" in text.lower()
    return "" if gone else f"docker rm --force {container_name(model)}: {text.strip()[-200:]}"


def download(model: Dict[str, Any], names: Sequence[str], stage: Stage, way: Way) -> None:
    """Run the client until it ends. Raises RefusedError when it fails, stands still, or takes longer than allowed."""
    fault = forget(model)
    if fault:
        raise RefusedError(
            f"{model['repo']}: {fault}. The client of an earlier run may still write to {stage.path}: look at "
            "docker.service (journalctl --unit docker), then run again."
        )
    argv = docker_argv(model, stage.path, names, bool(way.access.token))
    given = {TOKENS[model["source"]]: way.access.token} if way.access.token else {}
    fault, log = run(Client(model, argv, given), stage, way)
    if fault:
        left = forget(model)
        fault += f" ({left})" if left else ""
        hub = model["endpoint"] or "upstream"
        raise RefusedError(
            f"{model['repo']}: {client_argv(model)[0]} {fault}; hub {hub}, image {model['image']}. "
            f"What has arrived in {stage.path} is kept, run again to go on. It ({log}) ends with:\n{tail(log)}"
        )


class Client:
    """A program that fills the folder of parts: its command line, and what is added to its environment."""

    def __init__(self, model: Dict[str, Any], argv: List[str], environment: Dict[str, str]) -> None:
        """Nothing is started yet."""
        self.argv = argv
        self.environment = environment
        self.log = os.path.join(LOG_FOLDER, container_name(model) + ".log")

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own; its output goes to the log."""
        os.makedirs(LOG_FOLDER, mode=0o750, exist_ok=True)
        with open(self.log, "wb") as output:
            return subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=dict(os.environ, **self.environment),
            )


def run(client: Client, stage: Stage, way: Way) -> "tuple[str, str]":
    """Follow *client* to its end and take what it brings; return its fault ("" none) and its log."""
    process = client.start()
    fault = _watch(process, stage, way)
    if fault:
        _end(process)
    return fault, client.log


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the whole session: git has started others."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
            process.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _watch(process: "subprocess.Popen[bytes]", stage: Stage, way: Way) -> str:
    """Follow the client; return its fault, "" when it ended well."""
    limit = time.monotonic() + way.seconds
    have, moved_at = -1, time.monotonic()
    while process.poll() is None:
        now = time.monotonic()
        present = bytes_below(stage.path)
        if present != have:
            have, moved_at = present, now
        way.progress.update(present, f"download to {stage.folder}")
        if now > limit:
            return f"was not done after {way.seconds:.0f} s and was ended"
        if now - moved_at > STALL_SECONDS:
            return f"brought nothing for {STALL_SECONDS:.0f} s and was ended"
        stage.take()
        time.sleep(POLL_SECONDS)
    return "" if process.returncode == 0 else f"ended with code {process.returncode}"

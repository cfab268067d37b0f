"""Run the hub's own client inside the engine image: no Python packages on the host, and one version everywhere."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any, Dict, List
from urllib.parse import urlsplit

from .errors import RefusedError
from .installer import tail
from .model_files import bytes_below
from .progress import Progress
from .unit_wait import command

INSIDE = "/model"
POLL_SECONDS = 1.0
STALL_SECONDS = 900.0
REMOVE_SECONDS = 60.0
LOG_FOLDER = "/var/log/provision"


def environment(model: Dict[str, Any]) -> Dict[str, str]:
    """Return what tells the client which hub to ask; old ModelScope clients only know the domain."""
    if not model["endpoint"]:
        return {}
    if model["source"] == "modelscope":
        return {"MODELSCOPE_ENDPOINT": model["endpoint"], "MODELSCOPE_DOMAIN": urlsplit(model["endpoint"]).netloc}
    return {"HF_ENDPOINT": model["endpoint"], "HF_HUB_DISABLE_XET": "1"}


def client_argv(model: Dict[str, Any]) -> List[str]:
    """Return the client's command as it runs inside the image."""
    if model["source"] == "modelscope":
        return [
            "modelscope",
            "download",
            "--model",
            model["repo"],
            "--revision",
            model["revision"],
            "--local_dir",
            INSIDE,
        ]
    return ["hf", "download", model["repo"], "--revision", model["revision"], "--local-dir", INSIDE]


def container_name(model: Dict[str, Any]) -> str:
    """Return the container's name: fixed, so that what a killed run left can be found."""
    return f"provision-fetch-{model['name']}"


def docker_argv(model: Dict[str, Any]) -> List[str]:
    """Return the whole command; --mount fails on a missing folder where -v would make one."""
    command = [
        "docker",
        "run",
        "--rm",
        "--name",
        container_name(model),
        "--network",
        "host",
        "--label",
        "provision.fetch=" + model["name"],
    ]
    command += ["--mount", f"type=bind,source={model['path']},target={INSIDE}"]
    for name, value in environment(model).items():
        command += ["--env", f"{name}={value}"]
    return [*command, model["image"], *client_argv(model)]


def forget(model: Dict[str, Any]) -> str:
    """Remove the container of an earlier run: two clients in one folder spoil it. Return the fault, "" is none."""
    code, text = command(["docker", "rm", "--force", container_name(model)], REMOVE_SECONDS)
    gone = code == 0 or "no such container" in text.lower()
    return "" if gone else f"docker rm --force {container_name(model)}: {text.strip()[-200:]}"


def download(model: Dict[str, Any], progress: Progress, timeout_seconds: float) -> None:
    """Run the client until it ends. Raises RefusedError when it fails, stands still, or takes longer than allowed."""
    log = os.path.join(LOG_FOLDER, container_name(model) + ".log")
    os.makedirs(LOG_FOLDER, mode=0o750, exist_ok=True)
    fault = forget(model)
    if fault:
        raise RefusedError(
            f"{model['repo']}: {fault}. The client of an earlier run may still write to {model['path']}: look at "
            "docker.service (journalctl --unit docker), then run again."
        )
    with open(log, "wb") as output:
        process = subprocess.Popen(
            docker_argv(model),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    fault = _watch(process, model, progress, timeout_seconds)
    if fault:
        left = forget(model)
        process.kill()
        process.wait(REMOVE_SECONDS)
        fault += f" ({left})" if left else ""
        hub = model["endpoint"] or "upstream"
        raise RefusedError(
            f"{model['repo']}: {client_argv(model)[0]} {fault}; hub {hub}, image {model['image']}. "
            f"What has arrived in {model['path']} is kept, run again to go on. It ({log}) ends with:\n{tail(log)}"
        )


def _watch(process: subprocess.Popen[bytes], model: Dict[str, Any], progress: Progress, timeout_seconds: float) -> str:
    """Follow the client; return its fault, "" when it ended well."""
    limit = time.monotonic() + timeout_seconds
    have, moved_at = -1, time.monotonic()
    while process.poll() is None:
        now = time.monotonic()
        present = bytes_below(model["path"])
        if present != have:
            have, moved_at = present, now
        progress.update(present, f"download {model['repo']}")
        if now > limit:
            return f"was not done after {timeout_seconds:.0f} s and was ended"
        if now - moved_at > STALL_SECONDS:
            return f"brought nothing for {STALL_SECONDS:.0f} s and was ended"
        time.sleep(POLL_SECONDS)
    return "" if process.returncode == 0 else f"ended with code {process.returncode}"

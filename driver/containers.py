"""Command lines of containers: every device, mount and variable is written out, nothing is privileged by default."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driver.catalog_models import Accelerator
from driver.engine import device_nodes

DOCKER = "/usr/bin/docker"  # systemd wants an absolute path; docker's own packages and static archive install it here

# Foreground containers log to the journal; docker's copy is for `docker logs` and must not fill the disk.
_LOG = ("--log-driver", "json-file", "--log-opt", "max-size=50m", "--log-opt", "max-file=3")


@dataclass(frozen=True, slots=True)
class Spec:
    """What one container is: *cards* are the driver's numbers, *mounts* host paths, all read-only at the same path."""

    name: str
    service: str
    image: str
    image_digest: str
    cards: tuple[int, ...]
    mounts: tuple[str, ...]
    environment: Mapping[str, str]
    shm_size: str
    command: tuple[str, ...]


def mounts(accelerator: Accelerator, model_path: str, extra: Sequence[str]) -> tuple[str, ...]:
    """Return the host paths that a container needs: the driver's, the model's folder, the site's own."""
    return tuple(dict.fromkeys([*accelerator.mounts.all, model_path, *extra]))


def run_argv(spec: Spec, accelerator: Accelerator) -> tuple[list[str], str]:
    """Return the `docker run` that stays in the foreground, and the digest of what it runs.

    --mount fails on a missing host path, where -v would make an empty folder; --pull never, because images are
    another role's; --init reaps the processes that `docker exec` and Ray leave behind.
    """
    profile = accelerator.container
    options = ["--rm", "--init", "--pull", "never", "--name", spec.name, "--network", profile.network]
    options += ["--shm-size", spec.shm_size, *_LOG]
    options += ["--privileged"] if profile.privileged else []
    for device in (*device_nodes(accelerator, spec.cards), *accelerator.device_nodes.control):
        options += ["--device", device]
    for path in spec.mounts:
        options += ["--mount", f"type=bind,src={path},dst={path},readonly"]
    for name, value in spec.environment.items():
        options += ["--env", f"{name}={value}"]
    fingerprint = digest([options, spec.image, spec.image_digest, spec.command])
    labels = ["--label", f"provision.service={spec.service}", "--label", f"provision.digest={fingerprint}"]
    return [DOCKER, "run", *labels, *options, spec.image, *spec.command], fingerprint


def in_shell(shell: Sequence[str], argv: Sequence[str]) -> tuple[str, ...]:
    """Return *argv* as one word of *shell*, which it replaces."""
    return (*shell, f"exec {shlex.join(argv)}")


def exec_argv(container: str, pid_file: str, shell: Sequence[str], argv: Sequence[str]) -> list[str]:
    """Return the `docker exec` that runs *argv* inside *container* and notes its process id in *pid_file* there."""
    return [DOCKER, "exec", container, *shell, f"echo $$ > {pid_file}; exec {shlex.join(argv)}"]


def exec_stop_argv(container: str, pid_file: str, *, signal: str, grace_seconds: int) -> list[str]:
    """Return the command that ends what exec_argv started and waits for its end; 0 when nothing runs.

    It is needed because the process outlives the `docker exec` client that systemd would stop. What the engine
    started is in its process group (docker makes it a session leader) and can outlive it holding the port, so the
    wait and the last resort are for the group. No `--` before the group: dash refuses it.
    """
    script = (
        f"pid=$(cat {pid_file} 2>/dev/null) || exit 0; "
        f"kill -{signal} $pid 2>/dev/null || kill -{signal} -$pid 2>/dev/null || exit 0; "
        f"for second in $(seq {grace_seconds}); do kill -0 -$pid 2>/dev/null || exit 0; sleep 1; done; "
        f"kill -KILL -$pid 2>/dev/null; exit 0"
    )
    return [DOCKER, "exec", container, "sh", "-c", script]


def stop_argv(container: str, *, grace_seconds: int) -> list[str]:
    """Return the command that stops a container of its own."""
    return [DOCKER, "stop", "-t", str(grace_seconds), container]


def digest(specification: Any) -> str:
    """Return 16 hexadecimal digits that change when *specification* does."""
    text = json.dumps(specification, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""The shell commands by which a person would bring a model to a host, by each source's own client."""

from __future__ import annotations

import shlex
from typing import Final
from urllib.parse import quote, urlsplit

from driver.resolved import HostModel

_INSIDE: Final = "/model"
_FROM_OPENMIND: Final = (
    "from openmind_hub import snapshot_download as get; "
    "get(repo_id={repo!r}, revision={revision!r}, local_dir={path!r}, local_dir_use_symlinks=False)"
)


def model(model: HostModel) -> list[str]:
    """Return the download of *model*; the clients of two hubs are in the engine's image."""
    head = f"# model_store: {model.name}, on every host of its services under the same path"
    if model.shared:
        head = f"# model_store: {model.name}, on one host: the others see the same storage"
    return [head, f"mkdir -p {shlex.quote(model.path)}", *_WAYS[model.source](model)]


def _in_image(model: HostModel, variables: dict[str, str], fetch: list[str]) -> list[str]:
    """Return a client's command inside the engine's image, every option on a line of its own."""
    mount = f"--mount type=bind,source={model.path},target={_INSIDE}"
    options = [
        "--rm",
        "--network host",
        mount,
        *(f"--env {name}={value}" for name, value in variables.items() if value),
    ]
    return [" \\\n  ".join(["docker run", *options, f"{model.image} {shlex.join(fetch)}"])]


def _modelscope(model: HostModel) -> list[str]:
    # the first variable is for newer clients, the second for older ones
    hub = {"MODELSCOPE_ENDPOINT": model.endpoint, "MODELSCOPE_DOMAIN": urlsplit(model.endpoint).netloc}
    words = ["modelscope", "download", "--model", model.repo, "--revision", model.revision, "--local_dir", _INSIDE]
    return _in_image(model, hub, words)


def _huggingface(model: HostModel) -> list[str]:
    hub = {"HF_ENDPOINT": model.endpoint, "HF_HUB_DISABLE_XET": "1" if model.endpoint else ""}
    return _in_image(model, hub, ["hf", "download", model.repo, "--revision", model.revision, "--local-dir", _INSIDE])


def _openmind(model: HostModel) -> list[str]:
    hub = {"HUB_WHITE_LIST_PATHS": model.path, "OPENMIND_HUB_ENDPOINT": model.endpoint}
    variables = [f"{name}={shlex.quote(value)}" for name, value in hub.items() if value]
    program = _FROM_OPENMIND.format(repo=model.repo, revision=model.revision, path=model.path)
    return [" ".join([*variables, shlex.join(["python3", "-c", program])])]


def _obs(model: HostModel) -> list[str]:
    words = ["obsutil", "cp", f"obs://{model.repo}/", model.path, "-r", "-f", "-flat", "-u", "-vlength", "-vmd5"]
    return [shlex.join(words)]


def _git(model: HostModel) -> list[str]:
    inside = ["git", "-C", model.path]
    return [
        f"GIT_LFS_SKIP_SMUDGE=1 {shlex.join(['git', 'clone', model.repo, model.path])}",
        shlex.join([*inside, "checkout", model.revision]),
        shlex.join([*inside, "lfs", "pull"]),
        shlex.join(["rm", "-r", f"{model.path}/.git"]),
    ]


def _http(model: HostModel) -> list[str]:
    if not model.files:
        return [f"# each file of {model.repo}/manifest.json, compared with its sha256 (provision lock lists them)"]
    curl = ["curl", "--fail", "--location", "--continue-at", "-", "--create-dirs", "--output"]
    return [shlex.join([*curl, f"{model.path}/{one.path}", f"{model.repo}/{quote(one.path)}"]) for one in model.files]


def _path(model: HostModel) -> list[str]:
    return [shlex.join(["cp", "--recursive", "--no-target-directory", model.repo, model.path])]


_WAYS: Final = {
    "modelscope": _modelscope,
    "huggingface": _huggingface,
    "openmind": _openmind,
    "obs": _obs,
    "git": _git,
    "http": _http,
    "path": _path,
}

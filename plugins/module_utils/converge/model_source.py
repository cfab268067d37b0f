"""The one door to all sources of models: what files a model has, and bring some of them."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from . import hub_files, model_client, model_git, model_obs, model_web
from .hub_files import HubFile
from .model_access import Access, Way
from .model_stage import Stage

HUBS = ("modelscope", "huggingface", "openmind")


def listing(model: Dict[str, Any], access: Access) -> List[HubFile]:
    """Return {path, size, sha256, git_sha1} of every file; -1 and "" are not known. Raises RefusedError."""
    source = model["source"]
    if source in HUBS:
        return hub_files.listing(model, access.get_json)
    if source == "git":
        return model_git.listing(model, access)
    if source == "obs":
        return model_obs.listing(model, access)
    return model_web.web_listing(model, access) if source == "http" else model_web.folder_listing(model)


def download(model: Dict[str, Any], names: Sequence[str], stage: Stage, way: Way) -> None:
    """Bring the files *names* of *model* (all of them without) to the folder of parts. Raises RefusedError."""
    source = model["source"]
    if source in HUBS:
        model_client.download(model, names, stage, way)
    elif source == "git":
        model_git.download(model, names, stage, way)
    elif source == "obs":
        model_obs.download(model, names, stage, way)
    elif source == "http":
        model_web.web_download(model, names, stage, way)
    else:
        model_web.folder_copy(model, names, stage, way)

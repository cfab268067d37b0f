"""Observe this host and compare it with what the inventory wants; the one entry point."""

from __future__ import annotations

import os
import time

from . import (
    compare_ascend_docker_runtime,
    compare_container_image,
    compare_docker_engine,
    compare_host_baseline,
    compare_inference_service,
    compare_model_store,
    compare_npu_driver,
    compare_npu_firmware,
    compare_npu_network,
    compare_obsutil,
    compare_ray_cluster,
)
from .items import item
from .observe import observe
from .workers import Notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .items import Facts, Item, Wanted

SCHEMA = 1
COMPARE = {
    "host_baseline": compare_host_baseline.compare,
    "docker_engine": compare_docker_engine.compare,
    "npu_driver": compare_npu_driver.compare,
    "npu_firmware": compare_npu_firmware.compare,
    "npu_network": compare_npu_network.compare,
    "ascend_docker_runtime": compare_ascend_docker_runtime.compare,
    "obsutil": compare_obsutil.compare,
    "container_image": compare_container_image.compare,
    "model_store": compare_model_store.compare,
    "ray_cluster": compare_ray_cluster.compare,
    "inference_service": compare_inference_service.compare,
}


def observe_and_compare(wanted: Wanted, deep: bool = False) -> dict[str, Any]:
    """Return the document of this host: {schema, host, observed_at, elapsed_ms, boot, facts, drift, not_understood}.

    *wanted* has the variables of every role of this host, by role; {} only observes. Nothing is changed.
    """
    began = time.monotonic()
    observed_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    notes = Notes()
    boot, facts = observe(wanted, notes, deep)
    drift = compare_all(wanted, facts, notes)
    return {
        "schema": SCHEMA,
        "host": wanted.get("host") or os.uname().nodename,
        "observed_at": observed_at,
        "elapsed_ms": round((time.monotonic() - began) * 1000),
        "boot": boot,
        "facts": facts,
        "drift": drift,
        "not_understood": notes.entries,
    }


def compare_all(wanted: Wanted, facts: Facts, notes: Notes) -> dict[str, list[Item]]:
    """Return the drift of every role that differs; a role that is as wanted has no entry."""
    drift = {}
    for role, compare in COMPARE.items():
        if role in wanted:
            items = notes.guard(role, [unknown(role)], compare, wanted[role], facts)
            if items:
                drift[role] = items
    return drift


def unknown(role: str) -> Item:
    """Return the drift of a role that could not be compared: nobody may take it for "as wanted"."""
    return item("observation", "not understood", "known", "what the host shows for %s could not be compared" % role)

"""What Ray counts: how many of a resource the cluster has, how many are in use, how many nodes there are."""

from __future__ import annotations

import re

from . import commands, grpc, protobuf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

STATUS_SECONDS = 20.0
GCS_SECONDS = 4.0
USAGE = "/ray.rpc.NodeResourceInfoGcsService/GetAllResourceUsage"
# Field numbers of Ray's gcs_service.proto and gcs.proto, the same in all of Ray 2.
REPLY_STATUS, REPLY_USAGE, STATUS_CODE, BATCH, AVAILABLE, TOTAL = 1, 2, 1, 1, 2, 4
_NODE = re.compile(r"^\s*\d+ node_[0-9a-f]+\s*$", re.MULTILINE)
_HEADINGS = ("Active:", "Idle:")


def usage(address: str, port: int, resource: str) -> Facts:
    """Return {npu_total, npu_used, nodes, error} as Ray's GCS says. Raises GrpcError, ValueError (not understood)."""
    return parse_usage(grpc.call(address, port, USAGE, GCS_SECONDS), resource)


def parse_usage(reply: bytes, resource: str) -> Facts:
    """Return {npu_total, npu_used, nodes, error} from the GCS's answer. Raises ValueError when it is not understood."""
    for part in protobuf.messages(reply, REPLY_STATUS):
        code = next((value for number, value in protobuf.fields(part) if number == STATUS_CODE), 0)
        if code:
            raise ValueError("the GCS gives status %r" % code)
    batches = protobuf.messages(reply, REPLY_USAGE)
    if not batches:
        raise ValueError("the answer has no resources")
    nodes = [node for batch in batches for node in protobuf.messages(batch, BATCH)]
    total = sum(protobuf.numbers_by_name(node, TOTAL).get(resource, 0.0) for node in nodes)
    free = sum(protobuf.numbers_by_name(node, AVAILABLE).get(resource, 0.0) for node in nodes)
    return {"npu_total": total, "npu_used": total - free, "nodes": len(nodes), "error": ""}


def status(container: str, resource: str) -> Facts:
    """Return {npu_total, npu_used, nodes, error} from `ray status` in *container*."""
    code, output = commands.run(["docker", "exec", container, "ray", "status"], STATUS_SECONDS)
    if code:
        last = (output.strip().splitlines() or ["nothing"])[-1]
        return unknown("ray status ended with code %d: %s" % (code, last[:200]))
    return parse_status(output, resource)


def unknown(error: str) -> Facts:
    """Return the facts of a cluster that could not be asked."""
    return {"npu_total": None, "npu_used": None, "nodes": None, "error": error}


def parse_status(output: str, resource: str) -> Facts:
    """Return {npu_total, npu_used, nodes, error} from the text of `ray status`; a cluster without any has 0.

    Lines: " 2.0/16.0 NPU" under the usage, "1 node_<id>" under the active and the idle nodes.
    """
    if "Resources" not in output and "Usage" not in output:
        return unknown("ray status is not understood: %s" % " ".join(output.split())[:120])
    match = re.search(r"^\s*([\d.]+)/([\d.]+)\s+%s\b" % re.escape(resource), output, re.MULTILINE)
    used, total = (float(match.group(1)), float(match.group(2))) if match else (0.0, 0.0)
    return {"npu_total": total, "npu_used": used, "nodes": len(_NODE.findall(_alive(output))), "error": ""}


def _alive(output: str) -> str:
    """Return the parts of *output* that list nodes which are alive."""
    kept, inside = [], False
    for line in output.splitlines():
        if line.strip().endswith(":"):
            inside = line.strip() in _HEADINGS
        elif inside:
            kept.append(line)
    return "\n".join(kept)

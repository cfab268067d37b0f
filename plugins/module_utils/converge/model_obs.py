"""Models from an object storage through obsutil: lengths and sums verified by it, and what it says at its end believed
only when its code and its own summary agree.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Sequence, Tuple

from .errors import RefusedError
from .hub_files import HubFile
from .installer import tail
from .model_access import Access, Way
from .model_client import Client, run
from .model_stage import Stage
from .session import answer

LIST_SECONDS = 120.0
HOME = "/run/provision"
CHECKPOINT = ".obsutil-checkpoint"
_ROW = re.compile(r"^(?P<url>obs://\S+)\s+(?P<date>\d{4}-\d\d-\d\dT\S+)\s+(?P<size>\S+)\s+\S+", re.MULTILINE)
_SUCCEEDED = re.compile(r"succeed count is\s*:?\s*(\d+)", re.IGNORECASE)
_FAILED = re.compile(r"failed count is\s*:?\s*(\d+)", re.IGNORECASE)


def listing(model: Dict[str, Any], access: Access) -> List[HubFile]:
    """Return the objects below obs://repo/; no sums: an ETag is the md5 of some objects only. Raises RefusedError."""
    prefix = _prefix(model)
    argv = [*_program(access), "ls", prefix, "-limit=-1", f"-config={access.obsutil['config']}"]
    code, text = answer([*_ENV, *argv], LIST_SECONDS)
    # long names push their date into the next line
    rows = list(_ROW.finditer(re.sub(r"\n\s+(?=\d{4}-\d\d-\d\dT)", " ", text)))
    if code != 0 or not rows or "error code" in text.lower():
        raise RefusedError(
            f"obsutil ls {prefix} ended with code {code} and {len(rows)} objects, expected the files of the model: "
            f"{text.strip()[-600:]}. Look at sources.obs of the catalog (bucket, prefix), and at obsutil.endpoint and "
            f"the keys of site.yml."
        )
    found = []
    for row in rows:
        name = row["url"][len(prefix) :]
        if name and not name.endswith("/"):
            size = int(row["size"]) if row["size"].isdigit() else -1
            found.append({"path": name, "size": size, "sha256": "", "git_sha1": ""})
    return found


def download(model: Dict[str, Any], names: Sequence[str], stage: Stage, way: Way) -> None:
    """Bring the whole prefix, or only *names*, one command for each. Raises RefusedError."""
    prefix = _prefix(model)
    jobs: List[Tuple[str, str, List[str]]] = [
        (f"{prefix}{name}", os.path.join(stage.path, name), []) for name in names
    ] or [(prefix, stage.path, ["-r", "-flat"])]
    for source, target, more in jobs:
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        flags = ["-f", "-u", "-vlength", "-vmd5", f"-cpd={os.path.join(stage.path, CHECKPOINT)}"]
        argv = [*_program(way.access), "cp", source, target, *more, *flags, f"-config={way.access.obsutil['config']}"]
        fault, log = run(Client(model, [*_ENV, *argv], {}), stage, way)
        fault = fault or _said(log, many=bool(more))
        if fault:
            raise RefusedError(
                f"obsutil cp {source}: {fault}; endpoint {model['endpoint'] or 'of its configuration'}. What has "
                f"arrived in {stage.path} is kept, run again to go on. It ({log}) ends with:\n{tail(log)}"
            )


def _said(log: str, many: bool) -> str:
    """Return the fault that the summary tells although the code was 0; "" is none."""
    with open(log, encoding="utf-8", errors="replace") as source:
        text = source.read()
    succeeded, failed = _SUCCEEDED.findall(text), _FAILED.findall(text)
    if any(int(count) for count in failed):
        return f"ended with code 0, and its summary has {failed[-1]} failed"
    if many and not succeeded:
        return "ended with code 0 and without its summary (Succeed count)"
    if not many and "successfully" not in text.lower():
        return "ended with code 0 and does not say that it succeeded"
    return ""


# It leaves a log and a second configuration in its home, whatever it is told.
_ENV: Tuple[str, ...] = ("env", f"HOME={HOME}")


def _program(access: Access) -> List[str]:
    program = access.obsutil.get("program", "")
    if not program or not os.path.exists(program):
        raise RefusedError(
            f"obsutil is not at {program or 'any path'}, expected the client of the object storage on the host that "
            "fetches. Write obsutil.enabled: true into site.yml, or choose another source (models[].source)."
        )
    return [program]


def _prefix(model: Dict[str, Any]) -> str:
    return "obs://" + str(model["repo"]).strip("/") + "/"

"""What the inference services answer: health, and the names of the models that they serve."""

from __future__ import annotations

from . import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

PROBE_SECONDS = 4.0
OK = 200


def probe(service: Facts) -> Facts:
    """Return {health, models, error}: the HTTP status of the health address (None without an answer), served names."""
    found: Facts = {"health": None, "models": [], "error": ""}
    try:
        found["health"] = http.get_url(service["health_url"], PROBE_SECONDS)[0]
        if found["health"] == OK:
            status, body = http.get_url(service["models_url"], PROBE_SECONDS)
            if status == OK:
                found["models"] = model_names(http.read_json(body))
            else:
                found["error"] = "%s gives status %d" % (service["models_url"], status)
        else:
            found["error"] = "%s gives status %d" % (service["health_url"], found["health"])
    except http.HttpError as error:
        found["error"] = "%s: %s" % (service["health_url"], error)
    return found


def model_names(document: object) -> list[str]:
    """Return the ids in the answer of /v1/models. Raises HttpError."""
    try:
        return [str(entry["id"]) for entry in document["data"]]  # type: ignore[index]
    except (KeyError, TypeError) as error:
        raise http.HttpError("the list of models is not understood") from error

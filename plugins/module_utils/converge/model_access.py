"""How one host reaches the source of a model: token, HTTP client, obsutil; and how far and how long it may take."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict

from .errors import RefusedError
from .progress import Progress

ANSWER_SECONDS = 60
DENIED = (401, 403)

# Opens a URL with these headers; raises OSError (an HTTP error has `code`).
OpenUrl = Callable[[str, Dict[str, str]], Any]


@dataclass
class Access:
    """What the sources need of the host and of the site; the token is never shown or put on a command line."""

    open_url: OpenUrl
    token: str = field(default="", repr=False)
    obsutil: Dict[str, str] = field(default_factory=dict)

    def headers(self) -> Dict[str, str]:
        """Return the headers that carry the token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def open(self, url: str, headers: Dict[str, str]) -> Any:
        """Open *url*; for the downloads of single files. Raises OSError, RefusedError without the right to it."""
        try:
            return self.open_url(url, {**headers, **self.headers()})
        except OSError as error:
            if getattr(error, "code", 0) in DENIED:
                raise RefusedError(self.denied(url, error)) from error
            raise

    def get_json(self, url: str) -> Any:
        """Return the JSON answer of the source to *url*. Raises RefusedError."""
        try:
            return json.loads(self.open(url, {}).read())
        except (OSError, ValueError) as error:
            raise RefusedError(
                f"{url}: {error}. The source's list of files is what a download is compared with; look whether this "
                "host reaches it (mirrors.hub or models[].from of the site, else the upstream address) and whether it "
                "knows the revision."
            ) from error

    def denied(self, url: str, error: object) -> str:
        """Return the sentence about a token that was not taken."""
        given = "the token that site.yml names (tokens) was not taken: it is expired, or has no right to this model"
        none = "site.yml names no token (tokens.<source>: {env: NAME} or {vault: NAME}), and the source wants one"
        return f"{url}: {error}; {given if self.token else none}. Get a new one from the hub, then run again."


@dataclass
class Way:
    """What a download needs besides the model: how to reach its source, whom to tell, how long it may take."""

    access: Access
    progress: Progress
    seconds: float

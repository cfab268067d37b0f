"""The part of the registry protocol (Docker Registry HTTP API v2) that storing one image needs."""

import hashlib
from urllib.parse import urljoin

import requests

from tests.lab.serving.image import CONFIG_TYPE, MANIFEST_TYPE, Blob
from tests.lab.site.errors import LabError

TIMEOUT_SECONDS = 300


class RegistryError(LabError):
    """The registry did not do what it was asked."""


class Registry:
    """One repository of one registry."""

    def __init__(self, registry: str, repository: str) -> None:
        base = registry if "://" in registry else f"http://{registry}"
        self._base = f"{base.rstrip('/')}/v2/{repository}"
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the site has no way to the lab

    def manifest(self, reference: str) -> tuple[str, dict[str, object]] | None:
        """Return digest and content of an image manifest, or None when the registry has none."""
        answer = self._ask("GET", f"{self._base}/manifests/{reference}", {200, 404}, accept=MANIFEST_TYPE)
        if answer.status_code == 404 or answer.headers.get("Content-Type") != MANIFEST_TYPE:
            return None
        return f"sha256:{hashlib.sha256(answer.content).hexdigest()}", answer.json()

    def labels(self, document: dict[str, object]) -> dict[str, str]:
        """Return the labels of the image whose manifest is *document*; empty when its configuration is lost."""
        config = document["config"]
        assert isinstance(config, dict)
        answer = self._ask("GET", f"{self._base}/blobs/{config['digest']}", {200, 404}, accept=CONFIG_TYPE)
        return {} if answer.status_code == 404 else answer.json()["config"].get("Labels") or {}

    def has(self, digest: str) -> bool:
        """Return whether the registry keeps the blob *digest*."""
        return self._ask("HEAD", f"{self._base}/blobs/{digest}", {200, 404}).status_code == 200

    def push(self, blob: Blob) -> None:
        """Upload *blob*, unless the registry has it."""
        if self.has(blob.digest):
            return
        started = self._ask("POST", f"{self._base}/blobs/uploads/", {202})
        where = urljoin(started.url, started.headers["Location"])
        where += ("&" if "?" in where else "?") + f"digest={blob.digest}"
        with blob.path.open("rb") as content:
            self._ask("PUT", where, {201}, data=content, content_type="application/octet-stream")

    def tag(self, document: bytes, reference: str) -> str:
        """Store the manifest *document* as *reference*; return its digest."""
        url = f"{self._base}/manifests/{reference}"
        self._ask("PUT", url, {201}, data=document, content_type=MANIFEST_TYPE)
        return f"sha256:{hashlib.sha256(document).hexdigest()}"

    def _ask(
        self, method: str, url: str, wanted: set[int], *, accept: str = "", content_type: str = "", data: object = None
    ) -> requests.Response:
        headers = {name: value for name, value in (("Accept", accept), ("Content-Type", content_type)) if value}
        try:
            answer = self._session.request(method, url, headers=headers, data=data, timeout=TIMEOUT_SECONDS)  # type: ignore[arg-type]
        except requests.RequestException as error:
            reason = str(error).rpartition(": ")[2].strip("')")
            raise RegistryError(f"{method} {url}: {reason}; is the registry of the simulated site up?") from error
        if answer.status_code not in wanted:
            expected = " or ".join(map(str, sorted(wanted)))
            found = f"status {answer.status_code}, expected {expected}: {answer.text[:300]}"
            raise RegistryError(f"{method} {url}: {found}")
        return answer

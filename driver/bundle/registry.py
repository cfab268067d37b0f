"""Read from a registry by HTTP (Docker Registry API v2), with its token or basic login, without a container engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests
import urllib3

from driver.bundle.fetch import CONNECT_SECONDS, SILENCE_SECONDS, FetchError, short

INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_HUB: Final = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
_UNAUTHORIZED: Final = 401
_OK: Final = 200
_LARGEST_MANIFEST: Final = 4 << 20  # what registries themselves accept at most


@dataclass(frozen=True, slots=True)
class Reference:
    """An image as people write it: host/repository:tag."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Return the parts of *text*; without a host it is one of Docker's own registry."""
        plain = text.partition("@")[0]
        first, slash, rest = plain.partition("/")
        if not slash or not (set(".:") & set(first) or first == "localhost"):
            first, rest = "docker.io", plain
        repository, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = rest, "latest"
        if first in _HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(first, repository, tag)


@dataclass(slots=True)
class Registry:
    """One repository of one registry; *login* is user and password where the site names one.

    One that is *plain* is spoken to as the engine speaks to an insecure registry: by TLS that nobody vouches for, and
    by http where there is no TLS.
    """

    reference: Reference
    plain: bool = False
    login: tuple[str, str] | None = None
    _client: requests.Session = field(default_factory=requests.Session)
    _authorization: str = ""
    _scheme: str = ""

    @property
    def base(self) -> str:
        """Return the address of the repository."""
        host = _HUB.get(self.reference.host, self.reference.host)
        if not self._scheme:
            self._scheme = "http" if self.plain and not self._has_tls(host) else "https"
        return f"{self._scheme}://{host}/v2/{self.reference.repository}"

    def _has_tls(self, host: str) -> bool:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # site.yml says so, and it is a decision
        try:
            self._get(f"https://{host}/v2/", {}).close()
        except requests.RequestException:
            return False
        return True

    def _get(self, url: str, headers: Mapping[str, str], **more: Any) -> requests.Response:
        """Ask for *url*; certificates of an insecure registry are not looked at, as the site says."""
        wait = (CONNECT_SECONDS, SILENCE_SECONDS)
        trust = False if self.plain else None
        return self._client.get(url, headers={**headers}, stream=True, timeout=wait, verify=trust, **more)

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """Return the manifest or index called *reference* (a tag or a digest) and its media type; raises FetchError."""
        url = f"{self.base}/manifests/{reference}"
        try:
            with self.open(url, {"Accept": ", ".join((*INDEXES, *MANIFESTS))}) as answer:
                if answer.status_code != _OK:
                    raise FetchError(f"{url}: status {answer.status_code}{_hint(answer.status_code)}")
                body = answer.raw.read(_LARGEST_MANIFEST + 1, decode_content=True)
                kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise FetchError(f"{url}: {short(error)}") from error
        if kind not in (*INDEXES, *MANIFESTS) or len(body) > _LARGEST_MANIFEST:
            raise FetchError(f"{url}: found {kind or 'no media type'}, expected an image manifest of version 2 or OCI")
        return body, kind

    def text(self, digest: str) -> bytes:
        """Return a small blob such as a configuration, not compared yet; raises FetchError."""
        url = self.blob(digest)
        try:
            with self.open(url, {}) as answer:
                if answer.status_code != _OK:
                    raise FetchError(f"{url}: status {answer.status_code}{_hint(answer.status_code)}")
                body: bytes = answer.raw.read(_LARGEST_MANIFEST, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise FetchError(f"{url}: {short(error)}") from error
        return body

    def blob(self, digest: str) -> str:
        """Return the address of a blob."""
        return f"{self.base}/blobs/{digest}"

    def open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Ask for *url*, logging in where the registry says how; again when a token has run out meanwhile."""
        answer = self._ask(url, headers)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == _UNAUTHORIZED and challenge:
            answer.close()
            self._authorization = self._log_in(challenge)
            answer = self._ask(url, headers)
        return answer

    def _ask(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        given = {"Accept-Encoding": "identity", **headers}
        if self._authorization:
            given["Authorization"] = self._authorization  # not sent on to another host that a redirect names
        return self._get(url, given)

    def _log_in(self, challenge: str) -> str:
        """Return the header that answers *challenge*; raises FetchError."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            if self.login is None:
                raise FetchError(f"{self.reference.host} asks for a login; add it to registries in site.yml")
            request = requests.Request("GET", self.base, auth=self.login).prepare()
            return str(request.headers["Authorization"])
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or "realm" not in words:
            raise FetchError(f"{self.reference.host} asks for a login of kind {scheme}; expected Bearer or Basic")
        if self.login and not self.plain and not words["realm"].startswith("https://"):
            raise FetchError(
                f"{self.reference.host} wants the password sent to {words['realm']}, which is not encrypted; it was "
                "not sent"
            )
        question = {"service": words.get("service", ""), "scope": f"repository:{self.reference.repository}:pull"}
        answer = self._get(words["realm"], {}, params=question, auth=self.login)
        try:
            document: Any = answer.json() if answer.status_code == _OK else {}
        except ValueError:
            document = {}
        token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
        if not token:
            raise FetchError(
                f"{words['realm']}: status {answer.status_code}, expected a token; correct user and password of "
                f"{self.reference.host} (registries in site.yml)"
            )
        return f"Bearer {token}"


def _hint(code: int) -> str:
    return " (a login is asked for; add it to registries in site.yml)" if code in (_UNAUTHORIZED, 403) else ""

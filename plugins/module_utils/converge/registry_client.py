"""Ask a registry (Docker Registry HTTP API v2) before the engine pulls: manifests and small blobs, with its own login.

The engine would find out the same, but after minutes, and after it has moved the bytes.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import http.client
import ipaddress
import json
import os
import re
import ssl
import time
import urllib.request
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from .errors import RefusedError
from .image_names import HUB, HUB_ADDRESS

CERTIFICATES = "/etc/docker/certs.d"
# where systems keep the authorities that they believe; the engine takes the first of these that is there
SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
ANSWER_BYTES = 8 << 20
ASK_SECONDS = 20.0
MASKED = "//xxxxx:xxxxx@"  # how an engine shows a proxy's login
LISTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
UNAUTHORIZED, NOT_FOUND, TOO_MANY, ERRORS_FROM = 401, 404, 429, 400
_PARAMETER = re.compile(r'(\w+)="?([^",]*)"?')


class Login(NamedTuple):
    """User and password at one registry; empty where it is asked anonymously."""

    user: str = ""
    password: str = ""

    def header(self) -> str:
        """Return the value of a header Authorization."""
        return "Basic " + base64.b64encode(("%s:%s" % self).encode()).decode()


class Way(NamedTuple):
    """How a registry is reached: with the engine's own settings, so that both see the same."""

    insecure: bool = False
    proxies: Dict[str, str] = {}  # noqa: RUF012 - a NamedTuple's default is never changed


class Answer(NamedTuple):
    """Status, headers and body of an answer."""

    status: int
    headers: Any
    body: bytes


class StatusError(RefusedError):
    """The registry answered, and not with what was asked for."""

    def __init__(self, status: int, text: str) -> None:
        """Keep the *status* for those who can do something about it."""
        super().__init__(text)
        self.status = status


def challenge(header: str) -> Tuple[str, Dict[str, str]]:
    """Return scheme, in small letters, and parameters of a WWW-Authenticate header."""
    scheme, _, rest = header.strip().partition(" ")
    return scheme.lower(), dict(_PARAMETER.findall(rest))


def covers(network: str, host: str) -> bool:
    """Return whether *host*, with or without a port, is an address in *network*: engines read no_proxy so, too."""
    try:
        return ipaddress.ip_address(host.rpartition(":")[0] or host) in ipaddress.ip_network(network)
    except ValueError:
        return host.partition(":")[0] == "localhost" and network.startswith("127.")


class RegistryClient:
    """One registry; what it wants to see as a login is found out at the first refusal and kept."""

    def __init__(self, host: str, login: Optional[Login] = None, way: Optional[Way] = None) -> None:
        """Use the registry at *host*, as it stands in front of an image's name."""
        self.host, self.login, self.way = host, login or Login(), way or Way()
        self.address = HUB_ADDRESS if host == HUB else host
        # the engine tries both for a registry that is declared insecure, in this order
        self.schemes: List[str] = ["https", "http"] if self.way.insecure else ["https"]
        self._authorization: Dict[str, str] = {}
        self._context: Optional[ssl.SSLContext] = None

    def ping(self, seconds: float) -> Answer:
        """Return the answer to GET /v2/, whatever its status. Raises RefusedError when there is none in *seconds*."""
        return self._over("/v2/", {}, seconds)

    def manifest(self, repository: str, reference: str) -> Tuple[str, bytes]:
        """Return media type and text of a manifest or a list of them. Raises RefusedError."""
        accept = ", ".join((*LISTS, *MANIFESTS))
        answer = self._ask(repository, "manifests/" + reference, {"Accept": accept})
        if reference.startswith("sha256:"):
            self._compare(repository, reference, answer.body)
        return str(answer.headers.get("Content-Type", "")).split(";")[0], answer.body

    def blob(self, repository: str, digest: str) -> bytes:
        """Return a small blob such as a configuration. Raises RefusedError."""
        body = self._ask(repository, "blobs/" + digest, {}).body
        self._compare(repository, digest, body)
        return body

    def _compare(self, repository: str, digest: str, body: bytes) -> None:
        found = "sha256:" + hashlib.sha256(body).hexdigest()
        if found != digest:
            raise RefusedError(f"{self.host}/{repository}: gave content of {found} for {digest}")

    def _ask(self, repository: str, what: str, headers: Dict[str, str]) -> Answer:
        url = f"/v2/{repository}/{what}"
        answer = self._over(url, {**headers, **self._authorization}, ASK_SECONDS)
        if answer.status == UNAUTHORIZED:
            self._authorization = self._log_in(repository, answer)
            answer = self._over(url, {**headers, **self._authorization}, ASK_SECONDS)
        if answer.status >= ERRORS_FROM:
            raise StatusError(answer.status, self._refusal(repository, what, answer))
        return answer

    def _refusal(self, repository: str, what: str, answer: Answer) -> str:
        said = answer.body[:200].decode("utf-8", "replace").strip()
        text = f"{self.host} answers status {answer.status} for {what} of {repository}: {said}"
        if answer.status == UNAUTHORIZED:
            who = f"as {self.login.user}" if self.login.user else "without a login"
            return f"{text} ({who}; registries of site.yml: user and password for {self.host})"
        if answer.status == TOO_MANY:
            wait = answer.headers.get("Retry-After")
            return f"{text} (too many requests{f', again in {wait} s' if wait else ''}; a login may raise the limit)"
        return text

    def _log_in(self, repository: str, refused: Answer) -> Dict[str, str]:
        """Return the header that the registry wants; {} when there is nothing to offer."""
        scheme, given = challenge(refused.headers.get("WWW-Authenticate", ""))
        basic = {"Authorization": self.login.header()} if self.login.user else {}
        if scheme != "bearer":
            return basic
        query = {"service": given.get("service", ""), "scope": f"repository:{repository}:pull"}
        realm = given.get("realm", "")
        if basic and self.schemes == ["https"] and not realm.startswith("https://"):
            raise RefusedError(
                f"{self.host} wants the password sent to {realm}, which is not encrypted; it was not sent"
            )
        url = realm + "?" + urlencode({name: text for name, text in query.items() if text})
        answer = self._get(url, basic, time.monotonic() + ASK_SECONDS)
        try:
            found = json.loads(answer.body)
            return {"Authorization": "Bearer " + str(found.get("token") or found["access_token"])}
        except (ValueError, KeyError, TypeError, AttributeError):
            said = answer.body[:200].decode("utf-8", "replace")
            text = f"{url.split('?')[0]}, which gives out the tokens of {self.host}, answers {answer.status}: {said}"
            advice = f"registries of site.yml: user and password for {self.host}"
            raise StatusError(answer.status, f"{text} ({advice})") from None

    def _over(self, path: str, headers: Dict[str, str], seconds: float) -> Answer:
        """Return the answer over the first scheme that works, and stay with that one."""
        limit = time.monotonic() + seconds
        for scheme in list(self.schemes):
            try:
                answer = self._get(f"{scheme}://{self.address}{path}", headers, limit)
            except RefusedError:
                if scheme == self.schemes[-1] or time.monotonic() > limit:
                    raise
                continue
            self.schemes = [scheme]
            return answer
        raise RefusedError(f"{self.host}: no way to reach it")

    def _get(self, url: str, headers: Dict[str, str], limit: float) -> Answer:
        request = Request(url, headers={"User-Agent": "provision"})
        for name, text in headers.items():
            request.add_unredirected_header(name, text)  # a login is not for the storage that a blob is redirected to
        try:
            return self._read(request, limit)
        except HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read(ANSWER_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
            raise RefusedError(f"{url.split('?', maxsplit=1)[0]}: {reason}") from error

    def _read(self, request: Request, limit: float) -> Answer:
        opener = build_opener(ProxyHandler(self._proxies(str(request.host))), HTTPSHandler(context=self._tls()))
        with opener.open(request, timeout=max(0.1, limit - time.monotonic())) as answer:
            body = b""
            for piece in iter(lambda: answer.read1(1 << 16), b""):
                body += piece
                if time.monotonic() > limit:
                    raise OSError("the answer does not end")
                if len(body) > ANSWER_BYTES:
                    raise OSError(f"the answer is longer than {ANSWER_BYTES} bytes")
            return Answer(answer.status, answer.headers, body)

    def hidden(self) -> bool:
        """Return whether the way leads through a proxy whose password the engine knows and does not tell."""
        return any(MASKED in address for address in self._proxies(self.address).values())

    def _proxies(self, host: str) -> Dict[str, str]:
        """Return the proxies for *host*: those of the engine, none where it goes past them."""
        given = self.way.proxies
        bypass = getattr(urllib.request, "proxy_bypass_environment")  # noqa: B009 - it is there, and in no stub
        past = given.get("no", "")
        if bypass(host, {"no": past}) or any(covers(entry.strip(), host) for entry in past.split(",") if "/" in entry):
            return {}
        return {scheme: given[scheme] for scheme in ("http", "https") if given.get(scheme)}

    def _tls(self) -> ssl.SSLContext:
        """Return how certificates are looked at: like the engine does, with what lies in its folder of them."""
        if self._context is None:
            self._context = self._made_context()
        return self._context

    def _made_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        # a Python that was not built for this system looks for them where nothing is
        known = next((file for file in SYSTEM_AUTHORITIES if os.path.isfile(file)), "")
        if known and not self.way.insecure:
            context.load_verify_locations(known)
        folder = os.path.join(CERTIFICATES, self.host)
        for authority in sorted(glob.glob(os.path.join(folder, "*.crt"))):
            context.load_verify_locations(authority)
        for certificate in sorted(glob.glob(os.path.join(folder, "*.cert"))):
            context.load_cert_chain(certificate, certificate[: -len("cert")] + "key")
        if self.way.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

"""Download one content over HTTP: resumed after an interruption, verified before it counts, from places in order."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import requests
import urllib3

from driver.bundle.contents import Content
from driver.bundle.store import CHUNK, Store, broken, sha256_of
from driver.errors import TaskFailed

CONNECT_SECONDS: Final = 15
SILENCE_SECONDS: Final = 60
ATTEMPTS: Final = 5  # in a row that bring nothing; any new byte starts the count again
PAUSE_SECONDS: Final = 1.0
_OK: Final = 200
_PARTIAL: Final = 206
_BEYOND: Final = 416
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOGIN: Final = frozenset({401, 403, 407})


class Opener(Protocol):
    """Asks for a URL and returns the answer with its body still to be read."""

    def __call__(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Return the answer."""


Said = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: *urls* are tried in order; sha256 "" and size 0 are unknown."""

    name: str
    urls: tuple[str, ...]
    sha256: str = ""
    size: int = 0
    git_sha1: str = ""
    openers: Mapping[str, Opener] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return the name of its unfinished file: the same in the next run."""
        return self.sha256 or hashlib.sha256("\n".join((self.name, *self.urls[:1])).encode()).hexdigest()


class FetchError(Exception):
    """This place does not give the content; the text says why."""


class _Broken(Exception):  # noqa: N818 - named for what happened
    """The transfer ended early; trying again may bring the rest."""


def session() -> requests.Session:
    """Return a session that takes bytes as they are: a sum is of the file, not of its compressed transfer."""
    made = requests.Session()
    made.headers.update({"Accept-Encoding": "identity", "User-Agent": "provision"})
    return made


def plain(client: requests.Session) -> Opener:
    """Return an opener without any login."""

    def ask(url: str, headers: Mapping[str, str]) -> requests.Response:
        return client.get(url, headers=dict(headers), stream=True, timeout=(CONNECT_SECONDS, SILENCE_SECONDS))

    return ask


def fetch(store: Store, wish: Wish, client: requests.Session, said: Said = lambda _: None) -> Content:
    """Bring *wish* into *store* and return it; *said* hears how many bytes are there.

    Raises TaskFailed with the reason of every place when none has it.
    """
    with store.held[wish.key]:
        if wish.sha256 and wish.size and store.has(content := Content(sha256=wish.sha256, size=wish.size)):
            return content
        return _from_places(store, wish, client, said)


def _from_places(store: Store, wish: Wish, client: requests.Session, said: Said) -> Content:
    download, faults = _Download(wish, store.part(wish.key), said), []
    for url in wish.urls:
        try:
            return store.admit(download.part, download.whole(url, wish.openers.get(url) or plain(client)))
        except FetchError as error:
            faults.append(f"{url}: {error}")
        except OSError as error:
            raise broken(error, download.part) from error
    raise TaskFailed(
        f"{wish.name}: no place gave it. {'; '.join(faults) or 'none is known'}. Look whether this machine reaches one "
        "of them, or get the file by hand and run: provision bundle add FILE"
    )


@dataclass(frozen=True, slots=True)
class _Download:
    """One wish on its way into its unfinished file."""

    wish: Wish
    part: Path
    said: Said

    def whole(self, url: str, opener: Opener) -> str:
        """Make the file complete and right; return its sha256. Raises FetchError."""
        for resumed in (self.part.exists(), False):
            found = self._patiently(url, opener)
            reason = _judge(self.wish, self.part, found)
            if not reason:
                return found
            self.part.unlink()
            if not resumed:  # what an earlier run had left may be of another file; a fresh copy is the place's own
                break
        raise FetchError(reason)

    def _patiently(self, url: str, opener: Opener) -> str:
        """Go on until the file is complete; return its sha256."""
        failures, have = 0, -1
        while True:
            try:
                return self._once(url, opener)
            except (requests.RequestException, urllib3.exceptions.HTTPError, _Broken) as error:
                now = self._have()
                failures, have = (failures + 1 if now <= have else 1), now
                if failures >= ATTEMPTS:
                    raise FetchError(f"{short(error)}, {failures} times without a new byte") from error
                time.sleep(PAUSE_SECONDS * failures)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _once(self, url: str, opener: Opener) -> str:
        """Ask once for what is missing; return the sha256 of the whole."""
        have = self._have()
        if have and have == self.wish.size:
            return sha256_of(self.part)
        with opener(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status_code == _BEYOND and have:
                if _total(answer) == have:
                    return sha256_of(self.part)
                self.part.unlink()
                raise _Broken("what was there did not fit")
            _refuse(answer)
            if have and answer.status_code == _PARTIAL and not _starts_at(answer, have):
                self.part.unlink()
                raise _Broken("another range than the one that was asked for")
            return self._copy(answer, have if answer.status_code == _PARTIAL else 0)

    def _copy(self, answer: requests.Response, have: int) -> str:
        promised = answer.headers.get("Content-Length")
        digest = hashlib.sha256()
        received = 0
        with self.part.open("ab" if have else "wb") as target:
            for block in answer.raw.stream(CHUNK, decode_content=False):
                target.write(block)
                digest.update(block)
                received += len(block)
                self.said(have + received)
        if promised is not None and received < int(promised):
            raise _Broken(f"the connection ended after {received} of {promised} bytes")
        return sha256_of(self.part) if have else digest.hexdigest()


def _judge(wish: Wish, part: Path, sha256: str) -> str:
    """Return what is wrong with the finished file, "" when it is the right one."""
    size = part.stat().st_size
    if wish.sha256 and sha256 != wish.sha256:
        return f"found sha256 {sha256}, expected {wish.sha256}; it was deleted"
    if wish.size and size != wish.size:
        return f"found {size} bytes, expected {wish.size}; it was deleted"
    if wish.git_sha1:
        found = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        with part.open("rb") as content:
            while block := content.read(CHUNK):
                found.update(block)
        if found.hexdigest() != wish.git_sha1:
            return f"found git object {found.hexdigest()}, expected {wish.git_sha1}; it was deleted"
    return ""


def _refuse(answer: requests.Response) -> None:
    code = answer.status_code
    if code in (_OK, _PARTIAL):
        return
    if code in _PASSING:
        raise _Broken(f"status {code}")
    if code in _LOGIN:
        raise FetchError(f"status {code}: it asks for a login")
    raise FetchError(f"status {code}")


def _starts_at(answer: requests.Response, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == start


def _total(answer: requests.Response) -> int:
    found = re.fullmatch(r"bytes \*/(\d+)", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def short(error: Exception) -> str:
    """Return the reason at the end of what requests wraps around it."""
    return str(error).rpartition(": ")[2].strip("')\" ") or type(error).__name__


def size_of(url: str, opener: Opener) -> int:
    """Return how many bytes *url* has, 0 when nobody says: the answer is not read."""
    try:
        with opener(url, {"Range": "bytes=0-0"}) as answer:
            if answer.status_code == _PARTIAL:
                found = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
                return int(found[1]) if found else 0
            return int(answer.headers.get("Content-Length", 0)) if answer.status_code == _OK else 0
    except (requests.RequestException, ValueError):
        return 0

"""Receives one file: from whom there is, in as many goes as it takes, compared with its checksum at the end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from . import client, files
from .client import Answer
from .errors import MoveError, NotYetError, SourceError, TakenBackError
from .files import File
from .sources import Source

if TYPE_CHECKING:
    from .job import Job

BUFFER = 1 << 20
EARLIER = "an earlier run"
QUIET_LIMIT = 3
PAUSE_SECONDS = 0.25
_own = threading.local()


def buffer() -> memoryview:
    """Return this thread's buffer."""
    if not hasattr(_own, "view"):
        _own.view = memoryview(bytearray(BUFFER))
    view: memoryview = _own.view
    return view


class Receive:
    """The way of one file to this host."""

    def __init__(self, job: Job, file: File) -> None:
        """Belong to *job*."""
        self.job, self.file = job, file
        self.digest: Any = None
        self.handle = -1
        self.senders: Dict[str, int] = {}
        self.alone = False  # several sent a part and the whole was wrong: from one now, so that it is known who
        self.tag: Tuple[str, str, str] = ("", "", "")
        self.broken = 0

    def run(self) -> None:
        """Make the file whole, or leave when the job ends. Raises MoveError."""
        if self._there():
            return
        try:
            self._open()
            while not self.job.ended() and not self._whole():
                if self.job.banned & set(self.senders):
                    self._begin_again()  # some of it comes from who has sent a wrong file
                source = self.job.sources.choose(self.file)
                if source is None:
                    self.job.despair()
                    self.job.pause(PAUSE_SECONDS)
                else:
                    self._take(source)
        finally:
            self._close()

    def _there(self) -> bool:
        """Return whether the file is in its place and right; one that is not goes away."""
        size = files.size_of(self.file.final)
        if size < 0:
            return False
        known = self.file.path in self.job.whole
        self.job.checking = "" if known else self.file.path
        ended, same = self.job.ended, size == self.file.size
        if same and (known or files.checksum(self.file.final, self.file.entry, ended) == self._wanted()):
            self.file.verified()
            return True
        if ended():
            return True  # half a sum is no verdict
        self.job.note(f"{self.file.path}: was there and is not what it should be; it is received anew")
        os.unlink(self.file.final)
        self.file.outdate()
        return False

    def _wanted(self) -> str:
        return self.file.key.split("-", 1)[-1]

    def _open(self) -> None:
        """Go on with what an earlier run left, else begin."""
        os.makedirs(os.path.dirname(self.file.part), mode=0o755, exist_ok=True)
        self.digest = files.digest_for(self.file.entry)
        self._alone()
        have = os.fstat(self.handle).st_size
        if have > self.file.size:
            os.ftruncate(self.handle, 0)
            have = 0
        if have > 0:
            self.job.checking = self.file.path
            have = files.feed(self.digest, self.file.part, self.job.ended)
            self.senders = {EARLIER: have}
        self.file.begin(max(0, have))

    def _alone(self) -> None:
        """Hold the part: what is compared is what came, so nobody else may write to it. Raises MoveError."""
        while self.handle < 0 or not self._is_part():
            self._close()
            self.handle = os.open(self.file.part, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    raise MoveError(self._disturbed()) from error

    def _is_part(self) -> bool:
        """Return whether what we write to is still called the part: another one may have put it into its place."""
        try:
            return os.path.samestat(os.fstat(self.handle), os.lstat(self.file.part))
        except FileNotFoundError:
            return False

    def _disturbed(self) -> str:
        return (
            f"{self.file.part} is written by another host or process, expected by this host alone. Where several hosts "
            "see that storage say so in site.yml (models[].shared: true): then one of them writes"
        )

    def _close(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1

    def _begin_again(self) -> None:
        self._close()
        self.file.take_back()
        self.senders, self.tag = {}, ("", "", "")
        self._open()

    def _take(self, source: Source) -> None:
        """Receive from *source* what it has."""
        if self.alone and self.file.have and source.name not in self.senders:
            self._begin_again()
        answer: Optional[Answer] = None
        try:
            answer = self._ask(source)
            self.job.from_now(source)
            self._pour(answer, source)
            self.broken = 0
        except NotYetError:
            source.heard = True
        except TakenBackError:
            self._begin_again()
        except (SourceError, socket.timeout, ConnectionError) as error:
            self._went_wrong(source, str(error) or "time limit", getattr(error, "sure", False))
        finally:
            if answer is not None:
                answer.close()

    def _went_wrong(self, source: Source, reason: str, sure: bool) -> None:
        """Leave *source* alone for a while; not for one broken connection, when it still answers."""
        self.broken += 1
        known = sure or source.plain or source.banned or source.down
        if not known and self.broken < QUIET_LIMIT:
            with contextlib.suppress(SourceError):
                client.reach(source.where, self.job.sources.access, self.file.key)
                if source.heard:
                    self.job.pause(PAUSE_SECONDS)
                    return
        self.job.fell(source, reason)
        self.job.pause(PAUSE_SECONDS)

    def _ask(self, source: Source) -> Answer:
        """Return the answer that holds the rest of the file. Raises SourceError and its kinds."""
        headers = {"Range": f"bytes={self.file.have}-"} if self.file.have else {}
        if self.tag[0] == source.name:
            headers["If-Match"] = f'"{self.tag[2]}"'
        target = source.where.target(self.file.key, self.file.path)
        what = client.Request("GET", target, headers, client.WAIT_SECONDS)
        answer = client.ask(source.where, self.job.sources.access, what)
        try:
            self._check(source, answer)
        except SourceError:
            answer.close()
            raise
        source.well()
        answer.sock.settimeout(self.job.sources.stall_seconds)
        tag = answer.headers.get("etag", "").strip('"')
        self.tag = (source.name, answer.headers.get("x-move-instance", ""), tag)
        return answer

    def _check(self, source: Source, answer: Answer) -> None:
        if answer.status == 503 and not source.plain:
            source.heard = True
            self._wait_with(float(answer.headers.get("x-move-hope") or 0))
            raise NotYetError("not here yet")
        if answer.status == 412:
            same = answer.headers.get("x-move-instance") == self.tag[1]
            self.tag = ("", "", "")
            raise TakenBackError("begun again") if same else NotYetError("was started again")
        if answer.status not in {200, 206}:
            raise SourceError(f"answers {answer.status}: {answer.text(200).strip().splitlines()[:1]}")
        length = int(answer.headers.get("content-length") or -1)
        begins = self.file.have if answer.status == 206 else 0
        if begins + length != self.file.size:
            raise SourceError(f"has {begins + length} bytes as {self.file.path}, expected {self.file.size}")
        if answer.status == 200 and self.file.have:
            self._begin_again()  # a server without ranges sends all of it

    def _pour(self, answer: Answer, source: Source) -> None:
        """Write what comes until the file is whole. Raises SourceError."""
        view, file, turn, quiet = buffer(), self.file, source.turn, 0
        while file.have < file.size and not self.job.ended():
            if source.turn != turn:
                return
            rest = file.size - file.have
            try:
                answer.expect(rest)
                count = answer.into(view[: min(len(view), rest)])
            except socket.timeout:
                quiet += 1
                self._ask_why(source, quiet)
                continue
            if not count:
                raise SourceError(f"closed the connection after {file.have} of {file.size} bytes of {file.path}")
            quiet = 0
            piece = view[:count]
            self._write(piece)
            file.grew(count)
            self.digest.update(piece)
            self.senders[source.name] = self.senders.get(source.name, 0) + count
            self.job.got(source.name, count)
            if answer.late:
                self._ask_why(source, 1)

    def _write(self, piece: memoryview) -> None:
        try:
            done = os.write(self.handle, piece)
            while done < len(piece):
                done += os.write(self.handle, piece[done:])
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            advice = "make room there" if full else "look at the file system"
            raise MoveError(f"{self.file.part}: {error.strerror}; {advice}, what has arrived is kept") from error

    def _ask_why(self, source: Source, quiet: int) -> None:
        """Nothing came for a while. Raises SourceError unless *source* lives and has no more than we."""
        if source.plain:
            if quiet >= QUIET_LIMIT:
                raise SourceError(f"stands still at {self.file.have} bytes of {self.file.path}")
            return
        try:
            found = client.reach(source.where, self.job.sources.access, self.file.key)
        except SourceError as error:
            raise SourceError(f"stands still and does not answer ({error})", sure=True) from error
        if found.state == files.FAILED:
            raise SourceError("has given up", sure=True)
        if found.have > self.file.have and quiet >= QUIET_LIMIT:
            text = f"stands still: it has {found.have} bytes of {self.file.path}, {self.file.have} came"
            raise SourceError(text, sure=True)
        if found.have <= self.file.have:
            self._wait_with(found.hope)

    def _wait_with(self, hope: float) -> None:
        """Wait for somebody who lives; not when nobody has helped it for so long that others should be asked."""
        if self.job.sources.too_long(hope):
            raise SourceError(f"has had nothing new for {hope:.0f} s itself", sure=True)
        self.job.sources.hope(hope)
        self.job.despair()

    def _whole(self) -> bool:
        """Return whether the file is there and right; put it in its place then, begin again where it is wrong."""
        file = self.file
        if file.have < file.size:
            return False
        found = self.digest.hexdigest()
        if found != self._wanted():
            self._blame(found)
            self._begin_again()
            return False
        if os.fstat(self.handle).st_size != file.size or not self._is_part():
            raise MoveError(self._disturbed())  # on a file system without locks only this tells
        file.verified()
        os.fchmod(self.handle, 0o644)
        os.fdatasync(self.handle)
        os.replace(file.part, file.final)
        return True

    def _blame(self, found: str) -> None:
        """Say who sent what was wrong."""
        self.job.restarts += 1
        told = f"{self.file.path}: checksum {found}, expected {self._wanted()}; deleted"
        if len(self.senders) == 1 and EARLIER not in self.senders:
            (name,) = self.senders
            self.job.ban(name, f"sent {told}")
            return
        self.alone = EARLIER not in self.senders
        self.job.note(f"{told}; parts came from {', '.join(sorted(self.senders)) or 'nobody'}. It is received anew")
        if not self.senders:
            raise MoveError(f"{told}. The file is empty, so the list of files is wrong: make it again")

"""The program: reads its configuration again whenever it changes, receives and serves, ends when nothing is left."""

from __future__ import annotations

import hashlib
import json
import logging
import logging.handlers
import os
import secrets
import signal
import sys
import threading
import time
from typing import Any, Dict, List

from . import config, tls
from .client import Access
from .errors import MoveError
from .job import HOLDING, RECEIVING, Job, next_file
from .limit import Limit
from .receive import Receive
from .serve import Server, Shelf
from .slow import Watch

LOG = logging.getLogger(__name__)
STATUS = "status.json"
LOG_FILE = "agent.log"
LOG_BYTES = 1 << 20
TICK_SECONDS = 0.25
STATUS_SECONDS = 1.0


class Agent:
    """One agent a host."""

    def __init__(self, path: str) -> None:
        """Read the configuration *path*; the status stands next to it."""
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self.settings: Dict[str, Any] = {}
        self.jobs: List[Job] = []
        self.watches: Dict[int, Watch] = {}
        self.shelf = Shelf(Limit())
        self.shelf.instance = secrets.token_hex(8)
        self.shelf.status = self.status
        self.shelf.hope = self._hope
        self.shelf.asked = self._touch
        self.shelf.sent = self._count
        self.port = 0
        self.sent = 0
        self.state = "running"
        self._seen: Any = None
        self._version = ""
        self._active = time.monotonic()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._work = threading.Condition()

    def run(self) -> None:
        """Work until there is nothing to do for long enough, or until told to stop. Raises MoveError."""
        self._reload()
        server = self._listen()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()
        for _ in range(int(self.settings["streams"])):
            threading.Thread(target=self._receive, daemon=True).start()
        told = 0.0
        while not self._stop.is_set():
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
            self._reload()
            if time.monotonic() - told >= STATUS_SECONDS or any(job.changed() for job in self.jobs):
                told = time.monotonic()
                self._tell()
            for job in self.jobs:
                job.lose_patience(float(self.settings["wait_seconds"]))
            for watch in list(self.watches.values()):
                watch.look()
            if any(job.state == RECEIVING for job in self.jobs):
                self._touch()
            if time.monotonic() - self._active > float(self.settings["idle_seconds"]):
                LOG.info("nothing to do for %s s", self.settings["idle_seconds"])
                break
        self.state = "ended"
        for job in self.jobs:
            job.stop()
        self._tell()

    def stop(self, *_: object) -> None:
        """End soon."""
        self._stop.set()
        self._wake.set()

    def status(self) -> Dict[str, Any]:
        """Return what is told to the module and to other members."""
        return {
            "instance": self.shelf.instance,
            "pid": os.getpid(),
            "name": self.settings.get("name"),
            "port": self.port,
            "config": self._version,
            "state": self.state,
            "sent": self.sent,
            "sets": [job.report() for job in list(self.jobs)],
        }

    def _listen(self) -> Server:
        try:
            server = Server((self.settings["listen"], int(self.settings["port"])), self.shelf)
        except OSError as error:
            raise MoveError(
                f"port {self.settings['port']} cannot be listened on: {error.strerror}. Another program may have it "
                "(ss -ltnp); choose another in site.yml (moves.port)"
            ) from error
        self.port = server.server_address[1]
        return server

    def _tell(self) -> None:
        path = os.path.join(self.folder, STATUS)
        try:
            with open(path + ".new", "w", encoding="utf-8") as target:
                json.dump(self.status(), target)
            os.replace(path + ".new", path)
        except OSError as error:
            LOG.warning("%s: %s", path, error)  # a full /run must not stop the work

    def _reload(self) -> None:
        """Read the configuration if it has changed since."""
        found = os.stat(self.path)
        if self._seen == (found.st_mtime_ns, found.st_ino):
            return
        self._seen = (found.st_mtime_ns, found.st_ino)
        with open(self.path, "rb") as source:
            self._version = hashlib.sha256(source.read()).hexdigest()
        self.settings = settings = config.read(self.path)
        shelf = self.shelf
        shelf.limit.change(float(settings["rate_limit_mbit"]))
        shelf.members = config.addresses(settings["members"])
        shelf.tls = tls.context(settings["tls"], self.folder, serving=True)
        shelf.secret = settings["secret"]
        access = Access(settings["secret"], tls.context(settings["tls"], self.folder, serving=False))
        self.jobs = [self._job(described, access) for described in settings["sets"]]
        for job in self.jobs:
            job.sources.access = access
        self.watches = {id(job): self.watches.get(id(job)) or Watch(job, settings) for job in self.jobs}
        table: Dict[str, List[Any]] = {}
        for job in self.jobs:
            for file in job.files:
                table.setdefault(file.key, []).append(file)
        shelf.files = table
        self._touch()
        with self._work:
            self._work.notify_all()

    def _job(self, described: Dict[str, Any], access: Access) -> Job:
        """Return the job of a set that is asked for: the one there is, or a new one in the place of another."""
        before = [job for job in self.jobs if job.described["folder"] == described["folder"]]
        for job in before:
            if job.state in {RECEIVING, HOLDING} and {**job.described, "asked": ""} == {**described, "asked": ""}:
                job.described = described  # asked once more, perhaps by another host of the play
                return job
            if job.described == described:
                return job
            job.stop()
        while any(job.active for job in before):
            time.sleep(TICK_SECONDS)  # two threads must not write to one part
        made = Job(described, self.settings, access)
        try:
            made.begin()
        except MoveError as error:
            made.fail(str(error))
        if not made.files:
            made.finished()
        return made

    def _receive(self) -> None:
        """Receive one file after the other; several threads do this."""
        while not self._stop.is_set():
            with self._work:
                found = next_file(self.jobs)
                if found is None:
                    self._work.wait(1.0)
                    continue
            job, file = found
            try:
                Receive(job, file).run()
                job.finished()
            except MoveError as error:
                job.fail(str(error))
            except Exception as error:
                LOG.exception("%s", file.path)
                job.fail(f"{file.path}: {type(error).__name__}: {error}")
            finally:
                with self._work:  # a count that is lost would let the next one wait for ever
                    job.active -= 1
                if job.ended():
                    self._wake.set()

    def _hope(self, key: str) -> float:
        """Return for how long nobody could give more of *key* to this host."""
        waits = [
            job.sources.hopeless_seconds()
            for job in self.jobs
            if job.state == RECEIVING and any(file.key == key for file in job.files)
        ]
        return min(waits, default=0.0)

    def _touch(self) -> None:
        self._active = time.monotonic()

    def _count(self, count: int) -> None:
        self.sent += count


def main(argv: List[str]) -> int:
    """Run the agent with the configuration file argv[0]; return its exit code."""
    path = argv[0]
    folder = os.path.dirname(os.path.abspath(path))
    handler = logging.handlers.RotatingFileHandler(os.path.join(folder, LOG_FILE), maxBytes=LOG_BYTES, backupCount=1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
    os.umask(0o022)
    sys.setswitchinterval(0.02)
    agent = Agent(path)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, agent.stop)
    try:
        agent.run()
    except (MoveError, OSError, ValueError, KeyError) as error:
        LOG.error("%s: %s", type(error).__name__, error)
        with open(os.path.join(folder, STATUS), "w", encoding="utf-8") as target:
            json.dump({"pid": os.getpid(), "state": "failed", "fault": str(error), "config": "", "sets": []}, target)
        return 1
    return 0

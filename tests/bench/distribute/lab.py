"""One run of one way: its folders, its processes with the time that they used, and when which host was done."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from .net import Net

POLL_SECONDS = 0.02
END_SECONDS = 10.0


@dataclass(frozen=True)
class FileSet:
    """What is moved: files of random bytes in one folder."""

    folder: Path
    files: tuple[tuple[str, int, str], ...]

    @property
    def size(self) -> int:
        return sum(size for _, size, _ in self.files)

    def sums(self) -> str:
        """Return the list that sha256sum checks."""
        return "".join(f"{sha256}  {name}\n" for name, _, sha256 in self.files)


def make_files(folder: Path, count: int, size: int) -> FileSet:
    """Write *count* files of *size* bytes."""
    folder.mkdir(parents=True)
    found = []
    for number in range(count):
        data = random.Random(number).randbytes(size)
        name = f"model-{number + 1:05}-of-{count:05}.safetensors"
        (folder / name).write_bytes(data)
        found.append((name, size, hashlib.sha256(data).hexdigest()))
    return FileSet(folder, tuple(found))


@dataclass
class Process:
    """A process on a host and the processor time of it and of what it started and waited for."""

    host: int
    popen: subprocess.Popen[bytes]
    code: int | None = None
    seconds: float = 0.0
    before: float = 0.0

    def mark(self) -> None:
        """Leave out what was used so far: starting a program is not moving files."""
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
            self.before = sum(int(word) for word in words[11:15]) / os.sysconf("SC_CLK_TCK")

    def poll(self, block: bool = False) -> int | None:
        if self.code is None:
            pid, status, used = os.wait4(self.popen.pid, 0 if block else os.WNOHANG)
            if pid:
                self.code = self.popen.returncode = os.waitstatus_to_exitcode(status)
                self.seconds = used.ru_utime + used.ru_stime
        return self.code

    def end(self, sent: int = signal.SIGTERM) -> None:
        if self.poll() is not None:
            return
        self.popen.send_signal(sent)
        limit = time.monotonic() + END_SECONDS
        while self.poll() is None and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
        if self.code is None:
            self.popen.kill()
            self.poll(block=True)


@dataclass
class Lab:
    """Where one run happens; what it starts ends with it."""

    net: Net
    files: FileSet
    root: Path
    processes: list[Process] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)

    def __enter__(self) -> Lab:
        for number in range(self.net.count):
            self.data(number).mkdir(parents=True)
            (self.home(number) / "sums").write_text(self.files.sums())
        for name, _, _ in self.files.files:
            os.link(self.files.folder / name, self.data(0) / name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        shutil.rmtree(self.root)

    def hosts(self) -> list[int]:
        """Return the hosts that receive and have not been taken away."""
        return [number for number in range(1, self.net.count) if number not in self.gone]

    def home(self, number: int) -> Path:
        return self.root / str(number)

    def data(self, number: int) -> Path:
        return self.home(number) / "data"

    def start(self, number: int, argv: list[str]) -> Process:
        with (self.home(number) / "output").open("ab") as output:
            popen = subprocess.Popen(
                self.net.within(number, argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.home(number),
            )  # fmt: skip
        self.processes.append(Process(number, popen))
        return self.processes[-1]

    def kill(self, number: int) -> None:
        """Take a host away as a power cut does: nobody says goodbye, no packet is answered."""
        self.net.cut(number)
        self.gone.add(number)
        for process in self.processes:
            if process.host == number:
                process.end(signal.SIGKILL)

    def end(self) -> None:
        for process in self.processes:
            process.end()

    def cpu(self, number: int) -> float:
        return sum(process.seconds - process.before for process in self.processes if process.host == number)

    def whole(self, number: int) -> bool:
        """Return whether host *number* has every file, each right."""
        for name, size, sha256 in self.files.files:
            place = self.data(number) / name
            if not place.is_file() or place.stat().st_size != size:
                return False
            if hashlib.sha256(place.read_bytes()).hexdigest() != sha256:
                return False
        return True

    def said(self, number: int) -> str:
        place = self.home(number) / "output"
        return place.read_text(errors="replace")[-2000:] if place.exists() else ""

"""What the simulated chips and the loaded driver know; shared by the boot script and the tools.

Three places: the bus (`/sys/bus/pci/devices`), the chips' own memory (CHIPS, small files, survives a reboot,
written by tests to inject faults) and what this boot has loaded (RUN, gone after a reboot).
A container sees none of the three, only what is mounted: there the copy beside this file answers.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import davinci_chips as hardware  # noqa: E402  # no cache beside files that belong to the vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Chip = dict[str, Any]

CHIPS = Path("/var/lib/davinci-sim")
RUN = Path("/run/davinci-sim")
LOADED = RUN / "loaded.json"
COPY = Path(__file__).parent / ".loaded.json"
MANAGER = "/dev/davinci_manager"
FACTORY_FIRMWARE = "7.1.0.3.220"


class DcmiError(Exception):
    """The driver cannot be talked to; *code* is the number of the vendor's interface."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def fact(name: str, default: str) -> str:
    """Return the content of the chips' file *name* (`cards/3/health`), or *default* when there is none."""
    try:
        return (CHIPS / name).read_text(encoding="utf-8").strip() or default
    except OSError:
        return default


def card_fact(index: int, name: str, default: str) -> str:
    """Return what chip *index* says about *name*, else what holds for all chips, else *default*."""
    return fact(f"cards/{index}/{name}", fact(name, default))


def present_chips() -> list[Chip]:
    """Return the chips on the bus that answer, as a driver that starts now finds them."""
    facts = hardware.family()
    named = [int(word) for word in fact("npu_ids", "").split()]
    found = []
    for chip in hardware.chips(facts, hardware.bus(facts["devices"]), named):
        if card_fact(chip["index"], "present", "yes") == "yes":
            chip["product"] = card_fact(chip["index"], "product", chip["product"])
            chip["hbm_mb"] = int(card_fact(chip["index"], "hbm_mb", str(chip["hbm_mb"])))
            found.append(chip)
    return found


def in_container() -> bool:
    """Tell whether only the mounted library is here, not the host's runtime folder."""
    return not RUN.is_dir()


def loaded() -> dict[str, Any]:
    """Return what the running driver is: driver, firmware, chips, ready_at (seconds since the epoch).

    Raises DcmiError: -8005 no driver runs, a reboot is pending or the caller may not open the manager node;
    -8012 the devices are still starting.
    """
    source = COPY if in_container() else LOADED
    if (RUN / "pending").exists() or not source.is_file() or not os.access(MANAGER, os.R_OK | os.W_OK):
        raise DcmiError(-8005)
    record: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    if time.time() < record["ready_at"]:
        raise DcmiError(-8012)
    return record


def chips(record: dict[str, Any]) -> list[Chip]:
    """Return the chips that answer: on a host all that are present, in a container those whose node it was given."""
    if in_container():
        return [chip for chip in record["chips"] if Path("/dev/davinci{}".format(chip["index"])).exists()]
    return [chip for chip in record["chips"] if card_fact(chip["index"], "present", "yes") == "yes"]


def processes() -> list[tuple[int, str, int]]:
    """Return (process id, name, chip index) for every process that has a chip's node open."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            match = re.match(r"/dev/davinci(\d+)$", os.readlink(str(link)))  # noqa: PTH115  # not in Python 3.7
            if match:
                owner = link.parent.parent
                name = (owner / "comm").read_text(encoding="utf-8").strip()
                found.add((int(owner.name), name, int(match.group(1))))
        except OSError:
            continue  # the process or the file is gone by now
    return sorted(found)


def memory_mb(pid: int) -> int:
    """Return the resident memory of process *pid* in MB; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else 0


def containers() -> list[int]:
    """Return process ids whose root is another file system that has chips' nodes: a container that was given chips.

    Services with a private mount namespace share the host's root and do not count.
    """
    own = Path("/proc/1/root").stat()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            root = (folder / "root").stat()
            if (root.st_dev, root.st_ino) != (own.st_dev, own.st_ino) and any(
                (folder / "root/dev").glob("davinci[0-9]*")
            ):
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def holders() -> list[str]:
    """Return one line per reason why the driver may not be changed now, as the vendor's log has them."""
    lines = [f"/dev/davinci{index} has used by {name}({pid})" for pid, name, index in processes()]
    return lines + [f"{MANAGER} has used by docker({pid})" for pid in containers()]


if __name__ == "__main__" and sys.argv[1:] == ["holders"]:
    sys.stdout.write("".join(line + "\n" for line in holders()))

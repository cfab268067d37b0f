"""What decides whether a module that is built here gets into the kernel: signatures, compilers, DKMS's leftovers."""

from __future__ import annotations

import glob
import os
import re

from . import commands, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

# The byte behind the four of the attributes: 1 is on.
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
ATTRIBUTES = 4
SIG_ENFORCE = "/sys/module/module/parameters/sig_enforce"
LOCKDOWN = "/sys/kernel/security/lockdown"
DKMS_TREE = "/var/lib/dkms/davinci_ascend"
OWN_LOG = "/var/log/provision/npu_driver.log"
COMPILER_SECONDS = 5.0
_KERNEL_GCC = re.compile(r"\bgcc\b(?:-\d+)?[^,;#]*?(\d+\.\d+(?:\.\d+)?)")
_BUILD_FAILED = re.compile(r"\bError \d+\b|\berror:", re.MULTILINE)


def observe() -> Facts:
    """Return {enforced, gcc, kernel_gcc, dkms}: who demands signed modules, both compilers, the driver's DKMS tree."""
    return {
        "enforced": enforced(),
        "gcc": compiler(),
        "kernel_gcc": kernel_compiler(files.text("/proc/version") or ""),
        "dkms": dkms(os.uname().release),
    }


def unknown() -> Facts:
    """Return the facts of a host where nothing of this could be read."""
    return {"enforced": [], "gcc": "", "kernel_gcc": "", "dkms": {"path": "", "failed": False, "ours": False}}


def enforced(root: str = "") -> list[str]:
    """Return in words what makes the kernel refuse modules without a signature it knows; [] when nothing does."""
    found = []
    try:
        with open(root + SECURE_BOOT, "rb") as source:
            if source.read()[ATTRIBUTES : ATTRIBUTES + 1] == b"\1":
                found.append("secure boot is on")
    except OSError:
        pass  # no EFI: nothing to be secure about
    if files.line(root + SIG_ENFORCE) in {"Y", "1"} or _asked_at_boot(files.line(root + "/proc/cmdline")):
        found.append("module.sig_enforce is on")
    locked = re.search(r"\[(\w+)\]", files.line(root + LOCKDOWN))
    if locked and locked.group(1) != "none":
        found.append("the kernel is locked down (%s)" % locked.group(1))
    return found


def _asked_at_boot(line: str) -> bool:
    words = line.split()
    return "module.sig_enforce" in words or any(
        word.startswith("module.sig_enforce=") and word.partition("=")[2].lower() in {"1", "y", "yes", "on"}
        for word in words
    )


def kernel_compiler(version: str) -> str:
    """Return the version of the gcc that built the kernel, from the text of /proc/version; "" when it was another."""
    match = _KERNEL_GCC.search(version)
    return match.group(1) if match else ""


def compiler() -> str:
    """Return the version of the host's gcc, "" without one."""
    path = files.which("gcc")
    if path is None:
        return ""
    code, output = commands.run([path, "-dumpfullversion", "-dumpversion"], COMPILER_SECONDS)
    return output.strip() if code == 0 else ""


def same_compiler(first: str, second: str) -> bool:
    """Return whether both gcc are of one major version, as far as both are known."""
    return not first or not second or first.partition(".")[0] == second.partition(".")[0]


def dkms(kernel: str, root: str = "") -> Facts:
    """Return {path, failed, ours}: the driver's tree of DKMS, whether its last build failed, and whose build that was.

    path is "" without a tree. A build counts as failed when its log says so and no module for *kernel* came after.
    ours: the installer that provision ran last said the same, so the tree is ours to remove before a retry.
    """
    if files.kind(root + DKMS_TREE) != "directory":
        return {"path": "", "failed": False, "ours": False}
    logs = glob.glob(root + DKMS_TREE + "/*/build/make.log")
    written = max([_written(log) for log in logs if _BUILD_FAILED.search(files.tail(log))] or [0.0])
    built = [_written(path) for path in glob.glob("%s/*/%s/*/module/*" % (root + DKMS_TREE, kernel))]
    failed = bool(written) and written > max(built or [0.0])
    said = "dkms install failed" in files.tail(root + OWN_LOG).lower()
    return {"path": DKMS_TREE, "failed": failed, "ours": failed and said}


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0

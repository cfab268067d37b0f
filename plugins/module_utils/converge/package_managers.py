"""How each package manager is asked and told: arguments in, answers read. Nothing here runs anything.

No Python bindings: those exist for the system's own Python only, which need not be the one that runs this.
"""

from __future__ import annotations

import abc
import re
from typing import Callable, ClassVar, Dict, List, Tuple

Run = Callable[[List[str]], Tuple[int, str]]
"""Runs a command that only reads; returns its code and output."""

_INSTALLED = "installed"


class Manager(abc.ABC):
    """What all managers have in common; a name is a package's, *spec* may carry a version."""

    update: Tuple[str, ...] = ()
    """Reads the package lists anew; empty where the manager does that by itself."""
    lock_patterns: Tuple[str, ...] = ("is locked by another", "another app is currently holding")
    """What the output says when somebody else uses the manager now: wait, then try again."""
    repair: Tuple[str, ...] = ()
    """Finishes what an earlier, killed run of the manager left half done."""
    repair_pattern = ""
    environment: ClassVar[Dict[str, str]] = {}

    def __init__(self, program: str) -> None:
        """Remember the *program*: several share one way to be called."""
        self.program = program
        self.frozen = False  # a question must not write anything, caches included

    @abc.abstractmethod
    def installed(self, names: List[str], run: Run) -> Dict[str, str]:
        """Return name to version of those *names* that are installed."""

    @abc.abstractmethod
    def offered(self, names: List[str], run: Run) -> Dict[str, List[str]]:
        """Return name to the versions, newest first, of those *names* that the sources offer."""

    @abc.abstractmethod
    def spec(self, name: str, version: str) -> str:
        """Return how *version* of *name* is asked for."""

    @abc.abstractmethod
    def install(self, specs: List[str], weak: bool, held: bool) -> List[str]:
        """Return the command that installs *specs*; *weak*: with what they recommend; *held*: whatever is held."""

    @abc.abstractmethod
    def remove(self, names: List[str]) -> List[str]:
        """Return the command that removes *names*."""


class Apt(Manager):
    """apt-get and dpkg."""

    update = ("apt-get", "update", "-qq")
    lock_patterns = ("Could not get lock", "Unable to lock", "Unable to acquire the dpkg frontend lock")
    repair = ("dpkg", "--configure", "-a", "--force-confdef", "--force-confold")
    repair_pattern = "dpkg was interrupted"
    # NEEDRESTART_MODE: only list what could be restarted; a restart is a decision of the roles
    environment: ClassVar[Dict[str, str]] = {
        "DEBIAN_FRONTEND": "noninteractive",
        "NEEDRESTART_MODE": "l",
        "APT_LISTCHANGES_FRONTEND": "none",
    }

    def installed(self, names: List[str], run: Run) -> Dict[str, str]:
        """Ask dpkg: one line per package; those that nobody ever installed are an error of the whole question."""
        shape = "${Package}\t${db:Status-Status}\t${Version}\n"
        _, output = run(["dpkg-query", "--show", "--showformat", shape, *names])
        rows = [line.split("\t") for line in output.splitlines() if line.count("\t") == 2]
        return {row[0]: row[2] for row in rows if row[1] == _INSTALLED}

    def offered(self, names: List[str], run: Run) -> Dict[str, List[str]]:
        """Ask apt's lists: name | version | source, newest first."""
        no_cache = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="] if self.frozen else []
        _, output = run(["apt-cache", *no_cache, "madison", *names])
        found: Dict[str, List[str]] = {}
        for line in output.splitlines():
            columns = [column.strip() for column in line.split("|")]
            if len(columns) == 3 and columns[1] not in found.setdefault(columns[0], []):
                found[columns[0]].append(columns[1])
        return found

    def spec(self, name: str, version: str) -> str:
        """Name and complete version."""
        return "%s=%s" % (name, version)

    def install(self, specs: List[str], weak: bool, held: bool) -> List[str]:
        """Never ask; files that the operator changed stay as they are."""
        argv = ["apt-get", "install", "-y", "-q", "-o", "DPkg::Lock::Timeout=10"]
        argv += ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
        argv += [] if weak else ["--no-install-recommends"]
        return [*argv, *(["--allow-change-held-packages"] if held else []), *specs]

    def remove(self, names: List[str]) -> List[str]:
        """What they pulled in stays: somebody else may have come to need it."""
        return ["apt-get", "remove", "-y", "-q", *names]


class Rpm(Manager):
    """dnf and yum."""

    def installed(self, names: List[str], run: Run) -> Dict[str, str]:
        """Ask rpm for each name by itself; what provides it counts too, so that a renamed package is found."""
        found = {}
        shape = ["rpm", "--query", "--queryformat", "%{VERSION}-%{RELEASE}\n"]
        for name in names:
            for how in ([], ["--whatprovides"]):  # a name with version and release is only found without
                code, output = run([*shape, *how, name])
                if code == 0 and output.strip():
                    found[name] = output.splitlines()[-1].strip()
                    break
        return found

    def offered(self, names: List[str], run: Run) -> Dict[str, List[str]]:
        """List what the sources have: name.arch  epoch:version-release  source."""
        argv = [self.program, "-q", *(["-C"] if self.frozen else []), "list", "--showduplicates"]
        argv += ["--available"] if self.program != "yum" else ["available"]
        _, output = run([*argv, *names])
        found: Dict[str, List[str]] = {}
        for line in output.splitlines():
            match = re.match(r"(?P<name>\S+)\.\w+\s+(?P<version>\d\S*)(\s+\S+)?\s*$", line)
            if match and match.group("name") in names:
                found.setdefault(match.group("name"), []).insert(0, match.group("version"))
        return found

    def spec(self, name: str, version: str) -> str:
        """Name and version without the epoch, which older managers want in another place."""
        return "%s-%s" % (name, version.split(":", 1)[-1])

    def install(self, specs: List[str], weak: bool, held: bool) -> List[str]:
        """Wait for another run by itself, as both do."""
        argv = [self.program, "-y"]
        argv += ["--setopt=install_weak_deps=False"] if not weak and self.program != "yum" else []
        return [*argv, *(["--disableexcludes=main"] if held else []), "install", *specs]

    def remove(self, names: List[str]) -> List[str]:
        """What they pulled in stays (dnf would take it along)."""
        keep = [] if self.program == "yum" else ["--setopt=clean_requirements_on_remove=False"]
        return [self.program, "-y", *keep, "remove", *names]


class Zypper(Rpm):
    """zypper; rpm answers for what is installed."""

    lock_patterns = ("System management is locked",)

    def offered(self, names: List[str], run: Run) -> Dict[str, List[str]]:
        """Search exactly: S | Name | Type | Version | Arch | Repository."""
        _, output = run(["zypper", "-n", "-q", "search", "--details", "--match-exact", "--type", "package", *names])
        found: Dict[str, List[str]] = {}
        for line in output.splitlines():
            columns = [column.strip() for column in line.split("|")]
            if len(columns) == 6 and columns[1] in names:
                found.setdefault(columns[1], []).append(columns[3])
        return found

    def install(self, specs: List[str], weak: bool, held: bool) -> List[str]:
        """Licences are the site's business before it names a source."""
        del held  # its locks are not set by us
        argv = ["zypper", "-n", "install", "--auto-agree-with-licenses"]
        return [*argv, *([] if weak else ["--no-recommends"]), *specs]

    def remove(self, names: List[str]) -> List[str]:
        """What they pulled in stays."""
        return ["zypper", "-n", "remove", *names]


def manager_of(name: str) -> Manager:
    """Return the manager called *name* as in facts.os.package_manager. Raises KeyError."""
    kinds: Dict[str, Callable[[str], Manager]] = {"apt": Apt, "dnf": Rpm, "yum": Rpm, "zypper": Zypper}
    return kinds[name](name)


def upstream(version: str) -> str:
    """Return *version* without its epoch and without what the distribution adds: 5:27.5.1-1~debian is 27.5.1."""
    return version.split(":", 1)[-1].rsplit("-", 1)[0]

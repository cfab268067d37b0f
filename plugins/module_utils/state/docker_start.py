"""How systemd starts dockerd: the options and variables that it gets beside daemon.json, and where each stands.

dockerd does not start when daemon.json and its command line name the same key. The command line has several authors:
the unit, drop-ins beside it, and files of variables that the distribution's unit reads.
"""

from __future__ import annotations

import re
import shlex

from . import commands, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

UNIT = "docker.service"
# Ours, and nobody else's; the proxies of the engine stand in it.
PROXY_DROP_IN = "/etc/systemd/system/docker.service.d/provision-proxy.conf"
PROXIES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "no_proxy": "NO_PROXY"}
ASKED = "ExecStart,Environment,EnvironmentFiles,FragmentPath,DropInPaths,MainPID"
TIMEOUT_SECONDS = 15.0
# How dockerd spells a key of daemon.json on its command line, where that is not the key itself.
FLAG_OF = {
    "insecure-registries": "insecure-registry",
    "registry-mirrors": "registry-mirror",
    "hosts": "host",
    "labels": "label",
    "log-opts": "log-opt",
    "storage-opts": "storage-opt",
    "exec-opts": "exec-opt",
    "default-ulimits": "default-ulimit",
}
# dockerd itself allows these in both places.
BOTH_PLACES = ("runtimes", "features", "builder")
SHORT = {"H": "host", "D": "debug", "l": "log-level", "G": "group", "s": "storage-driver", "g": "data-root"}
OLD_NAME = {"graph": "data-root"}
_EXEC = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_LOGIN = re.compile(r"//[^/@\s]+@")


def absent() -> Facts:
    """Return the facts of a host whose systemd knows no docker.service."""
    return {"options": {}, "proxies": {}, "proxy_files": {}, "running_proxies": None, "drop_in": {}, "config_file": ""}


def observe() -> Facts:
    """Return how dockerd is started: see describe(). Raises ValueError when systemd does not answer."""
    code, output = commands.run(["systemctl", "show", "--no-pager", "--property=" + ASKED, UNIT], TIMEOUT_SECONDS)
    if code:
        raise ValueError("systemctl show %s ended with code %d: %s" % (UNIT, code, output.strip()[:200]))
    return describe(output)


def describe(output: str, root: str = "") -> Facts:
    """Return {options, proxies, proxy_files, running_proxies, drop_in, config_file} from what systemd shows.

    options has the file of each option of the command line, by its long name; proxies are what systemd would start it
    with, running_proxies what the dockerd that runs now was started with (None: none runs), drop_in what our file says.
    Logins in addresses are blanked out.
    """
    shown = _shown(output)
    sources = _sources(shown)
    texts = {path: files.text(root + path) or "" for path in sources}
    variables = _variables(shown, root)
    words = _words(" ".join(shown.get("ExecStart", [])), variables)
    pid = int((shown.get("MainPID") or ["0"])[-1] or 0)
    named = {name: _place(_spellings(name), texts) for name in _options(words)}
    return {
        "options": named,
        "proxies": _proxies(variables),
        "proxy_files": {name: _place([name, name.lower()], texts) for name in _proxies(variables)},
        "running_proxies": _running(pid, root),
        "drop_in": proxies_of(files.text(root + PROXY_DROP_IN)),
        "config_file": _value_of("--config-file", words),
    }


def proxies_of(content: str | None) -> dict[str, str]:
    """Return the proxies that the text of a drop-in sets."""
    lines = [line.strip() for line in (content or "").splitlines()]
    values = [line.partition("=")[2] for line in lines if line.startswith("Environment=")]
    return _proxies(dict(word.replace("%%", "%").partition("=")[::2] for value in values for word in _split(value)))


def given_twice(keys: list[str], start: Facts) -> list[Facts]:
    """Return {key, option, file} of those *keys* of daemon.json that dockerd's command line sets too."""
    found = []
    for key in sorted(set(keys) - set(BOTH_PLACES)):
        option = FLAG_OF.get(key, key)
        if option in start["options"]:
            found.append({"key": key, "option": "--" + option, "file": start["options"][option]})
    return found


def _shown(output: str) -> dict[str, list[str]]:
    """Return every value of every property: EnvironmentFiles stands there once per file."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        name, mark, value = line.partition("=")
        if mark:
            found.setdefault(name, []).append(value)
    return found


def _sources(shown: dict[str, list[str]]) -> list[str]:
    """Return the files that can hold an option, those that win first."""
    drop_ins = " ".join(shown.get("DropInPaths", [])).split()
    variables = [value.split(" (")[0] for value in shown.get("EnvironmentFiles", [])]
    return [path for path in [*reversed(drop_ins), *variables, *shown.get("FragmentPath", [])] if path]


def _variables(shown: dict[str, list[str]], root: str) -> dict[str, str]:
    """Return the variables of the unit: a file of variables wins over a line of the unit, as systemd has it."""
    found = dict(word.partition("=")[::2] for value in shown.get("Environment", []) for word in _split(value))
    for value in shown.get("EnvironmentFiles", []):
        found.update(files.pairs(files.text(root + value.split(" (")[0])))
    return found


def _words(shown: str, variables: dict[str, str]) -> list[str]:
    """Return the command line; a variable that nobody sets is nothing, as for systemd."""
    match = _EXEC.search(shown)
    line = match.group(1) if match else ""
    return _split(_VARIABLE.sub(lambda found: variables.get(found.group(1) or found.group(2), ""), line))


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _options(words: list[str]) -> list[str]:
    """Return the long names of the options in *words*, each once."""
    found = []
    for word in words:
        if word.startswith("--"):
            name = word[2:].partition("=")[0]
        elif len(word) > 1 and word[0] == "-":
            name = SHORT.get(word[1], "")
        else:
            continue
        found.append(OLD_NAME.get(name, name))
    return [name for name in dict.fromkeys(found) if name]


def _spellings(name: str) -> list[str]:
    short = [" -" + letter for letter, long in SHORT.items() if long == name]
    return ["--" + name, *short, *("--" + old for old, new in OLD_NAME.items() if new == name)]


def _place(spellings: list[str], texts: dict[str, str]) -> str:
    """Return the first file that has one of *spellings* outside of a comment, "" when none has."""
    for path, text in texts.items():
        lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", ";"))]
        if any(spelling in line for line in lines for spelling in spellings):
            return path
    return ""


def _value_of(option: str, words: list[str]) -> str:
    for number, word in enumerate(words):
        if word.startswith(option + "="):
            return word.partition("=")[2]
        if word == option and number + 1 < len(words):
            return words[number + 1]
    return ""


def _proxies(variables: dict[str, str]) -> dict[str, str]:
    """Return the proxies among *variables*, by the names in capitals: programs look at both spellings."""
    found = {name: variables.get(name) or variables.get(name.lower(), "") for name in PROXIES.values()}
    return {name: _LOGIN.sub("//***@", value) for name, value in found.items() if value}


def _running(pid: int, root: str) -> dict[str, str] | None:
    text = files.text("%s/proc/%d/environ" % (root, pid)) if pid else None
    if text is None:
        return None
    return _proxies(dict(word.partition("=")[::2] for word in text.split("\0") if word))

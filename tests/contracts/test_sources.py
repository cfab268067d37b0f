"""Guards on the Python sources: one importer per foreign engine, no hidden output, no data as text, no chip names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, read_yaml

DRIVER = sorted((ROOT / "driver").glob("**/*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("**/*.py"))
CLI = {path.name for path in DRIVER if path.name.startswith("cli")} | {"__main__.py"}
VERSION_LITERAL = re.compile(r"""["']v?\d+\.\d+(\.\d+|\.?(rc|RC|alpha|beta)\d*)[\w.]*["']""")

# as a plain YAML scalar: three parts or a candidate under any key or in a list, two parts where the key says version
PLAIN_VERSION = re.compile(
    r"""(?m)(?:[\w.-]+:|^\s*-)[ ]+(?!\d+\.\d+\.\d+\.\d+\s*$)v?\d+\.\d+\.(?:\d+|[a-z]+\d*)[\w.]*(?=\s*(?:[,}\]]|$))"""
    r"""|(?m:version\w*:[ ]+v?\d+\.\d+)"""
)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_foreign_engines_have_one_importer() -> None:
    for path in DRIVER:
        used = imports(path)
        assert "ansible_runner" not in used or path.name == "runner.py", path
        assert "click" not in used or path.name in CLI, path


def test_nothing_below_the_cli_prints_or_exits() -> None:
    for path in DRIVER:
        if path.name in CLI:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "sys.exit", "exit", "os._exit"}, f"{path}:{node.lineno}: {called}"


def catalog_words() -> set[str]:
    """Return the names that are data: chips and their products."""
    words: set[str] = set()
    for file in (ROOT / "catalog/accelerators").glob("*.yml"):
        profile = read_yaml(file)
        words |= {profile["name"], *profile.get("products", {})}
    return {word.lower() for word in words}


def code_of(path: Path) -> str:
    """Return what of a file acts: the strings of Python without docstrings, YAML without remarks and descriptions."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        told = ("description:", "min_ansible_version")
        return "\n".join(line.split(" #")[0] for line in text.splitlines() if not any(word in line for word in told))
    tree = ast.parse(text)
    docs = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(repr(value) for value in strings if value not in docs)


ROLE_FILES = sorted((ROOT / "roles").glob("**/*.yml"))


@pytest.mark.parametrize("path", [*DRIVER, *PLUGINS, *ROLE_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_chip_name(path: Path) -> None:
    code = code_of(path).lower()
    found = [word for word in catalog_words() if re.search(rf"\b{re.escape(word)}\b", code)]
    assert not found, f"{path}: {found} is data; it belongs to catalog/"


@pytest.mark.parametrize("path", [*DRIVER, *ROLE_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_version_literal(path: Path) -> None:
    found = version_in(code_of(path), path.suffix)
    assert not found, f"{path}: {found}"


def version_in(code: str, suffix: str) -> str:
    """Return the first version that *code* names, "" without one; YAML needs no quotes for it."""
    found = VERSION_LITERAL.search(code) or (PLAIN_VERSION.search(code) if suffix == ".yml" else None)
    return found.group(0).strip() if found else ""


@pytest.mark.parametrize(
    "line",
    [
        "version: 25.0.1",
        "version: 25.0.rc1",
        "- 25.5.1",
        "version_min: 18.03",
        "  a: {version: v1.2.3, b: 1}",
        "x: '7.7.1'",
    ],
)
def test_a_version_is_found(line: str) -> None:
    assert version_in(line, ".yml")


@pytest.mark.parametrize(
    "line",
    [
        "delay: 0.5",
        "address: 127.0.0.1",
        "version: '{{ npu_driver_version }}'",
        "mode: 0644",
        "when: x is version(y, '>=')",
    ],
)
def test_what_is_no_version_is_left_alone(line: str) -> None:
    assert not version_in(line, ".yml")


@pytest.mark.parametrize("path", DRIVER, ids=lambda path: path.name)
def test_no_data_language_in_python_strings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docs = {ast.get_docstring(node, clean=False) for node in documented}
    for node in ast.walk(tree):
        if (
            not (isinstance(node, ast.Constant) and isinstance(node.value, str))
            or node.value in docs
            or node.value.count("\n") < 2
        ):
            continue
        try:
            parsed = yaml.safe_load(node.value)
        except yaml.YAMLError:
            parsed = None
        assert not isinstance(parsed, dict), f"{path}:{node.lineno}: YAML in a string"
        assert not re.search(r"^\[\w+\]$", node.value, re.MULTILINE), f"{path}:{node.lineno}: INI in a string"
        assert "{%" not in node.value, f"{path}:{node.lineno}: Jinja in a string"


def test_what_runs_on_hosts_is_standard_library_and_old_python() -> None:
    for path in PLUGINS:
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
        assert tree is not None
        assert "driver" not in imports(path), path


@pytest.mark.parametrize("path", [*DRIVER, *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300, f"{path}: over 300 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 45, f"{path}:{node.lineno}: {node.name} has {length} lines; 40 is the budget"

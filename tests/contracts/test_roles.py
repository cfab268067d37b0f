"""Guards on the roles: their inputs, their names, the size and honesty of their tasks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from .conftest import ROOT, read_yaml, role_folders, tasks_in

ROLES = role_folders()
IDS = [role.name for role in ROLES]
# Names that Ansible itself gives to a task, and the one observation that every role acts on.
GIVEN = {
    "ansible_facts",
    "ansible_check_mode",
    "ansible_connection",
    "ansible_run_tags",
    "inventory_hostname",
    "inventory_dir",
    "host_state",
    "item",
    "omit",
    "lookup",
    "query",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "role_path",
    "ansible_failed_result",
    "ansible_failed_task",
    "ansible_managed",
    "play_hosts",
    "ansible_play_batch",
    "loop",
    "self",
    "range",
    "dict",
    "namespace",
    "now",
}
ENGINE = SandboxedEnvironment()


def options(role: Path) -> dict[str, Any]:
    return dict(read_yaml(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"])


@pytest.mark.parametrize("role", ROLES, ids=IDS)
def test_defaults_are_the_optional_options(role: Path) -> None:
    defaults = read_yaml(role / "defaults/main.yml") or {}
    specs = options(role)
    assert set(defaults) == {name for name, spec in specs.items() if not spec.get("required")}
    for name, spec in specs.items():
        assert spec.get("type"), f"{role.name}: {name} has no type"
        assert spec.get("description"), f"{role.name}: {name} has no description"
        assert name.startswith(f"{role.name}_"), f"{role.name}: {name} lacks the role's prefix"
        if "default" in spec:
            assert spec["default"] == defaults[name], f"{role.name}: {name} differs between defaults and specs"


def names_in(text: str) -> set[str]:
    """Return the variables that a template reads and does not set itself."""
    tree = ENGINE.parse(text)
    loads = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    stores = {node.name for node in tree.find_all(nodes.Name) if node.ctx in {"store", "param"}}
    return loads - stores


def expressions(value: Any, key: str = "") -> list[str]:
    """Return every template of a task: quoted ones, and the bare ones of `when` and its relatives."""
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in expressions(part, str(name))]
    if isinstance(value, list):
        return [text for part in value for text in expressions(part, key)]
    if not isinstance(value, str):
        return []
    bare = key in {"when", "that", "until", "changed_when", "failed_when"} and "{{" not in value
    return ["{{ " + value + " }}"] if bare else [value]


def task_files(role: Path) -> list[Path]:
    return sorted([*role.glob("tasks/*.yml"), *role.glob("handlers/*.yml")])


@pytest.mark.parametrize("role", ROLES, ids=IDS)
def test_a_role_reads_only_its_own_variables(role: Path) -> None:
    strange: dict[str, set[str]] = {}
    for file in task_files(role):
        for task in tasks_in(read_yaml(file)):
            control = task.get("loop_control") or {}
            loop_names = {control.get("loop_var", "item"), control.get("index_var", "item")}
            for text in expressions(task):
                for name in names_in(text) - GIVEN - loop_names - set(task.get("vars") or {}):
                    if not name.startswith((f"{role.name}_", f"__{role.name}_")):
                        strange.setdefault(file.name, set()).add(name)
    for file in role.glob("templates/*"):
        for name in names_in(file.read_text(encoding="utf-8")) - GIVEN:
            if not name.startswith((f"{role.name}_", f"__{role.name}_")):
                strange.setdefault(file.name, set()).add(name)
    assert not strange


@pytest.mark.parametrize("role", ROLES, ids=IDS)
def test_os_files_have_the_same_keys(role: Path) -> None:
    keys = {file.name: set(read_yaml(file) or {}) for file in role.glob("vars/*.yml") if file.name != "main.yml"}
    assert len({frozenset(found) for found in keys.values()}) <= 1, keys


@pytest.mark.parametrize("role", ROLES, ids=IDS)
def test_tasks_are_named_guarded_and_few(role: Path) -> None:
    total = 0
    for file in task_files(role):
        text = file.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        assert lines <= 80, f"{file}: {lines} lines, 80 is the budget of a task file"
        total += lines if file.parent.name == "tasks" else 0
        for task in tasks_in(read_yaml(file)):
            assert re.match(r"^[A-Z][^{]*[^.]$", task.get("name", "")), f"{file}: task name {task.get('name')!r}"
            check_task(file, task)
    assert total <= 260, f"{role.name}: {total} task lines; about 200 is the budget"


def check_task(file: Path, task: dict[str, Any]) -> None:
    where = f"{file}: {task['name']}"
    assert "ignore_errors" not in task, where
    if "ansible.builtin.assert" in task:
        claim = task["ansible.builtin.assert"]
        assert claim.get("fail_msg"), f"{where}: an assert without fail_msg"
        assert claim.get("that") not in (True, "true", [True]), f"{where}: an assert that cannot fail"
    if "ansible.builtin.command" in task:
        command = task["ansible.builtin.command"]
        assert "changed_when" in task or "creates" in command, f"{where}: neither changed_when nor creates"
    assert "ansible.builtin.shell" not in task, f"{where}: shell; use command with argv"


def compares(task: dict[str, Any]) -> bool:
    """Return whether a `when` of *task* holds a comparison or a test: "always" and a bare switch are none."""
    conditions = task.get("when", [])
    texts = [str(text) for text in (conditions if isinstance(conditions, list) else [conditions])]
    trees = [ENGINE.parse("{{ " + text + " }}") for text in texts]
    return any(tree.find((nodes.Compare, nodes.Test)) is not None for tree in trees)


def guarded(entries: list[dict[str, Any]] | None, outer: bool) -> list[tuple[dict[str, Any], bool]]:
    """Return every task with whether it, or a block around it, stands under a comparing `when`."""
    found: list[tuple[dict[str, Any], bool]] = []
    for entry in entries or []:
        inside = outer or compares(entry)
        found.append((entry, inside))
        for part in ("block", "rescue", "always"):
            found.extend(guarded(entry.get(part), inside))
    return found


def guarded_files(role: Path) -> set[str]:
    """Return the task files that the role only includes under a comparing `when`; names in variables are looked up."""
    values = {key: value for file in role.glob("vars/*.yml") for key, value in (read_yaml(file) or {}).items()}
    includes: dict[str, list[bool]] = {}
    for file in role.glob("tasks/*.yml"):
        for task, inside in guarded(read_yaml(file), outer=False):
            name = str(task.get("ansible.builtin.include_tasks", ""))
            variable = re.fullmatch(r"\{\{ (\w+) \}\}", name)
            includes.setdefault(str(values.get(variable.group(1))) if variable else name, []).append(inside)
    return {name for name, insides in includes.items() if all(insides)}


def unguarded_changes(role: Path) -> list[str]:
    """Return the tasks that say "changed" whatever they find; a handler only runs when something changed."""
    safe = guarded_files(role)
    return [
        f"{file.name}: {task['name']}"
        for file in sorted(role.glob("tasks/*.yml"))
        for task, inside in guarded(read_yaml(file), outer=file.name in safe)
        if task.get("changed_when") is True and not inside
    ]


@pytest.mark.parametrize("role", ROLES, ids=IDS)
def test_a_task_that_always_says_changed_stands_under_a_comparison(role: Path) -> None:
    assert unguarded_changes(role) == []


@pytest.mark.parametrize(
    ("main", "other", "faults"),
    [
        ("", "when: a.stat.exists", ["x.yml: Do"]),
        ("", "when: true", ["x.yml: Do"]),
        ("", "when: a.b != c", []),
        ("", "when: [a, b is defined]", []),
        ("- {name: In, ansible.builtin.include_tasks: x.yml, when: a | length > 0}", "", []),
        ("- {name: In, ansible.builtin.include_tasks: '{{ __r_file }}', when: a | length > 0}", "", []),
        ("- {name: In, when: a > 0, block: [{name: In, ansible.builtin.include_tasks: x.yml}]}", "", []),
        ("- {name: In, ansible.builtin.include_tasks: x.yml}", "", ["x.yml: Do"]),
        (
            "- {name: In, ansible.builtin.include_tasks: x.yml, when: a > 0}\n"
            "- {name: In, ansible.builtin.include_tasks: x.yml}",
            "",
            ["x.yml: Do"],
        ),
    ],
)
def test_the_guard_of_changes_tells_comparisons_from_switches(
    tmp_path: Path, main: str, other: str, faults: list[str]
) -> None:
    for folder in ("tasks", "vars"):
        (tmp_path / folder).mkdir()
    (tmp_path / "vars/debian.yml").write_text("__r_file: x.yml\n")
    (tmp_path / "tasks/main.yml").write_text(main)
    (tmp_path / "tasks/x.yml").write_text(f"- name: Do\n  changed_when: true\n  {other}\n")
    assert unguarded_changes(tmp_path) == faults


def test_every_readme_block_is_up_to_date() -> None:
    from driver.roledoc import variables_block  # noqa: PLC0415 - the guard is what makes the import worth it

    for role in ROLES:
        text = (role / "README.md").read_text(encoding="utf-8")
        block = text.split("<!-- variables -->", 1)[1].split("<!-- /variables -->", 1)[0].strip()
        assert block == variables_block(role).strip(), f"{role.name}/README.md: regenerate the variables block"
        assert len(text.splitlines()) <= 150


def test_roles_plays_groups_and_checks_are_the_same_set() -> None:
    plays = read_yaml(ROOT / "playbooks/site.yml")
    groups = [play["hosts"] for play in plays if play.get("roles")]
    checks = {path.stem.removeprefix("test_") for path in (ROOT / "tests/compliance").glob("test_*.py")}
    assert set(groups) == set(IDS)
    assert checks == set(IDS)
    for play in plays:
        if play.get("roles"):
            used = [role["role"] if isinstance(role, dict) else role for role in play["roles"]]
            assert used == [play["hosts"]], play["name"]
            assert play["hosts"] in play["tags"], play["name"]

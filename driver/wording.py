"""Our own words for what pydantic finds wrong with a value: what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# What YAML makes of an unquoted word that was meant as text (24.10, on, 12:30, 2025-01-01).
_UNQUOTED = {"float": "a number", "int": "a number", "bool": "a boolean", "date": "a date", "datetime": "a date"}
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
}
_HOW = {
    "a list": "write it in brackets, or every entry on a line of its own behind a dash",
    "a mapping of keys": "write its keys below it, each on a line of its own",
    "true or false": "write one of the two",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_SECRETS = "secrets do not belong into this file: export it, or put it into a file that ansible-vault encrypts"
_LONGEST = 80
ONE_OF = "one of "


class Words(NamedTuple):
    """The three parts of a fault."""

    found: str
    expected: str
    advice: str


def meant(word: object) -> str:
    """Return advice that *word* was meant."""
    return f"did you mean {word}?"


def wording(item: Mapping[str, Any]) -> Words:
    """Return the words for one entry of ValidationError.errors() about a value that is there."""
    words = _words(item)
    if item["input"] is None:
        return Words("nothing", words.expected, "write a value, or leave the key out where it is optional")
    return words


def _words(item: Mapping[str, Any]) -> Words:
    kind, value, context = str(item["type"]), item["input"], item.get("ctx", {})
    if kind == "literal_secret":
        return Words("a value of its own (not repeated here)", str(item["msg"]), _SECRETS)
    if kind == "too_short":
        least = context["min_length"]
        return Words(shown(value), f"a list of at least {least} {'entry' if least == 1 else 'entries'}", "add one")
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return Words(shown(value), f"a number of {words} {context[key]}", "correct it")
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(context["expected"]))
        close = difflib.get_close_matches(str(value), known, n=1)
        return Words(shown(value), f"{ONE_OF}{', '.join(known)}", meant(close[0]) if close else "write one of them")
    if kind in _KINDS:
        return _of_another_kind(_KINDS[kind], value)
    reason = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return Words(shown(value), reason, "correct it")


def _of_another_kind(expected: str, value: object) -> Words:
    """Return the words for a value that YAML has read as something else than *expected*."""
    if expected == "text" and type(value).__name__ in _UNQUOTED:
        read = f"{value!r}, {_UNQUOTED[type(value).__name__]} to YAML"
        return Words(read, "text", "write the value in quotes, so that YAML does not change it")
    if expected.endswith("number") and isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return Words(f"{value!r}, a text to YAML", expected, f"write {value.strip()} without quotes")
    if expected == "true or false" and isinstance(value, str) and value.lower() in {"true", "false"}:
        return Words(f"{value!r}, a text to YAML", expected, f"write {value.lower()} without quotes")
    return Words(shown(value), expected, _HOW.get(expected, "correct it"))


def shown(value: object) -> str:
    """Return *value* as it stands in a message: short, on one line, and without a password."""
    if isinstance(value, list | dict) and not value:
        return "an empty list" if isinstance(value, list) else "an empty mapping"
    text = re.sub(r"//[^/@]*@", "//…@", repr(value))  # a password in an address is not to be repeated
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    if isinstance(value, list | dict):
        return f"{'the list' if isinstance(value, list) else 'the mapping'} {text}"
    return text

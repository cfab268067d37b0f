"""The services: units that come back after a boot, healthy, under the exact name, and able to answer."""

from __future__ import annotations

import json
from typing import Any

from tests.compliance import judge, probe

QUICK_SECONDS = "20"
ANSWER_SECONDS = "120"


def test_unit_keeps_the_service_across_boots(host: Any, service: dict[str, Any]) -> None:
    state = host.run("systemctl is-active %s; systemctl is-enabled %s", service["unit"], service["unit"]).stdout.split()
    judge.equal(host, service["unit"], "active, enabled", judge.listed(state))


def test_service_is_healthy(host: Any, expected: dict[str, Any], service: dict[str, Any]) -> None:
    url = service["health_url"]
    found = probe.ask(host, expected, url, "http", url, QUICK_SECONDS)
    judge.true(host, url, found["code"] == 200, "HTTP 200", f"HTTP {found['code']}: {found['text'][:200]}")


def test_service_serves_exactly_its_name(host: Any, expected: dict[str, Any], service: dict[str, Any]) -> None:
    url = service["models_url"]
    found = probe.ask(host, expected, url, "http", url, QUICK_SECONDS)
    judge.true(host, url, found["code"] == 200, "HTTP 200", f"HTTP {found['code']}: {found['text'][:200]}")
    names = [entry["id"] for entry in json.loads(found["text"])["data"]]
    judge.true(host, url, service["served_name"] in names, service["served_name"], judge.listed(names))


def test_service_answers_a_chat(host: Any, expected: dict[str, Any], service: dict[str, Any]) -> None:
    url = service["models_url"].removesuffix("/models") + "/chat/completions"
    question = {
        "model": service["served_name"],
        "max_tokens": 8,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
    found = probe.ask(host, expected, url, "http", url, ANSWER_SECONDS, json.dumps(question))
    judge.true(host, url, found["code"] == 200, "HTTP 200", f"HTTP {found['code']}: {found['text'][:200]}")
    usage = json.loads(found["text"]).get("usage") or {}
    judge.true(host, url, usage.get("completion_tokens", 0) > 0, "at least one token", f"usage {usage}")

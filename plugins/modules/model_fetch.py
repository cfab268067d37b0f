#!/usr/bin/python
"""Bring the files of models to the host: from their source, or from other hosts; all compared by sha256.

Arguments: models, a list as the role's variable has it; works, what this host has to do for them, a list of {name,
task: fetch, serve, receive or await; serves, upstreams, writer}, without it every model that is not whole is fetched;
step: list (say which files the models have that are fetched or served), prepare (is there room, what is here already),
start (begin to serve and to receive), bring (fetch, or wait until all is received); files, {name of a model: its files}
as another host listed them; here, what prepare returned; bad, {path of a model: [names of files that are known to be
spoilt]}; tokens, {source: token}; obsutil, {program, config}; moves, what the agent of the moves takes: {name, port,
rate_limit_mbit, members, tls_certificate, state_dir; for bring the mark that start returned}; secret and tls_key for
the agent; again, whether the works are shared out once more when other hosts could not send, so that this is no
failure; timeout_seconds for each model, for waiting until another host has left the folder and again for the download.
Returns: changed; files: {name: files}; here: {name: [paths]}; mark; done and missed: [names]; fetched: [{name, bytes,
removed, files, reused, from, notes}].
"""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import model_bring, model_files, model_receive
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.model_access import ANSWER_SECONDS, Access
from ansible.module_utils.converge.model_settle import check_rooms, lacking_bytes
from ansible.module_utils.urls import open_url


def opener(url: str, headers: Dict[str, str]) -> Any:
    """Open *url* with Ansible's own client, which honours the host's proxy settings."""
    return open_url(url, headers=headers, timeout=ANSWER_SECONDS, http_agent="provision")


class Bringing:
    """One run of the module: its parameters, and what it has done so far."""

    def __init__(self, given: Dict[str, Any], check: bool) -> None:
        """Take the module's parameters; *check*: say only what would be done."""
        self.given, self.check = given, check
        self.models = {model["name"]: model for model in given["models"]}
        works = given["works"]
        self.works = [{"name": name, "task": "fetch"} for name in self.models] if works is None else works
        own = {key: given[key] for key in ("secret", "tls_key")}
        self.moves = {**given["moves"], **own} if given["moves"] else {}
        self.fetched: List[Dict[str, Any]] = []
        self.files: Dict[str, List[Dict[str, Any]]] = {}
        self.done: List[str] = []
        self.here: Dict[str, List[str]] = {}
        self.mark = ""
        self.warnings: List[str] = []
        self.missed: List[str] = []

    def access(self, model: Dict[str, Any]) -> Access:
        """Return how the source of *model* is reached."""
        token = (self.given["tokens"] or {}).get(model["source"]) or ""
        return Access(opener, token, self.given["obsutil"] or {})

    def bad(self, model: Dict[str, Any]) -> List[str]:
        """Return the files of *model* that the observation found spoilt."""
        return list(self.given["bad"].get(model["path"]) or [])

    def of(self, *tasks: str) -> List[Dict[str, Any]]:
        """Return the works of these *tasks* that this host has a model for."""
        return [work for work in self.works if work["task"] in tasks and work["name"] in self.models]

    def known(self, model: Dict[str, Any]) -> List[Dict[str, Any]]:
        """Return the files of *model* as another host or site.lock has them, [] when nobody knows."""
        files = self.given["files"].get(model["name"]) or model.get("files") or []
        return list(model_files.of_a_model(model["path"], [{"git_sha1": "", **entry} for entry in files]))

    def asked(self, model: Dict[str, Any]) -> List[Dict[str, Any]]:
        """Return the files of *model* as its source has them. Raises RefusedError."""
        found: List[Dict[str, Any]] = model_bring.files_of(model, self.access(model))
        return found

    def list(self) -> None:
        """Say which files the models have that this host fetches or serves."""
        for work in self.of("fetch", "serve"):
            model = self.models[work["name"]]
            if work["task"] == "serve":
                self.files[model["name"]] = model_files.read_manifest(model["path"]).get("files", [])
            elif self.check or model_files.is_complete(model["path"], model, self.known(model)):
                continue
            else:
                self.files[model["name"]] = self.asked(model)

    def prepare(self) -> None:
        """Look whether there is room and take what is here already; nothing moves yet, on no host."""
        lacking = [self.models[work["name"]] for work in self.of("receive", "fetch")]
        check_rooms({model["path"]: lacking_bytes(model["path"], self.known(model)) for model in lacking})
        for model in lacking:
            self.here[model["name"]] = self.settled(model, model_receive.movable(self.known(model)))

    def start(self) -> None:
        """Begin to serve and to receive; what follows only waits for it."""
        sets = []
        for work in self.of("serve", "fetch", "receive"):
            model = self.models[work["name"]]
            files = model_receive.movable(self.known(model))
            more = {"upstreams": work.get("upstreams") or [], "whole": self.given["here"].get(model["name"]) or []}
            if work["task"] == "receive":
                sets.append(model_receive.one_set(model, files, "receive", **more))
            elif work["task"] == "serve" or work.get("serves"):
                sets.append(model_receive.one_set(model, files, "hold"))
        if sets and self.moves:
            self.mark = model_receive.ask(self.moves, sets)

    def settled(self, model: Dict[str, Any], files: List[Dict[str, Any]]) -> List[str]:
        """Return the paths of *files* that are here and right."""
        here: List[str] = model_receive.settled(model, files, self.bad(model), self.given["timeout_seconds"])
        return here

    def bring(self) -> None:
        """Make every model whole that this host fetches or receives."""
        if self.check:
            self.fetched += [
                {"name": model["name"], "bytes": model["size_bytes"], "removed": self.bad(model), "files": 0}
                for model in (self.models[work["name"]] for work in self.of("fetch", "receive"))
                if not self.whole(model)
            ]
            return
        self.fetch([self.models[work["name"]] for work in self.of("fetch")])
        self.receive([self.models[work["name"]] for work in self.of("receive")])
        for work in self.of("await"):
            model = self.models[work["name"]]
            model_bring.await_writer(model, partial(self.whole, model), work.get("writer", ""))
            self.done.append(model["name"])

    def fetch(self, models: List[Dict[str, Any]]) -> None:
        """Ask the sources for what is not whole; a failure is told to those who wait for it."""
        lacking = [model for model in models if not self.whole(model)]
        for model in models:
            if model not in lacking:
                self.keep(model, {})
        try:
            files = {
                each["name"]: self.known(each) or model_bring.files_of(each, self.access(each)) for each in lacking
            }
            check_rooms({model["path"]: lacking_bytes(model["path"], files[model["name"]]) for model in lacking})
            for model in lacking:
                how = (self.access(model), self.given["timeout_seconds"])
                self.keep(model, model_bring.fetch(model, files[model["name"]], self.bad(model), *how))
        except Exception:  # whatever it is: they would wait for a day
            model_receive.drop(self.moves, [each["name"] for each in lacking if each["name"] not in self.done])
            raise

    def receive(self, models: List[Dict[str, Any]]) -> None:
        """Wait for what the agent receives since it was asked; with `again` a failure is not yet the end."""
        if not models:
            return
        try:
            reports = model_receive.follow(self.moves, models, self.given["timeout_seconds"])
        except RefusedError as error:
            if not self.given["again"]:
                raise
            self.warnings.append(f"{error} Now another host asks the source, or this one does.")
            self.missed += [model["name"] for model in models]
            return
        for model in models:
            self.keep(model, model_receive.finish(model, self.known(model), reports.get(model["name"], {})))

    def whole(self, model: Dict[str, Any]) -> bool:
        """Return whether *model* is here as it has to be."""
        return not self.bad(model) and model_files.is_complete(model["path"], model, self.known(model))

    def keep(self, model: Dict[str, Any], did: Dict[str, Any]) -> None:
        """Note what was done; the manifest of a whole model is what others are told."""
        if did.get("bytes") or did.get("removed") or did.get("reused") or did.get("files"):
            self.fetched.append(did)
        if did.get("whole", True) and model_files.is_complete(model["path"], model):
            self.done.append(model["name"])
            self.files[model["name"]] = model_files.read_manifest(model["path"])["files"]


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "models": {"type": "list", "elements": "dict", "required": True},
            "works": {"type": "list", "elements": "dict"},
            "step": {"type": "str", "choices": ["list", "prepare", "start", "bring"], "default": "bring"},
            "files": {"type": "dict", "default": {}},
            "here": {"type": "dict", "default": {}},
            "bad": {"type": "dict", "default": {}},
            "tokens": {"type": "dict", "default": {}, "no_log": True},
            "obsutil": {"type": "dict", "default": {}},
            "moves": {"type": "dict", "default": {}},
            "secret": {"type": "str", "default": "", "no_log": True},
            "tls_key": {"type": "str", "default": "", "no_log": True},
            "again": {"type": "bool", "default": False},
            "timeout_seconds": {"type": "int", "default": 86400},
        },
        supports_check_mode=True,
    )
    run = Bringing(module.params, module.check_mode)
    steps = {"list": run.list, "prepare": run.prepare, "start": run.start, "bring": run.bring}
    try:
        steps[module.params["step"]]()
    except (RefusedError, OSError) as error:
        module.fail_json(msg=str(error), fetched=run.fetched, changed=bool(run.fetched))
    for text in run.warnings:
        module.warn(text)
    told = {
        "fetched": run.fetched,
        "files": run.files,
        "done": run.done,
        "here": run.here,
        "mark": run.mark,
        "missed": run.missed,
    }
    module.exit_json(changed=bool(run.fetched), **told)


if __name__ == "__main__":
    main()

# Thin on purpose: each target is set-up plus one command that can be typed by hand.
SHELL := /bin/bash
PYTHON := .venv/bin/python
PROVISION := .venv/bin/provision
STAMP := .venv/.ready
TOOLS := .venv/.lanes

.DEFAULT_GOAL := help
.PHONY: help setup lab test test-all unit e2e moves bundle situations lanes lint bench bench-distribute clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(STAMP): requirements.txt requirements-fetch.txt tests/requirements.txt pyproject.toml tests/lab/setup.sh
	bash tests/lab/setup.sh

setup: $(STAMP) ## system packages, .venv, pinned requirements

lab: setup ## the main job: two bare simulated servers to one served token
	$(PROVISION) lab up
	$(PROVISION) --inventory lab up --yes --verify

unit: setup ## the tests that need no host
	$(PYTHON) -m pytest -q -n 2

$(TOOLS): $(STAMP)
	bash tests/lab/setup.sh lanes
	touch $@

e2e: setup ## the main job and its faults on the simulated site
	bash tests/run.sh e2e

moves: setup ## models and images from host to host on four hosts, with hosts, origins and runs that die
	bash tests/run.sh moves

bundle: $(TOOLS) ## a site from a bundle alone, cut off from everything else: LANES=rpm,debian11 (default debian12)
	bash tests/run.sh bundle

situations: $(TOOLS) ## what an operator meets, as data in tests/situations: each on a host of the simulated site
	bash tests/run.sh situations

lanes: $(TOOLS) ## every system, card and Python of tests/lab/lanes.yml through the life of a host
	bash tests/run.sh lanes

test: setup ## fast tests first, then the main job on the simulated site
	$(PYTHON) -m pytest -q -n 2
	bash tests/run.sh e2e

test-all: $(TOOLS) ## all tests: also every situation and every lane, those that emulate another machine last (takes long)
	$(PYTHON) -m pytest -q -n 2
	bash tests/run.sh e2e moves bundle situations lanes slow

lint: setup ## ansible-lint (production), yamllint, ruff, mypy --strict: zero findings
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/yamllint --strict .
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/ansible-lint --offline -q

bench: setup ## second up, plan and check at 1, 10 and 40 hosts against the floor and pyinfra
	$(PYTHON) -m tests.bench

bench-distribute: setup ## one set of files to 1 to 16 hosts over shaped links, way by way; as root; needs nginx-light aria2 rsync python3-libtorrent
	$(PYTHON) -m tests.bench.distribute --write

clean: ## stop the lab and its engine, remove what was built
	if [ -x $(PYTHON) ]; then $(PYTHON) -m tests.lab down --purge; fi
	rm -rf .venv .lab runs inventories/*/rendered inventories/lab/site.lock

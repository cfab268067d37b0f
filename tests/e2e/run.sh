#!/usr/bin/env bash
# The end-to-end tests on the simulated site: bare hosts before, nothing left running after.
# A site that was already up stays up (its hosts are made bare: that is what the tests start from).
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
if "$python" -m tests.lab status >/dev/null 2>&1; then
  "$python" -m tests.lab reset
else
  # Whatever happens, the machines and the engine that this run started end with it.
  trap '"$python" -m tests.lab down' EXIT
  "$python" -m tests.lab up
fi
"$python" -m pytest -v -x tests/e2e "$@"

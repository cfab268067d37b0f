#!/usr/bin/env bash
# The tests that need the simulated site: run.sh [e2e] [moves] [bundle] [situations] [lanes] [slow]. Hosts are bare before;
# nothing is left running after, unless the site was up already: then it stays up, with bare hosts.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
hosts=2 # these serve in the main job; each of the others takes situations
[[ " $* " != *" situations "* ]] || hosts=6
results=.lab/junit
lanes=$("$python" -c 'from tests.lanes.steps import wanted; print(",".join(lane.name for lane in wanted()))')
slow=$(LANES=slow "$python" -c 'from tests.lanes.steps import wanted; print(",".join(lane.name for lane in wanted()))')

if "$python" -m tests.lab status >/dev/null 2>&1; then
  "$python" -m tests.lab reset --hosts "$hosts"
else
  # Whatever happens, the machines and the engine that this run started end with it.
  trap '"$python" -m tests.lab down' EXIT
fi
mkdir -p "$results"
status=0
files=()
for suite in "$@"; do
  case $suite in
    e2e)
      "$python" -m tests.lab up --hosts "$hosts"
      "$python" -m pytest -v -x tests/e2e/test_main_job.py --junitxml="$results/e2e.xml" || status=1
      .venv/bin/provision --inventory lab down --yes # what is served there would slow down what follows
      ;;
    moves)
      "$python" -m tests.lab up --hosts 4
      "$python" -m pytest -v tests/e2e/test_moves.py --junitxml="$results/moves.xml" || status=1
      "$python" -m tests.lab up --hosts "$hosts"
      ;;
    bundle)
      "$python" -m tests.lab up --hosts "$hosts" --lanes "${LANES:-debian12}"
      "$python" -m pytest -v tests/e2e/test_bundle.py --junitxml="$results/bundle.xml" || status=1
      ;;
    situations)
      "$python" -m tests.lab up --hosts "$hosts" --lanes "$lanes"
      "$python" -m pytest -v -n 4 --dist load --maxschedchunk 1 tests/situations \
        --junitxml="$results/situations.xml" || status=1
      files+=("$results/situations.xml")
      ;;
    lanes)
      "$python" -m tests.lab up --hosts "$hosts" --lanes "$lanes"
      "$python" -m pytest -v tests/lanes --junitxml="$results/lanes.xml" || status=1
      files+=("$results/lanes.xml")
      ;;
    slow)
      "$python" -m tests.lab up --hosts "$hosts" --lanes "$slow"
      LANES=slow "$python" -m pytest -v tests/lanes/test_lanes.py --junitxml="$results/slow.xml" || status=1
      files+=("$results/slow.xml")
      ;;
    *)
      echo "run.sh: found $suite; expected e2e, moves, bundle, situations, lanes or slow" >&2
      exit 2
      ;;
  esac
done
if [ ${#files[@]} -gt 0 ]; then "$python" -m tests.lanes.matrix "${files[@]}" || status=1; fi
exit "$status"

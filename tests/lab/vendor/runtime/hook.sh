#!/bin/bash
# ascend-docker-hook: the runtime of this stand-in edits the container itself and calls no hook.
exit 0

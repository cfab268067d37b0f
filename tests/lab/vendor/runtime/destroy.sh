#!/bin/bash
# ascend-docker-destroy: the runtime of this stand-in edits the container itself and calls no destroy.
exit 0

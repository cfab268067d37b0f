#!/bin/bash
# uninstall.sh [scene] [config file]: takes the runtime out of the engine's configuration, then removes the files.
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$root/paths.sh"
scene=${1:-docker}
target=${2:-$(config_of "$scene")}

if [ -e "$target" ]; then
    check_path "$target" || exit 1
    "$root/ascend-docker-plugin-install-helper" rm "$target" "$target.$PPID" "$scene" || exit 1
    mv -f "$target.$PPID" "$target" && chmod 600 "$target"
fi
rm -rf "$LIST_DIR" "$root"

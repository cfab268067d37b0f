#!/bin/bash
# Log and path rules, shared by installation and removal.
LOG_DIR=/var/log/ascend-docker-runtime
LOG_FILE=$LOG_DIR/installer.log
LIST_DIR=/etc/ascend-docker-runtime.d

prepare_log() {
    mkdir -p "$LOG_DIR"
    touch "$LOG_FILE"
    if [ "$(stat -c %s "$LOG_FILE")" -ge $((20 * 1024 * 1024)) ]; then
        mv -f "$LOG_FILE" "$LOG_DIR/installer_bak.log" && chmod 400 "$LOG_DIR/installer_bak.log"
        : >"$LOG_FILE"
    fi
    chmod 640 "$LOG_FILE"
}

log() {
    echo "$1 $2"
    printf '%s [%s] [uid: %s] [%s] [ascend-docker-runtime] %s\n' \
        "$1" "$(date +'%Y/%m/%d %H:%M:%S')" "$UID" "${SSH_CLIENT%% *}" "$2" >>"$LOG_FILE"
}

stop() {
    log '[ERROR]' "$1"
    exit 1
}

# One entry: no link, root's, not writable for group or others.
sound() {
    local mode
    if [ -L "$1" ]; then
        echo "[ERROR] $1 is soft link"
        return 1
    fi
    if [ "$(stat -c %u:%g "$1")" != 0:0 ]; then
        echo "[ERROR] user or group of $1 is not root"
        return 1
    fi
    mode=$(stat -c %a "$1")
    if ((8#$mode & 8#022)); then
        echo "[ERROR] group or other of $1 has write permission"
        return 1
    fi
}

# The path and every parent that exists.
check_path() {
    local path=$1
    if [ ${#path} -gt 1024 ] || [ -z "$path" ]; then
        echo "[ERROR] parameter is invalid, length not in 1~1024"
        return 1
    fi
    if ! [[ $path =~ ^[a-zA-Z0-9./_-]*$ ]]; then
        echo "[ERROR] parameter is invalid, char not all in 'a-zA-Z0-9./_-'"
        return 1
    fi
    path=$(realpath -m -s "$path")
    while [ "$path" != / ]; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            sound "$path" || return 1
        fi
        path=$(dirname "$path")
    done
}

# Everything below a folder.
check_below() {
    local path
    while IFS= read -r path; do
        sound "$path" || return 1
    done < <(find "$1")
}

# The engine's file for a scene, unless one is named.
config_of() {
    case "$1" in
    docker) echo /etc/docker/daemon.json ;;
    isula) echo /etc/isulad/daemon.json ;;
    containerd) echo /etc/containerd/config.toml ;;
    esac
}

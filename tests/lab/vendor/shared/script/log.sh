#!/bin/bash
# Console, log files and the record of what is installed. COMPONENT (Driver or Firmware) is set by who sources this.
SECLOG=/var/log/ascend_seclog
LOG_FILE=$SECLOG/ascend_install.log
INSTALL_INFO=/etc/ascend_install.info
GREEN='\033[32m'
RED='\033[31m'
YELLOW='\033[33m'
PLAIN='\033[0m'

prepare_logs() {
    mkdir -p "$SECLOG" && chmod 750 "$SECLOG"
    touch "$LOG_FILE" "$SECLOG/operation.log" "$SECLOG/ascend_rebuild.log"
    chmod 640 "$LOG_FILE" "$SECLOG/operation.log" "$SECLOG/ascend_rebuild.log"
}

stamp() { date '+%Y-%m-%d %H:%M:%S'; }

# The console shows colours even without a terminal, as the vendor's script does; the log has none.
say() { printf '[%s] [%s] %b\n' "$COMPONENT" "$(stamp)" "$1"; }
log() { printf '[%s] [%s] %s\n' "$COMPONENT" "$(stamp)" "$1" >>"$LOG_FILE"; }
tell() { say "$1" && log "$1"; }

finish() {
    tell "[INFO]End time: $(stamp)"
    exit "$1"
}

fail() {
    tell "[ERROR]$1"
    record failed
    finish 1
}

fail_red() {
    say "[ERROR]${RED}$1 ${PLAIN}"
    log "[ERROR]$1"
    record failed
    finish 1
}

# One line per operation, for the auditor.
record() {
    local level=SUGGESTION
    [ "$operation" = Upgrade ] && level=MINOR
    [ "$operation" = Uninstall ] && level=MAJOR
    printf '%s %s root %s 127.0.0.1 %s %s cmdlist=%s.\n' \
        "$operation" "$level" "$start_time" "$run_file" "$1" "$all_options" >>"$SECLOG/operation.log"
}

rotate_logs() {
    printf '%s {\n    su root root\n    daily\n    size=5M\n    rotate 3\n    missingok\n    create 440 root root\n}\n' \
        "$LOG_FILE" >/etc/logrotate.d/ascend-install
}

info_get() { [ -f "$INSTALL_INFO" ] && sed -n "s/^$1=//p" "$INSTALL_INFO" | tail -n 1; }

info_set() {
    touch "$INSTALL_INFO"
    if grep -q "^$1=" "$INSTALL_INFO"; then
        sed -i "s|^$1=.*|$1=$2|" "$INSTALL_INFO"
    else
        printf '%s=%s\n' "$1" "$2" >>"$INSTALL_INFO"
    fi
    chown root:root "$INSTALL_INFO" && chmod 644 "$INSTALL_INFO"
}

# Forget this component; the file goes when no component is left.
info_forget() {
    sed -i "/^${COMPONENT}_Install_/d" "$INSTALL_INFO"
    grep -q '_Install_Path_Param=' "$INSTALL_INFO" || rm -f "$INSTALL_INFO"
}

# Anything but y or n asks again, for ever: a closed standard input never ends this loop.
# The pause is ours; without it the loop would eat the machine that tests it.
ask() {
    local answer
    say "$1"
    while true; do
        answer=""
        read -r answer || sleep 0.05
        case "$answer" in
        y) return 0 ;;
        n)
            say "[INFO]Stop installation!"
            finish 0
            ;;
        *) say "[ERROR]ERR_NO:0x0002;ERR_DES:input error, please input again!" ;;
        esac
    done
}

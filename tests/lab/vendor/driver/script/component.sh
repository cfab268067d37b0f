#!/bin/bash
# What is special about the driver package.
COMPONENT=Driver
TYPES="full run docker devel"
NEEDED_MB=300
FLASH=@FLASH@
ARCH=@ARCH@
PACKAGE_VERSION=@VERSION@
done_code=2
UNIT=/usr/lib/systemd/system/host_sys_init.service
WANTED=/etc/systemd/system/multi-user.target.wants/host_sys_init.service
[ -f ./script/driver_files.sh ] && . ./script/driver_files.sh
[ -f ./driver_files.sh ] && . ./driver_files.sh

write_own_info() {
    local all=no
    [ "$for_all" = y ] && all=yes
    info_set Driver_Install_For_All "$all"
    info_set Driver_Install_Mode normal
}

refuse_install() {
    [ "$install_type" = docker ] || [ "$install_type" = devel ] || refuse_missing_tools
    refuse_holders
    refuse_older_than_flash
}

refuse_uninstall() { refuse_holders; }

refuse_missing_tools() {
    local tool missing=""
    for tool in lspci ifconfig gcc dkms; do
        command -v "$tool" >/dev/null || missing="$missing,$tool"
    done
    [ -z "$missing" ] && return
    fail_red "The list of missing tools: ${missing#,}"
}

# Nobody may hold the cards, neither an open file nor a container that has the nodes.
refuse_holders() {
    local holders library=lib64/driver
    [ -d "$library" ] || library=../lib64/driver
    holders=$(python3 "$library/davinci_state.py" holders) || holders=""
    [ -z "$holders" ] && return
    printf '%s\n' "$holders" | while read -r line; do log "[WARNING]$line"; done
    [ "$force" = y ] && return
    say "[INFO]If you want to install or uninstall the driver forcibly, add the force parameter. For details, see [--help]."
    fail_red "The davinci nodes are occupied by some processes, please stop processes and install or uninstall again, details in : $LOG_FILE"
}

# Only a loaded driver can ask the cards, so a first installation is never refused here.
refuse_older_than_flash() {
    local on_card
    if [ ! -f "$RUNTIME/loaded.json" ]; then
        log "[WARNING]The device hardware flash version cannot be obtained during the first installation."
        return
    fi
    on_card=$(chip flash_version 23000)
    [ "$on_card" -le "$FLASH" ] ||
        fail "Installation failed, the driver package version=$FLASH is earlier than the device flash hardware version=$on_card."
    log "[INFO]Flash version check success. package_flash_version=$FLASH, max_device_flash_version=$on_card"
}

say_installed() {
    if [ "$done_code" -eq 0 ]; then
        say "[INFO]${GREEN}Driver package ${verb%e}ed successfully! The new version takes effect immediately. ${PLAIN}"
    else
        say "[INFO]${GREEN}Driver package ${verb%e}ed successfully! ${PLAIN}${RED}Reboot needed for installation/upgrade to take effect! ${PLAIN}"
    fi
    log "[INFO]Driver package ${verb%e}ed successfully!"
}

say_uninstalled() {
    say "[INFO]${GREEN}Driver package uninstalled successfully! ${PLAIN}${RED}Reboot needed for uninstallation to take effect! ${PLAIN}"
    log "[INFO]Driver package uninstalled successfully!"
}

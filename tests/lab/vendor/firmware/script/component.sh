#!/bin/bash
# What is special about the firmware package. It writes to the cards; they start it at the next boot.
COMPONENT=Firmware
TYPES="full"
NEEDED_MB=32
FLASH=@FLASH@
PACKAGE_VERSION=@VERSION@
done_code=@DONE@

write_own_info() { :; }
refuse_uninstall() { :; }

# The cards are reached through the driver's files, so a host without any driver is refused.
refuse_install() {
    local driver
    driver=$(info_get Driver_Install_Path_Param)/driver
    [ -f "$driver/tools/upgrade-tool" ] && [ -f "$driver/version.info" ] && return
    fail "ERR_NO:0x0080;ERR_DES:Driver package is not installed on this device, please install the driver package first"
}

percent() { tell "[INFO]upgradePercentage: $1%"; }

install_files() {
    local target=$install_path/firmware
    mkdir -p "$target" && chmod 755 "$target"
    cp -r script image "$target/"
    percent 0
    pause 1
    [ "$(chip fail_at none)" = flash ] && return 1
    percent 51
    pause 1
    mkdir -p "$CHIPS" "$target/tools"
    printf '%s\n' "$PACKAGE_VERSION" >"$CHIPS/firmware_flashed"
    printf '%s\n' "$FLASH" >"$CHIPS/flash_flashed"
    cp tools/upgrade "$target/tools/"
    percent 90
    pause 0.6
    cp version.info "$target/version.info"
    find "$target" -type d -exec chmod 755 {} + && find "$target" -type f -exec chmod 444 {} +
    chmod 555 "$target"/script/*.sh "$target/tools/upgrade"
    chown -R root:root "$target"
    percent 100
    tell "[INFO]The firmware of [$(count_chips)] chips are successfully upgraded."
}

say_installed() {
    say "[INFO]${GREEN}Firmware package ${verb%e}ed successfully! Reboot now or after driver installation for the installation/upgrade to take effect. ${PLAIN}"
    log "[INFO]Firmware package ${verb%e}ed successfully!"
}

say_uninstalled() {
    say "[INFO]${GREEN}Firmware package uninstalled successfully! ${PLAIN}${RED}Reboot needed for uninstallation to take effect! ${PLAIN}"
    log "[INFO]Firmware package uninstalled successfully!"
}

# The cards keep what was flashed; only the files go.
remove_files() {
    rm -f "$1/firmware/version.info"
    rm -rf "$1/firmware"
}

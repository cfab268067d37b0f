#!/bin/bash
# Installed beside the component: uninstall.sh [--uninstall] [--quiet] [--force]
cd "$(dirname "$0")" || exit 1
. ./component.sh
. ./log.sh
. ./params.sh
. ./checks.sh
operation=Uninstall
start_time=$(stamp)
run_file="Ascend-${COMPONENT,,}"
all_options="${*:-none}"

refuse_non_root
prepare_logs
parse "$@"
installed_path=$(info_get "${COMPONENT}_Install_Path_Param")
[ -n "$installed_path" ] ||
    fail "ERR_NO:0x0080;ERR_DES:$COMPONENT package is not installed on this device, uninstall failed"
tell "[INFO]base version is $(sed -n 's/^Version=//p' "$installed_path/${COMPONENT,,}/version.info" 2>/dev/null)."
refuse_uninstall
cd / || exit 1
remove_files "$installed_path"
info_forget
record success
say_uninstalled
finish 0

#!/bin/bash
# $1: name of the run file, $2: -- and the caller's folder, then the options.
cd "$(dirname "$0")" || exit 1
umask 022
. ./script/component.sh
. ./script/log.sh
. ./script/params.sh
. ./script/checks.sh

run_file=$1
all_options="${*:3}"
operation=Install
start_time=$(stamp)
install_path=$(info_get "${COMPONENT}_Install_Path_Param")
installed_path=$install_path
install_path=${install_path:-/usr/local/Ascend}

version_of() { sed -n 's/^Version=//p' "$1/version.info" 2>/dev/null; }

begin() {
    refuse_all_in_one
    refuse_non_root
    prepare_logs
    if [ -z "$all_options" ]; then
        say "[ERROR]ERR_NO:0x0004;ERR_DES: Unrecognized parameters. Try './xxx.run --help' for more information."
        exit 1
    fi
    tell "[INFO]Start time: $start_time"
    say "[INFO]LogFile: $LOG_FILE"
    say "[INFO]OperationLogFile: $SECLOG/operation.log"
    log "[INFO]UserCommand: $run_file $all_options"
    refuse_second_run
    [ -n "$(version_of "$installed_path/${COMPONENT,,}")" ] &&
        tell "[INFO]base version is $(version_of "$installed_path/${COMPONENT,,}")."
    return 0
}

answer_queries() {
    if [ "$version" = y ]; then
        say "[INFO]${COMPONENT,,} version :$(version_of .)"
        finish 0
    fi
    [ "$check" = y ] && finish 0
    if [ "$uninstall" = y ]; then
        [ -n "$installed_path" ] ||
            fail "ERR_NO:0x0080;ERR_DES:$COMPONENT package is not installed on this device, uninstall failed"
        refuse_uninstall
        remove_files "$installed_path"
        info_forget
        record success
        say_uninstalled
        finish 0
    fi
}

# An option that is not used (--install-path) leaves a component where it is.
overwrite() {
    local present
    [ -n "$installed_path" ] || return 0
    present=$(version_of "$installed_path/${COMPONENT,,}")
    if [ -n "$present" ] && [ "$upgrade$quiet" = nn ]; then
        ask "[INFO]$COMPONENT package has been installed on the path $installed_path, the version is $present, and the version of this package is $(version_of .),do you want to continue?  [y/n] "
    fi
    remove_files "$installed_path"
}

write_info() {
    local last_type
    last_type=$(info_get "${COMPONENT}_Install_Type")
    [ "$upgrade" = y ] && install_type=${last_type:-full}
    info_set UserName "$user"
    info_set UserGroup "$group"
    info_set "${COMPONENT}_Install_Type" "$install_type"
    info_set "${COMPONENT}_Install_Path_Param" "$install_path"
    write_own_info
}

begin
parse "${@:3}"
[ "$version$uninstall$check" = nnn ] && [ "$install_type" != docker ] && [ "$install_type" != devel ] && warn_wrong_chip
[ "$version$uninstall$check" = nnn ] &&
    say "[WARNING]${YELLOW}Do not power off or restart the system during the installation/upgrade${PLAIN}"
refuse_company
answer_queries
check_path_text
choose_user
rotate_logs
check_user
check_path
check_space
check_parents
trap 'record failed; exit 1' INT QUIT TERM HUP
refuse_install
overwrite
write_info
[ -z "$installed_path" ] && operation=Install # --upgrade on a bare host installs
verb=${operation,,}
if ! install_files; then
    say "[INFO]Failed to $verb ${COMPONENT,,} package, please retry after uninstall and reboot!"
    log "[INFO]Failed to $verb ${COMPONENT,,} package, please retry after uninstall and reboot!"
    record failed
    finish 1
fi
record success
say_installed
finish "$done_code"

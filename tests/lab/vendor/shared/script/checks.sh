#!/bin/bash
# What has to be true before anything is written. Each check ends the run with its error number.
CHIPS=/var/lib/davinci-sim # what the cards themselves keep, see README.md
RUNTIME=/run/davinci-sim   # what this boot has loaded

chip() { cat "$CHIPS/$1" 2>/dev/null || printf '%s' "$2"; }

# Real time passes, so that a kill can hit the middle; the file `pace` scales it.
pause() { sleep "$(awk "BEGIN { print $1 * $(chip pace 1) }")"; }

refuse_all_in_one() {
    [ -f /etc/HiAI_install.info ] || return 0
    say "[ERROR]ERR_NO:0x0094;ERR_DES:Operation failed, An all-in-one RUN package is found, which needs to be uninstalled before proceeding."
    exit 0
}

refuse_non_root() {
    [ "$(id -u)" -eq 0 ] && return
    say "[ERROR]ERR_NO:0x0093;ERR_DES:do not have root permission, operation failed, please use root permission!"
    exit 1
}

# Another installer is a process other than ours that runs ./install.sh for an npu package.
refuse_second_run() {
    local folder pid parent argv
    for folder in /proc/[0-9]*; do
        mapfile -d '' -t argv 2>/dev/null <"$folder/cmdline" || continue
        [[ ${argv[1]:-} == ./install.sh && ${argv[2]:-} == *-npu-*.run ]] || continue
        pid=${folder#/proc/}
        parent=$(sed -n 's/^PPid:\t//p' "$folder/status" 2>/dev/null)
        [ "$pid" = $$ ] || [ "$parent" = $$ ] ||
            fail "ERR_NO:0x0094;ERR_DES:There is already a process being executed,please do not execute multiple tasks at the same time"
    done
}

# Device ids of this package on the bus; none is a warning, and a question without --quiet.
count_chips() { grep -liEx '@DEVICES@' /sys/bus/pci/devices/*/device 2>/dev/null | wc -l; }

warn_wrong_chip() {
    [ "$(count_chips)" -gt 0 ] && return
    say "[WARNING]${YELLOW}There is no chip matching the ${COMPONENT,,} package.${PLAIN}"
    log "[WARNING]The current installation package and environment is not match"
    [ "$quiet" = y ] && return
    ask "[INFO]You are going to install a ${COMPONENT,,} package which does not have a matching chip in the environment, do you want to continue? [y/n]"
}

check_path_text() {
    [ -z "$input_path" ] && return
    [[ $input_path =~ ^[a-zA-Z0-9/_-]+$ ]] || fail "ERR_NO:0x0003;ERR_DES:The install-path [$input_path] is invalid according to regular-expression, only characters in [a-z,A-Z,0-9,-,_] are supported."
    [[ $input_path == /* ]] || fail "ERR_NO:0x0003;ERR_DES:install-path input error, install failed"
    install_path=${input_path%/}
}

# Who owns the devices: the option, else the last installation, else HwHiAiUser.
choose_user() {
    local last_user last_group
    last_user=$(info_get UserName) last_group=$(info_get UserGroup)
    user=${input_user:-${last_user:-HwHiAiUser}} group=${input_group:-${last_group:-HwHiAiUser}}
    [ -n "$last_user" ] && [ "$user:$group" != "$last_user:$last_group" ] &&
        fail "ERR_NO:0x0095;ERR_DES:The user and group are not same with last installation,do not support overwriting installation"
    [ "$upgrade" = y ] && [ "$for_all" = n ] && [ "$(info_get Driver_Install_For_All)" = yes ] && for_all=y
    return 0
}

check_user() {
    if [ "$user" = HwHiAiUser ] && ! getent passwd HwHiAiUser >/dev/null && getent passwd 1000 >/dev/null; then
        tell "[ERROR]HwHiAiUser is not exists and the default id is used, please create HwHiAiUser by hand"
    fi
    getent passwd "$user" >/dev/null || fail "ERR_NO:0x0091;ERR_DES:$user not exists! Please add $user"
    getent group "$group" >/dev/null || fail "ERR_NO:0x0091;ERR_DES:$group group not exists! Please add $group group"
    id -Gn "$user" | tr ' ' '\n' | grep -qx "$group" ||
        fail "ERR_NO:0x0096;ERR_DES:$group not right! Please check the relatianship of $user and $group"
    tell "[INFO]set username and usergroup, $user:$group"
}

# The account enters the folder through its login shell, so nologin breaks the installation here.
user_enters() {
    su - "$user" -c "cd $1" >/dev/null 2>&1 && return
    [ "$2" = made ] && rmdir "$install_path"
    fail "ERR_NO:0x0003;ERR_DES:The $user do not have the permission to access $1, please reset the directory to a right permission."
}

check_path() {
    local parent made=present
    parent=$(dirname "$install_path")
    if [ ! -d "$install_path" ]; then
        [ -d "$parent" ] || fail "ERR_NO:0x0003;ERR_DES:install path $parent not exists,runpackage only support create one level of directory,need create $parent."
        [ "$install_path" = /usr/local/Ascend ] || user_enters "$parent" present
        mkdir "$install_path" && chmod 755 "$install_path"
        made=made
    fi
    user_enters "$install_path" "$made"
}

# Root owns the path all the way up, and others may enter (the group, with --install-for-all).
check_parents() {
    local folder=$install_path least=755
    [ "$for_all" = y ] && least=750
    # The default folder is put right, any other one has to be right.
    [ "$folder" = /usr/local/Ascend ] && chown root:root "$folder" && chmod 755 "$folder"
    while [ "$folder" != / ]; do
        [ "$(stat -c %U "$folder")" = root ] ||
            fail_red "The given directory, including its parents, should belong to root, details in : $LOG_FILE"
        (((8#$(stat -c %a "$folder") & 8#$least) == 8#$least)) ||
            fail_red "The given directory, or its parents, permission is too small, details in : $LOG_FILE"
        folder=$(dirname "$folder")
    done
}

check_space() {
    local free
    free=$(df -BM --output=avail "$install_path" | tail -n 1 | tr -d ' M')
    [ "$free" -gt "$NEEDED_MB" ] && return
    fail "free space only ${free}M, cannot install ${COMPONENT,,} package (greater than ${NEEDED_MB}M), please make sure enough space under the installation path"
}

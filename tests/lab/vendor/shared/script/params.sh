#!/bin/bash
# Options of the installer and what may not stand together. Sets the variables below.
upgrade=n uninstall=n quiet=n check=n version=n force=n for_all=n
types=0      # how many of the installing options were given
alone=0      # how many options count against those that must be alone
install_type="" input_path="" input_user="" input_group="" given_user=n given_group=n

misuse() { fail "ERR_NO:0x0004;ERR_DES:$1"; }

unrecognized() { misuse " Unrecognized parameters: $1. Try './xxx.run --help' for more information."; }

choose_type() {
    [ -n "$install_type" ] && misuse "only support one type: full/run/docker/devel, operation failed!"
    install_type=$1
    types=$((types + 1))
}

parse_one() {
    case "$1" in
    --full | --run | --docker | --devel)
        [[ " $TYPES " == *" ${1#--} "* ]] || unrecognized "$1"
        choose_type "${1#--}"
        ;;
    --upgrade) upgrade=y operation=Upgrade types=$((types + 1)) ;;
    --uninstall) uninstall=y operation=Uninstall ;;
    --version) version=y ;;
    --check) check=y ;;
    --quiet) quiet=y ;;
    --force) force=y ;;
    --norebuild | --repack) [ "$COMPONENT" = Driver ] || unrecognized "$1" ;;
    --install-for-all)
        for_all=y
        return
        ;;
    --install-username=*) given_user=y input_user=${1#*=} ;;
    --install-usergroup=*) given_group=y input_group=${1#*=} ;;
    --install-path=*)
        input_path=${1#*=}
        [ -n "$input_path" ] || fail "ERR_NO:0x0003;ERR_DES:install path is null, install failed"
        ;;
    *) unrecognized "$1" ;;
    esac
    alone=$((alone + 1))
}

refuse_company() {
    if [ "$version$uninstall$check" != nnn ]; then
        # --uninstall takes --quiet and --force along; with anything else it stands alone like the others.
        [ "$uninstall" = y ] && [ "$types$version$check" = 0nn ] && [ -z "$input_path$input_user$input_group" ] && return
        [ "$alone" -gt 1 ] && misuse "version/uninstall/check can't use with other parameters."
        return
    fi
    [ "$types" -eq 1 ] || misuse "param need used with full/run/docker/upgrade/devel."
    [ "$for_all" = y ] && [ "$install_type" = docker ] &&
        misuse "install-for-all param need used with full/run/upgrade/devel."
    [ -n "$input_path" ] && [ "$upgrade" = y ] && misuse "install-path param need used with full/run/docker/devel."
    [ "$given_user$given_group" = nn ] && return
    [ "$given_user" = "$given_group" ] || misuse "Username and usergroup are not specified at the same time."
    [ "$upgrade" = y ] &&
        misuse "install-username and install-usergroup params need used with full/run/docker/devel."
    refuse_root_user
}

refuse_root_user() {
    [ -n "$input_user" ] || fail "ERR_NO:0x0091;ERR_DES:input_install_username is empty"
    [ -n "$input_group" ] || fail "ERR_NO:0x0091;ERR_DES:input_install_group is empty"
    [ "$for_all" = y ] && return
    [ "$input_user" = root ] && fail "ERR_NO:0x0091;ERR_DES:username not permission for root"
    [ "$input_group" = root ] && fail "ERR_NO:0x0091;ERR_DES:usergroup not permission for root"
}

parse() {
    local option
    for option in "$@"; do
        parse_one "$option"
    done
}

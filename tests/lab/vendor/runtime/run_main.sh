#!/bin/bash
# $1: name of the run file, $2: -- and the caller's folder, then the options.
umask 027 # folders are made 750, and that goes for missing parents as well
. ./paths.sh
run_file=$1
name=Ascend-docker-runtime
version=@VERSION@
eula=@EULA@
install_path=/usr/local/Ascend/Ascend-Docker-Runtime
scene=docker config="" kind="" action="" scene_given=n path_given=n

once() { [ "$1" = n ] || [ -z "$1" ] || stop "failed, '$2' Repeat parameter!"; }

parse_one() {
    case "$1" in
    --install | --uninstall | --upgrade)
        [ "$action" = "${1#--}" ] && stop "${1#--} failed, '$1' Repeat parameter!"
        # Several actions: installing wins over removing, removing over upgrading.
        case "$action:$1" in install:* | uninstall:--upgrade) ;; *) action=${1#--} ;; esac
        ;;
    --install-path=*)
        once "$path_given" --install-path
        path_given=y
        install_path=$(printf '%s/Ascend-Docker-Runtime' "${1#*=}")
        ;;
    --install-scene=*)
        once "$scene_given" --install-scene
        scene_given=y
        scene=${1#*=}
        [ -n "$(config_of "$scene")" ] || stop "failed, please check the parameter of --install-scene=<scene>"
        ;;
    --install-type=*)
        once "$kind" --install-type
        kind=${1#*=}
        [[ " A500 A500A2 A200 A200ISoC A200IA2 " == *" $kind "* ]] ||
            stop "failed, please check the parameter of --install-type=<type>"
        ;;
    --config-file-path=*)
        once "$config" --config-file-path
        config=${1#*=}
        [ -e "$config" ] || stop "failed, file '$config' does not exist."
        ;;
    --version)
        echo "ascend-docker-runtime version: $version"
        exit 0
        ;;
    *) stop "failed, unsupported parameters: $1" ;;
    esac
}

# Anything but Y or N asks again, for ever. The pause is ours: the loop must not eat the machine that tests it.
ask_eula() {
    local answer
    [ "$eula" = y ] || return 0
    cat agreement.txt
    while true; do
        echo "Do you accept the EULA to install $name?[Y/N]"
        answer=""
        read -r answer || sleep 0.05
        case "$answer" in
        [Yy])
            log '[INFO]' "user accepted EULA"
            return 0
            ;;
        [Nn])
            log '[INFO]' "install cancelled, user declined EULA"
            exit 0
            ;;
        esac
    done
}

check_platform() {
    if [[ $run_file =~ $(uname -m) ]]; then
        echo "[INFO] platform($(uname -m)) matched!"
        return
    fi
    echo "[ERROR] platform($(uname -m)) mismatch for $run_file, please check it"
    stop "$1 failed, run package and os not matched in arch"
}

copy_files() {
    local program
    for program in runtime hook cli destroy plugin-install-helper; do
        install -m 550 "ascend-docker-$program" "$install_path/"
    done
    install -m 640 README.md paths.sh "$install_path/"
    install -m 500 uninstall.sh "$install_path/script/"
}

# The types for small boards need libraries of their systems, and trust only a plain os-release file.
write_list() {
    install -m 440 base.list "$LIST_DIR/base.list"
    case "$kind" in
    A500A2 | A200IA2)
        check_path /etc/os-release || stop "$action failed, /etc/os-release is invalid"
        grep -qiE 'ubuntu|euler' /etc/os-release || stop "$action failed, ${kind,,} not support this os"
        ;;
    esac
}

write_info() {
    local small
    {
        printf 'version=v%s\narch=%s\nos=linux\npath=%s\n' "$version" "$(uname -m)" "$install_path"
        printf 'build=%s_%s-%s\n' "$name" "$version" "$(uname -m)"
        for small in A500 A500A2 A200 A200ISoC A200IA2; do
            printf '%s=%s\n' "${small,,}" "$([ "$kind" = "$small" ] && echo y || echo n)"
        done
        printf 'install-scene=%s\nconfig-file-path=%s\n' "$scene" "$config"
    } >"$install_path/ascend_docker_runtime_install.info"
    chmod 640 "$install_path/ascend_docker_runtime_install.info"
}

edit_config() {
    local target=${config:-$(config_of "$scene")} draft reserve=no
    draft="$target.$PPID"
    [ "$scene" = isula ] && reserve=yes
    echo "[INFO] install scene is '$scene'."
    check_path "$target" || stop "install failed, $target is invalid"
    [ -d "$(dirname "$target")" ] || mkdir -p "$(dirname "$target")"
    if [ "$scene" = containerd ] && [ ! -e "$target" ]; then
        containerd config default >"$target" || stop "install failed, containerd gives no default configuration"
    fi
    ./ascend-docker-plugin-install-helper add "$target" "$draft" "$install_path/ascend-docker-runtime" "$reserve" "$scene" ||
        stop "install failed, './ascend-docker-plugin-install-helper add $target $draft' return non-zero"
    mv -f "$draft" "$target" && chmod 600 "$target"
    log '[INFO]' "$target modify success"
}

do_install() {
    ask_eula
    echo "[INFO] installing ascend-docker-runtime"
    check_platform install
    [[ $install_path == /* ]] || stop "install path: $install_path is a relative path, please use absolute path"
    check_path "$install_path" || stop "install failed, $install_path is invalid"
    mkdir -p "$install_path/script"
    check_below "$install_path" || stop "install failed, $install_path or $install_path/script is invalid"
    copy_files
    check_path "$LIST_DIR/base.list" || stop "install failed, $LIST_DIR/base.list is invalid"
    mkdir -p "$LIST_DIR"
    write_list
    echo "[INFO] install executable files success"
    edit_config
    write_info
    echo "[INFO] ascend-docker-runtime has been installed in: $install_path"
    echo "[INFO] The version of ascend-docker-runtime is: $version"
    echo "[INFO] please reboot daemon and container engine to take effect"
    log '[INFO]' "ascend-docker-runtime install success"
}

do_uninstall() {
    echo "[INFO] uninstalling ascend-docker-runtime $version"
    if [ ! -d "$install_path" ]; then
        log '[WARNING]' "uninstall skipping, the specified install path does not exist"
        exit 0
    fi
    check_path "$install_path" || stop "uninstall failed, $install_path is invalid"
    "$install_path/script/uninstall.sh" "$scene" "$config" || stop "uninstall failed, uninstall.sh return non-zero"
    log '[INFO]' "ascend-docker-runtime uninstall success"
}

do_upgrade() {
    local info=$install_path/ascend_docker_runtime_install.info small
    ask_eula
    echo "[INFO] upgrading ascend-docker-runtime"
    check_platform upgrade
    [ -d "$install_path" ] ||
        stop "upgrade failed, the specified install path does not exist, stopping upgrading"
    [ -d "$LIST_DIR" ] || stop "upgrade failed, the configuration directory does not exist"
    { check_path "$install_path" && check_below "$install_path"; } || stop "upgrade failed, $install_path is invalid"
    copy_files
    for small in A500 A500A2 A200 A200ISoC A200IA2; do
        grep -qx "${small,,}=y" "$info" 2>/dev/null && kind=$small
    done
    write_list
    [ -f "$info" ] && write_info
    echo "[INFO] ascend-docker-runtime has been installed in: $install_path"
    echo "[INFO] upgrade ascend-docker-runtime success"
    echo "[INFO] The version of ascend-docker-runtime is: v$version"
    log '[INFO]' "ascend-docker-runtime upgrade success"
}

if [ "$UID" -ne 0 ]; then
    echo "[ERROR] failed, please run with root permission"
    exit 1
fi
prepare_log
shift 2
if [ $# -eq 0 ]; then
    cat help.info
    exit 0
fi
for option in "$@"; do
    parse_one "$option"
done
[ -n "$action" ] ||
    stop "failed, When use --install-path or --install-scene you also need input --install or --uninstall or --upgrade"
"do_$action"

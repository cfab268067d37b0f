#!/bin/bash
# The files of the driver: copied in steps with time between them, so that a kill leaves what a kill leaves.
MODULE_NAME=davinci_ascend
DKMS_TREE=/var/lib/dkms/$MODULE_NAME
MODULE="/lib/modules/$(uname -r)/updates/dkms/$MODULE_NAME.ko"

# Until the next boot the loaded module is the old one (or none), and npu-smi has nothing to talk to.
mark_reboot() { mkdir -p "$RUNTIME" && printf '%s\n' "$operation" >"$RUNTIME/pending"; }

step_fails() {
    [ "$(chip fail_at none)" = "$1" ] || return 1
    tell "[ERROR]${1^}_install failed, details in : $LOG_FILE"
}

# Modes as on a real host: nobody writes, others read only with --install-for-all.
grant() {
    local read=440 run=550 enter=750
    [ "$for_all" = y ] && read=444 run=555 enter=755
    chown -R "root:$group" "$1"
    find "$1" -type d -exec chmod "$enter" {} +
    find "$1" -type f -perm -100 -exec chmod "$run" {} +
    find "$1" -type f ! -perm -100 -exec chmod "$read" {} +
}

check_kernel() {
    local build
    build="/lib/modules/$(uname -r)/build"
    [ -f "$build/Makefile" ] && return
    log "[ERROR]make: $build: No such file or directory"
    fail_step "Drv_dkms_env_check failed, details in : $LOG_FILE"
}

fail_step() {
    say "[ERROR]${RED}$1 ${PLAIN}"
    log "[ERROR]$1"
    return 1
}

copy_tree() {
    mkdir -p "$target"
    cp -r script lib64 include device "$target/"
    chown "root:$group" "$target" && grant "$target"
}

# A kernel's build tree that can compile; the simulated servers have one that only answers.
can_compile() { [ -f "/lib/modules/$(uname -r)/build/scripts/Makefile.build" ]; }

# A build that failed leaves its tree, and with the tree in the way the next build fails too.
build_module() {
    local tree=$DKMS_TREE/1.0 log_file=$DKMS_TREE/1.0/build/make.log
    log "[INFO]rebuild $MODULE_NAME by dkms for $(uname -r)"
    if grep -q 'Error 2' "$log_file" 2>/dev/null; then
        log "[ERROR]$DKMS_TREE is left from an earlier build that failed; remove it"
        fail_step "Dkms install failed, details in : $LOG_FILE" || return 1
    fi
    if can_compile && [ "$(chip fail_at none)" != dkms ] && [ "$ARCH" = "$(uname -m)" ]; then
        compile_module || fail_step "Dkms install failed, details in : $LOG_FILE"
        return
    fi
    mkdir -p "$tree/build"
    printf 'DKMS make.log for %s-1.0 for kernel %s (%s)\n' "$MODULE_NAME" "$(uname -r)" "$(uname -m)" >"$log_file"
    if [ "$(chip fail_at none)" = dkms ] || [ "$ARCH" != "$(uname -m)" ]; then
        echo "ld: drv_pcie_host.o ($ARCH) is incompatible with $(uname -m) output; make: *** [Makefile:1] Error 2" >>"$log_file"
        fail_step "Dkms install failed, details in : $LOG_FILE" || return 1
    fi
    # No build tree, but the compiler has to work all the same.
    if ! gcc -c -o "$tree/build/chips.o" ko/probe.c >>"$log_file" 2>&1; then
        echo "make: *** [Makefile:1] Error 2" >>"$log_file"
        fail_step "Dkms install failed, details in : $LOG_FILE" || return 1
    fi
    mkdir -p "$(dirname "$MODULE")"
    printf 'version=%s\nvermagic=%s\n' "$PACKAGE_VERSION" "$(uname -r)" >"$MODULE"
    register_module
}

# The real thing: dkms compiles the modules for the running kernel and puts them where the kernel looks.
compile_module() {
    local source=/usr/src/$MODULE_NAME-1.0 log_file=$DKMS_TREE/1.0/build/make.log step
    mkdir -p /var/lib/dkms "$source" && cp boot/dkms.conf ko/Makefile ko/*.c "$source/" && rm -f "$source/probe.c"
    for step in add build install; do
        # A driver that is replaced leaves its entry to the next one.
        [ "$step" = add ] && [ -L "$DKMS_TREE/1.0/source" ] && continue
        dkms "$step" -m $MODULE_NAME -v 1.0 -k "$(uname -r)" >>"$LOG_FILE" 2>&1 && continue
        log "[ERROR]dkms $step failed"
        mkdir -p "$(dirname "$log_file")"
        grep -q 'Error 2' "$log_file" 2>/dev/null || echo "dkms $step: Error 2" >>"$log_file"
        return 1
    done
}

# A loaded module stays until the reboot while somebody holds a node.
unload_module() {
    [ -d "/sys/module/$MODULE_NAME" ] || return 0
    if modprobe -r $MODULE_NAME >>"$LOG_FILE" 2>&1; then
        rm -f /dev/davinci[0-9]* /dev/davinci_manager /dev/devmm_svm /dev/hisi_hdc
    else
        log "[WARNING]the module $MODULE_NAME is in use and stays loaded until the next boot"
    fi
}

# What `dkms status` reads.
register_module() {
    local source=/usr/src/$MODULE_NAME-1.0 built
    built=$DKMS_TREE/1.0/$(uname -r)/$(uname -m)
    mkdir -p "$source" "$built/module"
    cp boot/dkms.conf "$source/"
    ln -sfn "$source" "$DKMS_TREE/1.0/source"
    cp "$MODULE" "$built/module/"
    ln -sfn "1.0/$(uname -r)/$(uname -m)" "$DKMS_TREE/kernel-$(uname -r)-$(uname -m)"
}

copy_interfaces() {
    mkdir -p /usr/local/dcmi
    cp dcmi/* /usr/local/dcmi/
    grant /usr/local/dcmi
    local place
    for place in /usr/local/bin /usr/local/sbin; do
        sed "s|/usr/local/Ascend|$install_path|g" tools/npu-smi >"$place/npu-smi"
        chown "root:$group" "$place/npu-smi" && chmod 555 "$place/npu-smi"
    done
    cp version.info "$target/version.info"
    chown "root:$group" "$target/version.info" && chmod 444 "$target/version.info"
}

# upgrade-tool comes last but one: without it the installation is not complete, whatever version.info says.
copy_tools() {
    local tool
    mkdir -p "$target/tools" "$target/boot"
    for tool in tools/* boot/host_sys_init boot/hccn_peer; do
        [ -f "$tool" ] || continue # chips without network ports
        sed "s|/usr/local/Ascend|$install_path|g" "$tool" >"$target/$tool" && chmod 755 "$target/$tool"
    done
    grant "$target/tools" && grant "$target/boot"
    mkdir -p "$(dirname "$UNIT")" # not there where /usr is not merged
    sed "s|/usr/local/Ascend|$install_path|g" boot/host_sys_init.service >"$UNIT"
    chmod 644 "$UNIT"
    mkdir -p "$(dirname "$WANTED")" && ln -sf "$UNIT" "$WANTED"
}

percent() { tell "[INFO]upgradePercentage:$1%"; }

install_files() {
    target=$install_path/driver
    tell "[INFO]driver install type: DKMS"
    mark_reboot
    if [ "$install_type" = full ] || [ "$install_type" = run ]; then
        check_kernel || return 1
    fi
    percent 10
    copy_tree
    step_fails copy && return 1
    pause 1.2
    percent 30
    if [ "$install_type" = docker ] || [ "$install_type" = devel ]; then
        finish_small_install
        return 0
    fi
    build_module || return 1
    percent 40
    pause 1.2
    copy_interfaces
    step_fails tools && return 1
    percent 90
    pause 1
    copy_tools
    percent 100
    try_hot_reset
    return 0
}

finish_small_install() {
    copy_interfaces
    rm -f "$RUNTIME/pending"
    done_code=0
    percent 100
}

# The cards decide whether the new driver can start now; these do not, unless their file says so.
try_hot_reset() {
    [ "$(chip hot_reset failed)" = success ] || return 0
    tell "[INFO]Waiting for device startup..."
    rm -f "$RUNTIME/pending" "$RUNTIME/loaded.json"
    "$target/boot/host_sys_init" start || return 0
    tell "[INFO]Device startup success"
    done_code=0
}

# version.info goes first: what is half removed has no version.
remove_files() {
    local root=$1/driver
    mark_reboot
    rm -f "$root/version.info"
    if [ "$operation" = Uninstall ]; then
        systemctl stop host_sys_init.service >>"$LOG_FILE" 2>&1
        unload_module
    fi
    rm -f "$WANTED" "$UNIT"
    rm -rf /usr/local/dcmi /usr/local/bin/npu-smi /usr/local/sbin/npu-smi
    # What a failed build left is nobody's: it stays, and stays in the way.
    if ! grep -q 'Error 2' "$DKMS_TREE/1.0/build/make.log" 2>/dev/null; then
        can_compile && dkms remove -m $MODULE_NAME -v 1.0 --all >>"$LOG_FILE" 2>&1
        rm -rf "$DKMS_TREE"
    fi
    rm -rf /lib/modules/*/updates/dkms/$MODULE_NAME.ko /usr/src/$MODULE_NAME-1.0
    rm -rf "$root"
}

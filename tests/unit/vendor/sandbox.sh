#!/bin/bash
# $1: an empty folder, $2: folder with the packages, $3 $4 $5: device, subsystem vendor and device of the functions on
# the bus, $6: how many. Builds a host in private namespaces and waits: its root is an
# overlay over this machine's, so installers may write everywhere and nothing of it is left afterwards.
set -eu
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root
mkdir -p root/packages root/opt/tools
mount --bind "$2" root/packages
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
mount -t tmpfs tmpfs root/run
mount -t tmpfs tmpfs root/tmp
mount -t tmpfs tmpfs root/dev
for name in null:3 zero:5 random:8 urandom:9; do
    mknod -m 666 "root/dev/${name%:*}" c 1 "${name#*:}"
done
ln -s /proc/self/fd root/dev/fd

# What must not depend on the machine that runs the tests.
chown root:root root/usr/local root/usr/local/bin root/usr/local/sbin root/etc
chmod 755 root/usr/local root/usr/local/bin root/usr/local/sbin root/etc
rm -rf root/usr/local/Ascend root/etc/ascend_install.info root/etc/HiAI_install.info root/etc/docker root/var/lib/dkms
for tool in gcc dkms lspci ifconfig; do
    rm -f root/usr/bin/$tool root/usr/sbin/$tool root/usr/local/bin/$tool
    printf '#!/bin/sh\nexit 0\n' >root/opt/tools/$tool
    chmod 755 root/opt/tools/$tool
done
rm -rf "root/lib/modules/$(uname -r)/build"
mkdir -p "root/lib/modules/$(uname -r)/build" && touch "root/lib/modules/$(uname -r)/build/Makefile"
mkdir pci
for bus in $(printf '%02x ' $(seq "$6")); do
    mkdir "pci/0000:$bus:00.0"
    echo 0x19e5 >"pci/0000:$bus:00.0/vendor"
    echo "$3" >"pci/0000:$bus:00.0/device"
    echo "$4" >"pci/0000:$bus:00.0/subsystem_vendor"
    echo "$5" >"pci/0000:$bus:00.0/subsystem_device"
done
# A wire of its own, on which the host hears itself.
ip link set lo up
ip link add wire type veth peer name other
ip address add 192.0.2.1/24 dev wire
ip link set wire up
ip link set other up
ip route add default dev wire
mount --bind pci root/sys/bus/pci/devices
mkdir -p root/var/lib/davinci-sim
echo 0 >root/var/lib/davinci-sim/pace
echo 0 >root/var/lib/davinci-sim/start_seconds
echo 0 >root/var/lib/davinci-sim/smi_seconds
sed -i '/^HwHiAiUser:/d' root/etc/passwd root/etc/group
echo 'HwHiAiUser:x:12345:12345::/:/bin/bash' >>root/etc/passwd
echo 'HwHiAiUser:x:12345:' >>root/etc/group
echo 'HwHiAiUser:*:19000:0:99999:7:::' >>root/etc/shadow
# su without this machine's session services, which do not run in here.
printf 'auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_permit.so\n' >root/etc/pam.d/su
cp root/etc/pam.d/su root/etc/pam.d/su-l
touch ready
exec chroot root sleep infinity

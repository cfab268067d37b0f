"""The driver's module: built by dkms or noted as a text, refused by the kernel, in the way of the next build."""

from __future__ import annotations

import pytest

NEW = "Ascend-hdk-910b-npu-driver_25.5.1_linux-$(uname -m | tr _ -).run"
FULL = "--nox11 --full --quiet --install-for-all"
CHIPS = "/var/lib/davinci-sim"
ROOT = "/usr/local/Ascend/driver"


def test_headers_of_another_kernel_do_not_do(box) -> None:
    box.ok("mv /lib/modules/$(uname -r)/build /lib/modules/other")
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 1
    assert "Drv_dkms_env_check failed" in done.stdout
    assert "Failed to install driver package, please retry after uninstall and reboot!" in done.stdout


def test_failed_build_leaves_a_tree_that_fails_the_next_one(box) -> None:
    box.ok(f"echo dkms >{CHIPS}/fail_at")
    assert "Dkms install failed" in box.run(f"bash {NEW} {FULL}").stdout
    box.ok(f"rm {CHIPS}/fail_at")
    assert "Dkms install failed" in box.run(f"bash {NEW} {FULL}").stdout
    box.ok("rm -rf /var/lib/dkms/davinci_ascend")
    assert box.run(f"bash {NEW} {FULL}").returncode == 2


def test_compiler_that_does_not_work_is_found_out(box) -> None:
    box.ok("printf '#!/bin/sh\\necho gcc: broken >&2; exit 1\\n' >/opt/tools/gcc")
    assert "Dkms install failed" in box.run(f"bash {NEW} {FULL}").stdout
    assert "gcc: broken" in box.ok("cat /var/lib/dkms/davinci_ascend/1.0/build/make.log")


@pytest.fixture
def compiling(box):
    """A host with a build tree that compiles, and a dkms that notes its calls; with /tmp/bad its build fails."""
    box.ok("cd /lib/modules/$(uname -r)/build; mkdir scripts; touch scripts/Makefile.build")
    box.ok(
        "cat >/opt/tools/dkms",
        stdin="""#!/bin/bash
echo "$@" >>/tmp/calls
root=/lib/modules/$(uname -r)/updates/dkms
tree=/var/lib/dkms/davinci_ascend
case "$1" in
add) mkdir -p "$tree/1.0" && ln -s /usr/src/davinci_ascend-1.0 "$tree/1.0/source" ;;
build) [ ! -e /tmp/bad ] ;;
install) mkdir -p "$root" && printf '\\177ELF' >"$root/davinci_ascend.ko" ;;
remove) rm -rf "$tree" "$root" ;;
esac
""",
    )
    return box


def test_build_tree_that_compiles_is_used(compiling) -> None:
    assert compiling.run(f"bash {NEW} {FULL}").returncode == 2
    words = [line.split()[0] for line in compiling.ok("cat /tmp/calls").splitlines()]
    assert words == ["add", "build", "install"]
    assert "-m davinci_ascend -v 1.0 -k" in compiling.ok("cat /tmp/calls")
    sources = compiling.ok("ls /usr/src/davinci_ascend-1.0").split()
    assert sources == ["Makefile", "davinci_ascend.c", "dkms.conf", "drv_pcie_host.c"]
    assert compiling.run(f"bash {NEW} --upgrade --quiet").returncode == 2
    compiling.ok(f"bash {ROOT}/script/uninstall.sh --quiet")
    assert compiling.ok("tail -n 1 /tmp/calls") == "remove -m davinci_ascend -v 1.0 --all\n"
    assert compiling.run("ls /usr/src/davinci_ascend-1.0 /var/lib/dkms/davinci_ascend").stdout == ""


def test_failed_compilation_is_in_the_way_of_the_next_one(compiling) -> None:
    compiling.ok("touch /tmp/bad")
    assert "Dkms install failed" in compiling.run(f"bash {NEW} {FULL}").stdout
    compiling.ok("rm /tmp/bad")
    assert "Dkms install failed" in compiling.run(f"bash {NEW} {FULL}").stdout
    compiling.ok("rm -rf /var/lib/dkms/davinci_ascend")
    assert compiling.run(f"bash {NEW} {FULL}").returncode == 2


def test_real_module_has_to_get_into_the_kernel(compiling) -> None:
    compiling.run(f"bash {NEW} {FULL}")
    refusing = "#!/bin/sh\necho refused: $* >&2; exit 1\n"
    compiling.run("cat >/opt/tools/modprobe; chmod 755 /opt/tools/modprobe", stdin=refusing)
    compiling.ok("rm -f /sbin/modprobe /usr/sbin/modprobe; rm -rf /run/*")
    done = compiling.run(f"{ROOT}/boot/host_sys_init start")
    assert done.returncode == 1
    assert "refused: davinci_ascend chips=8" in done.stderr
    assert compiling.run("ls /dev/davinci0").returncode == 2


def test_secure_boot_keeps_the_module_out(box) -> None:
    box.run(f"bash {NEW} {FULL}")
    box.ok(f"echo enabled >{CHIPS}/secure_boot")
    box.reboot()
    done = box.run(f"{ROOT}/boot/host_sys_init start")
    assert done.returncode == 1
    assert "could not insert 'davinci_ascend': Required key not available" in done.stderr
    assert "ret is -8005" in box.run("npu-smi info").stdout

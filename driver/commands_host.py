"""The commands by hand for what every host has: the container engine, driver and firmware, their runtime, tools."""

from __future__ import annotations

import json
import shlex
from typing import Final

from driver import commands_left_out as left_out
from driver.resolved import ResolvedHost, ResolvedSite
from driver.resolved_parts import ResolvedPackage
from driver.site_host import ServiceAccount

DOWNLOADS: Final = "/var/cache/provision"


def docker(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    """Return how the container engine gets onto *host*, and its part of daemon.json."""
    options = shlex.quote(json.dumps(site.docker.daemon_options))
    daemon = [
        "#   where /etc/docker/daemon.json exists already, merge these keys into it by hand",
        f"[ -e /etc/docker/daemon.json ] || install -D -m 0600 /dev/stdin /etc/docker/daemon.json <<< {options}",
        "systemctl restart docker",
    ]
    return [
        f"# docker_engine: {site.docker.version_min} or newer",
        *_engine(site, host),
        *_proxy(site),
        *(daemon if site.docker.daemon_options else []),
        *(f"usermod --append --groups docker {user}" for user in site.docker.users),
        "docker version",
    ]


def _engine(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    source, repository = site.docker.source, site.docker.repository
    if source == "present":
        return ["#   it is to be there already"]
    if source == "docker":
        version = site.docker.version
        names = ["docker-ce", "docker-ce-cli"]
        # the version of a package begins with an epoch and ends with the system's name
        apt = [f'"{name}=5:{version}-*"' for name in names] if version else names
        rpm = [f'"{name}-{version}"' for name in names] if version else names
        return [
            f"#   add {repository['uri']}, with the key that you have checked, to the sources of packages; then",
            f"apt-get update && apt-get install -y {' '.join(apt)} containerd.io",
            f"#   with RPM packages: dnf install -y {' '.join(rpm)} containerd.io",
        ]
    if host.docker_static is not None:
        archive = f"{DOWNLOADS}/{host.docker_static.file}"
        unit = "#   write a systemd unit for /usr/bin/dockerd, and `systemctl enable --now docker`"
        return [*fetch(host.docker_static), f"tar -xzf {archive} -C /usr/bin --strip-components=1", unit]
    return ["apt-get install -y docker.io", "#   with RPM packages: dnf install -y docker-engine, or moby, or docker"]


def _proxy(site: ResolvedSite) -> list[str]:
    proxy = site.docker.proxy
    if not proxy:
        return []
    pairs = {"HTTP_PROXY": proxy["http"], "HTTPS_PROXY": proxy["https"], "NO_PROXY": ",".join(proxy["no_proxy"])}
    words = " ".join(shlex.quote(f"{name}={value}") for name, value in pairs.items() if value)
    return [f"#   in /etc/systemd/system/docker.service.d, as Environment= of [Service]: {words}"]


def fetch(package: ResolvedPackage) -> list[str]:
    """Return how a file gets onto a host, and is looked at before it is used."""
    target = f"{DOWNLOADS}/{package.file}"
    return [
        f"mkdir -p {DOWNLOADS} && curl -fL -o {target} {shlex.quote(package.url)}",
        *([f"echo {shlex.quote(f'{package.sha256}  {target}')} | sha256sum --check"] if package.sha256 else []),
        *_unpacked(package, target),
    ]


def _unpacked(package: ResolvedPackage, target: str) -> list[str]:
    """Return what a signed archive takes before its installer may run."""
    if not package.archive:
        return []
    return [
        f"#   {package.file} holds a zip, its signature (.cms) and a list of revoked certificates (.crl)",
        f"unzip -o -d {target}.d {target}",
        "#   openssl cms -verify -no_check_time -inform DER -binary -purpose any -CAfile ROOT \\",
        f"#     -in {target}.d/X.zip.cms -content {target}.d/X.zip",
        f"#   only then: {package.archive['run']} is inside",
        f"unzip -o -d {target}.d {target}.d/*.zip",
    ]


def driver(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    """Return how driver and firmware get onto *host*, and how to see that the cards are up."""
    package, firmware, tool = host.driver, host.firmware, f"{site.install_path}/driver/tools/upgrade-tool"
    return [
        f"# npu_driver: {package.version}; exit code 0: done, 2: done after a reboot, anything else: failed",
        *left_out.driver(site),
        *fetch(package),
        _install(package, " ".join(["--nox11 --full --quiet --install-for-all", *_account(site.account)])),
        "#   over a working driver: firmware first, both with: --nox11 --upgrade --quiet in place of the other options",
        f"# npu_firmware: {firmware.version}",
        *fetch(firmware),
        _install(firmware, "--nox11 --full --quiet"),
        "# one reboot for both; then wait until every card answers",
        "systemctl reboot",
        f"{tool} --device_index -1 --boot_status   # boot status:16, {host.count} times",
        f"{host.accelerator.monitor} info   # {host.count} chips, Health OK",
        f"cat {site.install_path}/driver/version.info {site.install_path}/firmware/version.info",
        f"ls -l {' '.join((*host.device_nodes, *host.accelerator.device_nodes.control))}",
    ]


def _account(account: ServiceAccount) -> list[str]:
    """Return the options that name another account than the installer's own; it wants both or none."""
    if (account.name, account.group) == (ServiceAccount().name, ServiceAccount().group):
        return []
    return [f"--install-username={account.name}", f"--install-usergroup={account.group}"]


def _install(package: ResolvedPackage, options: str) -> str:
    """Return the call of an installer: with a time limit, and without an input that a prompt could loop on."""
    file = f"{package.file}.d/{package.archive['run']}" if package.archive else package.file
    return f"timeout {package.install_timeout_seconds} bash {DOWNLOADS}/{file} {options} < /dev/null"


def runtime(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    """Return how the container runtime of the chips gets onto *host*."""
    package = host.docker_runtime
    answer = "#   it asks for its licence, which the site accepts: no answer would loop for ever"
    call = f"timeout {package.install_timeout_seconds} bash {DOWNLOADS}/{package.file} --install"
    return [
        f"# ascend_docker_runtime: {package.version}, into {site.install_path}/Ascend-Docker-Runtime",
        *left_out.runtime(site),
        *fetch(package),
        *([answer] if package.eula else []),
        f"printf 'Y\\n' | {call}" if package.eula else f"{call} < /dev/null",
        "systemctl daemon-reload && systemctl restart docker",
        "docker info | grep -i 'default runtime'",
    ]


def obsutil(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    """Return how the object storage's client gets onto *host*; it asks for the keys, which belong to no command."""
    if host.obsutil is None:
        return []
    return [
        f"# obsutil {host.obsutil.version}; it asks for the keys, and keeps them in ~/.obsutilconfig (make it 0600)",
        *fetch(host.obsutil),
        f"mkdir -p /opt/obsutil && tar -xzf {DOWNLOADS}/{host.obsutil.file} -C /opt/obsutil --strip-components=1",
        "install -m 0755 /opt/obsutil/obsutil /usr/local/bin/obsutil",
        f"obsutil config -interactive   # the endpoint is {site.obsutil_endpoint}",
        "obsutil ls -limit=1",
    ]

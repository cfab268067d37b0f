"""The shell commands that a person would type for the same result, per host and in order; for trust and for support."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Final

from driver import commands_host as by_hand
from driver import commands_left_out as left_out
from driver import commands_models as models
from driver.containers import DOCKER
from driver.resolved import (
    HostService,
    RayMember,
    ResolvedHost,
    ResolvedImage,
    ResolvedSite,
)
from driver.site import AptSource

_QUESTION: Final = "Who are you?"
_TOKENS: Final = 64


def commands(site: ResolvedSite) -> dict[str, list[str]]:
    """Return the commands of every host, by its name: each entry is a comment, or one command on one or more lines."""
    return {host.name: _host(site, host) for host in site.hosts}


def _host(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    lines = [f"# {host.name}: {host.address}, {host.arch}, {host.count} x {host.product}; everything as root"]
    lines += _baseline(site, host) + by_hand.docker(site, host) + by_hand.driver(site, host)
    lines += _network(host) + left_out.network(site, host) + by_hand.runtime(site, host) + by_hand.obsutil(site, host)
    for image in host.images:
        lines += _image(image)
    for model in host.models:
        lines += models.model(model)
    for member in host.ray_members:
        lines += _ray(member)
    for service in host.services:
        lines += _service(site, service)
    return lines


def _baseline(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    account, needs = site.account, site.host_needs
    packages = shlex.join(dict.fromkeys(needs.commands.values()))
    headers, headers_rpm = (f' "{kind}-$(uname -r)"' for kind in ("linux-headers", "kernel-devel"))
    ids = f"--uid {account.uid} --gid {account.group} --shell {needs.account_shell}"
    return [
        "# host_baseline: what the vendor's installers look for; the account needs a shell that lets it in",
        *(line for source in host.apt for line in _apt(source)),
        f"apt-get update && apt-get install -y {packages}{headers if needs.kernel_headers else ''}",
        f"#   with RPM packages: dnf install -y {packages}{headers_rpm if needs.kernel_headers else ''}",
        f"getent group {account.group} || groupadd --gid {account.gid} {account.group}",
        f"id {account.name} || useradd --create-home {ids} {account.name}",
        *left_out.baseline(site, host),
        *(f"lspci -Dn -d {pci_id}   # {host.count} lines" for pci_id in host.accelerator.pci_ids),
    ]


def _apt(source: AptSource) -> list[str]:
    key = f"/etc/apt/keyrings/provision-{source.name}.asc"
    signed = f"[signed-by={key}] " if source.key_file else ""
    line = f"deb {signed}{source.uri} {source.suite} {' '.join(source.components)}"
    others = "/etc/apt/sources.list /etc/apt/sources.list.d/*"
    aside = f'for file in {others}; do [ -f "$file" ] && mv "$file" "$file.provision-disabled"; done'
    return [
        *([f"#   copy {source.key_file} from the machine that you type this on to {key}"] if source.key_file else []),
        *([aside] if source.exclusive else []),
        f"echo {shlex.quote(line)} > /etc/apt/sources.list.d/provision-{source.name}.list",
    ]


def _network(host: ResolvedHost) -> list[str]:
    """Return how the ports of the chips get their addresses until the next boot; the role writes hccn.conf for good."""
    lines = []
    for port in host.npu_network:
        tool = f"hccn_tool -i {port.device}"
        lines.append(f"{tool} -ip -s address {port.address} netmask {port.netmask}")
        lines += [f"{tool} -gateway -s gateway {port.gateway}"] if port.gateway else []
        lines += [f"{tool} -netdetect -s address {port.netdetect}"] if port.netdetect else []
    return ["# npu_network: the ports of the chips", *lines] if lines else []


def _image(image: ResolvedImage) -> list[str]:
    if image.archive or image.build:
        return _image_made(image)
    pull = f"docker pull --platform linux/{image.architecture}"
    ways = [
        f"{pull} {source}" if source == image.name else f"{pull} {source} && docker tag {source} {image.name}"
        for source in image.sources
    ]
    return [
        "# container_image: from the first source that has it; the name is the same on every host",
        ways[0],
        *(f"#   or: {way}" for way in ways[1:]),
        f"docker image inspect {image.name} | grep {image.digest or 'sha256'}",
    ]


def _image_made(image: ResolvedImage) -> list[str]:
    """Return how an image comes out of an archive, or out of a Dockerfile."""
    if image.build:
        label = f"--label {image.build['label']}={image.build['key']}"
        return [
            f"# container_image: built on this host, on {image.build['base']}",
            f"docker build {label} -t {image.name} - <<'EOF'\n{image.build['dockerfile'].rstrip()}\nEOF",
        ]
    archive = image.archive
    file = archive.get("path") or "image.tar"
    url, thing = (shlex.quote(str(archive.get(key))) for key in ("url", "obs"))
    fetch = {"url": f"curl -fL -o {file} {url}", "obs": f"obsutil cp {thing} {file} -vlength"}
    return [
        "# container_image: loaded from an archive; under another name than its own with docker tag",
        *(line for key, line in fetch.items() if archive.get(key)),
        f"echo '{archive['sha256']}  {file}' | sha256sum -c && docker load -i {file}",
        f"docker image inspect {image.name} | grep {image.id or 'sha256'}",
    ]


def _ray(member: RayMember) -> list[str]:
    head = member.role == "head"
    order = "the head, before the others" if head else f"a worker, after the head on {member.head_address}"
    return [
        f"# ray_cluster {member.name}: {order}; systemd keeps it running as {member.unit}",
        f"#   inside runs: {shlex.join(member.start_argv)}",
        _detached(member.argv, member.image),
        *([f"docker exec {member.container} ray status   # {_share(member)}"] if head else []),
    ]


def _share(member: RayMember) -> str:
    return f"{member.npus_total}.0 {member.resource} when all {member.hosts_total} hosts are in"


def _service(site: ResolvedSite, service: HostService) -> list[str]:
    known = site.service(service.name)
    question = {"model": known.served_name, "messages": [{"role": "user", "content": _QUESTION}], "max_tokens": _TOKENS}
    inside = service.kind == "exec-in-ray"
    where = "when Ray is up on all hosts" if inside else "in a container of its own"
    return [
        f"# inference_service {service.name}: {where}; systemd keeps it running as {service.unit}",
        f"#   inside runs: {shlex.join(service.engine_argv)}",
        _detached(service.argv, service.container if inside else service.image),
        f"timeout {service.ready_timeout_seconds} sh -c 'until curl -fsS {service.health_url}; do sleep 5; done'",
        f"curl -fsS {service.models_url}   # the name is exactly {service.served_name}",
        f"curl -fsS {known.chat_url} -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(question))}",
        f"#   to stop it: {shlex.join(_plain(service.stop_argv))}",
    ]


def _plain(argv: Sequence[str]) -> list[str]:
    """Return *argv* with docker as a person types it."""
    return ["docker" if word == DOCKER else word for word in argv]


def _detached(argv: Sequence[str], subject: str) -> str:
    """Return a container command that a terminal can leave; *subject* is the image or container, the first operand."""
    docker, verb, *rest = _plain(argv)
    operand = rest.index(subject)
    return _wrapped([docker, verb, "--detach", *rest[:operand]], rest[operand:])


def _wrapped(options: Sequence[str], operands: Sequence[str]) -> str:
    """Return a command with every option on a line of its own, and what it acts on in the last one."""
    lines: list[list[str]] = [[]]
    for word in options:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(shlex.quote(word))
    return " \\\n  ".join(" ".join(line) for line in [*lines, [shlex.quote(word) for word in operands]])

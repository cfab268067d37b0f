"""Put together everything that is read on a host; the slow questions are asked while the files are read."""

from __future__ import annotations

from . import (
    apt,
    aside,
    boot,
    docker,
    docker_start,
    drained,
    files,
    grpc,
    hccn,
    host,
    kernel_modules,
    models,
    npu,
    obsutil,
    processes,
    programs,
    ray,
    reboot,
    remarks,
    rpm,
    services,
    system,
    units,
    vendor,
)
from .workers import Notes, Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Wanted

DOCKER_UNIT = "docker.service"
INSTALL_PATH = "/usr/local/Ascend"


def observe(wanted: Wanted, notes: Notes, deep: bool) -> tuple[Facts, Facts]:
    """Return the boot ({id, booted_at}) and the facts of this host; *deep* also hashes models and asks boot status."""
    installers = notes.guard("processes", [], processes.installers)
    driver, firmware = _vendor(wanted, installers)
    monitor = Worker(notes, "npu-smi", npu.silent(None, "not asked"), _monitor, driver, installers, deep)
    ports_worker = Worker(notes, "hccn_tool", hccn.nothing(), _ports, wanted.get("npu_network"), driver, installers)
    drain = wanted.get("npu_driver", {}).get("drain_units") or []
    unit_names = [DOCKER_UNIT, *(entry["unit"] for entry in _units_of(wanted)), *drain, *system.UNITS]
    unit_worker = Worker(notes, "systemd", {}, units.observe, unit_names)
    image_names = [entry["name"] for entry in wanted.get("container_image", {}).get("images", [])]
    docker_worker = Worker(notes, "docker", docker.absent(), _docker, notes, image_names)
    service_workers = {
        service["name"]: Worker(notes, "service " + service["name"], {}, services.probe, service)
        for service in wanted.get("inference_service", {}).get("services", [])
    }
    facts = _plain(wanted, notes)
    facts["system"] = system.observe(notes, facts["os"].get("package_manager"))
    facts["models"] = _models(wanted, notes, deep)
    facts["docker"] = docker_worker.result()
    ray_workers = _ray(wanted, notes, facts["docker"])
    holding = notes.guard("processes", [], processes.holders) if npu.card_nodes() else []
    facts["holders"] = docker.holders(facts["docker"]["containers"], holding)
    facts["privileged_containers"] = docker.privileged(facts["docker"]["containers"])
    facts.update(npu_driver=driver, npu_firmware=firmware, npu=_npu(wanted, notes, monitor.result()))
    facts["npu_network"] = ports_worker.result()
    unit_facts = unit_worker.result()
    facts["docker"]["unit"] = unit_facts.get(DOCKER_UNIT)
    facts["drain"] = drained.describe(drain, unit_facts)
    facts["system"] = system.describe(facts["system"], unit_facts)
    facts["ray"] = {
        member["name"]: _member(member, facts["docker"], unit_facts, ray_workers[member["name"]].result())
        for member in wanted.get("ray_cluster", {}).get("members", [])
    }
    facts["services"] = {
        service["name"]: _service(service, facts["docker"], unit_facts, service_workers[service["name"]].result())
        for service in wanted.get("inference_service", {}).get("services", [])
    }
    return _conclude(wanted, facts, notes), facts


def _vendor(wanted: Wanted, installers: list[str]) -> tuple[Facts, Facts]:
    found = {}
    for name in ("driver", "firmware"):
        default = wanted.get("npu_" + name, {}).get("install_path") or INSTALL_PATH
        found[name] = dict(vendor.product(name, default), running=None)
    found["driver"].update(install_info=vendor.install_info()["values"])
    found["driver"].update(installers=installers, installer_running=bool(installers))
    return found["driver"], found["firmware"]


def _monitor(driver: Facts, installers: list[str], deep: bool) -> Facts:
    if installers:
        return npu.silent(None, "not asked while a vendor installer runs")
    if not driver["present"]:
        return npu.silent(None, "not asked: no driver is installed")
    tool = driver["path"] + "/tools/upgrade-tool"
    return npu.monitor(tool if files.kind(tool) == "file" else None, deep)


def _ports(wanted: Wanted | None, driver: Facts, installers: list[str]) -> Facts:
    return hccn.nothing() if wanted is None else hccn.observe(wanted, driver, installers)


def _npu(wanted: Wanted, notes: Notes, smi: Facts) -> Facts:
    role = wanted.get("npu_driver", {})
    for entry in smi.get("not_understood", []):
        notes.add("npu-smi", entry if isinstance(entry, str) else str(entry.get("text", entry)))
    cards = role.get("device_nodes") or npu.card_nodes()
    controls = role.get("control_nodes", [])
    found = {
        "pci": notes.guard("pci", [], npu.pci, role.get("pci_ids", [])),
        "nodes": notes.guard("device nodes", [], npu.nodes, cards),
        "control_nodes": notes.guard("device nodes", [], npu.nodes, controls),
        "smi": smi,
    }
    there = {node["path"] for node in found["nodes"] + found["control_nodes"]}
    found["missing"] = [path for path in [*cards, *controls] if path not in there]
    found["products"] = npu.products(found["pci"], role.get("pci_ids", []), role.get("boards") or {})
    return found


def _plain(wanted: Wanted, notes: Notes) -> Facts:
    """Return the facts that are read from files at once."""
    base = wanted.get("host_baseline", {})
    name, uid, gid = base.get("account_name", ""), base.get("account_uid"), base.get("account_gid")
    paths = ["/", "/var/lib/docker", INSTALL_PATH]
    paths += [model["path"] for model in wanted.get("model_store", {}).get("models", [])]
    runtime = wanted.get("ascend_docker_runtime", {})
    users = wanted.get("docker_engine", {}).get("users", [])
    return {
        "os": notes.guard("os", {}, host.system),
        "memory": notes.guard("memory", {}, host.memory, files.text("/proc/meminfo") or ""),
        "disk": notes.guard("disk", [], host.disks, paths),
        "account": notes.guard("account", {}, host.account, name, uid, gid),
        "commands": notes.guard("commands", {}, host.commands, base.get("commands", [])),
        "kernel_headers": notes.guard("kernel headers", False, host.kernel_headers),
        "kernel_modules": notes.guard("kernel modules", kernel_modules.unknown(), kernel_modules.observe),
        "apt_sources": notes.guard("apt", {}, apt.sources),
        "rpm_sources": notes.guard("rpm", {}, rpm.sources),
        "sources_aside": notes.guard("sources", [], aside.sources),
        "docker_users": notes.guard("docker users", [], host.group_members, "docker") if users else [],
        "ascend_docker_runtime": notes.guard("runtime", {}, _runtime, runtime),
        "obsutil": notes.guard("obsutil", {}, obsutil.observe, wanted.get("obsutil")),
    }


def _models(wanted: Wanted, notes: Notes, deep: bool) -> Facts:
    return {
        model["path"]: notes.guard(
            "model " + model["path"], None, models.observe, model["path"], deep, model.get("files")
        )
        for model in wanted.get("model_store", {}).get("models", [])
    }


def _units_of(wanted: Wanted) -> list[Facts]:
    return [
        *wanted.get("ray_cluster", {}).get("members", []),
        *wanted.get("inference_service", {}).get("services", []),
    ]


def _docker(notes: Notes, image_names: list[str]) -> Facts:
    """Return the engine, how systemd starts it, and what of it provision unpacked."""
    found = docker.observe(image_names)
    found["programs"] = programs.observe(programs.DOCKER)
    found["start"] = docker_start.absent()
    if found["installed"]:
        found["start"] = notes.guard("docker.service", found["start"], docker_start.observe)
    found["root_content"] = docker.root_content(found["root"])
    return found


def _runtime(role: Facts) -> Facts:
    """Return the container runtime, with its own list of mounts and those of the wanted ones that this host has."""
    present = [path for path in role.get("mounts") or [] if files.kind(path)]
    found = vendor.runtime_info(role.get("install_path") or INSTALL_PATH)
    return dict(found, mounts=vendor.runtime_mounts(), mounts_present=present)


def _container(name: str, docker_facts: Facts) -> Facts:
    found = next((entry for entry in docker_facts["containers"] if entry["name"] == name), None)
    running = found is not None and found["state"] == "running"
    digest = found["labels"].get("provision.digest") if found else None
    return {"container_running": running, "container_digest": digest}


def _ray(wanted: Wanted, notes: Notes, docker_facts: Facts) -> dict[str, Worker]:
    """Ask Ray about every cluster that this host is a member of."""
    return {
        member["name"]: Worker(notes, "ray " + member["name"], ray.unknown(""), _cluster, member, docker_facts)
        for member in wanted.get("ray_cluster", {}).get("members", [])
    }


def _cluster(member: Facts, docker_facts: Facts) -> Facts:
    if not _container(member["container"], docker_facts)["container_running"]:
        return ray.unknown("")
    try:
        return ray.usage(member["head_address"], member["port"], member["resource"])
    except (grpc.GrpcError, ValueError) as error:
        if member["role"] != "head":
            return ray.unknown("%s:%d: %s" % (member["head_address"], member["port"], error))
    # costs a second of somebody's processor, so only the head does it
    return ray.status(member["container"], member["resource"])


def _unit(name: str, unit_facts: Facts) -> Facts:
    found = unit_facts.get(name) or {}
    return {
        "unit_exists": bool(found.get("exists")),
        "unit_active": bool(found.get("active")),
        "unit_enabled": bool(found.get("enabled")),
        "unit_state": found.get("state", "unknown"),
        "digest": found.get("digest"),
        "stale": found.get("stale", ""),
        "active_seconds": found.get("active_seconds", 0),
        "edited": bool(found.get("edited")),
        "drop_ins": found.get("drop_ins", []),
    }


def _member(member: Facts, docker_facts: Facts, unit_facts: Facts, answer: Facts) -> Facts:
    return dict(_unit(member["unit"], unit_facts), **_container(member["container"], docker_facts), **answer)


def _service(service: Facts, docker_facts: Facts, unit_facts: Facts, answer: Facts) -> Facts:
    silent: Facts = {"health": None, "models": [], "error": "not asked"}
    container = _container(service["container"], docker_facts)
    return dict(_unit(service["unit"], unit_facts), **container, **(answer or silent))


def _conclude(wanted: Wanted, facts: Facts, notes: Notes) -> Facts:
    """Add what follows from several facts together; return the boot."""
    identity = notes.guard("boot", {"id": "", "booted_at": "", "booted": 0.0}, boot.identity)
    smi = facts["npu"]["smi"]
    facts["npu_driver"]["running"] = smi["version"] if smi["code"] is None and smi["version"] else None
    firmware = facts["npu_firmware"]
    firmware["running"], contradiction = vendor.running_firmware(smi["components"], firmware["installed"])
    if contradiction:
        notes.add("firmware", contradiction)
    marker = notes.guard("reboot marker", "", boot.marker, identity["id"])
    facts["reboot"] = reboot.pending(marker, identity["booted"], facts)
    facts["remarks"] = notes.guard("remarks", [], remarks.of, wanted, facts)
    return {"id": identity["id"], "booted_at": identity["booted_at"]}

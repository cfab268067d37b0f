"""Everything that one service puts on its hosts: the Ray containers, the engine's command line, the units' commands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from driver import containers
from driver import engine as engines
from driver.catalog_models import Accelerator, Model
from driver.engine_models import Engine
from driver.resolved import HostService, RayMember, ResolvedService
from driver.site import SiteHost, SiteModel, SiteService


@dataclass(frozen=True)
class Placement:
    """One service with what its names stand for; *hosts* in the site's order, the head first."""

    service: SiteService
    engine: Engine
    accelerator: Accelerator
    model: Model
    placed: SiteModel
    hosts: tuple[SiteHost, ...]
    image_digest: str

    @property
    def head(self) -> SiteHost:
        """Return the host that answers."""
        return self.hosts[0]

    @property
    def image(self) -> str:
        """Return the canonical name of the engine's image."""
        tag = engines.image_tag(self.service.version, self.accelerator, self.service.variant)
        return f"{self.engine.repository}:{tag}"

    @property
    def over_ray(self) -> bool:
        """Return whether a Ray cluster carries the service."""
        return self.service.distributed == "ray"

    @property
    def container(self) -> str:
        """Return the name of the container that the engine runs in."""
        return f"provision-ray-{self.service.name}" if self.over_ray else f"provision-{self.service.name}"

    @property
    def unit(self) -> str:
        """Return the systemd unit of the service."""
        return f"provision-{self.service.name}.service"

    @cached_property
    def engine_argv(self) -> list[str]:
        """Return the engine's command line."""
        return engines.serve_argv(self.engine, self.model, self.service, self.placed.path)

    @property
    def mounts(self) -> tuple[str, ...]:
        """Return the host paths that the containers need."""
        return containers.mounts(self.accelerator, self.placed.path, self.service.mounts)

    def spec(self, host: SiteHost, command: tuple[str, ...]) -> containers.Spec:
        """Return the container of the service on *host* that runs *command*."""
        cards = engines.card_numbers(self.service, host)
        return containers.Spec(
            name=self.container,
            service=self.service.name,
            image=self.image,
            image_digest=self.image_digest,
            cards=cards,
            mounts=self.mounts,
            environment=engines.environment(self.engine, self.accelerator, self.service, host, len(cards)),
            shm_size=self.service.shm_size or self.accelerator.container.shm_size,
            command=command,
        )

    def ray_member(self, host: SiteHost) -> RayMember:
        """Return the Ray container on *host*."""
        cards = engines.card_numbers(self.service, host)
        start = engines.ray_argv(self.engine, self.service, head=self.head, host=host, cards=len(cards))
        spec = self.spec(host, containers.in_shell(self.engine.shell, start))
        argv, digest = containers.run_argv(spec, self.accelerator)
        return RayMember(
            name=self.service.name,
            unit=f"{self.container}.service",
            container=self.container,
            role="head" if host.name == self.head.name else "worker",
            head_address=self.head.address,
            port=self.service.ray_port or self.engine.ray.port,
            npus_total=sum(len(engines.card_numbers(self.service, member)) for member in self.hosts),
            npus_local=len(cards),
            hosts_total=len(self.hosts),
            resource=self.accelerator.ray_resource,
            image=self.image,
            devices=engines.device_nodes(self.accelerator, cards),
            mounts_required=self.mounts,
            argv=tuple(argv),
            start_argv=tuple(start),
            environment=dict(spec.environment),
            digest=digest,
        )

    def host_service(self) -> HostService:
        """Return the service as its head runs it: in a container of its own, or inside the head's Ray container."""
        argv, stop_argv, digest = self._in_ray() if self.over_ray else self._alone()
        resolved = self.resolved()
        return HostService(
            name=self.service.name,
            unit=self.unit,
            container=self.container,
            kind="exec-in-ray" if self.over_ray else "docker-run",
            after_unit=f"{self.container}.service" if self.over_ray else "",
            argv=tuple(argv),
            stop_argv=tuple(stop_argv),
            engine_argv=resolved.argv,
            port=resolved.port,
            address=self.head.address,
            health_url=resolved.health_url,
            models_url=resolved.models_url,
            served_name=resolved.served_name,
            model_path=resolved.model_path,
            image=resolved.image,
            cards=resolved.cards,
            ready_timeout_seconds=resolved.ready_timeout_seconds,
            digest=digest,
        )

    def _alone(self) -> tuple[list[str], list[str], str]:
        spec = self.spec(self.head, containers.in_shell(self.engine.shell, self.engine_argv))
        argv, digest = containers.run_argv(spec, self.accelerator)
        return argv, containers.stop_argv(self.container, grace_seconds=self.engine.stop.grace_seconds), digest

    def _in_ray(self) -> tuple[list[str], list[str], str]:
        """Return start, stop and digest; the digest follows every Ray container, whose restart ends the service."""
        pid_file = f"/run/{self.unit.removesuffix('.service')}.pid"
        argv = containers.exec_argv(self.container, pid_file, self.engine.shell, self.engine_argv)
        stop = self.engine.stop
        stop_argv = containers.exec_stop_argv(
            self.container, pid_file, signal=stop.signal, grace_seconds=stop.grace_seconds
        )
        members = [self.ray_member(host).digest for host in self.hosts]
        return argv, stop_argv, containers.digest([argv, stop_argv, members])

    def resolved(self) -> ResolvedService:
        """Return the service as the rest of the program sees it."""
        service, paths = self.service, self.engine.endpoints
        url = f"http://{self.head.address}:{service.port}"
        return ResolvedService(
            name=service.name,
            engine=service.engine,
            version=service.version,
            hosts=tuple(host.name for host in self.hosts),
            head=self.head.name,
            port=service.port,
            url=url,
            health_url=f"{url}{paths.health}",
            models_url=f"{url}{paths.models}",
            chat_url=f"{url}{paths.chat}",
            metrics_url=f"{url}{paths.metrics}",
            served_name=service.served_name or self.model.title,
            model=service.model,
            model_path=self.placed.path,
            image=self.image,
            cards=engines.card_numbers(service, self.head),
            tensor=service.parallel.tensor,
            pipeline=service.parallel.pipeline,
            distributed=service.distributed,
            max_model_len=engines.longest(self.engine, self.model, service),
            argv=tuple(self.engine_argv),
            ready_timeout_seconds=service.ready_timeout_seconds or self.engine.ready_timeout_seconds,
        )

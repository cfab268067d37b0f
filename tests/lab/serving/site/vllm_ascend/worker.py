"""The worker of one rank."""

from vllm.v1.worker.cpu_worker import CPUWorker


class NPUWorker(CPUWorker):
    """The CPU worker, able to hold one stage of a pipeline."""

    def _should_warm_up_model(self) -> bool:
        # vLLM skips the warm-up of an eager model, but only there a later stage makes room for what it receives
        return super()._should_warm_up_model() or self.parallel_config.pipeline_parallel_size > 1

"""The worker of one rank."""

from vllm.distributed.parallel_state import get_pp_group
from vllm.v1.worker.cpu_worker import CPUWorker


class NPUWorker(CPUWorker):
    """The CPU worker, able to hold any stage of a pipeline."""

    def load_model(self, *args: object, **options: object) -> None:
        """Load this rank's part of the model, and make room for what the stage before it will send."""
        super().load_model(*args, **options)
        # vLLM makes the room in the warm-up, which its CPU worker skips for an eager model
        if not get_pp_group().is_first_rank:
            runner = self.model_runner
            runner.intermediate_tensors = runner.model.make_empty_intermediate_tensors(
                batch_size=runner.max_num_tokens, dtype=self.model_config.dtype, device=self.device
            )

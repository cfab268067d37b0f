"""The CPU platform of vLLM, scheduled by Ray as if each `/dev/davinciN` were a card."""

import os
from typing import TYPE_CHECKING

import torch
from vllm.logger import init_logger
from vllm.platforms.cpu import CpuPlatform

if TYPE_CHECKING:
    from vllm.config import VllmConfig

LOG = init_logger(f"vllm.plugin.{__name__}")
KV_CACHE_BYTES = 64 * 1024 * 1024

# The image carries the AVX2 kernels only: a third of the bytes, and the same path on every x86 machine.
for _feature in ("amx_tile", "amx_fp16", "avx512", "avx512_bf16"):
    setattr(torch.cpu, f"_is_{_feature}_supported", lambda: False)


class NPUPlatform(CpuPlatform):
    """What vLLM asks an accelerator, answered for a card that is not there."""

    ray_device_key = "NPU"
    device_control_env_var = "ASCEND_RT_VISIBLE_DEVICES"

    @classmethod
    def get_device_communicator_cls(cls) -> str:
        """Return the communicator that works between hosts."""
        return "vllm_ascend.communicator.NPUCommunicator"

    @classmethod
    def check_and_update_config(cls, vllm_config: "VllmConfig") -> None:
        """Change *vllm_config* to what a CPU can do, whatever the arguments for a card were."""
        from vllm.config import CompilationMode  # noqa: PLC0415 - it asks for this platform while it is imported

        # vLLM itself says so before its log is set up, where nobody hears it
        LOG.info_once("Platform plugin ascend is activated")
        cache = vllm_config.cache_config
        if cache.kv_cache_memory_bytes is None:
            cache.kv_cache_memory_bytes = KV_CACHE_BYTES
        if vllm_config.parallel_config.worker_cls == "auto":
            vllm_config.parallel_config.worker_cls = "vllm_ascend.worker.NPUWorker"
        super().check_and_update_config(vllm_config)
        # compiled graphs need a C++ compiler, which the image of an accelerator has no use for
        vllm_config.compilation_config.mode = CompilationMode.NONE
        if vllm_config.parallel_config.distributed_executor_backend == "ray":
            # The CPU backend spawns for the sake of OpenMP in the workers. Here Ray starts those, and an engine
            # that is forked is ready four seconds sooner.
            os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"

"""Stand-in for the vendor's vLLM plugin: vLLM's CPU backend under the accelerator's name."""


def register() -> str:
    """Return the platform class, as vLLM's entry-point group `vllm.platform_plugins` asks."""
    return "vllm_ascend.platform.NPUPlatform"

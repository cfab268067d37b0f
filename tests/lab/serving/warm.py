"""Imports what the engine imports, so that its byte code stands in the image; runs with the image's packages only.

Also leaves vLLM's own record of the architectures named after `--`: finding it out
anew costs each container five seconds.
"""

import importlib
import sys


def main(arguments: list[str]) -> None:
    """Import the modules before `--`, look at the architectures after it."""
    border = arguments.index("--")
    for name in arguments[:border]:
        importlib.import_module(name)
    registry = importlib.import_module("vllm.model_executor.models.registry").ModelRegistry
    for architecture in arguments[border + 1 :]:
        if registry.models[architecture].inspect_model_cls() is None:
            raise SystemExit(f"vLLM could not look at {architecture}")


if __name__ == "__main__":
    main(sys.argv[1:])

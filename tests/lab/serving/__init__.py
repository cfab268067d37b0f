"""What the simulated site serves and serves with: the engine image, a tiny model, a model hub."""

from tests.lab.serving.engine import build_engine_image
from tests.lab.serving.model import build_model

__all__ = ["build_engine_image", "build_model"]

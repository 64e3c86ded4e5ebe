"""LongPanda: ask questions about long video cheaply, with an encoder-free video language model.

For example, `longpanda.load("nano").ask("demo.mp4", "Which card came first?")`. Heavy modules load on first use.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "LongPandaForConditionalGeneration",
    "LongPandaProcessor",
    "Session",
    "VideoIndex",
    "__version__",
    "compose",
    "load",
]

if TYPE_CHECKING:
    from longpanda.index import VideoIndex
    from longpanda.inference import Session, compose, load
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

_HOMES = {
    "compose": "longpanda.inference",
    "load": "longpanda.inference",
    "Session": "longpanda.inference",
    "VideoIndex": "longpanda.index",
    "LongPandaForConditionalGeneration": "longpanda.model.modeling",
    "LongPandaProcessor": "longpanda.processing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'longpanda' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

"""LongPanda as a model of lmms-eval: `python -m lmms_eval --model longpanda --model_args pretrained=nano ...`.

lmms-eval finds this file by the entry point in pyproject.toml; nothing of ours imports it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lmms_eval.models.registry_v2 import ModelManifest

from longpanda.cli.bars import bar
from longpanda.harness import lmms_eval

MANIFEST = ModelManifest("longpanda", chat_class_path=f"{__name__}.LongPandaModel")


class LongPandaModel(lmms_eval.LongPandaModel):
    """The model with a bar of its progress."""

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[], object]]:
        """A bar on a terminal, and elsewhere a line now and then."""
        with bar("asking", total, "questions") as shown:
            yield shown.update

"""LongPanda as a model of lmms-eval: `python -m lmms_eval --model longpanda --model_args pretrained=nano ...`.

lmms-eval finds this file through the entry point in pyproject.toml. Nothing in this package imports it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lmms_eval.models.registry_v2 import ModelManifest

from longpanda.cli.bars import bar
from longpanda.harness import lmms_eval

MANIFEST = ModelManifest("longpanda", chat_class_path=f"{__name__}.LongPandaModel")


class LongPandaModel(lmms_eval.LongPandaModel):
    """The model with a progress bar."""

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[], object]]:
        """Show progress over `total` questions."""
        with bar("asking", total, "questions") as shown:
            yield shown.update

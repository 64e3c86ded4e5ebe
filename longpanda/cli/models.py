"""Which model a command asks."""

import argparse
from pathlib import Path

DEFAULT = "nano"
DEFAULT_OF_INDEXES = "nano-long"
"""It has a compressor, and was taught to read what is far apart."""


def add_model(parser: argparse.ArgumentParser, default: str = DEFAULT) -> None:
    """The option."""
    about = f"a bundled model, a model folder or a hub id (default: the one that made the index, else {default})"
    parser.add_argument("--model", help=about)


def model_of(named: str | None, index: Path | None, default: str = DEFAULT) -> str:
    """The model that is named, else the one that made an index, else the default. Raises IndexFileError."""
    from longpanda.index import VideoIndex

    made_by = default if index is None else VideoIndex(index).header.model
    return made_by if named is None else named

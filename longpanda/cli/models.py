"""Which model a command asks."""

import argparse
from pathlib import Path

DEFAULT = "nano"


def add_model(parser: argparse.ArgumentParser) -> None:
    """The option."""
    about = f"a bundled model, a model folder or a hub id (default: the one that made the index, else {DEFAULT})"
    parser.add_argument("--model", help=about)


def model_of(named: str | None, index: Path | None) -> str:
    """The model that is named, else the one that made an index, else the default. Raises IndexFileError."""
    from longpanda.index import VideoIndex

    made_by = DEFAULT if index is None else VideoIndex(index).header.model
    return made_by if named is None else named

"""Which model a command asks, on which device and in which number format."""

import argparse
from pathlib import Path

from longpanda.harness.placement import DTYPES, check_device, check_dtype, devices, loaded

__all__ = ["DTYPES", "add_machine", "add_model", "check_device", "check_dtype", "devices", "loaded", "model_of"]
DEFAULT = "nano"
DEFAULT_OF_INDEXES = "nano-long"
"""It has a compressor, and was taught to read what is far apart."""


def add_model(parser: argparse.ArgumentParser, default: str = DEFAULT) -> None:
    """The option that names a model, and those of `add_machine`."""
    about = f"a bundled model, a model folder or a hub id (default: the one that made the index, else {default})"
    parser.add_argument("--model", metavar="NAME", help=about)
    add_machine(parser)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Where a model runs, and in which number format."""
    parser.add_argument("--device", metavar="NAME", help="where the model runs: cpu, cuda, cuda:1 ... (default: cpu)")
    parser.add_argument(
        "--dtype",
        metavar="NAME",
        help=f"number format of the model: {', '.join(DTYPES)} (default: the one it was saved in)",
    )


def model_of(named: str | None, index: Path | None, default: str = DEFAULT) -> str:
    """The model that is named, else the one that made an index, else the default. Raises IndexFileError."""
    from longpanda.index import VideoIndex

    made_by = default if index is None else VideoIndex(index).header.model
    return made_by if named is None else named

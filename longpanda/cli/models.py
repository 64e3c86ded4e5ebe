"""The model, device and number format of a command."""

import argparse
from pathlib import Path

from longpanda.harness.placement import DTYPES, check_device, check_dtype, devices, loaded

__all__ = ["DTYPES", "add_machine", "add_model", "check_device", "check_dtype", "devices", "loaded", "model_of"]
DEFAULT = "nano"
DEFAULT_OF_INDEXES = "nano-long"
"""Default for indexes: it has a compressor and was trained on long films."""


def add_model(parser: argparse.ArgumentParser, default: str = DEFAULT) -> None:
    """Add `--model` and the options of `add_machine`."""
    about = f"a bundled model, a model folder or a hub id (default: the one that made the index, else {default})"
    parser.add_argument("--model", metavar="NAME", help=about)
    add_machine(parser)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add `--device` and `--dtype`."""
    parser.add_argument("--device", metavar="NAME", help="device of the model: cpu, cuda, cuda:1, ... (default: cpu)")
    parser.add_argument(
        "--dtype",
        metavar="NAME",
        help=f"number format of the model: {', '.join(DTYPES)} (default: that of the saved model)",
    )


def model_of(named: str | None, index: Path | None, default: str = DEFAULT) -> str:
    """Return the named model, else the one that made the index, else the default. Raises IndexFileError."""
    from longpanda.index import VideoIndex

    made_by = default if index is None else VideoIndex(index).header.model
    return made_by if named is None else named

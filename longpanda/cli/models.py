"""Which model a command asks, on which device and in which number format."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from longpanda.inference import LongPanda

DEFAULT = "nano"
DEFAULT_OF_INDEXES = "nano-long"
"""It has a compressor, and was taught to read what is far apart."""
DTYPES: Final = ("float32", "bfloat16", "float16")


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


def loaded(name: str, device: str | None = None, dtype: str | None = None) -> "LongPanda":
    """A model as it is to run.

    Args:
        name: as `longpanda.load` takes it.
        device: one of `devices`, or "cuda" for the first of those; None is the CPU.
        dtype: one of `DTYPES`; None leaves the one it was saved in.

    Raises:
        ConfigError: this machine has no such device, or there is no such number format.
        ModelError: no such model.
    """
    where, settings = check_device(device), check_dtype(dtype)
    from longpanda.inference import load

    panda = load(name, **settings)
    panda.model.to(where)
    return panda


def check_dtype(name: str | None) -> dict[str, Any]:
    """What `longpanda.load` takes for a number format. Raises ConfigError where there is none of the name."""
    from longpanda.errors import ConfigError, nearest

    if name is None:
        return {}
    if name not in DTYPES:
        raise ConfigError(f"--dtype '{name}'", f"one of {', '.join(DTYPES)}", nearest(name, DTYPES))
    import torch

    return {"dtype": getattr(torch, name)}


def check_device(name: str | None) -> str:
    """A device that is there. Raises ConfigError for any other, and says which ones are."""
    if name in (None, "cpu"):
        return "cpu"
    from longpanda.errors import ConfigError

    there = devices()
    if name not in there and not (name == "cuda" and len(there) > 1):
        raise ConfigError(f"--device '{name}'", f"one that this machine has: {', '.join(there)}", "choose one of these")
    return str(name)


def devices() -> list[str]:
    """What models can run on here: the CPU, and each CUDA device that torch can use."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{number}" for number in range(count))]

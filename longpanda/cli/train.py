"""Train a model from a recipe; run the same command again to resume."""

import argparse
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.cli.recipes import ShowFields

if TYPE_CHECKING:
    from tqdm import tqdm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda train`."""
    parser.add_argument("recipe", help="a YAML file, or the name of a shipped recipe, such as 'nano'")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],  # without a default argparse would call it required
        metavar="FIELD=VALUE",
        help="overrides of any fields, such as seed=3 stages.0.steps=100",
    )
    about = "list all fields with their types, defaults and meanings, and exit"
    parser.add_argument("--fields", action=ShowFields, help=about)
    parser.add_argument(
        "--until", metavar="STAGE", default="", help="stop after this stage; run without it to continue"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: runs/NAME, with the recipe's name)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: cuda if available, else cpu)")
    about = "bfloat16 stands for bf16=true, float32 for bf16=false (default: the recipe's)"
    parser.add_argument("--dtype", metavar="NAME", help=about)


def run(options: argparse.Namespace) -> None:
    """Train, or resume training, and print where the model is."""
    from longpanda.train.recipe import load_recipe

    use_cpu, number_format = _on_cpu(options.device), _format(options.dtype)
    recipe = load_recipe(options.recipe, [*options.overrides, *number_format])
    from longpanda.cli.signals import held
    from longpanda.train.run import train

    out = options.out or Path("runs") / recipe.name
    with held() as stop, _Steps() as steps:
        watched = partial(train, report=steps.say, progress=steps, stop=stop.event)
        folder = watched(recipe, out, until=options.until, use_cpu=use_cpu)
        if folder is None:
            stop.leave()
    if folder is None:
        _say(f"stopped after stage '{options.until}'; run again without --until to continue")
        return
    _say(f"the model is in {folder}: longpanda ask VIDEO QUESTION --model {folder}")


def _on_cpu(device: str | None) -> bool:
    """Return whether to train on the CPU. Raises ConfigError for a missing device, or for one GPU of several."""
    from longpanda.cli.models import check_device
    from longpanda.errors import ConfigError

    if device is not None and check_device(device).partition(":")[1]:
        remedy = f"choose one GPU with CUDA_VISIBLE_DEVICES={device.partition(':')[2]}, or use several with torchrun"
        raise ConfigError(f"--device '{device}' for training", "cpu or cuda", remedy)
    return device == "cpu"


def _format(dtype: str | None) -> list[str]:
    """Return the override that --dtype stands for. Raises ConfigError for a format that training does not support."""
    from longpanda.cli.models import check_dtype
    from longpanda.errors import ConfigError

    check_dtype(dtype)
    if dtype == "float16":
        raise ConfigError("--dtype 'float16' for training", "float32 or bfloat16", "choose one of these")
    return [] if dtype is None else [f"bf16={str(dtype == 'bfloat16').lower()}"]


class _Steps:
    """A progress bar for each stage, with the last losses. Messages are printed above the bar."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._stage = ""

    def __enter__(self) -> "_Steps":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        from longpanda.cli.bars import bar

        if self._bar is None or self._stage != stage:
            self._close()
            self._bar, self._stage = bar(f"training '{stage}'", steps, "steps", step - 1), stage
        self._bar.set_postfix(losses, refresh=False)
        self._bar.update(step - self._bar.n)

    def say(self, text: str) -> None:
        """Close the bar of the stage and print."""
        self._close()
        _say(text)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _say(text: str) -> None:
    """Print on rank 0 of the processes that `torchrun` started."""
    if os.environ.get("RANK", "0") == "0":
        print(text, flush=True)

"""Train a model from a recipe; run it again to resume."""

import argparse
import os
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda train`."""
    parser.add_argument("recipe", help="a YAML file, or a recipe that ships with the package, such as 'nano'")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="FIELD=VALUE",
        help="override any field: seed=3 stages.0.steps=100",
    )
    parser.add_argument("--until", metavar="STAGE", default="", help="stop after this stage; run again to go on")
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")


def run(options: argparse.Namespace) -> None:
    """Train, or go on training, and say where the model is."""
    from longpanda.train.recipe import load_recipe

    recipe = load_recipe(options.recipe, options.overrides)
    from longpanda.longwatch import vocabulary
    from longpanda.longwatch.lessons import CELL_ATTRIBUTES
    from longpanda.processing.tokenizer import word_tokenizer
    from longpanda.train.run import train

    tokenizer = _tokenizer_of(recipe.start) if recipe.start else word_tokenizer(vocabulary())
    out = options.out or Path("runs") / recipe.name
    folder = train(recipe, tokenizer, lessons_of, list(CELL_ATTRIBUTES.values()), out, _say, options.until)
    if folder is None:
        _say(f"stopped after stage '{options.until}'; go on without --until")
        return
    _say(f"the model is in {folder}: longpanda ask VIDEO QUESTION --model {folder}")


def _tokenizer_of(model: str) -> Any:
    """A model that training starts from brings its words along; those it lacks stay unknown."""
    from longpanda.index.load import locate
    from longpanda.processing import LongPandaProcessor

    return LongPandaProcessor.from_pretrained(locate(model)).tokenizer


def _say(text: str) -> None:
    """Print, in the first of the processes that `torchrun` started."""
    if os.environ.get("RANK", "0") == "0":
        print(text, flush=True)


def lessons_of(stage: Any, number: int) -> Any:
    """The lessons of a stage, from scenes of the training split that no other stage sees."""
    from longpanda.longwatch.lessons import of_stage

    return of_stage(stage, number, int(os.environ.get("WORLD_SIZE", "1")))

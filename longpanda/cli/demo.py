"""Render a video and let the bundled model answer questions about it."""

import argparse
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.cli.models import DEFAULT, add_machine, loaded
from longpanda.errors import counted

if TYPE_CHECKING:
    from longpanda.inference import Session
    from longpanda.longwatch import Scene
    from longpanda.types import Answer

DEMO_SECONDS = 180.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda demo`."""
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the video (default: random)")
    about = f"a bundled model, a model folder or a hub id (default: {DEFAULT})"
    parser.add_argument("--model", metavar="NAME", default=DEFAULT, help=about)
    add_machine(parser)
    parser.add_argument("--questions", type=int, default=2, metavar="N", help="questions per family (default: 2)")
    parser.add_argument("--keep", type=Path, metavar="FILE.mp4", help="keep the video, with its scene in FILE.json")


def run(options: argparse.Namespace) -> None:
    """Make a video, ask about it, and compare the answers with the truth."""
    from longpanda.errors import ConfigError
    from longpanda.longwatch import Split, generate, scene_seed
    from longpanda.longwatch.film import check_free, check_target, film

    if options.questions < 1:
        raise ConfigError(f"--questions {options.questions}", "at least 1", "ask for more")
    if options.seed is not None and options.seed < 0:
        raise ConfigError(f"--seed {options.seed}", "0 or more", "choose another")
    if options.keep is not None:
        check_target(options.keep)  # fail before the work
        check_free(options.keep)
    index = secrets.randbelow(2**32) if options.seed is None else options.seed
    scene = generate(scene_seed(Split.DEMO, index), DEMO_SECONDS)
    model = loaded(options.model, options.device, options.dtype)  # a wrong name fails before the work, too
    kind = "new 3-minute video" if options.seed is None else "3-minute video"
    print(f"rendering a {kind} (seed {index}) ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep if options.keep is not None else Path(folder) / "demo.mp4"
        film(scene, path)
        _ask_all(model.watch(path), scene, options.questions)
    if options.keep is not None:
        print(f"the video is in {options.keep}, its scene in {options.keep.with_suffix('.json')}")


def _ask_all(session: "Session", scene: "Scene", most: int) -> None:
    """Ask up to `most` questions of each family and print them beside the truth."""
    import numpy as np

    from longpanda.longwatch import FAMILIES

    rng = np.random.default_rng(scene.seed)
    right: list[bool] = []
    answers: list[Answer] = []
    print(f"\n{'family':8} {'question':64} {'answer':16} {'truth':16}")
    for family in FAMILIES.values():
        samples = [sample for sample in family.ask(scene, rng) if not sample.facts.training_only]
        for sample in [samples[i] for i in rng.permutation(len(samples))[:most]]:
            answer = session.ask(sample.question)
            answers.append(answer)
            right.append(bool(family.score(answer.text, sample)))
            mark = "right" if right[-1] else "WRONG"
            print(f"{family.name:8} {sample.question:64} {answer.text:16} {sample.target:16} {mark}", flush=True)
    print(f"\n{sum(right)} of {len(right)} right")
    _print_cost(answers)


def _print_cost(answers: "list[Answer]") -> None:
    answer = answers[-1]
    times = ", ".join(f"{second:.0f}" for second in answer.pts_seconds)
    spent = ", ".join(f"{stage} {sum(one.seconds[stage] for one in answers):.2f} s" for stage in answer.seconds)
    frames, tokens = counted(len(answer.pts_seconds), "frame"), counted(answer.visual_tokens, "visual token")
    print(f"it looked at {frames}, at seconds {times}")
    print(f"{tokens}; all questions: {spent}; {answer.peak_memory_bytes / 2**20:.0f} MiB")

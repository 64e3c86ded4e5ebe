"""Ablation of the compressor: the same small training with and without Mamba, at 10, 4, 1 and 1/4 tokens per frame.

    python -m benchmarks.ablation --share 1/2 &
    python -m benchmarks.ablation --share 2/2

Every run trains `recipes/nano-ablation.yaml` with its own compressor and seed, then answers questions about held-out
films, some of which are longer than any in training. An interrupted benchmark continues where it stopped: the marks of
a finished run are kept in benchmarks/results/ablation/. The bundled STAB gives 9 cells and a frame token, so 10 tokens
correspond to 16 of other models.

*mean* only pools. *learned* adds learned windows and weights, as do the others, so what these gain over *learned* is
due to Mamba. *causal* has two Mamba blocks in a row and *bidirectional* one in each direction; both have equally many
weights.
Besides the answers, each run reports how many cells a linear probe can name from the compressed tokens at the end of
training: it measures what the tokens contain, whether or not the language model has learned to use it.

Estimated from the first 14 runs, all 45 take 4 hours on two AMD EPYC cores; --seeds 0 takes a third of that.
"""

import argparse
import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.ablation_rows import Runs, differences, rows
from benchmarks.finished import Finished, finished_run, keep
from benchmarks.long_nano import FAMILIES, asked
from benchmarks.measure import command, keep_result, machine, short, write_json
from benchmarks.rendered import Rendered, film, questions
from longpanda.errors import ConfigError
from longpanda.inference import LongPanda, load
from longpanda.inference.load import locate
from longpanda.longwatch import Scene, Split, generate, scene_seed
from longpanda.model.configuration import StabConfig
from longpanda.train.data_kinds import ExampleSource
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe, load_recipe
from longpanda.train.run import model_after, train
from longpanda.types import Sample, Score

RECIPE = "nano-ablation"
LEARNED = {"spatial": "learned", "pooling": "learned"}
MIXING: dict[str, dict[str, Any]] = {
    "mean": {"layers": 0, "spatial": "mean", "pooling": "mean"},
    "learned": {"layers": 0, **LEARNED},
    "causal": {"layers": 2, "direction": "causal", **LEARNED},
    "bidirectional": {"layers": 1, "direction": "bidirectional", **LEARNED},
}
TOKENS: dict[str, dict[str, Any]] = {
    "10": {"grid": None, "frame_token": True, "pool_frames": 1},
    "4": {"grid": [2, 2], "frame_token": False, "pool_frames": 1},
    "1": {"grid": [1, 1], "frame_token": False, "pool_frames": 1},
    "1/4": {"grid": [1, 1], "frame_token": False, "pool_frames": 4},
}
"""Compressors by tokens per frame."""
SAME = ("learned", "10")
"""Token counts at which nothing is pooled, so that *learned* would equal *mean*."""
STEP_SECONDS = 7.5
LENGTHS = (24, 96, 192)
FEW, SCRIPT = "few events", "script"
NAMED_OVER_STEPS = 100
"""The last steps of training; each scene is seen once."""
STAGES_OF_A_SEED = 16
"""Runs of different seeds see different scenes; those of one seed see the same."""
RESULT = Path(__file__).parent / "results" / "ablation.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One run.

    Args:
        mixing: a key of `MIXING`.
        tokens: a key of `TOKENS`.
        seed: seed of the new weights and of the examples.
    """

    mixing: str
    tokens: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.mixing}-{self.tokens.replace('/', 'of')}-{self.seed}"

    def recipe(self, base: Recipe) -> Recipe:
        """Return the recipe with this compressor and seed; the widths of the scan stay as in the recipe."""
        fields = (_model(base).temporal or {}) | TOKENS[self.tokens] | MIXING[self.mixing]
        model = dataclasses.replace(_model(base), temporal=fields)
        return dataclasses.replace(base, name=self.name, model=model, seed=base.seed + self.seed)

    def examples(self, base: Recipe, stage: StageRecipe, number: int) -> ExampleSource:
        """Return the examples of a stage, from scenes that no other seed uses."""
        image_px = StabConfig.of_size(_model(base).stab_size).image_px
        return stage.data.source(stage.steps * stage.batch, number + STAGES_OF_A_SEED * self.seed, image_px)


def _model(recipe: Recipe) -> ModelRecipe:
    """Return the recipe's `model`. Raises ConfigError if it has none because it continues its start's model."""
    if recipe.model is None:
        raise ConfigError(f"recipe '{recipe.name}' without model", "one with a compressor", "add model to the recipe")
    return recipe.model


@dataclass(frozen=True)
class Exam:
    """The questions of every run: about scenes with few events before its last stage, about whole scripts after it.

    Args:
        lengths: lengths of the films of scripts, in frames; longer films show fewer events per frame.
        few_frames: length of the films with few events, in frames.
        clips: number of scripts, each filmed at every length, and of scenes with few events.
    """

    lengths: tuple[int, ...] = LENGTHS
    few_frames: int = 24
    clips: int = 30

    @cached_property
    def films(self) -> list[tuple[Scene, int]]:
        """Return scenes of the development split with their numbers of frames."""
        seeds = [scene_seed(Split.DEV, number) for number in range(2 * self.clips)]
        few = [(generate(seed, self.few_frames * STEP_SECONDS), self.few_frames) for seed in seeds[self.clips :]]
        return few + [film(seed, frames, STEP_SECONDS) for frames in self.lengths for seed in seeds[: self.clips]]

    @cached_property
    def samples(self) -> list[Sample]:
        """Return all questions."""
        shown = [FEW] * self.clips + [SCRIPT] * self.clips * len(self.lengths)
        return [
            sample
            for (scene, frames), kind in zip(self.films, shown, strict=True)
            for sample in questions(scene, FAMILIES, frames=frames, condition=kind)
        ]


def trials(mixing: Sequence[str], tokens: Sequence[str], seeds: Sequence[int]) -> list[Trial]:
    """Return every combination once, ordered by seed, so that an early end leaves full comparisons of *mean* and Mamba.

    The further seeds of *learned*, which separates the effect of learned pooling, come last.
    """
    pairs = [(mix, count) for count in tokens for mix in mixing if (mix, count) != SAME]
    planned = [Trial(mix, count, seed) for seed in seeds for mix, count in pairs]
    return sorted(planned, key=lambda trial: trial.mixing == "learned" and trial.seed != seeds[0])


@dataclass(frozen=True)
class Study:
    """Runs of one recipe with the same questions.

    Args:
        base: the recipe, in which compressor and seed are replaced.
        exam: the questions.
        work: folder in which runs are trained.
        kept: folder of the finished runs.
    """

    base: Recipe
    exam: Exam
    work: Path
    kept: Path

    def finished(self, trial: Trial) -> Finished | None:
        """Return a run if it is finished. Raises ConfigError if a different run has the same name."""
        return finished_run(self._file(trial), self.configuration(trial), self.exam.samples)

    def all_finished(self, planned: Sequence[Trial]) -> dict[Trial, Finished]:
        """Return the planned runs that are finished. Raises ConfigError under the same conditions as `finished`."""
        found = {trial: self.finished(trial) for trial in planned}
        return {trial: run for trial, run in found.items() if run is not None}

    def conduct(self, trial: Trial) -> None:
        """Train or continue training, ask the missing questions, and keep the answers.

        The questions about scenes with few events come before the last stage, which shows only scripts.
        """
        recipe, out = trial.recipe(self.base), self.work / trial.name
        run = out / "train"
        panda = load(str(train(recipe, run, report=print, examples=partial(trial.examples, self.base))))
        before = LongPanda(trial.name, *model_after(self.asked_after[FEW], recipe, run))
        scores = self._asked(trial, before, FEW, out / "few.jsonl")
        scores += self._asked(trial, panda, SCRIPT, out / "scripts.jsonl")
        starts = json.loads((run / "run.json").read_text())
        done = Finished(scores, named(run), [start["commit"] for start in starts], machine())
        keep(self._file(trial), self.configuration(trial), self.exam.samples, done)

    def _asked(self, trial: Trial, panda: LongPanda, shows: str, path: Path) -> list[Score]:
        """Answer the questions about one kind of film."""
        samples = [sample for sample in self.exam.samples if sample.facts.condition == shows]
        return asked(Rendered(panda, self.exam.films), samples, path, self.configuration(trial))

    def configuration(self, trial: Trial) -> Row:
        """Return everything that determines the answers of a run."""
        about = {"exam": asdict(self.exam), "asked_after": self.asked_after}
        return {"trial": asdict(trial), "recipe": asdict(trial.recipe(self.base)), "start": self.start, **about}

    @cached_property
    def start(self) -> dict[str, str]:
        """Return the SHA-256 of each file of the weights from which every run starts."""
        files = sorted(locate(self.base.start).glob("*.safetensors"))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    @property
    def asked_after(self) -> dict[str, str]:
        """Return the stage after which the questions about each kind of film are asked."""
        return {FEW: self.base.stages[-2].name, SCRIPT: self.base.stages[-1].name}

    def _file(self, trial: Trial) -> Path:
        return self.kept / f"{trial.name}.json"


def named(run: Path) -> float | None:
    """Return the share of non-empty cells that the probe named at the end, or None if nothing was logged."""
    states = run.glob("*/checkpoint-*/trainer_state.json")
    last = max(states, key=_stage_and_step, default=None)
    history = [] if last is None else json.loads(last.read_text())["log_history"]
    shares = [(one["step"], float(one["group_accuracy"])) for one in history if "group_accuracy" in one]
    late = [share for step, share in shares if step > shares[-1][0] - NAMED_OVER_STEPS]
    return sum(late) / len(late) if late else None


def _stage_and_step(state: Path) -> tuple[int, int]:
    """Parse the path `3-gallery/checkpoint-300/trainer_state.json`."""
    return int(state.parts[-3].partition("-")[0]), int(state.parts[-2].partition("-")[2])


def by_compressor(done: dict[Trial, Finished]) -> Runs:
    """Group the runs by compressor."""
    pairs = dict.fromkeys((trial.mixing, trial.tokens) for trial in done)
    return {pair: {t.seed: run for t, run in done.items() if (t.mixing, t.tokens) == pair} for pair in pairs}


def shown(done: dict[Trial, Finished], planned: int) -> Row:
    """Return the result of the finished runs, with the machines they ran on."""
    asked_on = [run.asked_on for run in done.values()]
    processors = " and ".join(sorted({one["processor"] for one in asked_on}))
    runs = by_compressor(done)
    trained_with = [short(commit) for run in done.values() for commit in run.trained_with_commits if commit]
    asked_with = [one["commit"] for one in asked_on if one["commit"]]
    return {
        "machine": asked_on[0] | {"processor": processors, "commit": None},
        "trained_with_commits": list(dict.fromkeys(trained_with)),
        "asked_with_commits": list(dict.fromkeys(asked_with)),
        "runs": len(done),
        "planned": planned,
        "rows": rows(runs, FAMILIES),
        "differences": differences(runs, FAMILIES),
    }


def write_result(study: Study, planned: Sequence[Trial], out: Path, about: Row) -> None:
    """Write the result of all finished runs, if any. Raises ConfigError as `Study.finished` does."""
    written: set[Trial] = set()
    while (done := study.all_finished(planned)).keys() != written:  # another share may finish a run meanwhile
        write_json(out, about | shown(done, len(planned)))
        written = set(done)


def share(text: str) -> tuple[int, int]:
    """Parse "2/3" as (2, 3). Raises ValueError for anything else."""
    part, _, parts = text.partition("/")
    if not 1 <= int(part) <= int(parts):
        raise ValueError(text)
    return int(part), int(parts)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ablation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mixing", nargs="+", choices=list(MIXING), default=list(MIXING))
    parser.add_argument("--tokens", nargs="+", choices=list(TOKENS), default=list(TOKENS), help="tokens per frame")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--recipe", default=RECIPE, help="a YAML file, or the name of one that ships with the package")
    parser.add_argument("--override", nargs="+", default=[], metavar="FIELD=VALUE", help="as for longpanda train")
    parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS), help="frames of the scripts' films")
    parser.add_argument("--clips", type=int, default=30, help="number of films of each kind")
    parser.add_argument("--share", type=share, default=(1, 1), metavar="I/N", help="run the I-th of N parts")
    parser.add_argument("--work", type=Path, default=Path("runs/ablation"), help="runs are kept here")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser


def main() -> None:
    """Do the missing runs, and write the result after each."""
    options = (parser := arguments()).parse_args()
    for name in ("recipe", "override", "mixing", "tokens", "seeds", "lengths", "clips"):
        if getattr(options, name) != parser.get_default(name):
            keep_result(parser, options.out, RESULT, f"--{name}")
    base, exam = load_recipe(options.recipe, options.override), Exam(tuple(options.lengths), clips=options.clips)
    if not base.start:
        raise ConfigError(f"recipe '{base.name}' without a start", "a model with a trained STAB", "set start in it")
    if len(base.stages) < 2:
        raise ConfigError(f"recipe '{base.name}' with one stage", "at least two stages", "add a stage")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    planned = trials(options.mixing, options.tokens, options.seeds)
    part, parts = options.share
    options.share = parser.get_default("share")  # the command that is kept does not say how the work was divided
    about = {"command": command(parser, options), "recipe": json.loads(json.dumps(asdict(base))), "exam": asdict(exam)}
    study = Study(base, exam, options.work, options.out.with_suffix(""))
    write_result(study, planned, options.out, about)  # refuses other runs in the folder before training
    for trial in planned[part - 1 :: parts]:
        if study.finished(trial) is None:
            print(f"{trial.name}: {planned.index(trial) + 1} of {len(planned)}", flush=True)
            study.conduct(trial)
            write_result(study, planned, options.out, about)


if __name__ == "__main__":
    main()

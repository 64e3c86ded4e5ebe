"""Keep the answers of a run that took long to train, in a file small enough for the repository."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import write_json
from longpanda.errors import ConfigError
from longpanda.train.claim import difference
from longpanda.train.recipe import recipe_of
from longpanda.types import Reply, Sample, Score


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Args:
        scores: scores of all questions.
        named: share of cells that a probe named at the end of training, or None if nothing was logged.
        trained_with_commits: one commit per start of the training.
        asked_on: the machine, with the commit of the code that asked the questions.
    """

    scores: list[Score]
    named: float | None
    trained_with_commits: list[str | None]
    asked_on: dict[str, Any]


def keep(path: Path, configuration: dict[str, Any], samples: Sequence[Sample], run: Finished) -> None:
    """Write a finished run; of each answer, only whether it was right is kept.

    Args:
        path: path of the file.
        configuration: everything that determines the answers, as JSON, with the `recipe` that was trained.
        samples: the questions.
        run: the run, with one score per sample in any order.
    """
    by_question = {(score.sample.video, score.sample.question): score for score in run.scores}
    scores = [by_question[sample.video, sample.question] for sample in samples]
    marks = "".join("x" if score.error else str(int(score.value)) for score in scores)
    about = {"configuration": configuration, "questions_sha256": _sha256(samples)}
    run_itself = {name: value for name, value in vars(run).items() if name != "scores"}
    write_json(path, {**about, **run_itself, "marks": marks})


def finished_run(path: Path, configuration: dict[str, Any], samples: Sequence[Sample]) -> Finished | None:
    """Read a finished run, or return None if there is no file.

    Args:
        path: path of the file.
        configuration: everything that determines the answers, as JSON, with the `recipe` that was trained.
        samples: the questions, in the order in which they were written.

    Raises:
        ConfigError: the file is damaged, or holds a run of another configuration or answers to other questions.
    """
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text())
        # fields that were added to recipes since then have their defaults
        there = stored["configuration"] | {"recipe": asdict(recipe_of(stored["configuration"]["recipe"]))}
        known, marks = stored["questions_sha256"], stored["marks"]
        about = [stored[name] for name in ("named", "trained_with_commits", "asked_on")]
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise _not(path, f"which holds no run ({error})") from error
    if other := difference(_plain(there), _plain(configuration)):
        raise _not(path, f"a run of another configuration: {other}")
    if known != _sha256(samples):
        raise _not(path, "with answers to other questions")
    if len(marks) != len(samples):
        raise _not(path, f"which holds no run ({len(marks)} of {len(samples)} answers)")
    return Finished([_score(*pair) for pair in zip(marks, samples, strict=True)], *about)


def _not(path: Path, what: str) -> ConfigError:
    return ConfigError(f"'{path}', {what}", "a run of this ablation", "remove it to run again, or name another --out")


def _score(mark: str, sample: Sample) -> Score:
    return Score(float(mark == "1"), Reply(""), sample, "no answer" if mark == "x" else None)


def _sha256(samples: Sequence[Sample]) -> str:
    return hashlib.sha256(json.dumps([asdict(one) for one in samples], sort_keys=True).encode()).hexdigest()


def _plain(value: dict[str, Any]) -> Any:
    """Return the value as JSON would read it back."""
    return json.loads(json.dumps(value))

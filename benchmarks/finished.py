"""What is kept of a run that took long to train: its answers, small enough to stay beside the other results."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import machine, write_json
from longpanda.errors import ConfigError
from longpanda.types import Reply, Sample, Score


@dataclass(frozen=True)
class Finished:
    """A run that is done.

    Args:
        scores: of all questions.
        named: the share of cells that a probe named at the end of training; None where nothing was logged.
    """

    scores: list[Score]
    named: float | None


def keep(path: Path, configuration: dict[str, Any], samples: Sequence[Sample], run: Finished) -> None:
    """Write a run that is done; not what was said, only whether it was right.

    Args:
        path: of its file.
        configuration: what decides its answers; JSON.
        samples: what it was asked.
        run: with a score for each sample, in any order.
    """
    by_question = {(score.sample.video, score.sample.question): score for score in run.scores}
    scores = [by_question[sample.video, sample.question] for sample in samples]
    marks = "".join("x" if score.error else str(int(score.value)) for score in scores)
    write_json(path, {**_about(configuration, samples), "machine": machine(), "named": run.named, "marks": marks})


def finished_run(path: Path, configuration: dict[str, Any], samples: Sequence[Sample]) -> Finished | None:
    """A run that is done, None where it is not.

    Args:
        path: of its file.
        configuration: what decides its answers; JSON.
        samples: what it was asked, in the same order as when it was kept.

    Raises:
        ConfigError: the file holds a run of another configuration, or answers to other questions.
    """
    if not path.is_file():
        return None
    stored = json.loads(path.read_text())
    for name, value in _about(configuration, samples).items():
        if stored[name] != value:
            found = f"'{path}', a run with another {name}"
            raise ConfigError(found, "one with this", "remove it to run again, or name another --out")
    marks = [(float(mark == "1"), "no answer" if mark == "x" else None) for mark in stored["marks"]]
    scores = [Score(value, Reply(""), one, error) for (value, error), one in zip(marks, samples, strict=True)]
    return Finished(scores, stored["named"])


def _about(configuration: dict[str, Any], samples: Sequence[Sample]) -> dict[str, str]:
    return {
        "configuration_sha256": _sha256(configuration),
        "questions_sha256": _sha256([asdict(sample) for sample in samples]),
    }


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

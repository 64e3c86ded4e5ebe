"""Files of results to the report that a page, Markdown and a picture are made of."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from longpanda.errors import ConfigError
from longpanda.harness.answerers import picture_at
from longpanda.harness.questions import Questions, Suite
from longpanda.types import Score

if TYPE_CHECKING:
    from longpanda.evaluate.report import Report
    from longpanda.evaluate.summary import Measure, Summary
    from longpanda.longwatch.answers import AnswerKind, Span
    from longpanda.longwatch.footage import FootagePlan
    from longpanda.longwatch.suite import SuitePlan

_QUESTIONS: Final = ("suite_sha256", "questions_sha256", "videos_bytes")
"""Settings that tell questions from any others."""
_ASKED: Final = ("answer_tokens", "temperature", "limit_field", "extra_body")
"""Settings that are options of `longpanda longwatch run` under the same name."""


@dataclass(frozen=True)
class Results:
    """One file of results.

    Args:
        path: the file.
        configuration: what they were made with.
        notes: under which circumstances, of each start.
        scores: with the options that were chosen in words.
    """

    path: Path
    configuration: dict[str, Any]
    notes: tuple[dict[str, Any], ...]
    scores: tuple[Score, ...]

    @property
    def measured(self) -> str:
        """The name of what was asked."""
        if endpoint := self.configuration.get("endpoint"):
            return f"{self.configuration['endpoint_model']} at {endpoint}"
        return str(self.configuration.get("model") or self.configuration.get("command") or "the oracle")


def read_results(paths: Sequence[Path], questions: Questions | None = None) -> list[Results]:
    """One or two files of results about the same questions.

    Args:
        paths: of the files.
        questions: what they must be about; None takes any.

    Raises:
        ConfigError: more than two files, one without an answer, or of other questions.
    """
    from longpanda.evaluate import read_notes, read_records
    from longpanda.longwatch.choices import in_words

    if not 1 <= len(paths) <= 2:
        raise ConfigError(f"{len(paths)} files of results", "one, or two to compare", "name one or two")
    read = [(path, *read_records(path)) for path in paths]
    results = [Results(path, known, tuple(read_notes(path)), tuple(in_words(scores))) for path, known, scores in read]
    asked = _asked(results[0])
    for one in results:
        if not one.scores:
            raise ConfigError(f"no answer in '{one.path}'", "at least one", "run a model first")
        if _asked(one) != asked:
            raise ConfigError("results on two suites", "the same questions for both", "run both on one suite")
    if questions is not None and questions.settings() != asked:
        found = f"results that are not on '{questions.source}'"
        raise ConfigError(found, "the suite they were made on", "name that")
    return results


def report_of(results: Sequence[Results], questions: Questions | None = None) -> "Report":
    """What a page says of one file of results, or of two compared.

    Args:
        results: from `read_results`.
        questions: what was asked, for pictures of failures, what is not asked yet and the plan; None goes without.

    Raises:
        ConfigError: the questions are not complete.
    """
    from longpanda.evaluate.circular import judged
    from longpanda.evaluate.paired import pair
    from longpanda.evaluate.report import Report

    plan = _plan(questions.source) if isinstance(questions, Suite) else None
    models = tuple(_summary(name, one, questions) for name, one in zip(_names(results), results, strict=True))
    return Report(
        models,
        pair(*(judged(one.scores) for one in results)) if len(results) == 2 else (),
        None if plan is None else _shown(plan),
        tuple(_commands(results, questions, plan)),
    )


def _asked(results: Results) -> dict[str, Any]:
    """What tells the questions of some results from any others."""
    return {name: results.configuration[name] for name in _QUESTIONS if name in results.configuration}


def _plan(suite: Path) -> "SuitePlan | FootagePlan":
    """What `make` or `insert` planned."""
    from longpanda.longwatch.footage import FootagePlan
    from longpanda.longwatch.suite import FOOTAGE_PLAN, SuitePlan

    return FootagePlan.read(suite) if (suite / FOOTAGE_PLAN).is_file() else SuitePlan.read(suite)


def _names(results: Sequence[Results]) -> list[str]:
    """What was measured; where two are the same, the names of their files."""
    known = (
        [one.measured for one in results],
        [one.path.stem for one in results],
        [str(one.path) for one in results],
    )
    return next((names for names in known if len(set(names)) == len(names)), known[-1])


def _summary(name: str, results: Results, questions: Questions | None) -> "Summary":
    from longpanda.evaluate.circular import judged
    from longpanda.evaluate.summarise import summarise
    from longpanda.longwatch.families import FAMILIES
    from longpanda.longwatch.textonly import with_blind_chance

    scores, shown = judged(results.scores), results.configuration | _noted(results.notes)
    samples = with_blind_chance([score.sample for score in scores])
    scores = [replace(score, sample=sample) for score, sample in zip(scores, samples, strict=True)]
    measures = {family: _measures(one.kind) for family, one in FAMILIES.items()}
    if questions is None:
        return summarise(name, shown, scores, measures, askings=results.scores)
    missing = questions.count() - len(scores)
    return summarise(name, shown, scores, measures, partial(_picture, questions), missing, results.scores)


def _picture(questions: Questions, video: str, second: float) -> bytes:
    """The frame on screen then, as JPEG."""
    return picture_at(questions.path_of(video), second)


def _measures(kind: "AnswerKind") -> "list[Measure]":
    """What is told of a kind of answers beside exact marks."""
    from longpanda.evaluate.summary import Measure
    from longpanda.longwatch.answers import Span

    measures = [Measure(kind.partial, attrgetter("partial"))] if kind.partial else []
    return [*measures, Measure(kind.near, partial(_near, kind))] if isinstance(kind, Span) else measures


def _near(kind: "Span", score: Score) -> float:
    """The mark of an interval within the tolerance; with options, it is chosen or not."""
    sample = score.sample
    if score.error is not None or sample.choices:
        return score.value
    return kind.mark_near(score.reply.text, sample.target, 60 * sample.minutes)


def _noted(starts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What was noted of all starts, each value once."""
    names = dict.fromkeys(name for start in starts for name in start)
    told = {name: dict.fromkeys(start[name] for start in starts if start.get(name) is not None) for name in names}
    return {name: " and ".join(map(str, values)) for name, values in told.items() if values}


def _shown(plan: "SuitePlan | FootagePlan") -> dict[str, Any]:
    """The plan, but for the seed of a suite that nobody is to see."""
    return asdict(plan) | ({"seed": secret} if (secret := _secret(plan)) else {})


def _secret(plan: "SuitePlan | FootagePlan") -> str:
    """What a page says instead of the seed of a private suite; "" for one that may be seen."""
    from longpanda.longwatch.suite import SuitePlan

    return "private" if isinstance(plan, SuitePlan) and plan.split == "private" else ""


def _commands(
    results: Sequence[Results], questions: Questions | None, plan: "SuitePlan | FootagePlan | None"
) -> list[str]:
    """What makes the page again, with the longest answer that was allowed last."""
    from longpanda.longwatch.commands import remaking

    suite = "SUITE" if questions is None else str(questions.source)
    made = [] if plan is None else [shlex.join(remaking(plan, suite, _secret(plan)))]
    made += [_run_command(one, suite) for one in results]
    about = ["--suite", suite] if questions is not None else []
    made.append(shlex.join(["longpanda", "longwatch", "report", *(str(one.path) for one in results), *about]))
    return made


def _run_command(results: Results, suite: str) -> str:
    settings = results.notes[-1] | results.configuration
    words = ["longpanda", "longwatch", "run", suite]
    for name in ("model", "dtype", "command", "endpoint", "endpoint_model", "frames", *_ASKED):
        if settings.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    words += [f"--{name}" for name in ("oracle", "choices", "unverified") if settings.get(name)]
    return shlex.join([*words, "--out", str(results.path)])

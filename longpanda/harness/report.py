"""Builds a report, to be rendered as HTML, Markdown or a figure, from files of results."""

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
"""Settings that identify the questions."""
_OPTIONS: Final = ("answer_tokens", "temperature", "limit_field", "extra_body")
"""Settings that are options of `longpanda longwatch run` under the same name."""


@dataclass(frozen=True)
class Results:
    """The contents of one file of results.

    Args:
        path: path of the file.
        configuration: the configuration of the run.
        notes: the circumstances of each start of the run, in order.
        scores: the scores, with chosen options in words.
    """

    path: Path
    configuration: dict[str, Any]
    notes: tuple[dict[str, Any], ...]
    scores: tuple[Score, ...]

    @property
    def system(self) -> str:
        """Name of the system that answered."""
        if endpoint := self.configuration.get("endpoint"):
            return f"{self.configuration['endpoint_model']} at {endpoint}"
        return str(self.configuration.get("model") or self.configuration.get("command") or "the oracle")


def read_results(paths: Sequence[Path], questions: Questions | None = None) -> list[Results]:
    """Read one or two files of results on the same questions.

    Args:
        paths: paths of the files.
        questions: the questions that the results must be on; None for any.

    Raises:
        ConfigError: more than two files, a file without an answer, or results on other questions.
    """
    from longpanda.evaluate import read_notes, read_records
    from longpanda.longwatch.choices import in_words

    if not 1 <= len(paths) <= 2:
        raise ConfigError(f"{len(paths)} files of results", "one, or two to compare", "name one or two")
    read = [(path, *read_records(path)) for path in paths]
    results = [Results(path, known, tuple(read_notes(path)), tuple(in_words(scores))) for path, known, scores in read]
    asked = _question_settings(results[0])
    for one in results:
        if not one.scores:
            raise ConfigError(f"no answer in '{one.path}'", "at least one", "run a model first")
        if _question_settings(one) != asked:
            raise ConfigError("results on two suites", "the same questions for both", "run both on one suite")
    if questions is not None and questions.settings() != asked:
        found = f"results that are not on '{questions.source}'"
        raise ConfigError(found, "the suite they were made on", "pass that suite")
    return results


def report_of(results: Sequence[Results], questions: Questions | None = None) -> "Report":
    """Build the report on one file of results, or on two compared.

    Args:
        results: one or two results from `read_results`.
        questions: the questions, for pictures of failures, the number of questions not asked yet, and the suite's plan;
            None to leave these out.

    Raises:
        ConfigError: the questions are incomplete.
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


def _question_settings(results: Results) -> dict[str, Any]:
    """Return the settings that identify the questions of some results."""
    return {name: results.configuration[name] for name in _QUESTIONS if name in results.configuration}


def _plan(suite: Path) -> "SuitePlan | FootagePlan":
    """Return the plan that `make` or `insert` wrote."""
    from longpanda.longwatch.footage import FootagePlan
    from longpanda.longwatch.suite import FOOTAGE_PLAN, SuitePlan

    return FootagePlan.read(suite) if (suite / FOOTAGE_PLAN).is_file() else SuitePlan.read(suite)


def _names(results: Sequence[Results]) -> list[str]:
    """Return the names of the systems; if two are equal, the names of the files instead."""
    known = (
        [one.system for one in results],
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
    return picture_at(questions.path_of(video), second)


def _measures(kind: "AnswerKind") -> "list[Measure]":
    """Return the measures of a kind of answers, other than exact marks."""
    from longpanda.evaluate.summary import Measure
    from longpanda.longwatch.answers import Span

    measures = [Measure(kind.partial, attrgetter("partial"))] if kind.partial else []
    return [*measures, Measure(kind.near, partial(_near, kind))] if isinstance(kind, Span) else measures


def _near(kind: "Span", score: Score) -> float:
    """Return the mark of an interval within the tolerance; for a question with options, its exact mark."""
    sample = score.sample
    if score.error is not None or sample.choices:
        return score.value
    return kind.mark_near(score.reply.text, sample.target, 60 * sample.minutes)


def _noted(starts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Merge the notes of all starts: each distinct value of a note once."""
    names = dict.fromkeys(name for start in starts for name in start)
    merged = {name: dict.fromkeys(start[name] for start in starts if start.get(name) is not None) for name in names}
    return {name: " and ".join(map(str, values)) for name, values in merged.items() if values}


def _shown(plan: "SuitePlan | FootagePlan") -> dict[str, Any]:
    """Return the plan, without the seed of a private suite."""
    return asdict(plan) | ({"seed": secret} if (secret := _secret(plan)) else {})


def _secret(plan: "SuitePlan | FootagePlan") -> str:
    """Return what a report shows instead of the seed of a private suite; "" for a public suite."""
    from longpanda.longwatch.suite import SuitePlan

    return "private" if isinstance(plan, SuitePlan) and plan.split == "private" else ""


def _commands(
    results: Sequence[Results], questions: Questions | None, plan: "SuitePlan | FootagePlan | None"
) -> list[str]:
    """Return the commands that reproduce the report, with the latest limit on the length of answers."""
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
    for name in ("model", "dtype", "command", "endpoint", "endpoint_model", "frames", *_OPTIONS):
        if settings.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    words += [f"--{name}" for name in ("oracle", "choices", "unverified") if settings.get(name)]
    return shlex.join([*words, "--out", str(results.path)])

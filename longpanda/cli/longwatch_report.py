"""`longpanda longwatch report`: files of results to a page, Markdown and a picture."""

import argparse
import shlex
from dataclasses import asdict, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from longpanda.cli.answerers import Moments
from longpanda.cli.provenance import suite_sha256

if TYPE_CHECKING:
    from longpanda.evaluate.summary import Measure, Summary
    from longpanda.longwatch.answers import AnswerKind, Span
    from longpanda.longwatch.footage import FootagePlan
    from longpanda.longwatch.suite import SuitePlan
    from longpanda.types import Score

Results = tuple[Path, dict[str, Any], "list[Score]"]
_PRINTED: Final = ("lengths", "paired", "rotations", "letters", "answered", "errors")
"""Sections of the page that are printed, too."""
_ASKED: Final = ("answer_tokens", "temperature", "limit_field", "extra_body")
"""Settings that are options of run under the same name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the step."""
    add = parser.add_argument
    add("results", type=Path, nargs="+", metavar="RESULTS", help="what run wrote, .jsonl; two files are compared")
    add(
        "--suite",
        type=Path,
        metavar="DIR",
        help="the suite's folder, for pictures of failures, what is not asked yet and the plan (default: without)",
    )
    add("--out", type=Path, metavar="FILE.html", help="the page (default: beside the first results, under their name)")
    add("--markdown", type=Path, metavar="FILE.md", help="write the page as Markdown, too (default: no)")
    add(
        "--png",
        type=Path,
        metavar="FILE.png",
        help="draw scores by family and length, too (default: no); needs longpanda[plots]",
    )


def run(options: argparse.Namespace) -> None:
    """Write one self-contained page of results and print its main tables; two results are compared on the same page."""
    from longpanda.evaluate.circular import judged
    from longpanda.evaluate.paired import pair
    from longpanda.evaluate.report import Report, markdown, markdown_table, page, warnings_of
    from longpanda.files import check_writable, write_atomic

    results = _read(options.results, options.suite)
    target = options.out or _beside(options.results)
    written = [path for path in (target, options.markdown, options.png) if path is not None]
    _refuse_to_destroy(written, options.results)
    for path in written:
        check_writable(path)
    plan = None if options.suite is None else _plan(options.suite)
    models = tuple(_summary(name, one, options.suite) for name, one in zip(_names(results), results, strict=True))
    report = Report(
        models,
        pair(*(judged(scores) for _, _, scores in results)) if len(results) == 2 else (),
        None if plan is None else _shown(plan),
        tuple(_commands(options, results, plan)),
    )
    write_atomic(target, page(report))
    if options.markdown is not None:
        write_atomic(options.markdown, markdown(report))
    for one in models:
        for warning in warnings_of(one):
            print(f"{one.name}: {warning}\n")
    for section in report.sections:
        if section.key in _PRINTED:
            for model, table in section.tables:
                heading = f"{section.title}: {model}" if model else section.title
                print(f"{heading}\n\n{markdown_table(table)}\n")
    print(f"the page is {target}")
    if options.png is not None:
        from longpanda.evaluate.figure import draw

        write_atomic(options.png, draw(report.answered))


def _beside(results: list[Path]) -> Path:
    """The page's name where none is given; that of two results leaves each one's own page alone."""
    return results[0].with_name("-vs-".join(path.stem for path in results) + ".html")


def _refuse_to_destroy(written: list[Path], results: list[Path]) -> None:
    """Raises ConfigError where a file to be written is one of the results, of a suite, or another one to be written."""
    from longpanda.errors import ConfigError
    from longpanda.longwatch.folder import is_of_suite

    taken = {path.resolve(): "a file of results" for path in results}
    for path in written:
        resolved = path.resolve()
        if what := taken.get(resolved) or ("a file of a suite" if is_of_suite(resolved) else ""):
            raise ConfigError(f"'{path}' is {what}", "a file of its own for all that is written", "choose another name")
        taken[resolved] = "to be written already"


def _read(paths: list[Path], suite: Path | None) -> list[Results]:
    """One or two results of one suite."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate import read_records
    from longpanda.longwatch.choices import in_words

    if len(paths) > 2:
        raise ConfigError(f"{len(paths)} files of results", "one, or two to compare", "name fewer")
    read = [(path, *read_records(path)) for path in paths]
    results = [(path, settings, in_words(scores)) for path, settings, scores in read]
    for path, settings, scores in results:
        if not scores:
            raise ConfigError(f"no answer in '{path}'", "at least one", "run a model first")
        if settings["suite_sha256"] != results[0][1]["suite_sha256"]:
            raise ConfigError("results on two suites", "the same questions for both", "run both on one suite")
    if suite is not None and suite_sha256(suite) != results[0][1]["suite_sha256"]:
        raise ConfigError(f"results that are not on '{suite}'", "the suite they were made on", "name that")
    return results


def _plan(suite: Path) -> "SuitePlan | FootagePlan":
    """What `make` or `insert` planned."""
    from longpanda.longwatch.footage import FootagePlan
    from longpanda.longwatch.suite import FOOTAGE_PLAN, SuitePlan

    return FootagePlan.read(suite) if (suite / FOOTAGE_PLAN).is_file() else SuitePlan.read(suite)


def _names(results: list[Results]) -> list[str]:
    """What was measured; where two are the same, the names of their files."""
    known = (
        [_measured(settings) for _, settings, _ in results],
        [path.stem for path, _, _ in results],
        [str(path) for path, _, _ in results],
    )
    return next((names for names in known if len(set(names)) == len(names)), known[-1])


def _measured(settings: dict[str, Any]) -> str:
    if endpoint := settings.get("endpoint"):
        return f"{settings['endpoint_model']} at {endpoint}"
    return str(settings.get("model") or settings.get("command") or "the oracle")


def _summary(name: str, results: Results, suite: Path | None) -> "Summary":
    from longpanda.evaluate import read_notes
    from longpanda.evaluate.circular import judged
    from longpanda.evaluate.summarise import summarise
    from longpanda.longwatch.families import FAMILIES
    from longpanda.longwatch.folder import read_questions
    from longpanda.longwatch.textonly import with_blind_chance

    path, settings, askings = results
    scores, shown = judged(askings), settings | _noted(read_notes(path))
    samples = with_blind_chance([score.sample for score in scores])
    scores = [replace(score, sample=sample) for score, sample in zip(scores, samples, strict=True)]
    measures = {family: _measures(one.kind) for family, one in FAMILIES.items()}
    if suite is None:
        return summarise(name, shown, scores, measures, askings=askings)
    missing = len(read_questions(suite)) - len(scores)
    return summarise(name, shown, scores, measures, Moments(suite), missing, askings)


def _measures(kind: "AnswerKind") -> "list[Measure]":
    """What is told of a kind of answers beside exact marks."""
    from longpanda.evaluate.summary import Measure
    from longpanda.longwatch.answers import Span

    measures = [Measure(kind.partial, attrgetter("partial"))] if kind.partial else []
    return [*measures, Measure(kind.near, partial(_near, kind))] if isinstance(kind, Span) else measures


def _near(kind: "Span", score: "Score") -> float:
    """The mark of an interval within the tolerance; with options, it is chosen or not."""
    sample = score.sample
    if score.error is not None or "choices" in sample.metadata:
        return score.value
    return kind.mark_near(score.reply.text, sample.target, 60 * float(sample.metadata["minutes"]))


def _noted(starts: list[dict[str, Any]]) -> dict[str, str]:
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


def _commands(options: argparse.Namespace, results: list[Results], plan: "SuitePlan | FootagePlan | None") -> list[str]:
    """What makes the page again, with the longest answer that was allowed last."""
    from longpanda.evaluate import read_notes
    from longpanda.longwatch.commands import remaking

    suite = "SUITE" if options.suite is None else str(options.suite)
    made = [] if plan is None else [shlex.join(remaking(plan, suite, _secret(plan)))]
    made += [_run_command(path, read_notes(path)[-1] | settings, suite) for path, settings, _ in results]
    about = ["--suite", suite] if options.suite is not None else []
    made.append(shlex.join(["longpanda", "longwatch", "report", *(str(path) for path, _, _ in results), *about]))
    return made


def _run_command(path: Path, settings: dict[str, Any], suite: str) -> str:
    words = ["longpanda", "longwatch", "run", suite]
    for name in ("model", "dtype", "command", "endpoint", "endpoint_model", "frames", *_ASKED):
        if settings.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    words += [f"--{name}" for name in ("oracle", "choices", "unverified") if settings.get(name)]
    return shlex.join([*words, "--out", str(path)])

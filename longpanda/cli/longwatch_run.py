"""`longpanda longwatch run`: ask any system the questions of a suite and store its answers."""

import argparse
import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.cli import longwatch_errors
from longpanda.cli.bars import bar, say
from longpanda.cli.endpoint_options import add_endpoint_options
from longpanda.cli.models import add_machine
from longpanda.cli.signals import held
from longpanda.cli.systems import system_of
from longpanda.harness.defaults import ENDPOINT_FRAMES

if TYPE_CHECKING:
    from longpanda.harness.run import Asking, Run
    from longpanda.types import Sample, Score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda longwatch run`."""
    parser.description = _run.__doc__
    add = parser.add_argument
    about = "folder of a suite made by `make` or `insert`, or a .jsonl file of your own questions (docs/longwatch.md)"
    add("folder", type=Path, metavar="SUITE", help=about)
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="file of results: a new one, or one to resume")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--model", metavar="NAME", help="ask a bundled model, a model folder or a hub id")
    who.add_argument(
        "--command",
        metavar="'WORDS'",
        help="ask a program that reads questions and writes answers, each one line of JSON (docs/longwatch.md)",
    )
    who.add_argument(
        "--endpoint", metavar="URL", help="ask an OpenAI-compatible server; the URL without /chat/completions"
    )
    who.add_argument("--oracle", action="store_true", help="ask the oracle, which reads the pixels without a model")
    add_machine(parser)
    add(
        "--choices",
        action="store_true",
        help="add lettered options to each question, and ask it once per rotation of them",
    )
    add_endpoint_options(parser)
    add(
        "--answer-tokens",
        type=int,
        metavar="N",
        help="limit on an answer in tokens, with thinking, for --model and --endpoint; an answer that is cut off is an "
        "error (default: 64)",
    )
    add(
        "--frames",
        type=int,
        metavar="N",
        help="frames per video, spread evenly, for --model and --endpoint "
        f"(default: the model's own sampling; {ENDPOINT_FRAMES} for --endpoint)",
    )
    add(
        "--retry-errors",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask questions again that ended in an error, or not (default: ask again)",
    )
    add(
        "--unverified",
        action="store_true",
        help="do not check the films against the hashes of the suite; the results say so",
    )
    add("--workers", type=int, default=1, metavar="N", help="videos asked about in parallel (default: 1)")
    parser.set_defaults(step_run=_run)


def _run(options: argparse.Namespace) -> None:
    """Ask every question of a suite or of your own. Run again to ask only those without an answer."""
    from longpanda.evaluate import read_records
    from longpanda.harness.questions import questions_in
    from longpanda.harness.run import Asking, Run

    run = Run(
        questions=questions_in(options.folder),
        system=system_of(options),
        out=options.out,
        has_choices=options.choices,
        is_unverified=options.unverified,
        retry_errors=options.retry_errors,
        workers=options.workers,
        errors_in_a_row=longwatch_errors.ERRORS_IN_A_ROW,
    )
    run.check()
    answerers = run.answerers(say)
    if not options.unverified:
        _check_videos(run)
    with Asking(run, answerers) as asking:
        _ask_missing(asking)
    scored = read_records(options.out)[1]
    _print_summary(options, run.samples, scored)
    longwatch_errors.require_answers(scored, options.retry_errors)


def _check_videos(run: "Run") -> None:
    """Check the films of a suite, with a bar. Raises ConfigError if one has changed since it was made."""
    if not (total := run.questions.video_count):
        return
    with bar("checking", total, "films") as shown:
        for _ in run.questions.checked_videos():
            shown.update()


def _ask_missing(asking: "Asking") -> None:
    """Ask the questions without an answer, with a bar. A signal such as Ctrl-C loses no finished answer."""
    total = len(asking.run.samples)
    shown = bar("asking", total, "questions", done=total - len(asking.missing))
    with shown, held() as stop, closing(asking.scores(stop.event)) as scores:
        for _ in scores:
            shown.update()
    stop.leave()


def _print_summary(options: argparse.Namespace, samples: "list[Sample]", scored: "list[Score]") -> None:
    """Print the score of every family, the errors, and the next command."""
    for family in dict.fromkeys(sample.family for sample in samples):
        own = [score for score in scored if score.sample.family == family]
        print(f"{family:10} {_summary(own, options.choices)}")
    for line in longwatch_errors.lines_of(scored):
        print(line)
    read, written = (_total(scored, name) for name in ("prompt_tokens", "answer_tokens"))
    if read or written:
        print(f"tokens: {read:,} read, {written:,} written")
    if options.unverified:
        print("the films were not checked against the hashes of the suite")
    next_step = ["longpanda", "longwatch", "report", str(options.out), "--suite", str(options.folder)]
    print(f"next: {shlex.join(next_step)}")


def _total(scored: "list[Score]", name: str) -> int:
    """Return the sum over all replies that report the count."""
    return sum(getattr(score.reply, name) or 0 for score in scored)


def _summary(scores: "list[Score]", choices: bool) -> str:
    """Return the score of one family; with choices, the circular score (right in all rotations) comes first."""
    from longpanda.errors import counted
    from longpanda.evaluate import accuracy
    from longpanda.evaluate.circular import by_question

    whole = [score for score in scores if score.error is None]
    if not whole:
        return f"no answer to {counted(len(scores), 'question')}"
    if not choices:
        without = f"; {accuracy(whole).value:.1%} right without them" if len(whole) < len(scores) else ""
        return f"{accuracy(scores)}{without}"
    rotated = by_question(scores)
    shares = {"circular": accuracy(rotated.circular), "plain": accuracy(rotated.plain)}
    intervals = {name: "[{:.1%}, {:.1%}]".format(*share.interval) for name, share in shares.items()}
    shown = "  ".join(f"{name} {share.value:>6.1%} {intervals[name]:<16}" for name, share in shares.items())
    return f"{shown}  {counted(len(rotated.plain), 'question')}, {counted(shares['plain'].videos, 'video')}"

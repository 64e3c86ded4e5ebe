"""Ask any system the questions of a suite, and keep its answers."""

import argparse
import shlex
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longpanda.evaluate import Answerer, Records
    from longpanda.types import Sample, Score

from longpanda.cli.answerers import answerers
from longpanda.cli.models import add_machine, check_device, check_dtype
from longpanda.cli.provenance import ENDPOINT_FRAMES, configuration, notes
from longpanda.cli.signals import held

ERRORS_IN_A_ROW = 20
"""After so many a system is taken to be down, and the run stops."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda longwatch run`."""
    parser.description = _run.__doc__
    add = parser.add_argument
    add("folder", type=Path, help="the suite that make or insert wrote")
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="the results: a new file, or one to go on with")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--model", metavar="NAME", help="ask a bundled model, a model folder or a hub id")
    who.add_argument(
        "--command",
        metavar="'WORDS'",
        help="ask a program: it reads a question and writes an answer, each one line of JSON (docs/longwatch.md)",
    )
    who.add_argument(
        "--endpoint", metavar="URL", help="ask an OpenAI-compatible server, up to and without /chat/completions"
    )
    who.add_argument("--oracle", action="store_true", help="ask the classical reader of pixels, which needs no model")
    add_machine(parser)
    add(
        "--choices", action="store_true", help="give every question lettered options, and ask it in all their rotations"
    )
    add(
        "--endpoint-model",
        default="default",
        metavar="NAME",
        help="what the server of --endpoint calls its model (default: default)",
    )
    add(
        "--key-variable",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="environment variable with the key of --endpoint (default: OPENAI_API_KEY)",
    )
    add(
        "--frames",
        type=int,
        metavar="N",
        help="frames of each video to look at, spread evenly, for --model and --endpoint "
        f"(default: as the model samples; {ENDPOINT_FRAMES} for --endpoint)",
    )
    add(
        "--timeout",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds to wait for one answer of --command or --endpoint (default: 300)",
    )
    add("--retry-errors", action="store_true", help="ask again what ended in an error in an earlier run")
    add("--workers", type=int, default=1, metavar="N", help="videos asked about at the same time (default: 1)")
    parser.set_defaults(step_run=_run)


def _run(options: argparse.Namespace) -> None:
    """Ask every question of a suite; run it again to go on after an interruption, no answer is asked for twice."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate import Command, Records, check_configuration, read_records
    from longpanda.longwatch.choices import choices
    from longpanda.longwatch.folder import read_questions
    from longpanda.video import check_writable

    if options.workers < 1:
        raise ConfigError(f"--workers {options.workers}", "at least 1", "give more")
    samples = read_questions(options.folder)
    samples = choices(samples) if options.choices else samples
    check_writable(options.out)
    check_device(options.device)
    check_dtype(options.dtype)
    settings = configuration(options)
    check_configuration(options.out, settings)  # before a model is loaded
    asked = answerers(options)
    with ExitStack() as ending:
        for one in asked:
            if isinstance(one, Command):
                ending.callback(one.close)
        records = Records(options.out, settings, options.retry_errors, notes(options))
        ending.callback(records.close)
        _ask_missing(asked, samples, records)
    _tell(options, samples, read_records(options.out)[1])


def _tell(options: argparse.Namespace, samples: "list[Sample]", scored: "list[Score]") -> None:
    """What every family scored, what went wrong, and what to do next."""
    from longpanda.evaluate.metrics import counted

    for family in dict.fromkeys(sample.family for sample in samples):
        own = [score for score in scored if score.sample.family == family]
        print(f"{family:10} {_summary(own, options.choices)}")
    if errors := [score.error for score in scored if score.error]:
        print(f"{counted(len(errors), 'error')}, the first: {_what(errors[0])}; ask again with --retry-errors")
    next_step = ["longpanda", "longwatch", "report", str(options.out), "--suite", str(options.folder)]
    print(f"next: {shlex.join(next_step)}")


def _what(error: str) -> str:
    """What happened, of an error's words, without what was expected and what to do."""
    return error.partition("; expected ")[0]


def _summary(scores: "list[Score]", choices: bool) -> str:
    """What one family scored; with options, first what was right in all rotations of them."""
    from longpanda.evaluate import accuracy
    from longpanda.evaluate.circular import by_question
    from longpanda.evaluate.metrics import counted

    if not choices:
        return str(accuracy(scores))
    rotated = by_question(scores)
    shares = {"circular": accuracy(rotated.circular), "plain": accuracy(rotated.plain)}
    intervals = {name: "[{:.1%}, {:.1%}]".format(*share.interval) for name, share in shares.items()}
    shown = "  ".join(f"{name} {share.value:>6.1%} {intervals[name]:<16}" for name, share in shares.items())
    return f"{shown}  {counted(len(rotated.plain), 'question')}, {counted(shares['plain'].videos, 'video')}"


def _ask_missing(asked: "list[Answerer]", samples: "list[Sample]", records: "Records") -> None:
    """Ask what has no answer yet, with a bar; Ctrl-C and the like keep every answer that is there."""
    from longpanda.cli.bars import bar
    from longpanda.errors import ConfigError
    from longpanda.evaluate import run_many
    from longpanda.longwatch.choices import mark

    missing, errors = records.missing(samples), 0
    shown = bar("asking", len(samples), "questions", done=len(samples) - len(missing))
    with shown, held() as stop, closing(run_many(asked, missing, mark, stop.event)) as scores:
        for score in scores:
            records.add(score)
            shown.update()
            errors = errors + 1 if score.error else 0
            if errors == ERRORS_IN_A_ROW:
                found = f"{errors} errors in a row, the last: {_what(score.error or '')}"
                raise ConfigError(found, "a system that answers", "mend it, and run again with --retry-errors")
    stop.leave()

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
from longpanda.cli.bars import bar, say
from longpanda.cli.endpoint_options import add_endpoint_options
from longpanda.cli.longwatch_errors import ErrorsInARow, lines_of, require_answers
from longpanda.cli.models import add_machine, check_device, check_dtype
from longpanda.cli.provenance import ENDPOINT_FRAMES, configuration, notes
from longpanda.cli.signals import held


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
    add_endpoint_options(parser)
    add(
        "--answer-tokens",
        type=int,
        metavar="N",
        help="the longest answer, thinking and all, for --model and --endpoint; one that is cut off is an error "
        "(default: 64)",
    )
    add(
        "--frames",
        type=int,
        metavar="N",
        help="frames of each video to look at, spread evenly, for --model and --endpoint "
        f"(default: as the model samples; {ENDPOINT_FRAMES} for --endpoint)",
    )
    add(
        "--retry-errors",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask again what ended in an error in an earlier run, or leave it (default: ask again)",
    )
    add(
        "--unverified",
        action="store_true",
        help="ask about films that are not held against the hashes of when they were made; results say so",
    )
    add("--workers", type=int, default=1, metavar="N", help="videos asked about at the same time (default: 1)")
    parser.set_defaults(step_run=_run)


def _run(options: argparse.Namespace) -> None:
    """Ask every question of a suite; run it again to go on: what has no answer is asked again, and nothing else."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate import Command, Endpoint, Records, check_configuration, read_records
    from longpanda.files import check_writable
    from longpanda.longwatch.choices import choices
    from longpanda.longwatch.folder import read_questions

    if options.workers < 1:
        raise ConfigError(f"--workers {options.workers}", "at least 1", "give more")
    samples = read_questions(options.folder)
    samples = choices(samples) if options.choices else samples
    check_writable(options.out)
    check_device(options.device)
    check_dtype(options.dtype)
    settings = configuration(options)
    check_configuration(options.out, settings)  # before a model is loaded
    asked = answerers(options, say)
    if not options.unverified:
        _require_films(options.folder)
    with ExitStack() as ending:
        for one in asked:
            if isinstance(one, Command | Endpoint):
                ending.callback(one.close)
        records = Records(options.out, settings, options.retry_errors, notes(options))
        ending.callback(records.close)
        try:
            _ask_missing(asked, samples, records)
        finally:
            if refused := sorted({name for one in asked if isinstance(one, Endpoint) for name in one.left_out}):
                records.note(notes(options) | {"refused_by_server": ", ".join(refused)})
    scored = read_records(options.out)[1]
    _tell(options, samples, scored)
    require_answers(scored, options.retry_errors)


def _require_films(folder: Path) -> None:
    """Raises ConfigError where a film of a suite has changed since it was made; with a bar."""
    from longpanda.longwatch.manifest import checked_films, films_of, read_hashes

    checked = checked_films(folder, ", or ask with --unverified, which the results then say")
    total = len(films_of(read_hashes(folder)))
    with bar("checking", total, "films") as shown:
        for _ in checked:
            shown.update()


def _tell(options: argparse.Namespace, samples: "list[Sample]", scored: "list[Score]") -> None:
    """What every family scored, what went wrong, and what to do next."""
    for family in dict.fromkeys(sample.family for sample in samples):
        own = [score for score in scored if score.sample.family == family]
        print(f"{family:10} {_summary(own, options.choices)}")
    for line in lines_of(scored):
        print(line)
    read, written = (_total(scored, name) for name in ("prompt_tokens", "answer_tokens"))
    if read or written:
        print(f"tokens: {read:,} read, {written:,} written")
    if options.unverified:
        print("the films were not held against the hashes of when they were made")
    next_step = ["longpanda", "longwatch", "report", str(options.out), "--suite", str(options.folder)]
    print(f"next: {shlex.join(next_step)}")


def _total(scored: "list[Score]", name: str) -> int:
    """What all answers and errors that tell it cost together."""
    return sum(getattr(score.reply, name) or 0 for score in scored)


def _summary(scores: "list[Score]", choices: bool) -> str:
    """What one family scored; with options, first what was right in all rotations of them."""
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


def _ask_missing(asked: "list[Answerer]", samples: "list[Sample]", records: "Records") -> None:
    """Ask what has no answer yet, with a bar; Ctrl-C and the like keep every answer that is there."""
    from longpanda.evaluate import run_many
    from longpanda.longwatch.choices import mark

    missing, errors = records.missing(samples), ErrorsInARow()
    shown = bar("asking", len(samples), "questions", done=len(samples) - len(missing))
    with shown, held() as stop, closing(run_many(asked, missing, mark, stop.event)) as scores:
        for score in scores:
            records.add(score)
            shown.update()
            errors.count(score)
    stop.leave()

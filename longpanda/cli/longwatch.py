"""Make a LongWatch suite, check it, and measure a model: films of 3 to 120 minutes with exact questions."""

import argparse
import os
from pathlib import Path
from typing import Final

from longpanda.cli import longwatch_audit, longwatch_export, longwatch_insert, longwatch_report, longwatch_run
from longpanda.cli.longwatch_insert import SEEDS

FAMILY_NAMES: Final = (
    "needle, multikey, chain, grounding, count, order, sequence, state, causal, rate, text, visitors, story"
)
"""Of `longpanda.longwatch.FAMILIES`, which help is not to wait for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda longwatch`, one parser for each step."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP", parser_class=type(parser))
    _add_make(steps.add_parser("make", help="film a suite; run it again to go on", description=_make.__doc__))
    longwatch_insert.add_arguments(steps.add_parser("insert", help="lay cards over real footage and ask about them"))
    checks = steps.add_parser("verify", help="check every file of a suite", description=_verify.__doc__)
    checks.add_argument("folder", type=Path, help="the suite that make wrote")
    checks.add_argument(
        "--frames",
        action="store_true",
        help="render every video again, too, and compare the raw frames; takes as long as make",
    )
    checks.set_defaults(step_run=_verify)
    longwatch_run.add_arguments(steps.add_parser("run", help="ask a model every question of a suite"))
    longwatch_audit.add_arguments(steps.add_parser("audit", help="hold a suite against its controls"))
    page = steps.add_parser(
        "report", help="a page of results, or of two compared", description=longwatch_report.run.__doc__
    )
    longwatch_report.add_arguments(page)
    page.set_defaults(step_run=longwatch_report.run)
    about = longwatch_export.run.__doc__
    longwatch_export.add_arguments(steps.add_parser("export", help="write a data set for others", description=about))
    for step in steps.choices.values():
        step.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """One step."""
    options.step_run(options)


def _add_make(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="the suite's folder: new, empty, or one to go on with")
    add(
        "--minutes",
        type=float,
        nargs="+",
        metavar="M",
        help="lengths of the films in minutes, up to 1440; every script is filmed at each (default: 3 10 30 60 120)",
    )
    add("--families", nargs="+", default=["all"], metavar="NAME", help=f"what is asked: {FAMILY_NAMES} (default: all)")
    add("--per-cell", type=int, default=200, metavar="N", help="questions for each family and length (default: 200)")
    add("--seed", type=int, metavar="N", help=f"which films, {SEEDS} (default: 0; none with --split private)")
    add(
        "--split",
        default="report",
        help="whose films: dev and report are public, to develop and to report on, private is yours (default: report)",
    )
    add(
        "--level",
        default="steady",
        help="how long things show at least: steady 16 s, brisk 4 s, flash 1 s (default: steady)",
    )
    add("--size-px", type=int, default=448, metavar="PX", help="side of the square frames in pixels (default: 448)")
    add("--fps", type=float, default=2.0, metavar="F", help="frames per second of the films (default: 2)")
    add("--crf", type=int, default=28, metavar="Q", help="H.264 quality, 0 to 51, lower is better (default: 28)")
    add(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that film at the same time, each with about 0.3 GB (default: one per core)",
    )
    parser.set_defaults(step_run=_make)


def _make(options: argparse.Namespace) -> None:
    """Film every video of a suite and write its questions; run it again to go on after an interruption."""
    from longpanda.longwatch.families import FAMILIES
    from longpanda.longwatch.make import make
    from longpanda.longwatch.suite import DEFAULT_MINUTES, SuitePlan

    plan = SuitePlan(
        minutes=DEFAULT_MINUTES if options.minutes is None else tuple(options.minutes),
        families=tuple(FAMILIES) if options.families == ["all"] else tuple(options.families),
        per_cell=options.per_cell,
        seed=_seed(options),
        split=options.split,
        level=options.level,
        size_px=options.size_px,
        fps=options.fps,
        crf=options.crf,
    )
    from longpanda.cli.bars import bar
    from longpanda.errors import counted

    made = make(plan, options.out, options.workers)
    total_minutes = sum(entry.minutes for entry in plan.entries)
    with bar("filming", total_minutes, "film-minutes") as shown:
        for entry in made:
            shown.update(entry.minutes)
    size_bytes = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    videos = counted(len(plan.entries), "video")
    questions = counted(len(plan.families) * plan.per_cell * len(plan.minutes), "question")
    print(f"{videos}, {counted(total_minutes, 'minute')}, {questions}, {size_bytes / 2**20:.1f} MiB")


def _seed(options: argparse.Namespace) -> int:
    """The seed; who wants a private suite has to choose one, since everybody knows a default."""
    from longpanda.errors import ConfigError
    from longpanda.longwatch.limits import SCENES_PER_SEED

    if options.seed is None and options.split == "private":
        expected = f"a seed from 0 to {SCENES_PER_SEED - 1} that nobody knows"
        raise ConfigError("--split private without --seed", expected, "draw one at random, and keep it to yourself")
    return options.seed or 0


def _verify(options: argparse.Namespace) -> None:
    """Check every file of a suite against its manifest and against its plan, drawn anew."""
    from longpanda.cli.bars import bar, say
    from longpanda.errors import ConfigError, counted
    from longpanda.longwatch.make import verify
    from longpanda.longwatch.suite import SuitePlan

    wrong = 0
    count = 0
    files = 1 + 2 * len(SuitePlan.read(options.folder).entries)
    with bar("checking", files, "files") as shown:
        for name, problem in verify(options.folder, options.frames):
            count += 1
            shown.update()
            if problem:
                wrong += 1
                say(f"{name}: {problem}")
    if wrong:
        found = f"{wrong:,} wrong of {counted(count, 'file')}"
        raise ConfigError(found, "a suite as it was made", "delete what is wrong and run make again")
    print(f"{count} files are as they were made")

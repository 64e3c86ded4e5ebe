"""Make and check LongWatch suites, generated films of 3 to 120 minutes with questions, and score any system on them."""

import argparse
import os
from pathlib import Path
from typing import Final

from longpanda.cli import longwatch_audit, longwatch_export, longwatch_insert, longwatch_report, longwatch_run
from longpanda.cli.longwatch_insert import SEEDS

FAMILY_NAMES: Final = (
    "needle, multikey, chain, grounding, count, order, sequence, state, causal, rate, text, visitors, story"
)
"""A copy of the keys of `longpanda.longwatch.FAMILIES`, whose import would slow down `--help`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the steps of `longpanda longwatch`, each with its options."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP", parser_class=type(parser))
    _add_make(steps.add_parser("make", help="film a suite and write its questions", description=_make.__doc__))
    longwatch_insert.add_arguments(steps.add_parser("insert", help="make a suite by inserting cards into real footage"))
    checks = steps.add_parser("verify", help="check every file of a suite", description=_verify.__doc__)
    checks.add_argument("folder", type=Path, metavar="SUITE", help="folder of a suite made by `make`")
    checks.add_argument(
        "--frames",
        action="store_true",
        help="also render every video again and compare the raw frames; takes as long as make",
    )
    checks.set_defaults(step_run=_verify)
    longwatch_run.add_arguments(steps.add_parser("run", help="ask a model, program or server all questions of a suite"))
    longwatch_audit.add_arguments(steps.add_parser("audit", help="test whether a suite can be guessed"))
    page = steps.add_parser(
        "report", help="write a page of one or two files of results", description=longwatch_report.run.__doc__
    )
    longwatch_report.add_arguments(page)
    page.set_defaults(step_run=longwatch_report.run)
    about = longwatch_export.run.__doc__
    longwatch_export.add_arguments(steps.add_parser("export", help="write a suite as a data set", description=about))
    for step in steps.choices.values():
        step.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """Run the chosen step."""
    options.step_run(options)


def _add_make(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the suite: new, empty, or one to resume")
    add(
        "--minutes",
        type=float,
        nargs="+",
        metavar="M",
        help="lengths of the films in minutes, up to 1440; every script is filmed at each (default: 3 10 30 60 120)",
    )
    add("--families", nargs="+", default=["all"], metavar="NAME", help=f"families: {FAMILY_NAMES} (default: all)")
    add("--per-cell", type=int, default=200, metavar="N", help="questions per family and length (default: 200)")
    add("--seed", type=int, metavar="N", help=f"seed of the films, {SEEDS} (default: 0; required with --split private)")
    add(
        "--split",
        default="report",
        metavar="NAME",
        help="range of the seeds: dev (public, for development), report (public, for published scores) or private "
        "(your own) (default: report)",
    )
    add(
        "--level",
        default="steady",
        metavar="NAME",
        help="shortest time that anything is shown: steady 16 s, brisk 4 s, flash 1 s (default: steady)",
    )
    add("--size-px", type=int, default=448, metavar="PX", help="side of the square frames in pixels (default: 448)")
    add("--fps", type=float, default=2.0, metavar="F", help="frames per second of the films (default: 2)")
    add("--crf", type=int, default=28, metavar="Q", help="H.264 quality, 0 to 51, lower is better (default: 28)")
    add(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that film in parallel, each using about 0.3 GB (default: one per core)",
    )
    parser.set_defaults(step_run=_make)


def _make(options: argparse.Namespace) -> None:
    """Film every video of a suite and write its questions. After an interruption, the same command resumes."""
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
    """Return the seed. A private suite needs its own, since a default would be public."""
    from longpanda.errors import ConfigError
    from longpanda.longwatch.limits import SCENES_PER_SEED

    if options.seed is None and options.split == "private":
        expected = f"a secret seed from 0 to {SCENES_PER_SEED - 1}"
        raise ConfigError("--split private without --seed", expected, "draw one at random, and keep it to yourself")
    return options.seed or 0


def _verify(options: argparse.Namespace) -> None:
    """Check every file of a suite against its manifest, and against scenes and questions generated from its plan."""
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
        raise ConfigError(found, "a suite as it was made", "delete the wrong files and run make again")
    print(f"{count} files are as they were made")

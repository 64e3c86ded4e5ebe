"""Make a LongWatch suite, check it, and measure a model: films of 3 to 120 minutes with exact questions."""

import argparse
import os
import sys
from pathlib import Path

from longpanda.cli import longwatch_audit, longwatch_export, longwatch_insert, longwatch_report, longwatch_run
from longpanda.cli.bars import BAR_DELAY_SECONDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda longwatch`, one parser for each step."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP", parser_class=type(parser))
    _add_make(steps.add_parser("make", help="film a suite; run it again to go on", description=_make.__doc__))
    longwatch_insert.add_arguments(steps.add_parser("insert", help="lay cards over real footage and ask about them"))
    checks = steps.add_parser("verify", help="check every file of a suite", description=_verify.__doc__)
    checks.add_argument("folder", type=Path, help="what make wrote")
    checks.add_argument("--frames", action="store_true", help="render every video again and compare the raw frames")
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
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the suite goes")
    parser.add_argument("--minutes", type=float, nargs="+", default=None, help="lengths (default: 3 10 30 60 120)")
    parser.add_argument("--families", nargs="+", default=["all"], help="question families (default: all)")
    parser.add_argument("--per-cell", type=int, default=200, help="questions per family and length (default: 200)")
    parser.add_argument("--seed", type=int, help="which videos (default: 0; with --split private there is none)")
    parser.add_argument("--split", default="report", help="dev, report or private: whose seeds (default: report)")
    parser.add_argument("--level", default="steady", help="steady, brisk or flash: shown for 16, 4 or 1 s")
    parser.add_argument("--size-px", type=int, default=448, help="side of the frames (default: 448)")
    parser.add_argument("--fps", type=float, default=2.0, help="frames per second (default: 2)")
    parser.add_argument("--crf", type=int, default=28, help="H.264 quality, lower is better (default: 28)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
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
    from tqdm import tqdm

    from longpanda.evaluate.metrics import counted

    made = make(plan, options.out, options.workers)
    total_minutes = sum(entry.minutes for entry in plan.entries)
    bar = tqdm(total=total_minutes, unit=" film-minutes", desc="filming")
    with bar:
        for entry in made:
            bar.update(entry.minutes)
    size_bytes = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    videos = counted(len(plan.entries), "video")
    questions = counted(len(plan.families) * plan.per_cell * len(plan.minutes), "question")
    print(f"{videos}, {total_minutes:g} minutes, {questions}, {size_bytes / 2**20:.1f} MiB")


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
    from tqdm import tqdm

    from longpanda.errors import ConfigError
    from longpanda.longwatch.make import verify

    wrong = 0
    count = 0
    for name, problem in tqdm(
        verify(options.folder, options.frames), unit="file", desc="checking", delay=BAR_DELAY_SECONDS
    ):
        count += 1
        if problem:
            wrong += 1
            print(f"{name}: {problem}", file=sys.stderr)
    if wrong:
        raise ConfigError(
            f"{wrong} of {count} files are wrong", "a suite as it was made", "delete them and run make again"
        )
    print(f"{count} files are as they were made")

"""`longpanda longwatch insert`: make a suite from real footage by inserting cards."""

import argparse
from pathlib import Path
from typing import Final

FOOTAGE_FAMILY_NAMES: Final = "needle, order, multikey, chain, sequence, grounding"
"""A copy of `longpanda.longwatch.deck.FOOTAGE_FAMILIES`, whose import would slow down `--help`."""
SEEDS: Final = "0 to 1048575"
"""From `longpanda.longwatch.limits.SCENES_PER_SEED`, for the same reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the step."""
    parser.description = insert.__doc__
    add = parser.add_argument
    add("videos", nargs="+", type=Path, metavar="VIDEO", help="your videos, each once; they are read and not changed")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the suite: new, empty, or one to resume")
    add(
        "--minutes",
        type=float,
        nargs="+",
        default=[],
        metavar="M",
        help="cut each video, from its start, to each of these lengths in minutes (default: all of it, once)",
    )
    add(
        "--depths",
        type=float,
        nargs="+",
        default=[],
        metavar="SHARE",
        help="where needles start, as fractions of the video, 0 to 1 (default: spread evenly)",
    )
    add(
        "--families",
        nargs="+",
        default=["all"],
        metavar="NAME",
        help=f"question families: {FOOTAGE_FAMILY_NAMES} (default: all)",
    )
    add("--seed", type=int, default=0, metavar="N", help=f"seed of the cards, {SEEDS} (default: 0)")
    add(
        "--level",
        default="steady",
        metavar="NAME",
        help="shortest time that a card is shown: steady 16 s, brisk 4 s, flash 1 s (default: steady)",
    )
    add("--height-px", type=int, metavar="PX", help="scale frames down to at most this height (default: their own)")
    add("--fps", type=float, default=2.0, metavar="F", help="frames per second of the films (default: 2)")
    add("--crf", type=int, default=28, metavar="Q", help="H.264 quality, 0 to 51, lower is better (default: 28)")
    parser.set_defaults(step_run=insert)


def insert(options: argparse.Namespace) -> None:
    """Insert cards into real footage and write questions about them. After an interruption, run again to resume."""
    from longpanda.cli.bars import bar
    from longpanda.errors import counted
    from longpanda.longwatch.deck import FOOTAGE_FAMILIES
    from longpanda.longwatch.folder import open_folder
    from longpanda.longwatch.footage import Footage, FootagePlan
    from longpanda.longwatch.insert import insert as fill

    plan = FootagePlan(
        footage=tuple(Footage.of(video) for video in options.videos),
        minutes=tuple(options.minutes),
        depths=tuple(sorted(options.depths)),
        families=FOOTAGE_FAMILIES if options.families == ["all"] else tuple(options.families),
        seed=options.seed,
        level=options.level,
        height_px=options.height_px,
        fps=options.fps,
        crf=options.crf,
    )
    open_folder(plan, options.out)
    frames = sum(entry.frames for entry in plan.entries)
    with bar("inserting", frames, "frames") as shown:
        fill(plan, options.videos, options.out, shown.update)
    size_bytes = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    videos, questions = counted(len(plan.entries), "video"), counted(sum(1 for _ in plan.samples()), "question")
    minutes = frames / plan.fps / 60
    print(f"{videos}, {minutes:.1f} minutes, {questions}, {size_bytes / 2**20:.1f} MiB")

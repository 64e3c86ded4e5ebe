"""`longpanda longwatch insert`: cards and questions on footage of one's own."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the step."""
    parser.description = insert.__doc__
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="real footage; it is not changed")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the suite goes")
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=[], help="film each video's first so many (default: all of it)"
    )
    parser.add_argument(
        "--depths", type=float, nargs="+", default=[], help="where the needles start, 0 to 1 (default: spread evenly)"
    )
    parser.add_argument("--families", nargs="+", default=["all"], help="question families (default: all about cards)")
    parser.add_argument("--seed", type=int, default=0, help="which cards (default: 0)")
    parser.add_argument("--level", default="steady", help="steady, brisk or flash: cards show for 16, 4 or 1 s")
    parser.add_argument("--height-px", type=int, help="scale frames down to at most this height (default: their own)")
    parser.add_argument("--fps", type=float, default=2.0, help="frames per second, constant (default: 2)")
    parser.add_argument("--crf", type=int, default=28, help="H.264 quality, lower is better (default: 28)")
    parser.set_defaults(step_run=insert)


def insert(options: argparse.Namespace) -> None:
    """Lay cards over real footage and write a suite about them; run it again to go on after an interruption."""
    from longpanda.evaluate.metrics import counted
    from longpanda.longwatch.deck import FOOTAGE_FAMILIES
    from longpanda.longwatch.footage import Footage, FootagePlan
    from longpanda.longwatch.insert import insert as fill
    from longpanda.longwatch.make import open_folder

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
    from tqdm import tqdm

    open_folder(plan, options.out)
    frames = sum(entry.frames for entry in plan.entries)
    with tqdm(total=frames, unit=" frames", desc="inserting") as bar:
        fill(plan, options.videos, options.out, bar.update)
    size_bytes = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    videos, questions = counted(len(plan.entries), "video"), counted(sum(1 for _ in plan.samples()), "question")
    minutes = frames / plan.fps / 60
    print(f"{videos}, {minutes:.1f} minutes, {questions}, {size_bytes / 2**20:.1f} MiB")

"""`longpanda longwatch export`: write a suite as a data set."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the step."""
    parser.add_argument("folder", type=Path, metavar="SUITE", help="folder of a suite made by `make`")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the data set: new, empty, or one to resume"
    )
    parser.set_defaults(step_run=run)


def run(options: argparse.Namespace) -> None:
    """Write a suite as a data set: Parquet, videos, a data card and tasks for lmms-eval. Run again to resume."""
    from longpanda.cli.bars import bar
    from longpanda.errors import counted
    from longpanda.longwatch.export import CARD, TABLE, TASKS, export
    from longpanda.longwatch.suite import SuitePlan

    plan = SuitePlan.read(options.folder)
    made, total = export(options.folder, options.out), len(plan.entries)
    with bar("exporting", total, "videos") as shown:
        for _ in made:
            shown.update()
    if plan.split == "private":
        print("note: this suite is private, and the data set contains its answers")
    print(f"{counted(total, 'video')} with questions in {options.out}: {TABLE}, {CARD}")
    print(f"lmms-eval: --include_path {options.out / TASKS} --tasks longwatch")

"""`longpanda longwatch audit`: test whether a suite can be guessed, and whether it can be answered."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.errors import counted

if TYPE_CHECKING:
    from longpanda.longwatch.audit import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the step."""
    parser.description = run.__doc__
    parser.add_argument("folder", type=Path, metavar="SUITE", help="folder of a suite made by `make`")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE.json",
        help="also write the table to a new JSON file (default: print it only)",
    )
    parser.set_defaults(step_run=run)


def run(options: argparse.Namespace) -> None:
    """Answer a suite with controls that see less than the videos and with an oracle; print whose bounds break."""
    import json
    from dataclasses import asdict

    from longpanda.errors import ConfigError
    from longpanda.files import write_atomic

    if options.out is not None:
        _require_new(options.out)
    rows = _audited(options.folder)
    for line in _table(rows):
        print(line)
    if options.out is not None:
        write_atomic(options.out, json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    if broken := sorted({row.family for row in rows if row.broken}):
        found = f"families with a broken bound: {', '.join(broken)}"
        raise ConfigError(found, "none", "make more questions with --per-cell, or report a bug")
    unsure = sum(bool(row.unsure) for row in rows)
    unclear = f"; {unsure} with too few questions to tell" if unsure else ""
    print(f"no bound is broken in {counted(len(rows), 'row')}{unclear}")


def _require_new(path: Path) -> None:
    """Raises ConfigError if the file exists, since it may be anything, or cannot be written."""
    from longpanda.errors import ConfigError
    from longpanda.files import check_writable

    check_writable(path)
    if path.exists():
        raise ConfigError(f"'{path}' exists already", "a new file", "choose another name, or delete it")


def _audited(folder: Path) -> "list[Row]":
    """Return the rows of the table, with a bar. A suite that cannot be audited fails before any output."""
    from longpanda.cli.bars import bar
    from longpanda.longwatch.audit import Row, audit
    from longpanda.longwatch.suite import SuitePlan

    found, rows = audit(folder), []
    videos = len(SuitePlan.read(folder).entries)
    print("training the controls that do not see the videos", file=sys.stderr, flush=True)
    with bar("reading", videos, "videos") as shown:
        for one in found:
            if isinstance(one, Row):
                rows.append(one)
            else:
                shown.update()
    return rows


def _table(rows: "Sequence[Row]") -> Iterator[str]:
    """Yield a header and one line for each family and length."""
    from longpanda.longwatch.audit import BOUNDED, INVARIANCES

    names = ["constant", "words", *(control.name for control in BOUNDED), *INVARIANCES, "oracle"]
    yield f"{'family':10} {'minutes':>7} {'asked':>6} " + " ".join(f"{name:>12}" for name in names)
    for row in rows:
        shares = [row.chance, row.text_only, *(row.controls[control.name] for control in BOUNDED)]
        shares += [*(row.invariances.get(name, float("nan")) for name in INVARIANCES), row.oracle]
        shown = " ".join("-".rjust(12) if isnan(share) else f"{share:>12.1%}" for share in shares)
        bounds = f"  BROKEN: {'; '.join(row.broken)}" if row.broken else ""
        bounds += f"  too few questions to tell: {', '.join(row.unsure)}" if row.unsure else ""
        yield f"{row.family:10} {row.minutes:>7g} {row.questions:>6} {shown}{bounds}"

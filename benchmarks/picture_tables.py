"""The table of docs/benchmarks.md about pictures: by container, how many films give the same pictures as FFmpeg."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.blocks import Result
from benchmarks.corpus.table import CASES

Row = dict[str, Any]
OTHERS = "other people's"
LISTED_FILES = 4


def pictures(result: Result) -> str:
    """Show counts by container, then the differences with a known reason, then those without."""
    own = {case.name for case in CASES}
    rows: list[Row] = [row for row in result["files"] if "not_made" not in row]
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(Path(row["name"]).suffix if row["name"] in own else OTHERS, []).append(row)
    few = [kind for kind in kinds if len(kinds[kind]) < LISTED_FILES]
    kinds[f"{len(few)} other kinds"] = [row for kind in few for row in kinds.pop(kind)]
    lines = [f"{result['ffmpeg']}: {result['summary']}.", ""]
    lines += ["| files | how many | pictures | as FFmpeg, in every way | with a reason | without |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    lines += [_line(kind, kinds[kind]) for kind in sorted(kinds, key=lambda kind: (kind == OTHERS, -len(kinds[kind])))]
    lines += [_line("all", rows), ""]
    lines += [f"- {row['name']}: {row['explained']}" for row in rows if row["differences"] and row["explained"]]
    unexplained = [row for row in rows if row["differences"] and not row["explained"]]
    return "\n".join(lines + [f"- {row['name']}, without a reason: {row['differences'][0]}" for row in unexplained])


def _line(kind: str, rows: Sequence[Row]) -> str:
    differ = [row for row in rows if row["differences"]]
    explained = sum(bool(row["explained"]) for row in differ)
    shown = sum(row["ffmpeg"] for row in rows)
    return f"| {kind} | {len(rows)} | {shown} | {len(rows) - len(differ)} | {explained} | {len(differ) - explained} |"

"""The table of docs/backbones.md: what became of each language model of transformers."""

from collections import Counter
from typing import Any

from benchmarks.blocks import Result

OUTCOMES = ("works", "refused", "not made", "WRONG", "FAULT")


def backbones(result: Result) -> str:
    """Those that work with what each can do, then those refused and those that were not made, with the reason."""
    rows: list[dict[str, Any]] = result["rows"]
    counts = Counter(row["outcome"] for row in rows)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome] or outcome == "WRONG")
    lines = [f"transformers {result['transformers']}, torch {result['torch']}: {len(rows)} types; {said}.", ""]
    lines += ["| type | question after a kept prefix | batch of several lengths | side by side, for training | saved |"]
    lines += ["|---|---|---|---|---|"]
    for row in rows:
        if row["outcome"] == "works":
            cells = [_short(row[name]) for name in ("kept", "batch", "side_by_side", "saved")]
            lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    lines += ["", "| type | outcome | reason |", "|---|---|---|"]
    for row in rows:
        if row["outcome"] != "works":
            lines.append(f"| {row['name']} | {row['outcome']} | {_reason(row)} |")
    return "\n".join(lines)


def _short(said: str) -> str:
    return "refused" if said.startswith("refused") else said


def _reason(row: dict[str, Any]) -> str:
    reason: str = row["reason"].removeprefix(f"a language model of type '{row['name']}' ")
    return reason.replace("|", "\\|").replace("<", "&lt;")[:170]

"""The tables of docs/backbones.md: the outcome for each type of language model of transformers."""

from collections import Counter
from typing import Any

from benchmarks.blocks import Result

OUTCOMES = ("works", "refused", "not made", "WRONG", "FAULT")


COLUMNS = {
    "kept": "question after a kept prefix",
    "batch": "batch of several lengths",
    "taught": "examples with one question",
    "side_by_side": "examples with several questions",
    "saved": "saved",
}
"""Column titles of the checks, by their names in a row."""


def backbones(result: Result) -> str:
    """Show the types that work with what each can do, then the other types with the reason."""
    rows: list[dict[str, Any]] = result["rows"]
    counts = Counter(row["outcome"] for row in rows)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome] or outcome == "WRONG")
    lines = [f"transformers {result['transformers']}, torch {result['torch']}: {len(rows)} types; {said}.", ""]
    lines += [f"| {' | '.join(('type', *COLUMNS.values()))} |", f"|{'---|' * (1 + len(COLUMNS))}"]
    for row in rows:
        if row["outcome"] == "works":
            cells = [_short(row[name]) for name in COLUMNS]
            lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    lines += ["", "| type | outcome | reason |", "|---|---|---|"]
    for row in rows:
        if row["outcome"] != "works":
            lines.append(f"| {row['name']} | {row['outcome']} | {_reason(row)} |")
    return "\n".join(lines)


def _short(said: str) -> str:
    """Return the last part of the message of a refusal."""
    mark = next((mark for mark in (", which ", " with ") if mark in said), None)
    return f"refused: {said.rpartition(mark)[2]}" if said.startswith("refused") and mark else said


def _reason(row: dict[str, Any]) -> str:
    reason: str = row["reason"].removeprefix(f"a language model of type '{row['name']}' ")
    return reason.replace("|", "\\|").replace("<", "&lt;")[:170]

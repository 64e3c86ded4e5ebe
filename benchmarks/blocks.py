"""A measured table as Markdown, with what it was measured on and how to measure it again."""

from collections.abc import Iterable
from typing import Any

Result = dict[str, Any]
"""A result file."""


def accuracy(value: float, interval: list[float]) -> str:
    """A share with its interval."""
    return f"{value:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]"


def whole(one: Result) -> str:
    """The same of a score, in whole percents."""
    low, high = one["interval"]
    return f"{one['value']:.0%} [{low:.0%}, {high:.0%}]"


def block(columns: tuple[str, ...], rows: Iterable[list[str]], result: Result, notes: list[str]) -> str:
    """A markdown table, what it says, where it was taken, and how to take it again."""
    return "\n".join(
        [rows_of(columns, rows), "", *notes, f"Measured on {machine(result['machine'])}: `{result['command']}`."]
    )


def rows_of(columns: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    """A markdown table; all columns but the first are numbers."""
    lines = (columns, ["---"] + ["---:"] * (len(columns) - 1), *rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine(found: Result) -> str:
    """One phrase for the dict of `benchmarks.measure.machine`."""
    parts = [
        found.get("accelerator"),
        f"{found['cpus']} CPUs ({found['processor']})",
        f"{found['memory_bytes'] / 2**30:.0f} GiB",
        f"torch {found['torch']}",
        f"commit {found['commit']}" if found.get("commit") else None,
    ]
    return ", ".join(part for part in parts if part)

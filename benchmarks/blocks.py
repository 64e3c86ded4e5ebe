"""Format results as Markdown tables, with the machine and the command that measured them."""

from collections.abc import Iterable
from typing import Any

Result = dict[str, Any]
"""A result file."""


def accuracy(value: float, interval: list[float]) -> str:
    """Format a share with its interval."""
    return f"{value:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]"


def whole(one: Result) -> str:
    """Format a score and its interval in whole percent."""
    low, high = one["interval"]
    return f"{one['value']:.0%} [{low:.0%}, {high:.0%}]"


def block(columns: tuple[str, ...], rows: Iterable[list[str]], result: Result, notes: list[str]) -> str:
    """Return a Markdown table with its notes, its machine and its command."""
    return "\n".join(
        [rows_of(columns, rows), "", *notes, f"Measured on {machine(result['machine'])}: `{result['command']}`."]
    )


def rows_of(columns: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    lines = (columns, ["---"] + ["---:"] * (len(columns) - 1), *rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine(found: Result) -> str:
    """Describe the dict of `benchmarks.measure.machine` in one phrase."""
    parts = [
        found.get("accelerator"),
        f"{found['cpus']} CPUs ({found['processor']})",
        f"{found['memory_bytes'] / 2**30:.0f} GiB",
        f"torch {found['torch']}",
        f"commit {found['commit']}" if found.get("commit") else None,
    ]
    return ", ".join(part for part in parts if part)

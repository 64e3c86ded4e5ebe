"""Cells of tables, and formatting of the numbers in them, for HTML, Markdown and charts."""

from dataclasses import dataclass
from typing import Final

from longpanda.errors import counted
from longpanda.evaluate.analysis import EVERYTHING
from longpanda.evaluate.metrics import Accuracy

_KIB: Final = 2**10


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: the content.
        note: further content in small print.
        share: shade in a heat map, 0 to 1; None for no shade.
        about: tooltip.
    """

    text: str
    note: str = ""
    share: float | None = None
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a header. The first cell of a row is its name.

    Args:
        head: titles of the columns.
        rows: rows with one cell per column.
        is_prose: whether cells are text rather than numbers.
        total: name of the row that summarises the others.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_prose: bool = False
    total: str = EVERYTHING

    @property
    def is_heat(self) -> bool:
        """Whether any cell is shaded."""
        return any(cell.share is not None for row in self.rows for cell in row)


def length_text(minutes: float) -> str:
    """Format a length in minutes, or "none" for 0."""
    return f"{minutes:g} min" if minutes else "none"


def cost_text(name: str, value: float) -> str:
    """Format a cost with its unit."""
    match name:
        case _ if not value:
            return "0"
        case "seconds" if value < 1e-3:
            return f"{1e6 * value:,.0f} µs"
        case "seconds" if value < 1:
            return f"{1e3 * value:,.0f} ms"
        case "seconds":
            return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"
        case "peak memory":
            return f"{value / _KIB**3:.1f} GiB" if value >= _KIB**3 else f"{value / _KIB**2:,.0f} MiB"
        case _:
            return f"{value:,.0f}"


def interval_text(interval: tuple[float, float], form: str = ".0f") -> str:
    """Format two shares in percent."""
    low, high = (f"{100 * share:{form}}" for share in interval)
    return f"{low} to {high}%".replace("-", "−")


def share_cell(one: Accuracy | None, is_shaded: bool = False) -> Cell:
    """Return a share with its interval and its numbers of questions, or a dash if there are no questions."""
    if one is None:
        return Cell("–")
    shade = min(1.0, max(0.0, one.value)) if is_shaded else None
    about = f"{counted(one.questions, 'question')}, {counted(one.videos, 'cluster')}{errors_text(one)}"
    return Cell(percent_text(one.value), interval_text(one.interval), shade, about)


def errors_text(one: Accuracy) -> str:
    """Format the number of errors as the end of a list, or "" for none."""
    return f", {counted(one.errors, 'error')}" if one.errors else ""


def percent_text(share: float) -> str:
    """Format a share in percent."""
    return f"{share:.1%}".replace("-", "−")

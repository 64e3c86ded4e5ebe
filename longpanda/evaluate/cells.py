"""A table's cells, and numbers as they stand in them: HTML, Markdown and charts say the same."""

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
        text: what it says.
        note: what it adds in small letters.
        share: 0 to 1, how dark it is in a heat map; None for no shade.
        about: what it says when pointed at.
    """

    text: str
    note: str = ""
    share: float | None = None
    about: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first cell of a row names it.

    Args:
        head: of the columns.
        rows: as many cells each.
        is_prose: cells are text to be read, not numbers to be compared.
        total: the name of the row that sums up the others.
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
    """A length, or that there is none."""
    return f"{minutes:g} min" if minutes else "none"


def cost_text(name: str, value: float) -> str:
    """A cost with its unit."""
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
    """Two shares in percent."""
    low, high = (f"{100 * share:{form}}" for share in interval)
    return f"{low} to {high}%".replace("-", "−")


def share_cell(one: Accuracy | None, is_shaded: bool = False) -> Cell:
    """A share with its interval, and of what it is one; a dash where nothing was asked."""
    if one is None:
        return Cell("–")
    shade = min(1.0, max(0.0, one.value)) if is_shaded else None
    about = f"{counted(one.questions, 'question')}, {counted(one.videos, 'cluster')}{errors_text(one)}"
    return Cell(percent_text(one.value), interval_text(one.interval), shade, about)


def errors_text(one: Accuracy) -> str:
    """How many of the questions ended in an error, to go on a list; "" for none."""
    return f", {counted(one.errors, 'error')}" if one.errors else ""


def percent_text(share: float) -> str:
    """One share in percent."""
    return f"{share:.1%}".replace("-", "−")

"""Layout of the charts in px; the template of the page only draws them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from longpanda.evaluate.cells import cost_text, interval_text, length_text
from longpanda.evaluate.metrics import Accuracy
from longpanda.evaluate.paired import Paired
from longpanda.evaluate.summary import COSTS, FamilySummary, Summary

WIDTH_PX, HEIGHT_PX = 280, 190
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 40, 14, 10, 30
STRIP_PX: Final = 180
_LABEL_PX: Final = 26
"""Least distance between two labels of an axis."""
_NAME_PX: Final = (22, 10)
"""Width and height of the text beside a point."""
_LOG_FROM: Final = 20.0
"""Costs that differ by more than this factor have a logarithmic axis."""


@dataclass(frozen=True)
class Tick:
    """A label of an axis at a position in px of the panel."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """One measured accuracy.

    Args:
        x: horizontal position in px.
        y: vertical position of the value in px.
        top: upper end of its interval in px.
        bottom: lower end of its interval in px.
        text: text beside the point, or "".
        about: tooltip.
    """

    x: float
    y: float
    top: float
    bottom: float
    text: str
    about: str


@dataclass(frozen=True)
class Series:
    """The points of one model, ordered by length; `model` is its position among the models."""

    model: int
    points: tuple[Point, ...]

    @property
    def line(self) -> str:
        """All points in the format of an SVG polyline."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)

    @property
    def band(self) -> str:
        """The outline of all intervals in the format of an SVG polygon."""
        edges = [(point.x, point.top) for point in self.points]
        edges += [(point.x, point.bottom) for point in reversed(self.points)]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in edges)


@dataclass(frozen=True)
class Panel:
    """One small chart of accuracy over a length or a cost.

    Args:
        title: title of the chart.
        x_ticks: labels of the horizontal axis.
        series: one per model that has points.
        chance_y: position of the chance level in px; None for none.
    """

    title: str
    x_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    chance_y: float | None = None

    @property
    def y_ticks(self) -> tuple[Tick, ...]:
        """Labels at every 25 %."""
        return tuple(Tick(_y(share), f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0))


@dataclass(frozen=True)
class Strip:
    """A difference and its interval in px, on a strip of width `STRIP_PX` with 0 in the middle."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Axis:
    """Maps values to horizontal positions in px of a panel.

    Args:
        low: value at the left end.
        high: value at the right end, above `low`.
        is_log: whether the axis is logarithmic; `low` must then be above 0.
    """

    low: float
    high: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value in px."""
        low, high, at = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        return LEFT_PX + (at - low) / (high - low) * (WIDTH_PX - LEFT_PX - RIGHT_PX)


def curves(models: Sequence[Summary]) -> tuple[Panel, ...]:
    """Return panels of accuracy over length, one per family and one for all families."""
    minutes = sorted({length for model in models for length in model.minutes})
    axis = Axis(minutes[0] / 1.15, minutes[-1] * 1.15, is_log=True)
    ticks = _apart(Tick(axis(length), f"{length:g}") for length in minutes)
    rows = [{one.name: one for one in (*model.families, model.overall)} for model in models]
    names = list(dict.fromkeys(name for row in reversed(rows) for name in row))
    alone = len(names) == 2  # a single family: the panel of all families would repeat it
    panels = []
    for name in names[:1] if alone else names:
        series = (_curve(i, models[i], row[name], axis) for i, row in enumerate(rows) if name in row)
        chance = next(row[name].chance for row in rows if name in row)
        panels.append(Panel(name, ticks, tuple(series), _y(chance)))
    return tuple(panels)


def costs(models: Sequence[Summary]) -> tuple[Panel, ...]:
    """Return panels of accuracy over each reported cost, with one point per length."""
    panels = []
    for place, (name, _) in enumerate(COSTS):
        values = [cost for model in models for one in model.lengths if (cost := one.costs[place])]
        if values:
            axis = _cost_axis(values)
            series = (_cost_series(i, model, place, axis) for i, model in enumerate(models))
            panels.append(Panel(name, _cost_ticks(axis, name), tuple(one for one in series if one.points)))
    return tuple(panels)


def strips(paired: Sequence[Paired]) -> tuple[Strip, ...]:
    """Return all differences on one scale, on which the widest interval fills the strip."""
    most = max((abs(end) for one in paired for end in one.found.interval), default=0.0) or 1.0
    spots = ((one.found.interval[0], one.found.difference, one.found.interval[1]) for one in paired)
    return tuple(Strip(*(STRIP_PX / 2 * (1 + 0.96 * value / most) for value in spot)) for spot in spots)


def _y(share: float) -> float:
    return TOP_PX + (1 - share) * (HEIGHT_PX - TOP_PX - BOTTOM_PX)


def _point(x: float, one: Accuracy, text: str, about: str) -> Point:
    low, high = one.interval
    tooltip = f"{about}: {one.value:.1%} ({interval_text(one.interval)})"
    return Point(x, _y(one.value), _y(high), _y(low), text, tooltip)


def _curve(place: int, model: Summary, family: FamilySummary, axis: Axis) -> Series:
    known = [(minutes, one) for minutes, one in zip(model.minutes, family.cells, strict=True) if one is not None]
    about = f"{model.name}, {family.name}"
    points = (_point(axis(minutes), one, "", f"{about}, {length_text(minutes)}") for minutes, one in known)
    return Series(place, tuple(points))


def _cost_series(place: int, model: Summary, cost: int, axis: Axis) -> Series:
    points: list[Point] = []
    for one in model.lengths:
        if value := one.costs[cost]:
            about = f"{model.name}, {length_text(one.minutes)}, {cost_text(COSTS[cost][0], value)}"
            points.append(_point(axis(value), one.right, f"{one.minutes:g}", about))
    return Series(place, _named_apart(points))


def _named_apart(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points, without texts that would overlap an earlier one."""
    kept: list[Point] = []
    width, height = _NAME_PX
    for point in points:
        named = [one for one in kept if one.text]
        is_free = all(abs(one.x - point.x) > width or abs(one.y - point.y) > height for one in named)
        kept.append(point if is_free else replace(point, text=""))
    return tuple(kept)


def _cost_axis(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    return Axis(low / 1.4, high * 1.4, is_log=True) if high > _LOG_FROM * low else Axis(0.0, high * 1.12)


def _cost_ticks(axis: Axis, name: str) -> tuple[Tick, ...]:
    """Return ticks at 1, 2 and 5 times powers of ten (in units of 1,024 for memory), as many as have room."""
    unit = 1024.0 ** int(math.log(axis.high, 1024)) if name == "peak memory" else 1.0
    low, high = axis.low / unit, axis.high / unit
    if axis.is_log:
        powers = range(math.floor(math.log10(low)), 1 + math.ceil(math.log10(high)))
        values = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    else:
        steps = (s * 10.0**p for p in range(-6, 12) for s in (1, 2, 5))
        step = min(one for one in steps if high / one <= 4.5)
        values = [step * count for count in range(1 + int(high / step))]
    inside = [value * unit for value in values if low <= value <= high]
    return _apart((Tick(axis(value), cost_text(name, value)) for value in inside), _LABEL_PX * 1.7)


def _apart(ticks: Iterable[Tick], least_px: float = _LABEL_PX) -> tuple[Tick, ...]:
    """Return the ticks whose labels do not overlap the previous one."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= least_px:
            kept.append(tick)
    return tuple(kept)

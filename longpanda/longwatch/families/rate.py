"""Rate: how much something rises in one stretch of time, compared with another."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import AnswerKind, Choice, clock, seconds_in
from longpanda.longwatch.events import Gauge
from longpanda.longwatch.families.base import NOTHING, Ask, Family, Found
from longpanda.longwatch.scene import Scene

SHORT_SECONDS = 4.0
"""What the gauge shows for a shorter time is asked about to the tenth of a second."""
WHICH = ("first", "second")
FACTORS = ("1", "2", "3", "4")


class Rate(Family):
    """In which of two stretches of time the gauge rose more, and how many times as much.

    Each starts and ends in the middle of what the gauge shows for at least the level's dwell. The chance of the family
    is that of its questions about which is more, the easier ones; each sample carries its own.
    """

    name: ClassVar[str] = "rate"
    room: ClassVar[str] = "workshop"
    chance: ClassVar[float] = 1 / 2
    templates: ClassVar[dict[str, str]] = {
        "more": "Did the gauge rise more from {start} to {end} (first) or from {other_start} to {other_end} (second)?",
        "factor": "The gauge rose from {start} to {end} how many times as much as from {other_start} to {other_end}?",
    }
    answers: ClassVar[tuple[str, ...]] = (*WHICH, *FACTORS)
    instruction: ClassVar[str] = "Answer with 'first' or 'second', or with the factor as a whole number."
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def asks(self, scene: Scene, rng: np.random.Generator) -> list[Ask]:  # noqa: ARG002
        """One question for each topic: "more 0 2" compares the first and the third rise."""
        gauges = scene.of(Gauge)
        asks = []
        for subject, chance in scene.chances(self.name).items():
            template, one, other = subject.split(" ")
            names = ("start", "end", "other_start", "other_end")
            shown = [gauges[3 * int(rise) + at] for rise in (one, other) for at in (0, 2)]
            asks.append(Ask(template, dict(zip(names, map(_moment, shown), strict=True)), {"chance": chance}))
        return asks

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """The word "first", "second" or the factor, of rises by at least one step."""
        times = [seconds_in(fields[name])[0] for name in ("start", "end", "other_start", "other_end")]
        shown = [_showing(scene, time) for time in times]
        seen = [gauge for gauge in shown if gauge is not None]
        if len(seen) < len(times):
            return NOTHING
        rise, other = seen[1].level - seen[0].level, seen[3].level - seen[2].level
        if template == "more":
            return Found(WHICH[int(other > rise)], seen)
        return Found(str(rise // other), seen) if other > 0 else NOTHING

    def answers_to(self, template: str) -> tuple[str, ...]:
        """One of two, or a factor."""
        return WHICH if template == "more" else FACTORS

    def kind_of(self, template: str) -> AnswerKind:
        """One of two, or a whole number."""
        return Choice(WHICH) if template == "more" else self.kind


def _moment(gauge: Gauge) -> str:
    seconds = gauge.end_seconds - gauge.start_seconds
    return clock((gauge.start_seconds + gauge.end_seconds) / 2, tenths=seconds < SHORT_SECONDS)


def _showing(scene: Scene, moment: float) -> Gauge | None:
    return next((one for one in scene.of(Gauge) if one.start_seconds <= moment < one.end_seconds), None)

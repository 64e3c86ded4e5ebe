"""Rate: how much a gauge rises in one stretch of time, and in which of two it rises more."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import AnswerKind, Choice, clock, seconds_in
from longpanda.longwatch.events import Gauge
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec
from longpanda.longwatch.scene import Scene
from longpanda.types import Facts

SHORT_SECONDS = 4.0
"""Questions about a gauge that is lit for less than this give times to the tenth of a second."""
WHICH = ("first", "second")
STEPS = tuple(str(steps) for steps in range(1, 7))


class Rate(Family):
    """By how many steps the gauge rose in a stretch of time, and in which of two it rose more.

    The gauge is lit at the start and at the end of each, for at least the level's dwell. The chance level of the family
    is that of its comparisons, the easier questions; each sample carries its own.
    """

    name: ClassVar[str] = "rate"
    room: ClassVar[str] = "workshop"
    chance: ClassVar[float] = 1 / 2
    templates: ClassVar[dict[str, str]] = {
        "more": "Did the gauge rise more from {start} to {end} (first) or from {other_start} to {other_end} (second)?",
        "steps": "By how many steps did the gauge rise from {start} to {end}?",
    }
    answers: ClassVar[tuple[str, ...]] = (*WHICH, *STEPS)
    instruction: ClassVar[str] = "Answer with 'first' or 'second', or with a whole number of steps."
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic: "more 0 2" compares the first and third rise, "steps 1" is the second."""
        lit = [_moment(gauge) for gauge in scene.of(Gauge)]
        specs = []
        for subject, chance in scene.chances(self.name).items():
            template, *rises = subject.split(" ")
            times = [lit[2 * int(rise) + at] for rise in rises for at in (0, 1)]
            specs.append(QuestionSpec(template, dict(zip(_TIMES, times, strict=False)), Facts(chance=chance)))
        return specs

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return "first" or "second", or the number of steps."""
        seen = [_showing(scene, seconds_in(fields[name])[0]) for name in _TIMES if name in fields]
        lit = [gauge for gauge in seen if gauge is not None]
        if len(lit) < len(seen):
            return NOTHING
        rise, *other = (two.level - one.level for one, two in zip(lit[::2], lit[1::2], strict=True))
        return Found(WHICH[int(other[0] > rise)] if other else str(rise), lit)

    def answers_to(self, template: str) -> tuple[str, ...]:
        """Return "first" and "second", or the possible numbers of steps."""
        return WHICH if template == "more" else STEPS

    def kind_of(self, template: str) -> AnswerKind:
        """Return a choice of two, or a whole number."""
        return Choice(WHICH) if template == "more" else self.kind


_TIMES = ("start", "end", "other_start", "other_end")


def _moment(gauge: Gauge) -> str:
    seconds = gauge.end_seconds - gauge.start_seconds
    return clock((gauge.start_seconds + gauge.end_seconds) / 2, tenths=seconds < SHORT_SECONDS)


def _showing(scene: Scene, moment: float) -> Gauge | None:
    return next((one for one in scene.of(Gauge) if one.start_seconds <= moment < one.end_seconds), None)

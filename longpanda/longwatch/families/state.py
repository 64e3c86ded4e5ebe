"""State: where an object is after a series of moves."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Choice, clock, seconds_in
from longpanda.longwatch.events import Move
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec, never
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import OBJECTS, PLACES
from longpanda.types import Facts

SHORT_SECONDS = 2.0
"""A shorter pause may contain no whole second."""


class State(Family):
    """The box that holds an object at the end or at some moment: that of its last move before."""

    name: ClassVar[str] = "state"
    chance: ClassVar[float] = 1 / len(PLACES)
    templates: ClassVar[dict[str, str]] = {
        "place": "Where is the {thing} at the end?",
        "then": "In which box is the {thing} at {time}?",
    }
    answers: ClassVar[tuple[str, ...]] = never(PLACES)
    instruction: ClassVar[str] = "Answer with left, middle or right alone, or with 'never' if it was not seen."
    kind: ClassVar[Choice] = Choice(PLACES)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic, or per object that was seen if there are no topics."""
        moves = {thing: [move for move in scene.moves if move.thing == thing] for thing in OBJECTS}
        specs = []
        for subject in scene.chances(self.name) or [thing for thing in OBJECTS if moves[thing]]:
            thing, _, after = subject.partition(" ")
            if not after:
                specs.append(QuestionSpec("place", {"thing": thing}, Facts(moves=len(moves[thing]))))
            else:
                specs.append(
                    QuestionSpec("then", {"thing": thing, "time": _hidden(*moves[thing][int(after) - 1 :][:2])})
                )
        return specs

    def answers_to(self, template: str) -> tuple[str, ...]:
        """Return the boxes; "never" only for the end, since other moments lie between two moves."""
        return PLACES if template == "then" else self.answers

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the box."""
        until = seconds_in(fields["time"])[0] if template == "then" else scene.duration_seconds
        moves = [move for move in scene.moves if move.thing == fields["thing"] and move.start_seconds <= until]
        return Found(moves[-1].place, moves[-1:]) if moves else NOTHING


def _hidden(last: Move, following: Move) -> str:
    """Format a moment between two moves of one object, to the nearest tenth if they are close, else to the second."""
    moment = (last.end_seconds + following.start_seconds) / 2
    return clock(moment, tenths=following.start_seconds - last.end_seconds < SHORT_SECONDS)

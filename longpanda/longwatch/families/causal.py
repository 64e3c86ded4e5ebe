"""Causal: what the levers of a machine do, inferred from watching it."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Choice
from longpanda.longwatch.events import Effect, Event, Pull
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import EFFECTS, LEVERS

CANDIDATES = 2
"""Number of pulls before an effect among which its cause is."""
NO_EFFECT = "nothing"


class Causal(Family):
    """The lever that causes an effect, and what a lever does under a state of the lamp.

    Before every effect a second lever is pulled as well, and the machine works under one state of the lamp only: no
    single effect reveals its cause.
    """

    name: ClassVar[str] = "causal"
    room: ClassVar[str] = "workshop"
    chance: ClassVar[float] = 1 / 3
    templates: ClassVar[dict[str, str]] = {
        "gate": "Which lever opens the gate?",
        "bell": "Which lever rings the bell?",
        "pull": "What happens when the {lever} lever is pulled while the lamp is {lamp}?",
    }
    answers: ClassVar[tuple[str, ...]] = (*LEVERS, *EFFECTS, NO_EFFECT)
    instruction: ClassVar[str] = (
        "Answer with one word: red, green or blue for a lever; gate, bell or nothing for what happens."
    )
    kind: ClassVar[Choice] = Choice(answers)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic."""
        specs = []
        for subject in scene.chances(self.name):
            lever, _, lamp = subject.partition(" ")
            specs.append(QuestionSpec("pull", {"lever": lever, "lamp": lamp}) if lamp else QuestionSpec(subject, {}))
        return specs

    def answers_to(self, template: str) -> tuple[str, ...]:
        """Return the effects and "nothing", or the levers."""
        return (*EFFECTS, NO_EFFECT) if template == "pull" else tuple(LEVERS)

    def kind_of(self, template: str) -> Choice:
        """Return a choice from `answers_to`; the answer may name other parts: "The red lever opens the gate"."""
        return Choice(self.answers_to(template))

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the lever, or the effect."""
        if template != "pull":
            lever = _cause(scene, template)
            return Found(lever, _shown(scene, template)) if lever else NOTHING
        pulls = [pull for pull in scene.of(Pull) if pull.lever == fields["lever"]]
        pulls = [pull for pull in pulls if _lit(scene, pull) == (fields["lamp"] == "lit")]
        for what in EFFECTS:
            if _cause(scene, what) == fields["lever"] and any(_led(scene, pull, what) for pull in pulls):
                return Found(what, [*pulls, *(one for one in _shown(scene, what) if isinstance(one, Effect))])
        return Found(NO_EFFECT, pulls)


def _before(scene: Scene, effect: Effect) -> list[Pull]:
    """Return the pulls that may have caused an effect."""
    return [pull for pull in scene.of(Pull) if pull.start_seconds < effect.start_seconds][-CANDIDATES:]


def _cause(scene: Scene, what: str) -> str:
    """Return the only lever among the candidates of all effects of a kind, or "" if there is none."""
    levers = [{pull.lever for pull in _before(scene, one)} for one in scene.of(Effect) if one.what == what]
    common = set.intersection(*levers) if levers else set()
    return common.pop() if len(common) == 1 else ""


def _led(scene: Scene, pull: Pull, what: str) -> bool:
    """Whether a pull is the last of its lever among the candidates of an effect of a kind."""
    candidates = [_before(scene, one) for one in scene.of(Effect) if one.what == what]
    return any(pull == next((p for p in reversed(some) if p.lever == pull.lever), None) for some in candidates)


def _lit(scene: Scene, pull: Pull) -> bool:
    middle = (pull.start_seconds + pull.end_seconds) / 2
    return any(lamp.start_seconds <= middle < lamp.end_seconds for lamp in scene.lamps)


def _shown(scene: Scene, what: str) -> list[Event]:
    """Return all effects of a kind and the pulls that caused them."""
    effects = [one for one in scene.of(Effect) if one.what == what]
    cause = _cause(scene, what)
    return [*(pull for one in effects for pull in _before(scene, one) if pull.lever == cause), *effects]

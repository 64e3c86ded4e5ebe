"""The interface of a question family."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

import numpy as np

from longpanda.longwatch.answers import NEVER, AnswerKind, Mark, Whole
from longpanda.longwatch.events import Event
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.text import split_words
from longpanda.types import Facts, Sample


@dataclass(frozen=True)
class Ask:
    """One question to be asked.

    Args:
        template: its name.
        fields: what fills it in.
        facts: what is known of this question alone; without a chance, the family's holds.
    """

    template: str
    fields: dict[str, str]
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True)
class Found:
    """An answer, and the events that show it."""

    target: str
    evidence: Sequence[Event]


NOTHING: Final = Found(NEVER, ())


class Family(ABC):
    """Questions of one kind, with exact answers computed from the scene.

    `answer` looks at the events of a scene alone, so that it answers as well from a scene that was read from pixels.

    Attributes:
        name: the key in `FAMILIES`.
        room: where what it asks about happens.
        chance: accuracy of the best constant answer given without seeing the video, over the questions of a test.
        templates: the questions by template name, with fields to fill in.
        answers: the closed set of answers to all templates, as far as it is closed.
        kind: how answers are read and marked, but for templates of which `kind_of` tells another.
        instruction: what a system that does not know the benchmark is told after the question.
        needs_order: frames in random order must not be enough.
        needs_direction: frames from the last to the first must not be enough.
        adds_up: templates whose answers are others when the video is shown twice.
        one_look: the frames that show what the question names are enough.
    """

    name: ClassVar[str]
    room: ClassVar[str] = "gallery"
    chance: ClassVar[float]
    templates: ClassVar[dict[str, str]]
    answers: ClassVar[tuple[str, ...]]
    kind: ClassVar[AnswerKind] = Whole()
    instruction: ClassVar[str] = "Answer with the number alone, or with 'never' if that was not shown."
    needs_order: ClassVar[bool] = False
    needs_direction: ClassVar[bool] = False
    adds_up: ClassVar[tuple[str, ...]] = ()
    one_look: ClassVar[bool] = False

    @abstractmethod
    def asks(self, scene: Scene, rng: np.random.Generator) -> list[Ask]:
        """What a scene is asked: its topics, or without any all that it answers; `rng` decides wording only."""

    @abstractmethod
    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """The answer to one question about a scene."""

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:
        """All questions of this family about a scene, with their answers; none about one in another room."""
        if scene.room != self.room:
            return []
        return [self._sample(scene, ask) for ask in self.asks(scene, rng)]

    def understand(self, question: str) -> tuple[str, dict[str, str]] | None:
        """The template and the fields of a question of this family, None for any other."""
        for template, text in self.templates.items():
            if found := re.fullmatch(_pattern(text), question):
                return template, found.groupdict()
        return None

    def answers_to(self, template: str) -> tuple[str, ...]:  # noqa: ARG002
        """Those of `answers` that can be right of one template; "never" is among them where that can be right."""
        return self.answers

    def kind_of(self, template: str) -> AnswerKind:  # noqa: ARG002
        """How answers to one template are read and marked."""
        return self.kind

    def mark(self, answer_text: str, sample: Sample) -> Mark:
        """What an answer earns."""
        return self.kind_of(sample.facts.template).mark(answer_text, sample.target)

    def score(self, answer_text: str, sample: Sample) -> float:
        """1.0 for a right answer, else 0.0."""
        return self.mark(answer_text, sample).value

    def words(self) -> set[str]:
        """The words of all templates and answers; fields are to be filled with words of the world."""
        texts = (*(re.sub(_FIELD, "", text) for text in self.templates.values()), *self.answers)
        return {word for text in texts for word in split_words(text)}

    def _sample(self, scene: Scene, ask: Ask) -> Sample:
        found = self.answer(scene, ask.template, ask.fields)
        known = ask.facts.chance is not None or ask.facts.training_only
        facts = replace(
            ask.facts,
            template=ask.template,
            chance=ask.facts.chance if known else self.chance,
            scene_seed=scene.seed,
            instruction=self.instruction,
            absent=found.target == NEVER,
        )
        return Sample(
            question=self.templates[ask.template].format(**ask.fields),
            target=found.target,
            family=self.name,
            video=scene.name,
            evidence_seconds=tuple(sorted((event.start_seconds, event.end_seconds) for event in found.evidence)),
            facts=facts,
        )


_FIELD: Final = r"\{(\w+)\}"


def _pattern(template: str) -> str:
    """A regular expression for all fillings of a template."""
    literal, *rest = re.split(_FIELD, template)
    pattern = re.escape(literal)
    for name, literal in zip(rest[::2], rest[1::2], strict=True):
        pattern += f"(?P<{name}>.+?){re.escape(literal)}"
    return pattern


def never(answers: Iterable[str]) -> tuple[str, ...]:
    """These answers, and the one about what does not happen."""
    return (*answers, NEVER)


def title_fields(title: str) -> dict[str, str]:
    """The colour and the shape that a template names a card by."""
    colour, shape = title.split()
    return {"colour": colour, "shape": shape}


def number_on(scene: Scene, fields: dict[str, str]) -> Found:
    """The number on the first card of a colour and a shape."""
    for card in scene.cards:
        if (card.colour, card.shape) == (fields["colour"], fields["shape"]):
            return Found(str(card.number), [card])
    return NOTHING

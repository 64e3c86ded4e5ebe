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
class QuestionSpec:
    """A question before its wording and answer: a template and the values of its fields.

    Args:
        template: name of the template.
        fields: values of the template's fields.
        facts: facts about this question; if they state no chance, that of the family applies.
    """

    template: str
    fields: dict[str, str]
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True)
class Found:
    """An answer, and the events that show it (the evidence)."""

    target: str
    evidence: Sequence[Event]


NOTHING: Final = Found(NEVER, ())


class Family(ABC):
    """A type of question, with exact answers computed from the scene.

    `answer` uses only the events of a scene, so that it also works for a scene that was read from pixels.

    Attributes:
        name: the key in `FAMILIES`.
        room: the room in which the events asked about take place.
        chance: accuracy of the best constant answer, given without seeing the video, over the questions of a test.
        templates: text of the questions by template name, with fields to fill in.
        answers: the closed set of answers to all templates, as far as it is closed.
        kind: how answers are read and marked, unless `kind_of` returns another kind for a template.
        instruction: how to answer; added to the question for systems that do not know the benchmark.
        needs_order: the question must not be answerable from shuffled frames.
        needs_direction: the question must not be answerable from reversed frames.
        adds_up: templates whose answers change when the video is shown twice.
        one_look: the frames that show the things named in the question are enough to answer it.
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
    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:
        """Return the questions about a scene: those on its topics or, if it has none, all that it can answer.

        `rng` affects only the wording.
        """

    @abstractmethod
    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the answer to one question about a scene."""

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:
        """Return all questions of this family about a scene, with their answers; [] for a scene in another room."""
        if scene.room != self.room:
            return []
        return [self._sample(scene, spec) for spec in self.question_specs(scene, rng)]

    def understand(self, question: str) -> tuple[str, dict[str, str]] | None:
        """Return the template and the fields of a question of this family, or None for any other question."""
        for template, text in self.templates.items():
            if found := re.fullmatch(_pattern(text), question):
                return template, found.groupdict()
        return None

    def answers_to(self, template: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return the answers that can be right for a template, among them "never" if that can be right."""
        return self.answers

    def kind_of(self, template: str) -> AnswerKind:  # noqa: ARG002
        """Return how answers to a template are read and marked."""
        return self.kind

    def mark(self, answer_text: str, sample: Sample) -> Mark:
        """Mark an answer."""
        return self.kind_of(sample.facts.template).mark(answer_text, sample.target)

    def score(self, answer_text: str, sample: Sample) -> float:
        """Return 1.0 for a right answer, else 0.0."""
        return self.mark(answer_text, sample).value

    def words(self) -> set[str]:
        """Return the words of all templates and answers. Fields are filled with words of `longwatch.world`."""
        texts = (*(re.sub(_FIELD, "", text) for text in self.templates.values()), *self.answers)
        return {word for text in texts for word in split_words(text)}

    def _sample(self, scene: Scene, spec: QuestionSpec) -> Sample:
        found = self.answer(scene, spec.template, spec.fields)
        known = spec.facts.chance is not None or spec.facts.training_only
        facts = replace(
            spec.facts,
            template=spec.template,
            chance=spec.facts.chance if known else self.chance,
            scene_seed=scene.seed,
            instruction=self.instruction,
            absent=found.target == NEVER,
        )
        return Sample(
            question=self.templates[spec.template].format(**spec.fields),
            target=found.target,
            family=self.name,
            video=scene.name,
            evidence_seconds=tuple(sorted((event.start_seconds, event.end_seconds) for event in found.evidence)),
            facts=facts,
        )


_FIELD: Final = r"\{(\w+)\}"


def _pattern(template: str) -> str:
    """Return a regular expression that matches every question of a template and captures its fields."""
    literal, *rest = re.split(_FIELD, template)
    pattern = re.escape(literal)
    for name, literal in zip(rest[::2], rest[1::2], strict=True):
        pattern += f"(?P<{name}>.+?){re.escape(literal)}"
    return pattern


def never(answers: Iterable[str]) -> tuple[str, ...]:
    """Return the given answers and "never"."""
    return (*answers, NEVER)


def title_fields(title: str) -> dict[str, str]:
    """Split the title of a card into the fields of a template: its colour and its shape."""
    colour, shape = title.split()
    return {"colour": colour, "shape": shape}


def number_on(scene: Scene, fields: dict[str, str]) -> Found:
    """Return the number on the first card with a given colour and shape."""
    for card in scene.cards:
        if (card.colour, card.shape) == (fields["colour"], fields["shape"]):
            return Found(str(card.number), [card])
    return NOTHING

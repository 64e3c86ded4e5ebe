"""The interface of a question family."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from longpanda.longwatch.families.text import normalise, split_words
from longpanda.longwatch.scene import Event, Scene
from longpanda.types import Sample


class Family(ABC):
    """Questions of one kind, with exact answers computed from the scene.

    Attributes:
        name: the key in `FAMILIES`.
        chance: accuracy of the best constant answer given without seeing the video, over the questions of a test.
        templates: the questions by template name, with fields to fill in.
        answers: the closed set of answers.
    """

    name: ClassVar[str]
    chance: ClassVar[float]
    templates: ClassVar[dict[str, str]]
    answers: ClassVar[tuple[str, ...]]

    @abstractmethod
    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:
        """All questions of this family that the scene answers; `rng` decides wording only (who is named first)."""

    def score(self, answer_text: str, sample: Sample) -> float:
        """1.0 when the answer is the target after `normalise`, else 0.0."""
        return float(normalise(answer_text) == normalise(sample.target))

    def words(self) -> set[str]:
        """The words of all templates and answers; fields are to be filled with words of the world."""
        return {word for text in (*self.templates.values(), *self.answers) for word in split_words(_bare(text))}

    def sample(
        self, scene: Scene, template: str, fields: dict[str, str], target: str, evidence: list[Event], **metadata: Any
    ) -> Sample:
        """The sample for one filled-in template; evidence is sorted by time."""
        return Sample(
            question=self.templates[template].format(**fields),
            target=target,
            family=self.name,
            video=scene.name,
            evidence_seconds=tuple(sorted((event.start_seconds, event.end_seconds) for event in evidence)),
            metadata={"template": template, "chance": self.chance, "scene_seed": scene.seed, **metadata},
        )


def _bare(template: str) -> str:
    """A template without its {fields}."""
    return "".join(part.rpartition("}")[2] for part in template.split("{"))

"""Text: the words on a board, and their order."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Spelled
from longpanda.longwatch.events import Word
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec, never
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import WORDS


class Text(Family):
    """The word that the upper board showed right after or right before another; the lower board shows distractors."""

    name: ClassVar[str] = "text"
    room: ClassVar[str] = "workshop"
    chance: ClassVar[float] = 1 / len(WORDS)
    templates: ClassVar[dict[str, str]] = {
        "after": "Which word did the upper board show right after '{word}'?",
        "before": "Which word did the upper board show right before '{word}'?",
    }
    answers: ClassVar[tuple[str, ...]] = never(WORDS)
    instruction: ClassVar[str] = "Answer with the word alone, or with 'never' if the upper board did not show that."
    kind: ClassVar[Spelled] = Spelled(WORDS)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic, such as "after panda"."""
        asked = [subject.split(" ") for subject in scene.chances(self.name)]
        return [QuestionSpec(template, {"word": word}) for template, word in asked]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the word; the evidence is both words."""
        words = [word for word in scene.of(Word) if word.board == "upper"]
        places = [i for i, word in enumerate(words) if word.word == fields["word"]]
        beside = places[0] + (1 if template == "after" else -1) if places else -1
        if not 0 <= beside < len(words):
            return NOTHING
        return Found(words[beside].word, [words[places[0]], words[beside]])

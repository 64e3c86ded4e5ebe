"""The multiple-choice form: every question with lettered options, asked once for every rotation of them.

A question counts as right only if it is right in all rotations, as in MMBench's circular evaluation (Liu et al. 2023)
and in VNBench (Zhao et al. 2024): a system that always prefers one letter scores 0.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.longwatch.answers import NEVER, Mark
from longpanda.longwatch.distractors import Distractors
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.letters import LETTERS, Letter
from longpanda.types import Sample, Score

INSTRUCTION: Final = "Answer with the letter of the right option alone."


@dataclass(frozen=True)
class Options:
    """One question and its options.

    Args:
        sample: the question, with its answer in words.
        texts: the options, one of them the answer, in the order of their letters before any rotation.

    Raises:
        ConfigError: there are fewer than two options or more than letters, an option occurs twice, or the answer is
            not among them.
    """

    sample: Sample
    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.texts) <= len(LETTERS) or len({*self.texts}) < len(self.texts):
            found = f"options {', '.join(self.texts)} for '{self.sample.question}'"
            raise ConfigError(found, f"2 to {len(LETTERS)} different options", "ask this family without options")
        if self.sample.target not in self.texts:
            found = f"options {', '.join(self.texts)} without '{self.sample.target}'"
            raise ConfigError(found, "the right answer among them", "add it to the options")

    @property
    def rotations(self) -> list[Sample]:
        """The question once for every position of the right option, with the options in its text."""
        return [self._rotated(by) for by in range(len(self.texts))]

    def _rotated(self, by: int) -> Sample:
        texts = (*self.texts[by:], *self.texts[:by])
        lines = [f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False)]
        chance = max(self.sample.facts.chance or 0.0, 1 / sum(text != NEVER for text in texts))
        return replace(
            self.sample,
            question="\n".join([self.sample.question, *lines, INSTRUCTION]),
            target=LETTERS[texts.index(self.sample.target)],
            facts=replace(self.sample.facts, chance=chance, instruction=""),
            choices=texts,
            rotation=by,
            stem=self.sample.question,
        )


def choices(samples: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """Return all rotations of all questions, those about the same video together.

    "never" is an option of every question whose template allows that answer. The options of a question and the first
    position of the right one depend on the seed, the script and the question, but not on the length of the video.

    Args:
        samples: all questions of a suite.
        seed: seed of the wrong answers and of the first positions.

    Raises:
        ConfigError: there is no wrong answer to a question.
    """
    distractors = Distractors(samples)
    return [one for sample in samples for one in _options(sample, distractors, seed).rotations]


def mark(text: str, sample: Sample) -> Mark:
    """Mark an answer to a question of a suite, with or without options."""
    if sample.choices:
        return Letter(sample.choices).mark(text, sample.target)
    return FAMILIES[sample.family].mark(text, sample)


def lettered(answer: str, sample: Sample) -> str:
    """Return the letter of the option nearest to an answer in words, "" if none is near.

    An answer to a question without options is returned unchanged.
    """
    if not sample.choices:
        return answer
    kind = FAMILIES[sample.family].kind_of(sample.facts.template)
    marks = [kind.mark(answer, text) for text in sample.choices]
    worth = [(one.value, one.partial) for one in marks]
    return LETTERS[worth.index(max(worth))] if max(worth) > (0.0, 0.0) else ""


def in_words(scores: Sequence[Score]) -> list[Score]:
    """Return scores in order of rotation, with chosen options in words. Scores without options are unchanged.

    An answer becomes, for example, "B. 47"; `Score.chosen` is the letter, or "" if none was read.
    """
    rotated = sorted(scores, key=lambda score: score.sample.rotation or 0)
    return [_in_words(score) if score.sample.choices else score for score in rotated]


def _in_words(score: Score) -> Score:
    options = score.sample.choices
    letter = Letter(options).read(score.reply.text) if score.error is None else ""
    text = f"{letter}. {options[LETTERS.index(letter)]}" if letter else score.reply.text
    return replace(score, chosen=letter, reply=replace(score.reply, text=text))


def _options(sample: Sample, distractors: Distractors, seed: int) -> Options:
    digest = hashlib.sha256(f"{seed}\n{sample.cluster}\n{sample.question}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest)))
    never = [NEVER] if NEVER in FAMILIES[sample.family].answers_to(sample.facts.template) else []
    right = [sample.target] if sample.target != NEVER else []
    wrong = distractors.of(sample, len(LETTERS) - len(never) - len(right), rng)
    texts = [*right, *wrong, *never]
    return Options(sample, tuple(texts[i] for i in rng.permutation(len(texts))))

"""Questions with their facts, training examples, replies and scores."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError
from longpanda.types.media import VideoClip


@dataclass(frozen=True)
class Facts:
    """What is known about a question beyond its text; reports group by it and baselines need it.

    Args:
        minutes: length of the video in minutes; None if unknown.
        frames: length of the video in frames, in experiments that count length in frames.
        template: the question's wording within its family.
        instruction: how to answer, for systems that were not trained on the benchmark.
        chance: probability of guessing the answer without seeing the video; None if unknown.
        absent: the question is about something that the video never shows; the answer is "never".
        depth: where in the video the first evidence starts, 0 to 1; None without evidence.
        cluster: questions of one cluster are not independent of each other; "" if the video is the cluster.
        scene_seed: seed of the generated script.
        training_only: the answer is too easy to guess for a test.
        moves: how often the object was moved (family "state").
        people: everyone who had the object, in alphabetical order (family "story").
        footage: name of the natural video that cards were inserted into.
        condition: condition of an experiment, for example which kind of scene is shown.
    """

    minutes: float | None = None
    frames: int | None = None
    template: str = ""
    instruction: str = ""
    chance: float | None = None
    absent: bool = False
    depth: float | None = None
    cluster: str = ""
    scene_seed: int | None = None
    training_only: bool = False
    moves: int | None = None
    people: tuple[str, ...] = ()
    footage: str = ""
    condition: str = ""


@dataclass(frozen=True)
class Sample:
    """One question about one video with its true answer.

    Args:
        question: the text asked, with lettered options if there are choices.
        target: the true answer as the model should write it; the letter of the right option if there are choices.
        family: question family, for example "needle".
        video: path or identifier of the video.
        evidence_seconds: (start, end) intervals that show the answer.
        facts: what else is known about the question.
        choices: the options in the order of their letters; () for an open question.
        rotation: by how many places the options are rotated, if the question is asked once for every rotation.
        stem: the question without its options; "" for an open question.
        id: identifies the question, in all its rotations, among all questions asked together; by default the
            video, the family and a digest of the question without options.
    """

    question: str
    target: str
    family: str
    video: str = ""
    evidence_seconds: tuple[tuple[float, float], ...] = ()
    facts: Facts = Facts()
    choices: tuple[str, ...] = ()
    rotation: int | None = None
    stem: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            digest = hashlib.sha256((self.stem or self.question).encode(errors="surrogatepass")).hexdigest()[
                :_ID_LETTERS
            ]
            object.__setattr__(self, "id", f"{self.video}.{self.family}.{digest}")

    @property
    def key(self) -> tuple[str, int | None]:
        """The question and the rotation of its options: results hold one score for each key."""
        return self.id, self.rotation

    @property
    def answer(self) -> str:
        """The true answer in words."""
        return self.choices[ord(self.target) - ord("A")] if self.choices else self.target

    @property
    def minutes(self) -> float:
        """Length of the video in minutes. Raises ConfigError if it is unknown."""
        if self.facts.minutes is None:
            raise ConfigError(f"no length of the video of question {self.id}", "facts.minutes", "state it in minutes")
        return self.facts.minutes

    @property
    def cluster(self) -> str:
        """What the question depends on statistically: its cluster if it names one, else its video."""
        return self.facts.cluster or self.video

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Sample":
        """Rebuild a sample from the JSON of `asdict`, also as it was stored before facts were typed.

        Raises:
            KeyError: a field is missing.
            TypeError: a field is unknown.
        """
        if "metadata" in values:
            values = _with_facts(values)
        facts = values["facts"] | {"people": tuple(values["facts"]["people"])}
        evidence = tuple((start, end) for start, end in values["evidence_seconds"])
        known = {"evidence_seconds": evidence, "choices": tuple(values["choices"]), "facts": Facts(**facts)}
        return cls(**values | known)


_ID_LETTERS: Final = 12


def _with_facts(values: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a sample whose facts were stored in one dict, "metadata", with the fields of today."""
    old = dict(values["metadata"])
    old.pop("answer", None)
    people = tuple(filter(None, old.pop("people", "").split(", ")))
    own = {"choices": old.pop("choices", ()), "rotation": old.pop("rotation", None), "stem": old.pop("of", "")}
    facts = {"people": people, "training_only": not old.pop("focus", True), **old}
    kept = {name: value for name, value in values.items() if name != "metadata"}
    return {**kept, **own, "facts": facts}


@dataclass(frozen=True)
class Example:
    """One training example: a clip and every question about it.

    Args:
        clip: the frames.
        samples: the questions; () to train on `cell_labels` alone.
        cell_labels: int64 [T, rows, columns, A], the class of each of A attributes in each region of a frame; the
            grid of regions may differ from the model's cells. None without labels, as for natural video.
    """

    clip: VideoClip
    samples: tuple[Sample, ...]
    cell_labels: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Turn:
    """What one side says in a conversation.

    Args:
        role: "system", "user" or "assistant".
        text: with `VIDEO_TOKEN` in the place of each image or video.
    """

    role: str
    text: str


@dataclass(frozen=True)
class Conversation:
    """A training example in natural language: clips, and turns that are about them.

    Args:
        clips: in the order of their markers; an image is a clip of one frame, and text alone has none.
        turns: perhaps a system turn, then user and assistant by turns; every assistant turn is learned.
    """

    clips: tuple[VideoClip, ...]
    turns: tuple[Turn, ...]


Pack = tuple[Conversation, ...]
"""Conversations that share a row of a training batch and do not see each other."""


@dataclass(frozen=True)
class Reply:
    """An answerer's reply to one question, and its costs as far as the answerer reports them.

    Args:
        text: the answer.
        frames_seconds: times of the frames that the answerer looked at.
        visual_tokens: visual tokens in the prompt.
        seconds: time spent on this answer.
        peak_memory_bytes: peak memory of the process.
        prompt_tokens: tokens of the prompt, visual and text, as the answerer counts them.
        answer_tokens: tokens generated, reasoning and answer.
        finish_reason: why generation ended, in the terms of chat completions: "stop" for a whole answer, "length" for
            one that was cut off; None if not reported.
        thinking: the reasoning before the answer, which is not part of it.
    """

    text: str
    frames_seconds: tuple[float, ...] = ()
    visual_tokens: int | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    finish_reason: str | None = None
    thinking: str = ""


@dataclass(frozen=True)
class Score:
    """The score of one answer.

    Args:
        value: 1.0 is right, 0.0 is wrong.
        reply: the answer.
        sample: the question.
        error: why there was no answer to score; the value is then 0. None for an answer.
        partial: partial credit, 0 to 1; how it is computed depends on the family.
        error_kind: the `ErrorKind` of the error; "" without an error, or in results from before kinds were stored.
        chosen: letter of the option that was read in the answer, "" if none was; None for an open question, or if the
            letter has not been read yet.
    """

    value: float
    reply: Reply
    sample: Sample
    error: str | None = None
    partial: float = 0.0
    error_kind: str = ""
    chosen: str | None = None

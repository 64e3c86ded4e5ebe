"""A user's own questions about their own videos: a JSONL file, each line one question with its true answer."""

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from longpanda.errors import ConfigError, VideoError, nearest
from longpanda.harness.stopping import parts_of
from longpanda.types import Facts, Sample

if TYPE_CHECKING:
    from longpanda.longwatch.answers import Mark

FAMILY: Final = "own"
INSTRUCTION: Final = "Answer with the answer alone, in as few words as possible."
"""What other systems are told beside an open question; our models are asked the question alone."""
SHORTEST_MINUTES: Final = 0.01
"""What a shorter video counts as: lengths are drawn on a scale that has no 0."""
_KEYS: Final = ("video", "question", "answer", "choices", "id")
_AROUND: Final = " \t\n\"'`*“”‘’«»"
"""Stands around an answer and is no part of it."""
_BEHIND: Final = _AROUND + ".,;:!?"
_ARTICLES: Final = ("the ", "a ", "an ")


@dataclass(frozen=True)
class Line:
    """One question as it was written.

    Args:
        number: of the line in its file, from 1 on.
        video: path of the video from the file's folder, or an absolute one.
        question: what is asked.
        answer: the true answer; one of the choices where there are any.
        choices: what can be chosen; none for an open question.
        id: the user's own name of the question; "" for one made of the video and the question.
    """

    number: int
    video: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class OwnQuestions:
    """Questions in a JSONL file: `{"video": ..., "question": ..., "answer": ...}`, perhaps "choices" and "id".

    An answer to an open question is right where it is the true one, but for case, spaces, an article in front, and
    quotes and punctuation around it. Of choices, up to eight, the letter is asked for, and their words are read, too.

    Args:
        source: the file.
    """

    source: Path

    @property
    def folder(self) -> Path:
        """As `Questions`: what paths of videos start from."""
        return self.source.parent

    @property
    def suffix(self) -> str:
        """As `Questions`: a video is named in full."""
        return ""

    def path_of(self, video: str) -> Path:
        """As `Questions`."""
        return self.folder / video

    def settings(self) -> dict[str, Any]:
        """As `Questions`: the hash of the file, and the size of all videos."""
        videos = {line.video for line in self._lines}
        size_bytes = sum(self.path_of(video).stat().st_size for video in videos)
        return {"questions_sha256": hashlib.sha256(self._bytes).hexdigest(), "videos_bytes": size_bytes}

    def samples(self, has_choices: bool = False) -> list[Sample]:
        """As `Questions`.

        Raises:
            ConfigError: the number of the first line with a mistake, or whose video cannot be read; with `has_choices`,
                of the first without choices.
        """
        open_ones = (line.number for line in self._lines if not line.choices)
        if has_choices and (number := next(open_ones, None)):
            raise self._mistake(number, "no choices", "them in every line, for --choices", "add some, or leave it out")
        by_video = dict[str, list[Line]]()
        for line in self._lines:
            by_video.setdefault(line.video, []).append(line)
        together = chain.from_iterable(by_video.values())
        return [sample for line in together for sample in self._samples_of(line, has_choices)]

    def count(self) -> int:
        """As `Questions`."""
        return len(self._lines)

    def mark(self, text: str, sample: Sample) -> "Mark":
        """As `Questions`."""
        from longpanda.longwatch.answers import Mark
        from longpanda.longwatch.letters import Letter

        if sample.choices:
            return Letter(sample.choices).mark(text, sample.target)
        value = float(normalised(text) == normalised(sample.target))
        return Mark(value, value)

    @property
    def video_count(self) -> int:
        """As `Questions`: none, as nobody noted what the videos were."""
        return 0

    def checked_videos(self) -> Iterator[str]:
        """As `Questions`: none."""
        return iter(())

    @cached_property
    def _bytes(self) -> bytes:
        try:
            return self.source.read_bytes()
        except OSError as error:
            found = f"'{self.source}' cannot be read ({error.strerror})"
            raise ConfigError(found, "a file of questions", "name one that is there") from error

    @cached_property
    def _lines(self) -> tuple[Line, ...]:
        """All questions. Raises ConfigError as `samples`, but for videos that cannot be decoded."""
        try:
            texts = self._bytes.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            number = self._bytes[: error.start].count(b"\n") + 1
            raise self._mistake(number, "bytes that are no text", "UTF-8", "save the file as UTF-8") from error
        lines = [self._line(number, text) for number, text in enumerate(texts, 1) if text.strip()]
        if not lines:
            raise ConfigError(f"no question in '{self.source}'", "one in each line", "write some")
        questions, ids = dict[tuple[str, str], int](), dict[str, int]()
        for line in lines:
            if before := questions.get((line.video, line.question)):
                found = f"the question of line {before} again"
                raise self._mistake(line.number, found, "each once about a video", "delete one, or ask otherwise")
            if line.id and (before := ids.get(line.id)):
                raise self._mistake(line.number, f"the id of line {before} again", "another", "give each its own")
            questions[line.video, line.question] = ids[line.id] = line.number
        return tuple(lines)

    def _line(self, number: int, text: str) -> Line:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._mistake(number, f"no JSON ({error})", "an object", "correct it") from error
        if not isinstance(values, dict):
            raise self._mistake(number, f"{text.strip()[:40]!r}", "an object of JSON", "give keys and values")
        for name in values:
            if name not in _KEYS:
                remedy = nearest(name, _KEYS, is_listed=True)
                raise self._mistake(number, f"unknown key '{name}'", ", ".join(_KEYS), remedy)
        for name in (*_KEYS[:3], *({"id"} & values.keys())):
            self._require_text(number, name, values.get(name))
        if not normalised(values["answer"]):
            raise self._mistake(number, f"the answer '{values['answer']}'", "letters or digits", "give the true answer")
        if not self.path_of(values["video"]).is_file():
            found = f"no file '{self.path_of(values['video'])}'"
            raise self._mistake(number, found, "a path from the folder of the questions", "correct it")
        choices = self._choices(number, values) if values.get("choices") is not None else ()
        return Line(
            number, values["video"], values["question"].strip(), values["answer"], choices, values.get("id", "")
        )

    def _require_text(self, number: int, name: str, value: Any) -> None:
        if not isinstance(value, str) or not value.strip():
            found = f"no '{name}'" if value in (None, "") else f"'{name}' {json.dumps(value)[:40]}"
            raise self._mistake(number, found, "text in quotes", f'write "{name}": "..."')

    def _choices(self, number: int, values: dict[str, Any]) -> tuple[str, ...]:
        """What can be chosen. Raises ConfigError where that is nothing, or cannot be told apart."""
        from longpanda.longwatch.letters import LETTERS
        from longpanda.longwatch.text import normalise

        choices = values["choices"]
        if not isinstance(choices, list) or not all(isinstance(one, str) and one.strip() for one in choices):
            found = f"choices {json.dumps(choices)[:40]}"
            raise self._mistake(number, found, 'a list such as ["yes", "no"]', "write one")
        if not 2 <= len(choices) <= len(LETTERS):
            raise self._mistake(number, f"{len(choices)} choices", f"2 to {len(LETTERS)}", "give as many")
        if len({normalise(one) for one in choices}) < len(choices):
            found = f"choices that read the same in {json.dumps(choices)[:80]}"
            raise self._mistake(number, found, "some that differ in letters or digits", "reword one")
        self._require_own_letters(number, tuple(choices))
        if values["answer"] not in choices:
            found = f"the answer '{values['answer']}' that is none of the choices"
            raise self._mistake(number, found, "one of them, in the same words", "correct it, or add it to them")
        return tuple(choices)

    def _require_own_letters(self, number: int, choices: tuple[str, ...]) -> None:
        """Raises ConfigError where the words of a choice read as the letter of another."""
        from longpanda.longwatch.letters import LETTERS, Letter

        for letter, text in zip(LETTERS, choices, strict=False):
            if (read := Letter(choices).read(text)) not in (letter, ""):
                found = f"the choice '{text}' beside the letter {letter}, which reads as the letter {read}"
                raise self._mistake(number, found, "words that are no letter of another choice", "reword it")

    def _samples_of(self, line: Line, has_choices: bool) -> list[Sample]:
        """One question, in all rotations of its options where that is asked for."""
        from longpanda.longwatch.choices import Options

        facts = Facts(minutes=self._minutes[line.video], instruction=INSTRUCTION, template="open")
        sample = Sample(line.question, line.answer, FAMILY, line.video, facts=facts, id=line.id)
        if not line.choices:
            return [sample]
        facts = replace(facts, template="choices", instruction="", chance=1 / len(line.choices))
        rotations = [replace(one, facts=facts) for one in Options(sample, line.choices).rotations]
        if has_choices:
            for one in rotations:
                self._require_own_letters(line.number, one.choices)
            return rotations
        return [replace(rotations[0], rotation=None)]

    @cached_property
    def _minutes(self) -> dict[str, float]:
        """How long each video is, to one digit, so that a report has few lengths."""
        from longpanda.video import probe

        minutes = dict[str, float]()
        for line in self._lines:
            if line.video in minutes:
                continue
            try:
                duration_seconds = probe(self.path_of(line.video)).duration_seconds
            except VideoError as error:
                found = f"a video that cannot be read ({parts_of(str(error))[0]})"
                raise self._mistake(line.number, found, "one that can", "name another, or delete the line") from error
            minutes[line.video] = max(SHORTEST_MINUTES, float(f"{duration_seconds / 60:.1g}"))
        return minutes

    def _mistake(self, number: int, found: str, expected: str, remedy: str) -> ConfigError:
        return ConfigError(f"line {number} of '{self.source}': {found}", expected, remedy)


def normalised(text: str) -> str:
    """An answer without case, spare spaces, an article in front, and quotes and punctuation around it.

    What stands within it is kept, so that 3.5 is not 35 and -2 is not 2.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    bare = folded.lstrip(_AROUND).rstrip(_BEHIND)
    article = next((one for one in _ARTICLES if bare.startswith(one)), "")
    return bare.removeprefix(article).lstrip(_AROUND)

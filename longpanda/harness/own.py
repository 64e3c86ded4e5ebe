"""A user's own questions about their own videos: a JSONL file with one question and its true answer per line."""

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
"""Instruction that other systems get with an open question; LongPanda's models get the question alone."""
SHORTEST_MINUTES: Final = 0.01
"""Length assigned to any shorter video, because charts draw lengths on a logarithmic axis, which has no 0."""
_KEYS: Final = ("video", "question", "answer", "choices", "id")
_LEADING: Final = " \t\n\"'`*“”‘’«»"
"""Characters stripped from the beginning of an answer."""
_TRAILING: Final = _LEADING + ".,;:!?"
"""Characters stripped from the end of an answer."""
_ARTICLES: Final = ("the ", "a ", "an ")


@dataclass(frozen=True)
class Line:
    """One question as the user wrote it.

    Args:
        number: line number in the file, from 1.
        video: path of the video, absolute or relative to the folder of the file.
        question: the text of the question.
        answer: the true answer; one of the choices, if there are any.
        choices: the options; () for an open question.
        id: the user's own id of the question; "" to derive one from the video and the question.
    """

    number: int
    video: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class OwnQuestions:
    """Questions in a JSONL file: `{"video": ..., "question": ..., "answer": ...}`, optionally with "choices" and "id".

    An answer to an open question is right if it equals the true one apart from case, spaces, a leading article, and
    quotes and punctuation around it. For a question with choices (at most eight) the system is asked for a letter; the
    words of a choice are accepted, too.

    Args:
        source: path of the file.
    """

    source: Path

    @property
    def folder(self) -> Path:
        """The folder that paths of videos are relative to."""
        return self.source.parent

    @property
    def suffix(self) -> str:
        """Empty: `Sample.video` has the full file name."""
        return ""

    def path_of(self, video: str) -> Path:
        """See `Questions.path_of`."""
        return self.folder / video

    def settings(self) -> dict[str, Any]:
        """Return the hash of the file and the total size of the videos. See `Questions.settings`."""
        videos = {line.video for line in self._lines}
        size_bytes = sum(self.path_of(video).stat().st_size for video in videos)
        return {"questions_sha256": hashlib.sha256(self._bytes).hexdigest(), "videos_bytes": size_bytes}

    def samples(self, has_choices: bool = False) -> list[Sample]:
        """Return the questions, those about the same video together. See `Questions.samples`.

        Raises:
            ConfigError: a line has a mistake, its video cannot be read or, with `has_choices`, it has no choices. The
                message gives the number of the first such line.
        """
        open_ones = (line.number for line in self._lines if not line.choices)
        if has_choices and (number := next(open_ones, None)):
            raise self._mistake(
                number, "no choices", "choices in every line, for --choices", "add choices, or leave out --choices"
            )
        by_video = dict[str, list[Line]]()
        for line in self._lines:
            by_video.setdefault(line.video, []).append(line)
        together = chain.from_iterable(by_video.values())
        return [sample for line in together for sample in self._samples_of(line, has_choices)]

    def count(self) -> int:
        """See `Questions.count`."""
        return len(self._lines)

    def mark(self, text: str, sample: Sample) -> "Mark":
        """See `Questions.mark`."""
        from longpanda.longwatch.answers import Mark
        from longpanda.longwatch.letters import Letter

        if sample.choices:
            return Letter(sample.choices).mark(text, sample.target)
        value = float(normalised(text) == normalised(sample.target))
        return Mark(value, value)

    @property
    def video_count(self) -> int:
        """Always 0: no hashes of the videos are known."""
        return 0

    def checked_videos(self) -> Iterator[str]:
        """Return an empty iterator: no hashes of the videos are known."""
        return iter(())

    @cached_property
    def _bytes(self) -> bytes:
        try:
            return self.source.read_bytes()
        except OSError as error:
            found = f"'{self.source}' cannot be read ({error.strerror})"
            raise ConfigError(found, "a file of questions", "check its path and permissions") from error

    @cached_property
    def _lines(self) -> tuple[Line, ...]:
        """All questions. Raises ConfigError for the mistakes that `samples` names, except unreadable videos."""
        try:
            texts = self._bytes.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            number = self._bytes[: error.start].count(b"\n") + 1
            raise self._mistake(number, "bytes that are not text", "UTF-8", "save the file as UTF-8") from error
        lines = [self._line(number, text) for number, text in enumerate(texts, 1) if text.strip()]
        if not lines:
            raise ConfigError(f"no question in '{self.source}'", "one question per line", "write at least one")
        questions, ids = dict[tuple[str, str], int](), dict[str, int]()
        for line in lines:
            if before := questions.get((line.video, line.question)):
                found = f"the question of line {before} again"
                raise self._mistake(
                    line.number, found, "each question once per video", "delete one of them, or reword it"
                )
            if line.id and (before := ids.get(line.id)):
                found = f"the id of line {before} again"
                raise self._mistake(line.number, found, "a different id", "give each question its own id")
            questions[line.video, line.question] = ids[line.id] = line.number
        return tuple(lines)

    def _line(self, number: int, text: str) -> Line:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            found = f"invalid JSON ({error})"
            raise self._mistake(number, found, "a JSON object", "fix the JSON on that line") from error
        if not isinstance(values, dict):
            found = f"{text.strip()[:40]!r}"
            raise self._mistake(number, found, "a JSON object", 'write {"video": ..., "question": ..., "answer": ...}')
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
            expected = "a path relative to the folder of the questions, or an absolute one"
            raise self._mistake(number, found, expected, "correct the path")
        choices = self._choices(number, values) if values.get("choices") is not None else ()
        return Line(
            number, values["video"], values["question"].strip(), values["answer"], choices, values.get("id", "")
        )

    def _require_text(self, number: int, name: str, value: Any) -> None:
        if not isinstance(value, str) or not value.strip():
            found = f"no '{name}'" if value in (None, "") else f"'{name}' {json.dumps(value)[:40]}"
            raise self._mistake(number, found, "text in quotes", f'write "{name}": "..."')

    def _choices(self, number: int, values: dict[str, Any]) -> tuple[str, ...]:
        """Return the choices of a line. Raises ConfigError for too few or too many, and for equal ones."""
        from longpanda.longwatch.letters import LETTERS
        from longpanda.longwatch.text import normalise

        choices = values["choices"]
        if not isinstance(choices, list) or not all(isinstance(one, str) and one.strip() for one in choices):
            found = f"choices {json.dumps(choices)[:40]}"
            raise self._mistake(number, found, 'a list such as ["yes", "no"]', "write a list of texts")
        if not 2 <= len(choices) <= len(LETTERS):
            found = f"{len(choices)} choices"
            raise self._mistake(number, found, f"2 to {len(LETTERS)}", "add or remove choices")
        if len({normalise(one) for one in choices}) < len(choices):
            found = f"choices that read the same in {json.dumps(choices)[:80]}"
            raise self._mistake(number, found, "choices that differ in letters or digits", "reword one")
        self._require_own_letters(number, tuple(choices))
        if values["answer"] not in choices:
            found = f"the answer '{values['answer']}', which is none of the choices"
            remedy = "correct the answer, or add it to the choices"
            raise self._mistake(number, found, "one of the choices, in the same words", remedy)
        return tuple(choices)

    def _require_own_letters(self, number: int, choices: tuple[str, ...]) -> None:
        """Raise ConfigError if the words of a choice read as the letter of another."""
        from longpanda.longwatch.letters import LETTERS, Letter

        for letter, text in zip(LETTERS, choices, strict=False):
            if (read := Letter(choices).read(text)) not in (letter, ""):
                found = f"the choice '{text}' beside the letter {letter}, which reads as the letter {read}"
                expected = "words that do not read as the letter of another choice"
                raise self._mistake(number, found, expected, "reword the choice")

    def _samples_of(self, line: Line, has_choices: bool) -> list[Sample]:
        """Return the samples of one question: with `has_choices`, one for each rotation of its options."""
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
        """Length of each video to one significant digit, so that a report has few lengths."""
        from longpanda.video import probe

        minutes = dict[str, float]()
        for line in self._lines:
            if line.video in minutes:
                continue
            try:
                duration_seconds = probe(self.path_of(line.video)).duration_seconds
            except VideoError as error:
                found = f"a video that cannot be read ({parts_of(str(error))[0]})"
                remedy = "name another video, or delete the line"
                raise self._mistake(line.number, found, "a readable video", remedy) from error
            minutes[line.video] = max(SHORTEST_MINUTES, float(f"{duration_seconds / 60:.1g}"))
        return minutes

    def _mistake(self, number: int, found: str, expected: str, remedy: str) -> ConfigError:
        return ConfigError(f"line {number} of '{self.source}': {found}", expected, remedy)


def normalised(text: str) -> str:
    """Normalise an answer: case, runs of spaces, a leading article, and quotes and punctuation around it.

    Punctuation inside the answer is kept, so that 3.5 differs from 35 and -2 from 2.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    bare = folded.lstrip(_LEADING).rstrip(_TRAILING)
    article = next((one for one in _ARTICLES if bare.startswith(one)), "")
    return bare.removeprefix(article).lstrip(_LEADING)

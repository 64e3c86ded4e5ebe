"""Files of results: JSONL with one line for the configuration, then one per answer, written as soon as it is given."""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from longpanda.errors import ConfigError, LongPandaError
from longpanda.types import Reply, Sample, Score

RESULTS_VERSION = 1
_HEAD = b'{"version": '
"""The first bytes of a file of results."""
_HASH_LETTERS = 8
"""Number of characters of a hash that are shown."""


class Records:
    """A file of results that can be resumed: questions answered in it need not be asked again.

    Only one process can write it at a time: the file is locked until it is closed or the process ends for any reason.

    Args:
        path: path of the file. It is created if necessary; an incomplete last line, left by a crash, is dropped.
        configuration: the system, its settings and the questions, as JSON. A file can only be resumed with the same
            configuration.
        retry_errors: ask questions that ended in an error again, after those never asked. The last answer to a
            question counts.
        notes: circumstances of this start, such as the machine, as JSON. They may differ each time, and all are kept.

    Raises:
        ConfigError: the file holds results of another configuration, is not a file of results, is being written by
            another process, or cannot be written or locked.
    """

    def __init__(
        self,
        path: str | Path,
        configuration: dict[str, Any],
        retry_errors: bool = True,
        notes: dict[str, Any] | None = None,
    ) -> None:
        self.path = path = Path(path)
        self.done: set[tuple[str, int | None]] = set()
        self._failed: set[tuple[str, int | None]] = set()
        self._file = _locked(path)
        try:
            scores = self._opened(configuration, notes or {})
            self._failed = {score.sample.key for score in scores if retry_errors and score.error}
            self.done = {score.sample.key for score in scores} - self._failed
            if notes:
                self.note(notes)
        except BaseException:
            self._file.close()
            raise

    def _opened(self, configuration: dict[str, Any], notes: dict[str, Any]) -> list[Score]:
        """Return the scores in the file and drop an incomplete last line, or write the first line of a new file."""
        whole = self.path.read_bytes()
        if _is_new(whole):
            self._file.truncate(0)
            self._write({"version": RESULTS_VERSION, "configuration": configuration, "notes": notes})
            return []
        stored, scores = read_records(self.path)
        _require_same(self.path, stored, configuration)
        self._file.truncate(whole.rfind(b"\n") + 1)
        return scores

    def missing(self, samples: list[Sample]) -> list[Sample]:
        """Return the samples without an answer in the file, with those that ended in an error last.

        If questions that always fail came first, a run could consider the system down before it asks any other.

        Args:
            samples: all questions of the run.

        Raises:
            ConfigError: two samples have the same key, so that one answer would count for both; or the file answers
                another question.
        """
        require_different_ids(samples)
        require_asked(self.path, samples)
        left = [sample for sample in samples if sample.key not in self.done]
        return sorted(left, key=lambda sample: sample.key in self._failed)

    def add(self, score: Score) -> None:
        """Write one score; it is on disk when this returns. Raises ConfigError if the disk is full."""
        self.done.add(score.sample.key)
        self._write(asdict(score))

    def note(self, notes: dict[str, Any]) -> None:
        """Write the circumstances of the answers that follow, if they have changed."""
        if notes != read_notes(self.path)[-1]:
            self._write({"notes": notes})

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()

    def _write(self, value: dict[str, Any]) -> None:
        whole_bytes = os.fstat(self._file.fileno()).st_size
        line = memoryview(json.dumps(value).encode() + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(whole_bytes)  # leave no part of an incomplete line
            found = f"'{self.path}' cannot be written ({error.strerror}); every answer before this one is in it"
            raise ConfigError(found, "free space", "make room, and run it again to resume") from error


def require_different_ids(samples: Iterable[Sample]) -> None:
    """Raise ConfigError if two samples have the same key, so that one answer would count for both."""
    for key, count in Counter(sample.key for sample in samples).items():
        if count > 1:
            found = f"{count} questions with the id {key[0]}"
            remedy = "give them different ids, or remove all but one"
            raise ConfigError(found, "a different id for each question", remedy)


def require_asked(path: str | Path, samples: Iterable[Sample]) -> None:
    """Raise ConfigError, which names the line, if a file of results answers a question that is not in `samples`."""
    asked = {sample.key for sample in samples}
    for number, score in _read(Path(path))[1]:
        if score.sample.key not in asked:
            found = f"line {number} of '{path}' answers the question {score.sample.id}, which is not asked"
            raise ConfigError(found, "answers to the questions of the run", "delete the line")


def check_configuration(
    path: str | Path, configuration: dict[str, Any], samples: Iterable[Sample] | None = None
) -> None:
    """Check that results with a configuration can be written to a file. Call it before long work.

    Args:
        path: path of the file, which need not exist.
        configuration: the configuration of the run.
        samples: all questions of the run; None not to check which ones the file answers.

    Raises:
        ConfigError: the file exists and holds results of another configuration, answers a question that is not among
            the samples, or is not a file of results.
    """
    path = Path(path)
    if os.path.isfile(path) and not _is_new(_bytes_of(path)):
        _require_same(path, read_records(path)[0], configuration)
        if samples is not None:
            require_asked(path, samples)


def read_records(path: str | Path) -> tuple[dict[str, Any], list[Score]]:
    """Read the configuration and the scores of a file of results, without an incomplete last line.

    Raises:
        ConfigError: no such file, one that holds no results, or a line that is not one; the message names the line.
    """
    configuration, scores = _read(Path(path))
    return configuration, list({score.sample.key: score for _, score in scores}.values())


def _read(path: Path) -> tuple[dict[str, Any], list[tuple[int, Score]]]:
    """Return the configuration, and each score with the number of its line. Raises ConfigError as `read_records`."""
    lines = _bytes_of(path).split(b"\n")[:-1]
    configuration, scores = _configuration(path, lines), []
    for number, line in enumerate(lines[1:], 2):
        try:
            values = _object(json.loads(line))
            if "notes" not in values:
                scores.append((number, _score(values)))
            else:
                _object(values["notes"])
        except (LongPandaError, ValueError, KeyError, TypeError) as error:
            why = error.found if isinstance(error, LongPandaError) else error
            found = f"line {number} of '{path}' is not a result ({why})"
            remedy = "restore the line, or delete it and run again to ask its question again"
            raise ConfigError(found, "one JSON object for each answer", remedy) from error
    return configuration, scores


def _object(value: Any) -> dict[str, Any]:
    """Return a JSON object. Raises TypeError for another value."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} is not an object")
    return value


def _bytes_of(path: Path) -> bytes:
    """Return the contents of a file of results. Raises ConfigError if it cannot be read."""
    if not os.path.isfile(path):
        raise ConfigError(f"no file '{path}'", "a file of results", "run a model first")
    try:
        return path.read_bytes()
    except OSError as error:
        found = f"'{path}' cannot be read ({error.strerror})"
        raise ConfigError(found, "a file of results", "check its permissions") from error


def _configuration(path: Path, lines: list[bytes]) -> dict[str, Any]:
    """Return the configuration in the first line. Raises ConfigError for what is not a file of results."""
    try:
        head = json.loads(lines[0]) if lines else {}
        version, configuration = head["version"], _object(head["configuration"])
        _object(head.get("notes", {}))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' holds no results ({error})", "a file of results", "choose another file") from error
    if version != RESULTS_VERSION:
        raise ConfigError(f"results of version {version}", f"version {RESULTS_VERSION}", "run again")
    return configuration


def read_notes(path: str | Path) -> list[dict[str, Any]]:
    """Read the notes in a file of results: the circumstances of each start of the run, the latest last.

    Raises:
        ConfigError: as for `read_records`.
    """
    read_records(path)
    head, *rest = map(json.loads, Path(path).read_bytes().split(b"\n")[:-1])
    return [head.get("notes", {}), *(values["notes"] for values in rest if "notes" in values)]


def _is_new(whole: bytes) -> bool:
    """Return whether a file of results is empty, or its first line is incomplete."""
    return b"\n" not in whole and (_HEAD.startswith(whole) or whole.startswith(_HEAD))


def _require_same(path: Path, stored: dict[str, Any], configuration: dict[str, Any]) -> None:
    """Raise ConfigError if a file was started with another configuration."""
    given = json.loads(json.dumps(configuration))
    changed = sorted(name for name in {*stored, *given} if stored.get(name) != given.get(name))
    if changed:
        texts = (
            f"{name} was {_shown(name, stored, given)} and is now {_shown(name, given, stored)}" for name in changed
        )
        found = f"'{path}' holds results of other settings: {', '.join(texts)}"
        raise ConfigError(found, "one file per configuration", "use the same settings, or write to another file")


def _shown(name: str, configuration: dict[str, Any], other: dict[str, Any]) -> str:
    """Format a setting for a message: a hash by its first characters, a switch as on or off."""
    value = configuration.get(name)
    if isinstance(value if value is not None else other.get(name), bool):
        return "on" if value else "off"
    if value is None:
        return "not set"
    if not isinstance(value, str):
        return json.dumps(value)
    return value[:_HASH_LETTERS] if name.endswith("_sha256") else f"'{value}'"


def _locked(path: Path) -> IO[bytes]:
    """Open a file, creating it if necessary, and lock it for this process.

    The lock is from flock, not a record lock, which a process loses when it reads the file and closes it again. Child
    processes do not inherit the lock, because Python closes its files in them.
    """
    try:
        file = path.open("a+b", buffering=0)  # without a buffer that a full disk would refuse at closing
    except OSError as error:
        found = f"'{path}' cannot be written ({error.strerror})"
        raise ConfigError(found, "a writable file", "choose another name") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if not isinstance(error, BlockingIOError):
            found = f"'{path}' cannot be locked ({error.strerror})"
            raise ConfigError(found, "a file system with locks", "write to another file system") from error
        found = f"another process is writing '{path}'"
        raise ConfigError(found, "one process at a time", "wait until it ends, or write to another file") from error
    return file


def _score(values: dict[str, Any]) -> Score:
    """Return the score in a line. Raises LongPandaError, KeyError or TypeError if it is none that a run stores."""
    score = Score(**values | {"sample": Sample.from_json(values["sample"]), "reply": Reply(**values["reply"])})
    marks = (0.0, 1.0) if score.error is None else (0.0,)
    if score.value not in marks:
        found = f"the value {score.value:g} for {'an answer' if score.error is None else 'an error'}"
        raise ConfigError(found, " or ".join(f"{mark:g}" for mark in marks), "restore the line")
    return score

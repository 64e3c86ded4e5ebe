"""Results as one JSONL file: a line for the configuration, then one for every answer, each written when it is there."""

import fcntl
import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from longpanda.errors import ConfigError
from longpanda.types import Reply, Sample, Score

RESULTS_VERSION = 1
_HEAD = b'{"version": '
"""How a file of results begins."""
_HASH_LETTERS = 8
"""Of a hash that are shown."""


class Records:
    """A file of results that is gone on with: answers in it need not be asked again.

    One process writes it at a time: it is locked until it is closed or the process ends, by whatever signal.

    Args:
        path: of the file; a new one is begun, a line that was cut off by a crash is dropped.
        configuration: what is measured, how and on what; JSON. Going on with another one is refused.
        retry_errors: what ended in an error is asked again, after what was never asked; the last answer to a question
            counts.
        notes: under which circumstances, such as the machine; JSON. They may differ each time, and all are kept.

    Raises:
        ConfigError: the file holds results of another configuration, is no file of results, is being written by
            another process, or cannot be written or locked.
    """

    def __init__(
        self,
        path: Path,
        configuration: dict[str, Any],
        retry_errors: bool = True,
        notes: dict[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.done: set[tuple[str, int | None]] = set()
        self._failed: set[tuple[str, int | None]] = set()
        self._file = _locked(path)
        try:
            scores = self._begun(configuration, notes or {})
            self._failed = {score.sample.key for score in scores if retry_errors and score.error}
            self.done = {score.sample.key for score in scores} - self._failed
            if notes:
                self.note(notes)
        except BaseException:
            self._file.close()
            raise

    def _begun(self, configuration: dict[str, Any], notes: dict[str, Any]) -> list[Score]:
        """What is in the file, of which a line that was cut off is dropped; a new one is given its first line."""
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
        """The samples without an answer in the file, those last that were asked and ended in an error.

        Such as always fail would otherwise be all that a run asks before it takes the system to be down.

        Raises:
            ConfigError: two samples have the same key, so that one answer would count for both.
        """
        for key, count in Counter(sample.key for sample in samples).items():
            if count > 1:
                found = f"{count} questions with the id {key[0]}"
                raise ConfigError(found, "an id for each question", "give them different ids, or ask one of them")
        left = [sample for sample in samples if sample.key not in self.done]
        return sorted(left, key=lambda sample: sample.key in self._failed)

    def add(self, score: Score) -> None:
        """Write one score; it is on the disk when this returns. Raises ConfigError where the disk is full."""
        self.done.add(score.sample.key)
        self._write(asdict(score))

    def note(self, notes: dict[str, Any]) -> None:
        """Write under which circumstances answers are made from now on, where that is news."""
        if notes != read_notes(self.path)[-1]:
            self._write({"notes": notes})

    def close(self) -> None:
        """No more scores."""
        self._file.close()

    def _write(self, value: dict[str, Any]) -> None:
        whole_bytes = os.fstat(self._file.fileno()).st_size
        line = memoryview(json.dumps(value).encode() + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(whole_bytes)  # of a line that was cut off nothing is left
            found = f"'{self.path}' cannot be written ({error.strerror}); every answer before this one is in it"
            raise ConfigError(found, "free space", "make room, and run it again to go on") from error


def check_configuration(path: Path, configuration: dict[str, Any]) -> None:
    """Refuse a file that holds results of another configuration, before the work whose results go there.

    Raises:
        ConfigError: it does, or is no file of results; one that is not there yet will do.
    """
    if path.is_file() and not _is_new(path.read_bytes()):
        _require_same(path, read_records(path)[0], configuration)


def read_records(path: Path) -> tuple[dict[str, Any], list[Score]]:
    """The configuration and the scores of a file of results, but for a last line that was cut off.

    Raises:
        ConfigError: no such file, one that holds no results, or a line that is not one; the message names the line.
    """
    if not path.is_file():
        raise ConfigError(f"no file '{path}'", "a file of results", "run a model first")
    lines = path.read_bytes().split(b"\n")[:-1]
    configuration = _configuration(path, lines)
    last: dict[tuple[str, int | None], Score] = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            values = dict(json.loads(line))
            if "notes" not in values:
                score = _score(values)
                last[score.sample.key] = score
        except (ValueError, KeyError, TypeError) as error:
            found = f"line {number} of '{path}' is not a result ({error})"
            remedy = "restore the line, or delete it and run again to ask its question again"
            raise ConfigError(found, "one JSON object for each answer", remedy) from error
    return configuration, list(last.values())


def _configuration(path: Path, lines: list[bytes]) -> dict[str, Any]:
    """Return the configuration in the first line. Raises ConfigError for what is not a file of results."""
    try:
        head = json.loads(lines[0]) if lines else {}
        version, configuration = head["version"], dict(head["configuration"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' holds no results ({error})", "a file of results", "choose another file") from error
    if version != RESULTS_VERSION:
        raise ConfigError(f"results of version {version}", f"version {RESULTS_VERSION}", "run again")
    return configuration


def read_notes(path: Path) -> list[dict[str, Any]]:
    """Under which circumstances the answers in a file of results were made, the latest last.

    Raises:
        ConfigError: as `read_records`.
    """
    read_records(path)
    head, *rest = map(json.loads, path.read_bytes().split(b"\n")[:-1])
    return [head.get("notes", {}), *(values["notes"] for values in rest if "notes" in values)]


def _is_new(whole: bytes) -> bool:
    """Whether a file of results is empty, or was cut off in its first line."""
    return b"\n" not in whole and (_HEAD.startswith(whole) or whole.startswith(_HEAD))


def _require_same(path: Path, stored: dict[str, Any], configuration: dict[str, Any]) -> None:
    """Raises ConfigError where a file was begun with another configuration."""
    asked = json.loads(json.dumps(configuration))
    changed = sorted(name for name in {*stored, *asked} if stored.get(name) != asked.get(name))
    if changed:
        told = (f"{name} was {_said(name, stored, asked)} and is now {_said(name, asked, stored)}" for name in changed)
        found = f"'{path}' holds results of other settings: {', '.join(told)}"
        raise ConfigError(found, "one file for one configuration", "ask as then, or write to another file")


def _said(name: str, configuration: dict[str, Any], other: dict[str, Any]) -> str:
    """A setting in a message: of a hash its beginning, of what is set or not whether it is."""
    value = configuration.get(name)
    if isinstance(value if value is not None else other.get(name), bool):
        return "on" if value else "off"
    if value is None:
        return "not set"
    if not isinstance(value, str):
        return json.dumps(value)
    return value[:_HASH_LETTERS] if name.endswith("_sha256") else f"'{value}'"


def _locked(path: Path) -> IO[bytes]:
    """The file, made where there is none, and held by this process alone.

    flock's lock and not a record lock, which a process loses when it reads the file and closes it again. Programs that
    we start do not inherit it: Python closes its files in them.
    """
    try:
        file = path.open("a+b", buffering=0)  # nothing is left to be written at its end, which a full disk would refuse
    except OSError as error:
        found = f"'{path}' cannot be written ({error.strerror})"
        raise ConfigError(found, "a file that you may write", "choose another name") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if not isinstance(error, BlockingIOError):
            found = f"'{path}' cannot be locked ({error.strerror})"
            raise ConfigError(found, "a file system with locks", "write to another place") from error
        found = f"another process is writing '{path}'"
        raise ConfigError(found, "one at a time", "wait until it ends, or write to another file") from error
    return file


def _score(values: dict[str, Any]) -> Score:
    reply = values["reply"] | {"frames_seconds": tuple(values["reply"]["frames_seconds"])}
    return Score(**values | {"sample": Sample.from_json(values["sample"]), "reply": Reply(**reply)})

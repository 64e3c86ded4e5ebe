"""Results as one JSONL file: a line for the configuration, then one for every answer, each written when it is there."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from longpanda.errors import ConfigError
from longpanda.types import Reply, Sample, Score

RESULTS_VERSION = 1


class Records:
    """A file of results that is gone on with: answers in it need not be asked again.

    Args:
        path: of the file; a new one is begun, a line that was cut off by a crash is dropped.
        configuration: what is measured, how and on what; JSON.
        retry_errors: answers that ended in an error are asked again; the last answer to a question counts.

    Raises:
        ConfigError: the file holds results of another configuration, or is no file of results.
    """

    def __init__(self, path: Path, configuration: dict[str, Any], retry_errors: bool = False) -> None:
        self.path = path
        self.done: set[tuple[str, str]] = set()
        if path.exists() and b"\n" in path.read_bytes():
            stored, scores = read_records(path)
            if stored != json.loads(json.dumps(configuration)):
                changed = sorted(k for k in {*stored, *configuration} if stored.get(k) != configuration.get(k))
                found = f"'{path}' holds results with another {', '.join(changed)}"
                raise ConfigError(found, "the configuration it was begun with", "write to another file")
            self.done = {_key(score.sample) for score in scores if not (retry_errors and score.error)}
            whole = path.read_bytes()
            self._file: IO[bytes] = path.open("r+b")
            self._file.truncate(whole.rfind(b"\n") + 1)
            self._file.seek(0, os.SEEK_END)
        else:
            self._file = path.open("wb")
            self._write({"version": RESULTS_VERSION, "configuration": configuration})

    def missing(self, samples: list[Sample]) -> list[Sample]:
        """The samples without an answer in the file."""
        return [sample for sample in samples if _key(sample) not in self.done]

    def add(self, score: Score) -> None:
        """Write one score; it is on the disk when this returns."""
        self.done.add(_key(score.sample))
        self._write(asdict(score))

    def close(self) -> None:
        """No more scores."""
        self._file.close()

    def _write(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_records(path: Path) -> tuple[dict[str, Any], list[Score]]:
    """The configuration and the scores of a file of results, but for a last line that was cut off.

    Raises:
        ConfigError: no such file, or one that holds no results.
    """
    if not path.is_file():
        raise ConfigError(f"no file '{path}'", "a file of results", "run a model first")
    lines = path.read_bytes().split(b"\n")[:-1]
    try:
        head, *rest = [json.loads(line) for line in lines]
        if head["version"] != RESULTS_VERSION:
            raise ConfigError(f"results of version {head['version']}", f"version {RESULTS_VERSION}", "run again")
        configuration: dict[str, Any] = head["configuration"]
        last = {_key(score.sample): score for score in map(_score, rest)}
        return configuration, list(last.values())
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' holds no results ({error})", "a file of results", "choose another file") from error


def _score(values: dict[str, Any]) -> Score:
    reply = values["reply"] | {"frames_seconds": tuple(values["reply"]["frames_seconds"])}
    return Score(**values | {"sample": Sample.from_json(values["sample"]), "reply": Reply(**reply)})


def _key(sample: Sample) -> tuple[str, str]:
    return sample.video, sample.question

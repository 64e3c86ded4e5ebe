"""An answerer for any program that reads and writes JSON Lines."""

import json
import os
import queue
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from longpanda.errors import AnswererError, ErrorKind
from longpanda.evaluate.masking import masked, masked_command
from longpanda.evaluate.runner import Ask, require_timeout
from longpanda.types import Reply, Sample

_AFTER_AN_ANSWER_SECONDS = 0.01
"""Time in which an unexpected second line would arrive."""
_TO_END_SECONDS = 1.0
"""Time for a process to end after it has closed its output."""
_COSTS = ("visual_tokens", "peak_memory_bytes", "prompt_tokens", "answer_tokens")
"""Optional fields of an answer, all whole numbers."""


class Command:
    """A process that is started once and answers many questions.

    For every question it gets one line {"video": path, "question": text, "instruction": text} and answers with one line
    {"answer": text}, which may also have "frames_seconds", "visual_tokens", "peak_memory_bytes", "prompt_tokens",
    "answer_tokens", "thinking" and "finish_reason" ("length" if the answer was cut off). {"error": text} means that it
    has no answer. Questions about one video are consecutive. If the process ends, times out or writes anything else,
    the question gets an error, and the next one starts the process again.

    Args:
        words: the command and its arguments.
        folder: folder of the videos.
        timeout_seconds: time limit for one answer.
        suffix: suffix of the video files.

    Raises:
        ConfigError: the timeout is not finite and above 0.
    """

    def __init__(self, words: list[str], folder: str | Path, timeout_seconds: float, suffix: str = ".mp4") -> None:
        require_timeout(timeout_seconds)
        self.words, self.folder, self.timeout_seconds, self.suffix = words, Path(folder), timeout_seconds, suffix
        self._turn = threading.RLock()
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def watch(self, video: str) -> Ask:
        """Return a function that asks about a video. The process reads the video itself."""
        path = str(self.folder / f"{video}{self.suffix}")
        return lambda sample: self._ask(path, sample)

    def close(self) -> None:
        """End the process and its children. Any later question, from any thread, is an error."""
        with self._turn:
            self._closed = True
            self._end()

    def _end(self) -> None:
        """End the process and its children; the next question starts it again."""
        with self._turn:
            process, self._process = self._process, None
            if process is None:
                return
            with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for a process that has ended
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            with suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]

    def _ask(self, path: str, sample: Sample) -> Reply:
        process = self._running()
        self._expect_silence(0.0)
        line = ""
        asked = {"video": path, "question": sample.question, "instruction": sample.facts.instruction}
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            together = self._lines.get(timeout=self.timeout_seconds)
            if not together:
                raise BrokenPipeError
            line, *more = together
            self._refuse(more)
            self._expect_silence(_AFTER_AN_ANSWER_SECONDS)
            return self._read(line)
        except queue.Empty:
            self._end()
            raise self._error(f"was silent for {self.timeout_seconds:g} s", ErrorKind.TIMEOUT) from None
        except BrokenPipeError:
            with suppress(subprocess.TimeoutExpired):  # it may have closed its output without ending
                process.wait(_TO_END_SECONDS)
            self._end()
            raise self._error(f"ended with code {process.returncode}", ErrorKind.ENDED) from None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            self._end()
            why = f" ({error})" if isinstance(error, TypeError) and str(error) else ""
            raise self._error(f"wrote {line[:80]!r}{why}", ErrorKind.MALFORMED) from None

    def _read(self, line: str) -> Reply:
        """Parse a line. Raises ValueError, TypeError or KeyError if it is not a reply."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise TypeError("not an object")
        if failed := values.get("error"):
            said = failed if isinstance(failed, str) else json.dumps(failed)
            raise self._error(f"reported an error: {masked(said)[:200]!r}", ErrorKind.FAILED)
        try:
            return _reply(values)
        except AnswererError as error:
            raise TypeError(f"{error.found}, not {error.expected}") from error

    def _expect_silence(self, seconds: float) -> None:
        """Raise if there is an extra line, which would be taken for the answer to the next question."""
        with suppress(queue.Empty):
            together = self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
            self._refuse(together)
            self._lines.put(together)  # it ended; the next question reports it

    def _refuse(self, lines: list[str]) -> None:
        """Raise if there are any lines, since nobody asked for them."""
        if lines:
            self._end()
            raise self._error(f"wrote {lines[0][:80]!r} without being asked", ErrorKind.MALFORMED)

    def _running(self) -> subprocess.Popen[str]:
        with self._turn:
            if self._closed:
                raise self._error("is closed", ErrorKind.ENDED)
            if self._process is None:
                self._process = self._started()
                self._lines = queue.SimpleQueue()
                threading.Thread(target=_pass_on, args=(self._process, self._lines), daemon=True).start()
            return self._process

    def _started(self) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                self.words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise self._error(f"cannot be started ({error.strerror})", ErrorKind.ENDED) from error

    def _error(self, what: str, kind: ErrorKind) -> AnswererError:
        expected = 'one line {"answer": "..."} for every question'
        return AnswererError(f"'{masked_command(self.words)}' {what}", expected, "see its error output", kind)


def _pass_on(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[list[str]]") -> None:
    """Pass on lines that arrive together as one list, so that no second one can be late; [] at the end."""
    assert process.stdout is not None
    with process.stdout:
        rest = b""
        while chunk := process.stdout.buffer.read1():  # type: ignore[attr-defined]
            *whole, rest = (rest + chunk).split(b"\n")
            if said := _texts(whole):
                lines.put(said)
    if said := _texts([rest]):
        lines.put(said)
    lines.put([])


def _texts(lines: list[bytes]) -> list[str]:
    """Return lines as text; an empty line is not an answer."""
    return [line.decode(errors="replace") for line in lines if line.strip()]


def _reply(values: dict[str, Any]) -> Reply:
    """Return the reply in a line. Raises AnswererError or KeyError if it is not one.

    A null answer counts as an empty one.
    """
    return Reply(
        "" if values["answer"] is None else values["answer"],
        values.get("frames_seconds") or (),
        finish_reason=values.get("finish_reason"),
        thinking=values.get("thinking") or "",
        **{name: values.get(name) for name in _COSTS},
    )

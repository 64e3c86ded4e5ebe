"""Any system that reads and writes JSON lines, as an answerer."""

import json
import math
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
"""In which a second line would follow the first."""
_TO_END_SECONDS = 1.0
"""For a process that writes no more."""
_COSTS = ("visual_tokens", "peak_memory_bytes", "prompt_tokens", "answer_tokens")
"""What a line may tell, as whole numbers."""


class Command:
    """A process that is started once and asked often.

    For every question it is given one line {"video": path, "question": text, "instruction": text} and answers with one
    line {"answer": text}, which may also hold "frames_seconds", "visual_tokens", "peak_memory_bytes", "prompt_tokens",
    "answer_tokens", "thinking" and "finish_reason" ("length" where the answer was cut off). {"error": text} says that
    it has no answer. Questions of one video come one after the other. When it ends, stays silent too long or writes
    anything else, that question scores an error, and the next one starts it again.

    Args:
        words: the command and its arguments.
        folder: where the videos are.
        timeout_seconds: for one answer.
        suffix: what a video's file is called behind its name.

    Raises:
        ConfigError: a timeout that is not finite and above 0.
    """

    def __init__(self, words: list[str], folder: Path, timeout_seconds: float, suffix: str = ".mp4") -> None:
        require_timeout(timeout_seconds)
        self.words, self.folder, self.timeout_seconds, self.suffix = words, folder, timeout_seconds, suffix
        self._turn = threading.RLock()
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def watch(self, video: str) -> Ask:
        """The command reads the video itself, when it is first asked about it."""
        path = str(self.folder / f"{video}{self.suffix}")
        return lambda sample: self._ask(path, sample)

    def close(self) -> None:
        """End the process and what it started, for good: a question that comes later, from any thread, is an error."""
        with self._turn:
            self._closed = True
            self._end()

    def _end(self) -> None:
        """End the process and what it started; the next question starts it again."""
        with self._turn:
            process, self._process = self._process, None
            if process is None:
                return
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of one that has ended
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
            line = self._lines.get(timeout=self.timeout_seconds)
            if not line:
                raise BrokenPipeError
            self._expect_silence(_AFTER_AN_ANSWER_SECONDS)
            return self._read(line)
        except queue.Empty:
            self._end()
            raise self._error(f"was silent for {self.timeout_seconds:g} s", ErrorKind.TIMEOUT) from None
        except BrokenPipeError:
            with suppress(subprocess.TimeoutExpired):  # it may have closed its output and go on
                process.wait(_TO_END_SECONDS)
            self._end()
            raise self._error(f"ended with code {process.returncode}", ErrorKind.ENDED) from None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            self._end()
            why = f" ({error})" if isinstance(error, TypeError) and str(error) else ""
            raise self._error(f"wrote {line[:80]!r}{why}", ErrorKind.MALFORMED) from None

    def _read(self, line: str) -> Reply:
        """What a line says. Raises ValueError, TypeError or KeyError where it is no reply."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise TypeError("no object")
        if failed := values.get("error"):
            said = failed if isinstance(failed, str) else json.dumps(failed)
            raise self._error(f"says that it failed: {masked(said)[:200]!r}", ErrorKind.FAILED)
        return _reply(values)

    def _expect_silence(self, seconds: float) -> None:
        """A line too many would be taken for the answer to the next question."""
        with suppress(queue.Empty):
            line = self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
            if line:
                self._end()
                raise self._error(f"wrote {line[:80]!r} without being asked", ErrorKind.MALFORMED)
            self._lines.put(line)  # it ended: the next question will find out

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


def _pass_on(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str]") -> None:
    """Hand over every line; "" says that there will be no more."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if line.strip():  # an empty line says nothing, and answers nothing
                lines.put(line)
    lines.put("")


def _reply(values: dict[str, Any]) -> Reply:
    """The reply in a line. Raises TypeError or KeyError where it is none.

    An answer that is null is an empty one: the system was asked and said nothing.
    """
    texts = {"answer": "" if values["answer"] is None else values["answer"], "thinking": values.get("thinking") or ""}
    ended, times = values.get("finish_reason"), values.get("frames_seconds") or []
    for name, text in {**texts, "finish_reason": ended or ""}.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is no text")
    costs = {name: values.get(name) for name in _COSTS}
    for name, cost in costs.items():
        if cost is not None and not isinstance(cost, int):
            raise TypeError(f"{name} is no whole number")
    if not isinstance(times, list) or not all(isinstance(one, int | float) and math.isfinite(one) for one in times):
        raise TypeError("frames_seconds is no list of seconds")
    shown = tuple(map(float, times))
    return Reply(texts["answer"], shown, finish_reason=ended, thinking=texts["thinking"], **costs)

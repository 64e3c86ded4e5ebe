"""Runs a system on all questions, and stores its answers in a file, so that a later run can resume."""

import json
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from longpanda.errors import ConfigError
from longpanda.harness.questions import Questions
from longpanda.harness.stopping import ERRORS_IN_A_ROW, ErrorsInARow
from longpanda.harness.systems import System
from longpanda.types import Sample, Score

if TYPE_CHECKING:
    from longpanda.evaluate import Answerer

_NAMES: Final = ("system", "model", "command", "endpoint", "oracle")
"""Settings that name a system."""


@dataclass(frozen=True)
class Run:
    """A system and the questions to ask it. A repeated run asks only the questions that have no answer yet.

    Args:
        questions: the questions.
        system: the system to ask.
        out: the file of results: a new one, or one to resume; a string is converted.
        has_choices: give every question lettered options, and ask it once for each rotation of them.
        is_unverified: do not compare videos with the hashes stored with the questions; the results record that.
        retry_errors: ask questions that ended in an error in an earlier run again.
        workers: number of videos asked about at the same time.
        errors_in_a_row: number of consecutive errors after which the system is considered down.

    Raises:
        ConfigError: fewer than one worker.
    """

    questions: Questions
    system: System
    out: Path
    has_choices: bool = False
    is_unverified: bool = False
    retry_errors: bool = True
    workers: int = 1
    errors_in_a_row: int = ERRORS_IN_A_ROW

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))
        if self.workers < 1:
            raise ConfigError(f"--workers {self.workers}", "at least 1", "pass a larger number")

    @cached_property
    def samples(self) -> list[Sample]:
        """All questions, in every rotation if there are choices. Raises ConfigError if they are incomplete."""
        return self.questions.samples(self.has_choices)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The settings that results must share to be comparable; a file cannot be resumed with other settings.

        Secrets are masked, so that a new key changes nothing.

        Raises:
            ConfigError: there are no such questions; or the settings of the system have no name, have that of another
                setting, or are not JSON.
            ModelError: no such model.
        """
        from longpanda import __version__

        switches = {"choices": self.has_choices, "unverified": self.is_unverified}
        chosen = {name: True for name, is_on in switches.items() if is_on}
        asked, answering = self.questions.settings(), self.system.settings()
        who = type(self.system).__name__
        if not any(answering.get(name) for name in _NAMES):
            found = f"the settings of {who}, which have no name"
            raise ConfigError(found, '"system" among them', 'return {"system": "its name", ...} from `settings`')
        if taken := sorted({"longpanda", *asked, *switches} & answering.keys()):
            found = f"the setting '{taken[0]}' of {who}"
            raise ConfigError(found, "one that the run does not set itself", "give it another name")
        _require_json(answering, who, is_finite=True)
        return {"longpanda": __version__, **asked, **answering, **chosen}

    @property
    def notes(self) -> dict[str, Any]:
        """What may differ between starts of the same run: the commit, the machine, timeouts and limits.

        The limit on the length of an answer is one of them: raising it does not change answers that were whole, and
        those that were cut off are asked again.
        """
        from longpanda.provenance import versions

        return {**versions(), **self.system.versions(), "workers": self.workers, **self.system.limits()}

    def check(self) -> None:
        """Check everything that can be checked before a model is loaded or a video is read.

        Raises:
            ConfigError: the questions are incomplete or share an id, `out` cannot be written or holds results of
                another configuration, the system cannot run here, or its settings or notes cannot be stored.
            ModelError: no such model.
        """
        from longpanda.evaluate import check_configuration, require_different_ids
        from longpanda.files import check_writable

        if not self.samples:
            raise ConfigError(f"no question in '{self.questions.source}'", "at least one", "name other questions")
        require_different_ids(self.samples)
        if self.is_unverified and not self.questions.video_count:
            found = f"--unverified for the videos of '{self.questions.source}'"
            raise ConfigError(found, "videos of a suite, whose hashes are known", "leave out --unverified")
        check_writable(self.out)
        self.system.check()
        check_configuration(self.out, self.configuration, self.samples)
        _require_json(self.notes, type(self.system).__name__, is_finite=False)

    def answerers(self, say: Callable[[str], None] = lambda _: None) -> "list[Answerer]":
        """Return one answerer per worker.

        Args:
            say: called with messages for the user while the answerers work.

        Raises:
            ConfigError: the system was not found, or cannot be asked these questions.
            ModelError: no such model.
        """
        return self.system.answerers(self.questions, self.workers, say)


def _require_json(values: dict[str, Any], who: str, is_finite: bool) -> None:
    """Raise ConfigError, which names the first of some values that a file of results cannot hold.

    NaN does not equal itself, so that results with a setting of NaN could never be resumed. Notes need not be finite: a
    server may be given infinite patience.
    """
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=not is_finite)
        except (TypeError, ValueError) as error:
            found = f"'{name}' of {who}, {value!r:.40} of type {type(value).__name__}"
            remedy = "convert it, for example with str or float"
            raise ConfigError(found, "text, a finite number, or a list of them", remedy) from error


class Asking:
    """A run in progress, whose file of results is open. As a context manager it closes the file and the answerers.

    Args:
        run: the run.
        answerers: the answerers of the run.

    Raises:
        ConfigError: as for `longpanda.evaluate.Records` and `Records.missing`.
    """

    def __init__(self, run: Run, answerers: "Sequence[Answerer]") -> None:
        from longpanda.evaluate import Command, Endpoint, Records

        self.run, self.answerers = run, list(answerers)
        with ExitStack() as stack:
            for one in self.answerers:
                if isinstance(one, Command | Endpoint):
                    stack.callback(one.close)
            self._records = Records(run.out, run.configuration, run.retry_errors, run.notes)
            stack.callback(self._records.close)
            self.missing = self._records.missing(run.samples)
            self._exit_stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit_stack.__exit__(kind, error, trace)

    def scores(self, stop: threading.Event | None = None) -> Generator[Score, None, None]:
        """Ask the questions without an answer, and yield each score once it is in the file.

        Args:
            stop: when this event is set, no more questions are asked.

        Raises:
            IncompleteError: the system is considered down.
            ConfigError: the disk is full.
        """
        from longpanda.evaluate import run_many

        errors = ErrorsInARow(self.run.errors_in_a_row)
        try:
            with closing(run_many(self.answerers, self.missing, self.run.questions.mark, stop)) as scores:
                for score in scores:
                    self._records.add(score)
                    yield score
                    errors.count(score)
        finally:
            self._note_refused()

    def _note_refused(self) -> None:
        """Note the request fields that a server has refused."""
        from longpanda.evaluate import Endpoint

        if refused := sorted({name for one in self.answerers if isinstance(one, Endpoint) for name in one.left_out}):
            self._records.note(self.run.notes | {"refused_by_server": ", ".join(refused)})


def ask_all(run: Run, step: Callable[[int, int], None] = lambda *_: None) -> list[Score]:
    """Check and run, as `longpanda longwatch run` does: ask the questions without an answer, and return all scores.

    Args:
        run: the run.
        step: called with the numbers of questions done and in total after each answer.

    Raises:
        ConfigError: as for `Run.check`, `Run.answerers` and `Asking`, or a video has changed.
        ModelError: no such model.
        IncompleteError: the system is considered down.
    """
    from longpanda.evaluate import read_records

    run.check()
    answerers = run.answerers()
    if not run.is_unverified:
        for _ in run.questions.checked_videos():
            pass
    with Asking(run, answerers) as asking, closing(asking.scores()) as scores:
        done = len(run.samples) - len(asking.missing)
        for number, _ in enumerate(scores, done + 1):
            step(number, len(run.samples))
    return read_records(run.out)[1]

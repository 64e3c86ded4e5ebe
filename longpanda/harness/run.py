"""Ask any system all questions, and keep its answers in a file that is gone on with."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from longpanda.errors import ConfigError
from longpanda.harness.questions import Questions
from longpanda.harness.stopping import ERRORS_IN_A_ROW, ErrorsInARow
from longpanda.harness.systems import System
from longpanda.types import Sample, Score

if TYPE_CHECKING:
    from longpanda.evaluate import Answerer


@dataclass(frozen=True)
class Run:
    """One system asked all questions; run again, what has no answer is asked again, and nothing else.

    Args:
        questions: what is asked.
        system: who is asked.
        out: the file of results: a new one, or one to go on with.
        has_choices: every question has lettered options, and is asked in all their rotations.
        is_unverified: videos are not held against what they were when the questions were made; the results say so.
        retry_errors: what ended in an error in an earlier run is asked again.
        workers: videos asked about at the same time.
        errors_in_a_row: after so many the system is taken to be down.

    Raises:
        ConfigError: no workers.
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
        if self.workers < 1:
            raise ConfigError(f"--workers {self.workers}", "at least 1", "give more")

    @cached_property
    def samples(self) -> list[Sample]:
        """All that is asked. Raises ConfigError where the questions are not complete."""
        return self.questions.samples(self.has_choices)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """What makes two results comparable: going on with a file under another one is refused.

        Secrets are masked, so that a new key changes nothing.

        Raises:
            ConfigError: there are no such questions.
            ModelError: no such model.
        """
        from longpanda import __version__

        switches = {"choices": self.has_choices, "unverified": self.is_unverified}
        chosen = {name: True for name, is_on in switches.items() if is_on}
        return {"longpanda": __version__, **self.questions.settings(), **self.system.settings(), **chosen}

    @property
    def notes(self) -> dict[str, Any]:
        """What may differ from one start to the next: the commit, the machine, and how patiently it was asked.

        The longest answer is among them: answers that were whole stay so when more is allowed, and the others are asked
        again.
        """
        from longpanda.provenance import versions

        return {**versions(), **self.system.versions(), "workers": self.workers, **self.system.limits()}

    def check(self) -> None:
        """Refuse what cannot work, before a model is loaded or a video read.

        Raises:
            ConfigError: the questions are not complete, `out` cannot be written or holds results of another
                configuration, or the system cannot run here.
            ModelError: no such model.
        """
        from longpanda.evaluate import check_configuration
        from longpanda.files import check_writable

        if not self.samples:
            raise ConfigError(f"no question in '{self.questions.source}'", "at least one", "ask something")
        if self.is_unverified and not self.questions.video_count:
            found = f"--unverified for the videos of '{self.questions.source}'"
            raise ConfigError(found, "films of a suite, of which hashes are known", "leave it out")
        check_writable(self.out)
        self.system.check()
        check_configuration(self.out, self.configuration)

    def answerers(self, say: Callable[[str], None] = lambda _: None) -> "list[Answerer]":
        """One for each worker; `say` is told what a user should know while they work.

        Raises:
            ConfigError: the system is not there, or cannot be asked these questions.
            ModelError: no such model.
        """
        return self.system.answerers(self.questions, self.workers, say)


class Asking:
    """A file of results that is being filled; as a context manager it ends what was started to answer.

    Args:
        run: what is asked, of whom, and where the answers go.
        answerers: of the run.

    Raises:
        ConfigError: as `longpanda.evaluate.Records`.
    """

    def __init__(self, run: Run, answerers: "Sequence[Answerer]") -> None:
        from longpanda.evaluate import Command, Endpoint, Records

        self.run, self.answerers = run, list(answerers)
        with ExitStack() as ending:
            for one in self.answerers:
                if isinstance(one, Command | Endpoint):
                    ending.callback(one.close)
            self._records = Records(run.out, run.configuration, run.retry_errors, run.notes)
            ending.callback(self._records.close)
            self.missing = self._records.missing(run.samples)
            self._ending = ending.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.__exit__(kind, error, trace)

    def scores(self, stop: threading.Event | None = None) -> Generator[Score, None, None]:
        """Ask what has no answer yet; each score is in the file when it is yielded.

        Args:
            stop: when somebody sets it, nothing more is asked.

        Raises:
            IncompleteError: the system is taken to be down.
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
        """Note the fields of a request that a server has refused."""
        from longpanda.evaluate import Endpoint

        if refused := sorted({name for one in self.answerers if isinstance(one, Endpoint) for name in one.left_out}):
            self._records.note(self.run.notes | {"refused_by_server": ", ".join(refused)})


def ask_all(run: Run, step: Callable[[int, int], None] = lambda *_: None) -> list[Score]:
    """Check, load, ask what has no answer yet, and read all results: what `longpanda longwatch run` does.

    Args:
        run: what is asked, of whom, and where the answers go.
        step: is told (done, all) questions after each answer.

    Raises:
        ConfigError: as `Run.check`, `Run.answerers` and `Asking`, or a video has changed.
        ModelError: no such model.
        IncompleteError: the system is taken to be down.
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

"""A small suite, made once, and a system that keeps count of what it is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from longpanda.errors import AnswererError, ErrorKind
from longpanda.harness.questions import Suite
from longpanda.longwatch.make import make
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Reply


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Four questions about one film."""
    folder: Path = tmp_path_factory.mktemp("harness") / "suite"
    sizes = {"minutes": (3.0,), "per_cell": 2, "seed": 6, "split": "dev", "size_px": 96, "fps": 0.5}
    for _ in make(SuitePlan(families=("count", "needle"), **sizes), folder, 1):
        pass
    return Suite(folder)


@dataclass
class Scripted:
    """A system that is an answerer itself; it says what `say` makes of a sample, None for an error."""

    say: Callable[[object], str | None]
    name: str = "scripted"
    asked: list[str] = field(default_factory=list)
    started: int = 0

    def settings(self):
        return {"frames": None, "system": self.name}

    def versions(self):
        return {}

    def limits(self):
        return {"haste": 1}

    def check(self):
        pass

    def answerers(self, questions, workers, say):  # noqa: ARG002
        self.started += 1
        return [self] * workers

    def watch(self, video):  # noqa: ARG002
        return self._ask

    def _ask(self, sample):
        self.asked.append(sample.question)
        if (text := self.say(sample)) is None:
            raise AnswererError("a system that is tired", "an answer", "let it rest", ErrorKind.FAILED)
        return Reply(text)


@pytest.fixture
def scripted():
    return Scripted

"""Several answerers at once: how a run ends before its time, and that what is finished is kept."""

import threading
from contextlib import closing

import pytest

from longpanda.errors import AnswererError, ConfigError, ErrorKind
from longpanda.evaluate import run_many
from longpanda.longwatch.answers import Mark
from longpanda.types import Reply, Sample

SAMPLES = [Sample(f"q{i}", "yes", "f", f"v{i // 50}") for i in range(200)]


def _exact(text, sample):
    return Mark(float(text == sample.target), 0.0)


class Yes:
    """Says yes, the first time at once and then after `seconds`, or when the gate opens."""

    def __init__(self, seconds):
        self.seconds, self.gate, self.started, self.asked = seconds, threading.Event(), threading.Event(), []

    def watch(self, video):  # noqa: ARG002
        return self._ask

    def _ask(self, sample):
        self.asked.append(sample.question)
        if len(self.asked) > 1:
            self.started.set()
            self.gate.wait(self.seconds)
        return Reply("yes")


class Broken:
    """Fails as a bug does, while another is at its second question."""

    def __init__(self, other):
        self.other = other

    def watch(self, video):  # noqa: ARG002
        self.other.started.wait(60)
        raise ZeroDivisionError


def test_all_are_asked_by_any_number():
    scores = list(run_many([Yes(0.0) for _ in range(3)], SAMPLES, _exact))
    assert sorted(score.sample.question for score in scores) == sorted(sample.question for sample in SAMPLES)


def test_after_a_bug_in_one_the_others_stop_and_all_that_they_finished_is_kept():
    other, kept = Yes(0.05), []
    scores = run_many([other, Broken(other)], SAMPLES, _exact)
    with pytest.raises(ZeroDivisionError):
        kept.extend(score.sample.question for score in scores)
    assert kept == other.asked
    assert 2 <= len(kept) < 100


def test_a_stop_ends_the_run_without_waiting_and_keeps_what_is_finished():
    stop, slow, kept = threading.Event(), Yes(60.0), []
    for score in run_many([slow], SAMPLES, _exact, stop):
        kept.append(score.sample.question)
        slow.started.wait(60)
        stop.set()
    assert kept == ["q0"]
    assert slow.asked == ["q0", "q1"], "nothing more is asked"
    slow.gate.set()


def test_who_takes_no_more_scores_stops_the_asking():
    slow, before = Yes(60.0), {*threading.enumerate()}
    with closing(run_many([slow], SAMPLES, _exact)) as scores:
        next(scores)
        (worker,) = {*threading.enumerate()} - before
    slow.gate.set()
    worker.join(60)
    assert len(slow.asked) <= 2


class Denied:
    """Refuses every question, as a server does with a wrong key."""

    def __init__(self):
        self.asked = 0

    def watch(self, video):  # noqa: ARG002
        return self._ask

    def _ask(self, sample):  # noqa: ARG002
        self.asked += 1
        raise AnswererError("no key", "one", "give it", ErrorKind.DENIED)


def test_after_an_answerer_that_is_denied_nobody_is_asked_more():
    denied = Denied()
    (score,) = run_many([denied], SAMPLES, _exact)
    assert (score.error_kind, denied.asked) == (ErrorKind.DENIED, 1)


def test_nobody_to_ask_is_refused():
    with pytest.raises(ConfigError, match="no answerer"):
        list(run_many([], SAMPLES, _exact))

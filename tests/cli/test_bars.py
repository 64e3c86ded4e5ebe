"""Progress: a bar on a terminal, lines elsewhere, silence where work is short or another process speaks."""

import io
import sys

import pytest

from longpanda.cli import bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def at_once(monkeypatch):
    """No waiting between two lines."""
    monkeypatch.setattr(bars, "LINE_SECONDS", 0)
    monkeypatch.setattr(bars, "BAR_DELAY_SECONDS", 0)


def work(stream, monkeypatch, steps=4, done=0):
    monkeypatch.setattr(sys, "stderr", stream)
    with bars.bar("asking", 4, "questions", done) as shown:
        for number in range(done, steps):
            shown.set_postfix({"loss": number / 2}, refresh=False)
            shown.update()
    return stream.getvalue()


def test_lines_where_there_is_no_terminal(at_once, monkeypatch):
    lines = work(io.StringIO(), monkeypatch, done=1).splitlines()
    assert [line.split(", ")[0] for line in lines if line][-3:] == [
        f"asking: {number} of 4 questions" for number in (2, 3, 4)
    ]
    assert lines[-1].startswith("asking: 4 of 4 questions, 100%, 00:00 so far, 00:00 to go, loss=1.5")
    assert not any("\r" in line for line in lines)


def test_what_is_said_meanwhile_is_one_line_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    with bars.bar("asking", 4, "questions") as shown:
        bars.say("the server is busy")
        shown.update()
        bars.say("the server is busy")
    assert stream.getvalue() == "longpanda: the server is busy\n" * 2


def test_what_is_said_meanwhile_stands_above_a_bar(monkeypatch):
    monkeypatch.setattr(bars, "BAR_DELAY_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    with bars.bar("asking", 4, "questions"):
        bars.say("the server is busy")
    lines = stream.getvalue().split("longpanda: the server is busy\n")
    assert len(lines) == 2
    assert all("asking:   0%|" in line for line in lines), "it is drawn again"


def test_short_work_needs_no_line(monkeypatch):
    assert work(io.StringIO(), monkeypatch) == ""


def test_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setattr(bars, "BAR_DELAY_SECONDS", 0)
    said = work(Terminal(), monkeypatch)
    assert said.startswith("\rasking:   0%|")
    assert "| 4/4 [00:00<00:00" in said


def test_nothing_is_drawn_where_nothing_was_done(monkeypatch):
    assert work(Terminal(), monkeypatch, steps=0).strip() == ""


def test_of_several_processes_one_shows_it(at_once, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert work(Terminal(), monkeypatch) == ""

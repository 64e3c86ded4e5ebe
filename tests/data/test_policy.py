"""Bad data: refused, or left out and counted up to a share."""

import logging

import pytest

from longpanda.data.conversations import TooLongError
from longpanda.data.media_facts import MediaError, MediaFault
from longpanda.data.policy import LEAST_SEEN, BadData, BadDataError, SkipCounts, reason_of
from longpanda.data.schema import Fault, RecordError
from longpanda.errors import ConfigError, PromptError

GONE = MediaError("no file 'a.mp4'", "a file", "fetch it", MediaFault.MISSING)
CUT = RecordError("cut JSON", "an object", "fix it", Fault.JSON)


def test_reasons_are_told_in_words():
    assert reason_of(GONE) == "missing"
    assert reason_of(CUT) == "json"
    assert reason_of(RecordError("a", "b", "c", Fault.EMPTY_ANSWER)) == "empty answer"
    assert reason_of(PromptError("a", "b", "c")) == "refused by the chat format"
    assert reason_of(TooLongError("a", "b", "c")) == "longer than the budget"


def test_nothing_is_left_out_with_fail():
    skips = SkipCounts(BadData())
    skips.saw("films")
    with pytest.raises(BadDataError, match=r"\(1 missing\); the last one: no file 'a.mp4'; .*on_bad: fail") as caught:
        skips.saw("films", GONE)
    assert caught.value.__cause__ is GONE


def test_each_source_has_its_share():
    skips = SkipCounts(BadData("skip", 0.1))
    for number in range(1000):
        skips.saw("films", GONE if number % 10 == 9 else None)
    for number in range(20):
        skips.saw("pictures", CUT if number % 2 else None)
    assert skips.lines() == [
        "films: 100 of 1,000 left out (100 missing)",
        "pictures: 10 of 20 left out (10 json)",
    ]
    with pytest.raises(BadDataError, match=rf"11 of {LEAST_SEEN} records of 'pictures' .*at most 10.00%"):
        skips.saw("pictures", CUT)
    with pytest.raises(BadDataError, match="101 of 1,001 records of 'films'"):
        skips.saw("films", CUT)


def test_two_million_skips_are_counted_and_a_few_named(caplog):
    skips = SkipCounts(BadData("skip", 1.0))
    with caplog.at_level(logging.WARNING):
        for _ in range(2000):
            skips.saw("films", GONE)
        skips.saw("films", CUT)
    assert len(caplog.records) == 4
    assert "more of this kind are counted only" in caplog.text
    BadData("skip", 0.5).check("films", {"missing": 2_000_000}, 4_000_000)
    with pytest.raises(BadDataError, match="2,000,000 of 3,999,999 records of 'films' cannot be used"):
        BadData("skip", 0.5).check("films", {"missing": 2_000_000}, 3_999_999)


@pytest.mark.parametrize("values", [{"on_bad": "skp"}, {"most_share": 1.5}, {"most_share": "a lot"}])
def test_policies_that_cannot_be_are_refused(values):
    with pytest.raises(ConfigError):
        BadData(**values)

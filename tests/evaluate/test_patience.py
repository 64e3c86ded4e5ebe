"""How long is waited before a server is asked again."""

from email.utils import formatdate

import pytest

from longpanda.evaluate.patience import LONGEST_SECONDS, wait_seconds

NOW = 1_700_000_000.0


@pytest.mark.parametrize("tries", range(12))
def test_waits_double_and_are_bounded(tries):
    longest = min(LONGEST_SECONDS, 2.0**tries)
    waits = [wait_seconds(tries, "", NOW) for _ in range(50)]
    assert longest / 2 <= min(waits) < max(waits) <= longest


@pytest.mark.parametrize("said", ["7", " 7 ", "7.0", formatdate(NOW + 7, usegmt=True), formatdate(NOW + 7)])
def test_what_the_server_asks_for_is_waited_in_seconds_or_until_a_date(said):
    assert wait_seconds(0, said, NOW) == pytest.approx(7)


@pytest.mark.parametrize("said", ["0", "-5", "soon", "nan", formatdate(NOW - 3600, usegmt=True), "Wed, 99 Foo"])
def test_what_asks_for_nothing_is_waited_as_without(said):
    assert 0.5 <= wait_seconds(0, said, NOW) <= 1


def test_a_long_wait_is_not_cut_short():
    assert wait_seconds(0, "3600", NOW) == 3600

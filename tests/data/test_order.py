"""The order of a mixture: every record exactly as often as asked, at places that do not depend on what came before."""

from collections import Counter

import numpy as np
import pytest

from longpanda.data.order import MixtureOrder, shuffled
from longpanda.errors import ConfigError


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 1000, 4096, 65537])
def test_a_shuffle_is_a_permutation(count):
    places = shuffled(np.arange(count), count, key=7)
    assert sorted(places) == list(range(count))
    assert count < 16 or list(places) != list(range(count))


def test_a_shuffle_depends_on_its_key_and_looks_random():
    count, blocks = 1 << 16, 16
    one, other = (shuffled(np.arange(count), count, key) for key in (1, 2))
    assert np.mean(one == other) < 0.001
    table = np.histogram2d(np.arange(count), one, bins=blocks)[0]
    expected = count / blocks**2
    chi_square = float(((table - expected) ** 2 / expected).sum())
    assert chi_square < 400, "about (16 - 1)^2 = 225 with a standard deviation of 21"
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.02


def test_an_epoch_shows_every_source_exactly_as_often_as_asked():
    order = MixtureOrder((10, 4, 7), (1.0, 3.0, 0.5), seed=3)
    assert (order.shown, len(order)) == ((10, 12, 4), 26)
    for epoch in range(3):
        sources, records = order.locate(np.arange(26) + 26 * epoch)
        seen = Counter(zip(sources.tolist(), records.tolist(), strict=True))
        assert [sum(count for (source, _), count in seen.items() if source == one) for one in range(3)] == [10, 12, 4]
        assert {seen[0, record] for record in range(10)} == {1}
        assert {seen[1, record] for record in range(4)} == {3}


def test_a_source_shown_in_part_goes_on_in_the_next_epoch():
    order = MixtureOrder((7, 5), (0.5, 1.0), seed=1)
    sources, records = order.locate(np.arange(len(order) * 7))
    counts = Counter(records[sources == 0].tolist())
    assert set(counts) == set(range(7))
    assert set(counts.values()) == {4}, "4 of 7 in each of 7 epochs"


def test_places_are_found_in_any_order_and_epochs_differ():
    order = MixtureOrder((1000, 500), (1.0, 1.0))
    whole = np.stack(order.locate(np.arange(3000)), 1)
    rng = np.random.default_rng(0)
    places = rng.permutation(3000)
    np.testing.assert_array_equal(np.stack(order.locate(places), 1), whole[places])
    assert np.mean((whole[:1500] == whole[1500:]).all(1)) < 0.01
    other = np.stack(MixtureOrder((1000, 500), (1.0, 1.0), seed=1).locate(np.arange(1500)), 1)
    assert np.mean((whole[:1500] == other).all(1)) < 0.01


def test_sources_are_mixed_throughout():
    order = MixtureOrder((9000, 1000), (1.0, 1.0))
    sources, _ = order.locate(np.arange(10000))
    shares = sources.reshape(10, 1000).mean(1)
    assert np.all(np.abs(shares - 0.1) < 0.04), "a share of 0.1 with a standard deviation of 0.009"


@pytest.mark.parametrize(("counts", "repeats"), [((), ()), ((0, 0), (1.0, 2.0)), ((3,), (0.1,)), ((3, 4), (1.0,))])
def test_a_mixture_without_records_is_refused(counts, repeats):
    with pytest.raises(ConfigError):
        MixtureOrder(counts, repeats)

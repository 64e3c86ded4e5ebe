"""Where the marks of a chart lie."""

from itertools import pairwise

import pytest
from results import MEASURES, results, score

from longpanda.evaluate import charts
from longpanda.evaluate.paired import pair
from longpanda.evaluate.summarise import summarise


def _model(scores, name="m"):
    return summarise(name, {}, scores, MEASURES)


def test_lengths_stand_by_their_logarithm_and_shares_from_the_bottom_up():
    minutes = (3.0, 30.0, 300.0)
    panel = charts.curves([_model(results((20, 10, 0), ("needle",), minutes))])[0]
    points = panel.series[0].points
    assert points[1].x - points[0].x == pytest.approx(points[2].x - points[1].x)
    assert [point.y for point in points] == pytest.approx([panel.y_ticks[i].at for i in (4, 2, 0)])
    assert all(point.top <= point.y <= point.bottom for point in points)
    assert panel.chance_y == pytest.approx(panel.y_ticks[0].at + 0.15 * (panel.y_ticks[4].at - panel.y_ticks[0].at))


def test_there_is_a_panel_for_each_family_and_one_for_all_of_several():
    assert [one.title for one in charts.curves([_model(results())])] == ["needle", "count", "all"]
    assert [one.title for one in charts.curves([_model(results(families=("count",)))])] == ["count"]


def test_two_models_share_the_axes():
    panels = charts.curves([_model(results(families=("needle",))), _model(results())])
    assert {one.title: [series.model for series in one.series] for one in panels} == {
        "needle": [0, 1],
        "count": [1],
        "all": [0, 1],
    }
    assert panels[0].series[0].points[0].x == panels[0].series[1].points[0].x


def test_every_cost_that_is_told_has_a_panel_with_a_point_for_each_length():
    panels = charts.costs([_model(results())])
    assert [one.title for one in panels] == ["frames", "visual tokens", "seconds", "peak memory"]
    assert [len(one.series[0].points) for one in panels] == [2] * 4
    assert charts.costs([_model(results(told=False))]) == ()


@pytest.mark.parametrize("seconds", [(1.0, 1.0), (0.9, 1.0), (0.001, 100.0), (3e-5, 4e-5)])
def test_costs_lie_inside_the_panel_with_some_labels_that_do_not_touch(seconds):
    scores = [score(1.0, i, minutes=1.0 + i) for i in range(2)]
    told = [
        type(one)(1.0, type(one.reply)("7", seconds=spent), one.sample)
        for one, spent in zip(scores, seconds, strict=True)
    ]
    (panel,) = charts.costs([_model(told)])
    places = [point.x for point in panel.series[0].points]
    assert charts.LEFT_PX < min(places) <= max(places) < charts.WIDTH_PX - charts.RIGHT_PX
    ticks = [tick.at for tick in panel.x_ticks]
    assert 2 <= len(ticks) <= 6
    assert min(b - a for a, b in pairwise(ticks)) > 25


def test_differences_share_a_scale_around_zero():
    strips = charts.strips(pair(results((8, 8)), results((16, 8))))
    middle = charts.STRIP_PX / 2
    assert all(0 <= one.low <= one.value <= one.high <= charts.STRIP_PX for one in strips)
    assert strips[-1].value == middle
    assert strips[0].value > middle

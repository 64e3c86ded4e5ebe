"""Results as a run leaves them, for the tests of what is made of them."""

from longpanda.evaluate.summary import Measure
from longpanda.types import Facts, Reply, Sample, Score

MEASURES = {
    "needle": (
        Measure("mean relative accuracy", lambda score: score.partial),
        Measure("near", lambda score: float(score.partial > 0.5)),
    )
}


def score(value, number=0, family="needle", minutes=3.0, text="7", error=None, told=True, absent=False, **facts):
    """One answer; every fourth number is of another script."""
    about = {"minutes": minutes, "depth": 0.3, "cluster": f"c{number // 4}", "template": "t", "chance": 0.1}
    spans = () if absent else ((60.0, 70.0),)
    sample = Sample(
        f"{family} {number}?",
        "never" if absent else "7",
        family,
        f"v{number // 4}-{minutes:g}",
        spans,
        Facts(**about | ({"absent": True, "depth": None} if absent else {}) | facts),
    )
    cost = ((65.0, 90.0), 24, 0.5, 2**30) if told else ()
    return Score(value, Reply(text, *cost), sample, error, partial=max(value, 0.25) if error is None else 0.0)


def results(right=(16, 8), families=("needle", "count"), minutes=(3.0, 120.0), **options):
    """20 answers in each cell, of which so many are right at each length; the last three are of absent things."""
    return [
        score(float(number < many), number, family, length, absent=number >= 17, **options)
        for length, many in zip(minutes, right, strict=True)
        for family in families
        for number in range(20)
    ]

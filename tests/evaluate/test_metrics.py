"""Accuracy and its interval."""

import numpy as np
import pytest

from longpanda.errors import ConfigError, VideoError
from longpanda.evaluate import accuracy, run
from longpanda.evaluate.metrics import mean_accuracy
from longpanda.longwatch.answers import Mark
from longpanda.types import Reply, Sample, Score


def scores_of(values_by_video: dict[str, list[float]]) -> list[Score]:
    return [
        Score(value, Reply(""), Sample("q", "t", "f", video))
        for video, values in values_by_video.items()
        for value in values
    ]


def test_independent_questions_get_wilsons_interval() -> None:
    result = accuracy(scores_of({str(i): [float(i < 80)] for i in range(100)}))
    assert result.value == 0.8
    # Wilson (1927) for 80 of 100, as tabulated: 0.711 to 0.867.
    assert result.interval == pytest.approx((0.7112, 0.8666), abs=2e-3)


def test_questions_that_stand_or_fall_with_their_video_widen_the_interval() -> None:
    together = accuracy(scores_of({str(i): [float(i < 16)] * 5 for i in range(20)}))
    alone = accuracy(scores_of({str(i): [float(i < 80)] for i in range(100)}))
    assert together.value == alone.value
    width = np.diff(together.interval)[0] / np.diff(alone.interval)[0]
    assert width == pytest.approx(5**0.5, rel=0.1)


def test_a_perfect_score_still_has_an_interval() -> None:
    low, high = accuracy(scores_of({str(i): [1.0] for i in range(40)})).interval
    assert 0.9 < low < 0.92
    assert high == 1.0


def test_a_mean_of_lengths_has_the_interval_of_as_many_questions_however_they_differ() -> None:
    easy, hard = (scores_of({str(i): [float(i < right)] for i in range(50)}) for right in (45, 5))
    both = mean_accuracy([(1.0, easy), (1.0, hard)])
    assert (both.value, both.questions, both.videos) == (0.5, 100, 50)
    assert both.interval == pytest.approx((0.4038, 0.5962), abs=1e-3), "Wilson for 50 of 100"
    weighted = mean_accuracy([(3.0, easy), (1.0, hard)])
    assert weighted.value == pytest.approx(0.7)
    assert np.diff(weighted.interval) > np.diff(accuracy([*easy, *hard]).interval) * 0.9
    assert mean_accuracy([(1.0, easy), (0.0, hard)]) == accuracy(easy)


def test_scripts_that_are_good_at_every_length_widen_the_mean_of_lengths() -> None:
    """60 lengths-by-scripts with one fate for each script say as much as 20 scripts."""
    lengths = [scores_of({str(i): [float(i < 10)] for i in range(20)}) for _ in range(3)]
    alone = mean_accuracy([(1.0, scores_of({f"{j} {i}": [float(i < 10)] for i in range(20)})) for j in range(3)])
    width = np.diff(mean_accuracy([(1.0, one) for one in lengths]).interval)[0] / np.diff(alone.interval)[0]
    assert width == pytest.approx(3**0.5, rel=0.1)


def test_no_scores_are_refused() -> None:
    with pytest.raises(ConfigError, match="no scores"):
        accuracy([])
    with pytest.raises(ConfigError, match="no scores"):
        mean_accuracy([(1.0, [])])


def exact(text: str, sample: Sample) -> Mark:
    value = float(text == sample.target)
    return Mark(value, value)


class Half:
    """Watches only videos whose name is not 'broken', once each, and knows one answer."""

    def __init__(self) -> None:
        self.watched: list[str] = []

    def watch(self, video: str):
        self.watched.append(video)
        if video == "broken":
            raise VideoError("a broken video", "a whole one", "repair it")
        return lambda sample: Reply("7" if sample.question == "easy" else "no idea")


def test_a_video_that_fails_scores_an_error_and_the_run_goes_on() -> None:
    samples = [
        Sample("easy", "7", "f", "a"),
        Sample("hard", "8", "f", "a"),
        Sample("easy", "7", "f", "broken"),
        Sample("easy", "7", "f", "b"),
    ]
    half = Half()
    scores = list(run(half, samples, exact))
    assert [score.value for score in scores] == [1, 0, 0, 1]
    assert half.watched == ["a", "broken", "b"]
    assert scores[2].error is not None
    assert "repair it" in scores[2].error
    assert accuracy(scores).errors == 1

"""Values refuse what they cannot be, and samples are stored and rebuilt."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from longpanda.errors import AnswererError, ConfigError, ErrorKind, VideoError
from longpanda.types import Facts, Reply, Sample, Score, VideoClip

FRAMES, TIMES = np.zeros((2, 4, 4, 3), np.uint8), np.arange(2.0)


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        (FRAMES.tolist(), TIMES, "frames of type list"),
        (FRAMES, [0.0, 1.0], "times of type list"),
        (FRAMES.astype(np.float32), TIMES, "frames float32"),
        (FRAMES[0], TIMES, "none of them 0"),
        (FRAMES[:0], TIMES[:0], "none of them 0"),
        (FRAMES[:, :0], TIMES, "none of them 0"),
        (FRAMES, TIMES[:1], "one time per frame"),
        (FRAMES, TIMES[::-1], "decrease"),
        (FRAMES, TIMES * np.nan, "not finite"),
    ],
)
def test_a_clip_that_is_none_is_refused(frames, times, message):
    with pytest.raises(VideoError, match=message):
        VideoClip(frames, times, 2.0)


def test_the_public_surface_can_be_listed():
    import longpanda

    assert {"load", "compose", "Session", "LongPandaProcessor"} <= set(dir(longpanda))
    assert all(getattr(longpanda, name) for name in dir(longpanda))


FACTS = Facts(minutes=3.0, template="who", chance=0.1, depth=0.5, cluster="hall-1", people=("blue", "red"))
SAMPLE = Sample("Who had it?", "red", "story", "film", ((1.0, 2.0),), FACTS)
ROTATED = Sample(
    "Who had it?\nA. blue\nB. red", "B", "story", "film", ((1.0, 2.0),), FACTS, ("blue", "red"), 1, "Who had it?"
)


@pytest.mark.parametrize("sample", [SAMPLE, ROTATED, replace(SAMPLE, id="mine", facts=Facts())])
def test_a_sample_is_rebuilt_from_its_json(sample):
    assert Sample.from_json(json.loads(json.dumps(asdict(sample)))) == sample


def test_a_sample_that_was_stored_before_facts_were_typed_is_read():
    known = {"minutes": 3.0, "template": "who", "chance": 0.1, "depth": 0.5, "cluster": "hall-1", "people": "blue, red"}
    old = {"question": "Who had it?", "target": "red", "family": "story", "video": "film"}
    old |= {"evidence_seconds": [[1.0, 2.0]], "metadata": known}
    assert Sample.from_json(old) == SAMPLE
    rotated = {"choices": ["blue", "red"], "rotation": 1, "of": "Who had it?", "answer": "red"}
    again = Sample.from_json(old | {"question": ROTATED.question, "target": "B", "metadata": known | rotated})
    assert again == ROTATED
    assert Sample.from_json(old | {"metadata": {"focus": False}}).facts == Facts(training_only=True)
    with pytest.raises(TypeError, match="colour"):
        Sample.from_json(old | {"metadata": {"colour": "red"}})


def test_rotations_of_a_question_share_its_id_and_have_their_own_keys():
    assert ROTATED.id == SAMPLE.id
    assert ROTATED.key != SAMPLE.key
    others = [replace(SAMPLE, id="", **{name: "other"}) for name in ("question", "video", "family")]
    assert len({SAMPLE.id, *(other.id for other in others)}) == 4
    assert (SAMPLE.answer, ROTATED.answer) == ("red", "red")


def test_an_unknown_length_is_said():
    assert SAMPLE.minutes == 3.0
    with pytest.raises(ConfigError, match=r"no length of the video of question film\.story\."):
        _ = replace(SAMPLE, facts=Facts()).minutes


def test_a_reply_takes_the_numbers_of_numpy():
    reply = Reply("7", np.array([1, 2.5], np.float32), np.int64(3), np.float32(0.5))
    assert reply == Reply("7", (1.0, 2.5), 3, 0.5)
    assert Reply(**json.loads(json.dumps(asdict(reply)))) == reply


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": 7}, "a reply with text 7; expected a string"),
        ({"text": None}, "text None"),
        ({"thinking": None}, "thinking None"),
        ({"finish_reason": 7}, "finish_reason 7"),
        ({"frames_seconds": 5.0}, "frames_seconds 5.0; expected a list of seconds"),
        ({"frames_seconds": "12"}, "frames_seconds '12'"),
        ({"frames_seconds": (1.0, float("nan"))}, "frames_seconds"),
        ({"seconds": "fast"}, "seconds 'fast'; expected a time of at least 0"),
        ({"seconds": float("nan")}, "seconds nan"),
        ({"seconds": -5.0}, "seconds -5.0"),
        ({"visual_tokens": "many"}, "visual_tokens 'many'; expected a whole number"),
        ({"prompt_tokens": 1.5}, "prompt_tokens 1.5"),
        ({"answer_tokens": True}, "answer_tokens True"),
        ({"seconds": 10**400}, "seconds 1000"),
        ({"peak_memory_bytes": -1}, "peak_memory_bytes -1"),
    ],
)
def test_a_reply_of_wrong_values_is_refused(given, message):
    with pytest.raises(AnswererError, match=message) as caught:
        Reply(**{"text": "7"} | given)
    assert caught.value.kind == ErrorKind.MALFORMED


@pytest.mark.parametrize("mark", [-1.0, 5.0, float("nan"), "1.0", None])
def test_a_mark_that_is_not_from_0_to_1_is_refused(mark):
    with pytest.raises(ConfigError, match=rf"the value .* for question {SAMPLE.id}; expected a number from 0 to 1"):
        Score(mark, Reply("red"), SAMPLE)
    with pytest.raises(ConfigError, match="the partial "):
        Score(1.0, Reply("red"), SAMPLE, partial=mark)
    assert Score(1, Reply("red"), SAMPLE, partial=0.5).value == 1.0

"""The bag-of-frames baseline learns what unordered frames give away, and no more."""

import numpy as np

from longpanda.longwatch import FAMILIES, Background, Lamp, Scene, Shot, Split, Topic, scene_seed
from longpanda.longwatch.bag import BagOfFrames, looks_at
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import ROOM_SCRIPTS


def _taught(family, seeds):
    scenes = [
        ROOM_SCRIPTS[FAMILIES[family].room](scene_seed(Split.DEV, 40000 + seed), LEVELS["steady"]).scene(180)
        for seed in seeds
    ]
    return [(looks_at(scene, 4.0), FAMILIES[family].ask(scene, np.random.default_rng(0))) for scene in scenes]


def _share(family, teach=60, ask=40):
    bag = BagOfFrames(family, _taught(family, range(teach)))
    asked = _taught(family, range(1000, 1000 + ask))
    marks = [FAMILIES[family].score(bag.answer(s.question, looks), s) for looks, samples in asked for s in samples]
    return np.mean(marks)


def test_what_one_look_answers_is_answered():
    assert _share("needle") > 0.65
    assert _share("multikey") > 0.65


def test_signs_are_not_followed_and_order_is_not_seen():
    assert _share("chain") < 0.3
    assert _share("order") < 0.65
    assert _share("visitors") < 0.55


def test_a_count_that_lies_in_how_many_frames_there_are_is_found():
    """If all occurrences last equally long, which the gallery avoids, twice as many frames mean twice the count."""

    def scene(seed, times):
        lamps = tuple(Lamp(16.0 * i, 16.0 * i + 12, "red") for i in range(times))
        topic = Topic("count", "red", 0.2)
        return Scene(seed, 180.0, (Shot(0.0, Background(0, 60.0, 60.0, 60.0, 0.0)),), (topic,), lamps)

    def taught(times):
        shown = scene(0, times)
        asked = [s for s in FAMILIES["count"].ask(shown, np.random.default_rng(0)) if "red" in s.question]
        return looks_at(shown, 4.0), asked

    bag = BagOfFrames("count", [taught(times) for times in range(5)] * 3)
    for times in range(5):
        looks, (sample,) = taught(times)
        assert bag.answer(sample.question, looks) == str(times)


def test_the_order_of_looks_changes_nothing():
    rng = np.random.default_rng(0)
    for family in ("state", "causal", "text", "story"):
        bag = BagOfFrames(family, _taught(family, range(20)))
        for looks, samples in _taught(family, range(50, 55)):
            mixed = [looks[i] for i in rng.permutation(len(looks))]
            assert [bag.answer(s.question, looks) for s in samples] == [bag.answer(s.question, mixed) for s in samples]


def test_an_unknown_question_gets_no_answer():
    assert BagOfFrames("needle", _taught("needle", range(3))).answer("What is the meaning of life?", []) == ""

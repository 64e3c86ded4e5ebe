"""LongWatchExamples: the same in every process, and with a question if there are families."""

import dataclasses

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import FAMILIES, Split, scene_seed, world
from longpanda.longwatch.examples import (
    CELL_ATTRIBUTES,
    LongWatchData,
    LongWatchExamples,
    cell_labels,
    later,
    paced_gallery,
)

PLAN = LongWatchData(frames=(2,), families=("needle", "state"))
"""Two frames: most clips show nothing that these families could ask about."""


def same(one, other):
    assert one.samples == other.samples
    assert np.array_equal(one.clip.frames, other.clip.frames)
    assert np.array_equal(one.cell_labels, other.cell_labels)


def test_an_example_follows_from_its_index():
    for index in range(4):
        same(LongWatchExamples(PLAN, 12)[index], LongWatchExamples(PLAN, 12)[index])
    assert not np.array_equal(LongWatchExamples(PLAN, 12)[0].clip.frames, LongWatchExamples(PLAN, 12)[1].clip.frames)


def test_every_example_of_a_stage_with_families_asks():
    examples = LongWatchExamples(PLAN, 12)
    first = [examples._draw(index) for index in range(len(examples))]
    assert {bool(example.samples) for example in first} == {True, False}, "the data must make both kinds"
    for index, drawn in enumerate(first):
        assert examples[index].samples
        if drawn.samples:  # an example that had a question is the one it was
            same(examples[index], drawn)


def test_examples_that_give_way_differ_from_all_others():
    examples = [LongWatchExamples(PLAN, 12)[index] for index in range(12)]
    assert len({example.clip.frames.tobytes() for example in examples}) == len(examples)


def test_without_families_nothing_is_asked():
    example = LongWatchExamples(LongWatchData(frames=(2,), stills=True), 2)[0]
    assert example.samples == ()
    assert example.cell_labels.shape == (2, 3, 3, len(CELL_ATTRIBUTES))


GALLERY = dataclasses.replace(
    PLAN,
    scenes="gallery",
    frames=(24, 40),
    families=("needle", "count", "state"),
    questions=9,
    start_minutes=110.0,
    step_seconds=(0.7, 14.0),
)


def test_gallery_examples_hold_all_of_a_script():
    for example in (LongWatchExamples(GALLERY, 12, size_px=48)[index] for index in range(4)):
        asked = [sample.family for sample in example.samples]
        assert (asked.count("needle"), asked.count("count")) == (6, 5), "as many as films of the benchmark are asked"
        step = np.diff(example.clip.pts_seconds)[0]
        for start, end in (span for sample in example.samples for span in sample.evidence_seconds):
            assert ((example.clip.pts_seconds >= start) & (example.clip.pts_seconds < end)).sum() >= 2
            assert end - start >= 2 * step - 1e-3
        assert (example.cell_labels > 0).any()


def test_half_of_the_clips_are_pieces_of_long_videos():
    examples = [LongWatchExamples(GALLERY, 40, size_px=48)._draw(index) for index in range(40)]
    starts = np.array([example.clip.pts_seconds[0] for example in examples])
    steps = np.array([np.diff(example.clip.pts_seconds)[0] for example in examples])
    assert 8 <= (starts > steps).sum() <= 32
    assert starts.max() > 80 * 60, "minutes such as [97:30] are seen"
    assert starts.max() <= 110 * 60 + 14


def test_a_piece_of_a_long_video_is_the_same_film_later():
    early = paced_gallery(scene_seed(Split.TRAIN, 3), 24, 8.0)
    late = later(early, 3600.25)
    moments = np.arange(24) * 8.0
    assert late.duration_seconds == early.duration_seconds + 3600.25
    assert np.array_equal(cell_labels(late, moments + 3600.25), cell_labels(early, moments))
    rng = np.random.default_rng
    one, other = (FAMILIES["needle"].ask(scene, rng(0)) for scene in (early, late))
    assert [sample.target for sample in one] == [sample.target for sample in other]
    assert one[0].evidence_seconds[0][0] + 3600.25 == pytest.approx(other[0].evidence_seconds[0][0])


def test_a_gallery_does_not_fit_into_a_few_frames():
    with pytest.raises(ConfigError, match=r"expected at least .* for the gallery"):
        paced_gallery(scene_seed(Split.TRAIN, 3), 16, 8.0)


def test_examples_of_a_stage_share_no_scene_with_another_stage():
    data = LongWatchData(frames=(2,), start_minutes=5.0)
    first, second = data.source(6, 0, 96), data.source(12, 1, 96)
    assert (len(first), len(second)) == (6, 12)
    assert first.data.start_minutes == 5.0
    assert not np.array_equal(first[0].clip.frames, second[0].clip.frames)


def test_stills_show_as_many_cards_as_the_stage_says():
    data = LongWatchData(frames=(8,), stills=True)
    for most in (2, 5):
        examples = dataclasses.replace(data, still_cards=most).source(10, 0, 96)
        cards = [(example.cell_labels[..., 0] > 0).sum((1, 2)) for example in examples]  # a colour is a card's
        assert set(np.concatenate(cards)) == set(range(1, most + 1))
    assert LongWatchData().still_cards == len(world.CARD_CELLS)


@pytest.mark.parametrize("index", [-1, 2])
def test_beyond_its_ends_a_stage_has_no_example(index):
    with pytest.raises(IndexError, match=f"example {index} of 2"):
        LongWatchExamples(LongWatchData(frames=(1,)), 2)[index]


def test_families_that_no_clip_can_answer_are_refused():
    data = LongWatchData(frames=(1,), families=("order",))
    with pytest.raises(
        ConfigError, match=r"200 clips of \(1,\) frames without a question of order; .*show more frames"
    ):
        LongWatchExamples(data, 2)[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": ()}, r"frames=\(\)"),
        ({"frames": (), "stills": True}, r"frames=\(\)"),
        ({"frames": (3, 0)}, r"frames=\(3, 0\)"),
        ({"questions": 0}, "questions=0"),
        ({"step_seconds": (8.0, 5.0)}, r"step_seconds=\(8.0, 5.0\); expected above 0, the shortest first"),
        ({"step_seconds": (0.0, 5.0)}, "step_seconds"),
        ({"families": ("needel",)}, "family 'needel'.*did you mean 'needle'"),
        ({"frames": (65,), "stills": True, "families": ()}, "clips of 65 stills"),
        ({"scenes": "galery"}, r"unknown kind of scenes 'galery'.*did you mean 'gallery'"),
        (
            {"scenes": "gallery", "frames": (23,)},
            r"frames=\(23,\), stills=False of gallery scenes; .* at least 24 frames",
        ),
        ({"start_minutes": -1.0}, "start_minutes=-1.0"),
        ({"start_minutes": 2000.0}, "start_minutes=2000.0; expected 0 to 1440"),
        ({"stills": True}, "questions on clips of several stills"),
        ({"still_cards": 0}, "still_cards=0; expected 1 to 5"),
        ({"still_cards": 6}, "still_cards=6"),
        ({"size_px": 47}, "size_px=47; expected at least 48"),
    ],
)
def test_mistakes_in_data_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(PLAN, **values)


def test_frames_are_as_large_as_the_model_looks_at_them_or_as_the_data_says():
    data = LongWatchData(frames=(1,), stills=True)
    assert data.source(1, 0, 224)[0].clip.frames.shape == (1, 224, 224, 3)
    assert dataclasses.replace(data, size_px=48).source(1, 0, 224)[0].clip.frames.shape == (1, 48, 48, 3)


def test_a_stage_of_no_examples_is_refused():
    with pytest.raises(ConfigError, match="count=0 examples; expected at least 1"):
        PLAN.source(0, 0, 96)

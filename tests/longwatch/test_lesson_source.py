"""Lessons: the same in any process, with something to ask wherever something is to be asked."""

import dataclasses

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch.lessons import CELL_ATTRIBUTES, LessonPlan, Lessons

PLAN = LessonPlan(count=12, frames=(2,), families=("needle", "state"))
"""Two frames: most clips show nothing that these families could ask about."""


def same(one, other):
    assert one.samples == other.samples
    assert np.array_equal(one.clip.frames, other.clip.frames)
    assert np.array_equal(one.cell_labels, other.cell_labels)


def test_a_lesson_follows_from_its_index():
    for index in range(4):
        same(Lessons(PLAN)[index], Lessons(PLAN)[index])
    assert not np.array_equal(Lessons(PLAN)[0].clip.frames, Lessons(PLAN)[1].clip.frames)


def test_every_lesson_of_a_stage_with_families_asks():
    lessons = Lessons(PLAN)
    first = [lessons._draw(index) for index in range(len(lessons))]
    assert {bool(lesson.samples) for lesson in first} == {True, False}, "the plan must make both kinds"
    for index, drawn in enumerate(first):
        assert lessons[index].samples
        if drawn.samples:  # a lesson that had a question is the one it was
            same(lessons[index], drawn)


def test_lessons_that_give_way_differ_from_all_others():
    lessons = [Lessons(PLAN)[index] for index in range(len(Lessons(PLAN)))]
    assert len({lesson.clip.frames.tobytes() for lesson in lessons}) == len(lessons)


def test_without_families_nothing_is_asked():
    lesson = Lessons(LessonPlan(count=2, frames=(2,), stills=True))[0]
    assert lesson.samples == ()
    assert lesson.cell_labels.shape == (2, 9, len(CELL_ATTRIBUTES))


def test_families_that_no_clip_can_answer_are_refused():
    plan = LessonPlan(count=2, frames=(1,), families=("order",))
    with pytest.raises(
        ConfigError, match=r"200 clips of \(1,\) frames without a question of order; .*show more frames"
    ):
        Lessons(plan)[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count=0"),
        ({"frames": ()}, r"frames=\(\)"),
        ({"frames": (), "stills": True}, r"frames=\(\)"),
        ({"frames": (3, 0)}, r"frames=\(3, 0\)"),
        ({"questions": 0}, "questions=0"),
        ({"step_seconds": (8.0, 5.0)}, r"step_seconds=\(8.0, 5.0\); expected above 0, the shortest first"),
        ({"step_seconds": (0.0, 5.0)}, "step_seconds"),
        ({"families": ("needel",)}, "family 'needel'.*did you mean 'needle'"),
        ({"frames": (65,), "stills": True, "families": ()}, "clips of 65 stills"),
        ({"stills": True}, "questions on clips of several stills"),
    ],
)
def test_mistakes_in_a_plan_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(PLAN, **values)

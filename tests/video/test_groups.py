"""What the packets of one keyframe group tell, without a file."""

from types import SimpleNamespace

import pytest

from longpanda.video.groups import Group


def packet(pts, dts, **marks):
    plain = {"is_keyframe": False, "is_discard": False, "is_corrupt": False, "size": 100}
    return SimpleNamespace(pts=pts, dts=dts, **plain | marks)


def group(*packets):
    return Group([packet(0, -2, is_keyframe=True), *packets])


REORDERED = [packet(40, -1), packet(20, 0), packet(10, 10), packet(30, 20)]


def test_the_next_keyframe_closes_a_group():
    one = group(*REORDERED)
    assert (one.is_whole, one.next_pts, one.following()) == (False, None, None)
    one.add(packet(50, 30, is_keyframe=True))
    assert (one.is_whole, one.next_pts) == (False, 50)
    one.add(packet(70, 40))
    one.add(packet(60, 50))
    assert one.is_whole
    assert one.holds(49)
    assert not one.holds(50)
    assert [p.pts for p in one.following().packets] == [50, 70, 60]


def test_pictures_shown_before_the_next_keyframe_may_follow_it():
    one = group(*REORDERED, packet(70, 30, is_keyframe=True), packet(50, 40), packet(60, 50))
    assert not one.is_whole
    assert one.plan([45, 55, 55, 65]) is not None
    one.add(packet(90, 70))
    assert one.is_whole
    assert one.plan([45, 55, 55, 65, 69]) == [40, 50, 50, 60, 60]
    assert [p.pts for p in one.needed({50})] == [0, 40, 20, 10, 30, 70, 50]
    later = one.following()
    assert later.plan([70, 95]) == [70, 90]


def test_only_what_has_been_read_is_known():
    one = group(*REORDERED)
    assert one.knows(19)
    assert not one.knows(20)
    one.end()
    assert one.knows(10_000)
    assert one.holds(39)
    assert not one.holds(40)  # the last picture: nothing says until when


def test_the_plan_is_the_last_picture_at_or_before():
    one = group(*REORDERED)
    assert one.plan([0, 9, 10, 19]) == [0, 0, 10, 10]
    assert one.plan([-1]) is None
    assert [p.pts for p in one.needed({10})] == [0, 40, 20, 10]


def test_hidden_pictures_are_decoded_and_not_planned():
    one = Group([packet(0, 0, is_keyframe=True, is_discard=True), packet(1, 1, is_discard=True), packet(2, 2)])
    assert not one.start_is_shown
    assert one.plan([1]) is None
    assert one.plan([2]) == [2]
    assert len(one.needed({2})) == 3


@pytest.mark.parametrize(
    "bad",
    [
        packet(None, None),
        packet(5, 6),
        packet(50, -5),
        packet(20, 21),
        packet(60, 30, is_corrupt=True),
        packet(60, 30, size=0),
        packet(60, 30, size=2**26),
    ],
)
def test_what_packets_do_not_tell_ends_what_is_known(bad):
    one = group(*REORDERED)
    one.add(bad)
    assert one.is_broken
    one.add(packet(50, 60, is_keyframe=True))
    assert [p.pts for p in one.packets] == [0, 40, 20, 10, 30]
    assert not one.is_whole

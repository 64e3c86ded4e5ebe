import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from reading import read, truth

from longpanda.errors import ConfigError
from longpanda.longwatch import Background, Scene, Shot, Split, frame_hash, generate, render, scene_seed
from longpanda.longwatch.rooms import fixtures, placed


def _golden(size_px):
    return frame_hash(render(generate(5, 180), [0, 50, 150], size_px))[:16]


@pytest.mark.parametrize(("size_px", "expected"), [(96, "5f0dcff491b0efa4"), (448, "33a0679477baaaef")])
def test_pixels_are_the_same_on_every_machine(size_px, expected):
    assert _golden(size_px) == expected


def test_scene_bytes_are_the_same_on_every_machine():
    text = "".join(generate(scene_seed(Split.TEST, index), 180).to_json() for index in range(20))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "5029e6cbfa6275fd"


def test_another_process_gives_the_same_pixels_and_bytes():
    code = (
        "from longpanda.longwatch import frame_hash, generate, render\n"
        "scene = generate(11, 180)\n"
        "print(frame_hash(render(scene, [3, 99], 96)), scene.to_json())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    scene = generate(11, 180)
    assert run.stdout.strip() == f"{frame_hash(render(scene, [3, 99], 96))} {scene.to_json()}"


def test_frames_do_not_depend_on_their_company():
    scene = generate(3, 180)
    seconds = np.linspace(0, 180, 25)
    together = render(scene, seconds, 96)
    assert together.dtype == np.uint8
    assert together.shape == (25, 96, 96, 3)
    assert all(np.array_equal(render(scene, [s], 96)[0], frame) for s, frame in zip(seconds, together, strict=True))
    assert np.array_equal(render(scene, seconds[::-1], 96), together[::-1])


def test_an_event_shows_from_its_start_until_just_before_its_end():
    scene = generate(3, 180)
    card = scene.cards[0]
    bare = Scene(scene.seed, 180, scene.shots, scene.topics, ())
    only = Scene(scene.seed, 180, scene.shots, scene.topics, (card,))
    moments = [card.start_seconds - 0.001, card.start_seconds, card.end_seconds - 0.001, card.end_seconds]
    shown = [
        not np.array_equal(a, b) for a, b in zip(render(only, moments, 96), render(bare, moments, 96), strict=True)
    ]
    assert shown == [False, True, True, False]


def test_the_camera_moves_and_stays_dark():
    background = Background(9, 60, 60, 30, 0.1)
    scene = Scene(0, 180, (Shot(0.0, background),), (), ())
    frames = render(scene, np.arange(0, 180, 5), 96)
    corner = frames[:, 32:64, 32:].astype(int)
    assert np.abs(np.diff(corner, axis=0)).mean(axis=(1, 2, 3)).min() > 0.3
    assert corner.max() <= 130


@pytest.mark.parametrize(("size_px", "count"), [(96, 100), (448, 3)])
def test_every_event_of_many_scenes_can_be_read(size_px, count):
    for index in range(count):
        scene = generate(scene_seed(Split.DEV, index), 180)
        moments = [(event.start_seconds + event.end_seconds) / 2 for event in scene.events]
        for event, frame in zip(scene.events, render(scene, moments, size_px), strict=True):
            assert read(event, frame) == truth(event)


def test_the_reader_tells_another_number_apart():
    scene = generate(scene_seed(Split.DEV, 0), 180)
    card = scene.cards[0]
    other = replace(card, number=card.number - 1)
    frame = render(replace(scene, events=(other,)), [card.start_seconds], 96)[0]
    assert read(card, frame) == truth(other) != truth(card)


def test_blending_follows_the_formula_in_floating_point():
    rng = np.random.default_rng(0)
    scene = generate(3, 180)
    for sprite, top, left in [*fixtures("gallery", 96), *(placed(event, 96) for event in scene.events)]:
        frame = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        height, width = sprite.transparency.shape[:2]
        before = frame[top : top + height, left : left + width].astype(float)
        wanted = before * (sprite.transparency / 256.0) + (sprite.premultiplied - 128.0) / 256.0
        sprite.blend(frame, top, left)
        assert np.abs(frame[top : top + height, left : left + width] - wanted).max() <= 0.51


def test_a_small_frame_is_the_large_one_scaled_down():
    scene = generate(scene_seed(Split.DEV, 1), 180)
    moments = [event.start_seconds + 1 for event in scene.events]
    large = render(scene, moments, 384).reshape(len(moments), 96, 4, 96, 4, 3).mean(axis=(2, 4))
    difference = np.abs(large - render(scene, moments, 96))
    assert difference.mean() < 3


@pytest.mark.parametrize("seconds", [[-1], [181], [float("nan")], [[1, 2]], 3])
def test_moments_outside_the_video_are_refused(seconds):
    with pytest.raises(ConfigError, match="moments"):
        render(generate(0, 180), seconds, 96)


def test_frames_too_small_to_read_are_refused():
    with pytest.raises(ConfigError, match="32"):
        render(generate(0, 180), [0], 32)


def test_hash_tells_one_pixel_and_shape_apart():
    frames = render(generate(0, 180), [0, 1], 96)
    other = frames.copy()
    other[1, 5, 5, 0] ^= 1
    assert len({frame_hash(frames), frame_hash(other), frame_hash(frames.reshape(1, 192, 96, 3))}) == 3

"""Where content lies on the canvas, and which pixels it gets."""

import numpy as np
import pytest

from longpanda.errors import ConfigError, VideoError
from longpanda.video import CLIP_MEAN_RGB, letterbox, letterbox_box, resize


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (360, 640, (84, 336, 0, 448)),  # 9 of 16 cells: lead pad 3, tail pad 4
        (640, 360, (0, 448, 84, 336)),
        (500, 500, (0, 448, 0, 448)),
        (499, 500, (0, 448, 0, 448)),
        (1, 1000, (196, 224, 0, 448)),
        (480, 640, (56, 392, 0, 448)),
        (240, 448, (84, 336, 0, 448)),
    ],
)
def test_box_is_video_pandas(height, width, box):
    found = letterbox_box(height, width, size_px=448, cell_px=28)
    assert (found.row0, found.row1, found.col0, found.col1) == box


def test_pad_is_one_cell_heavier_at_the_tail():
    box = letterbox_box(9, 16, size_px=224, cell_px=14)
    assert (box.row0, box.size_px - box.row1) == (3 * 14, 4 * 14)


def test_frames_lie_in_the_box_and_the_rest_is_pad():
    frames = np.full((2, 36, 64, 3), 200, np.uint8)
    canvas, box = letterbox(frames, 64, 4)
    assert canvas.shape == (2, 64, 64, 3)
    assert np.all(canvas[:, box.row0 : box.row1, box.col0 : box.col1] == 200)
    assert np.all(canvas[:, : box.row0] == CLIP_MEAN_RGB)
    assert np.all(canvas[:, box.row1 :] == CLIP_MEAN_RGB)
    black, _ = letterbox(frames, 64, 4, pad_rgb=(0, 0, 0))
    assert np.all(black[:, : box.row0] == 0)


def test_frames_resized_before_give_the_same_pixels():
    frames = np.random.default_rng(0).integers(0, 256, (3, 90, 130, 3), np.uint8)
    box = letterbox_box(90, 130, 56, 14)
    whole, _ = letterbox(frames, 56, 14)
    placed = resize(frames, *box.content_size_px)
    np.testing.assert_array_equal(whole[:, box.row0 : box.row1, box.col0 : box.col1], placed)


def test_resize_matches_pillow():
    from PIL import Image

    ramp = np.linspace(0, 255, 160, dtype=np.uint8)
    frame = np.stack([np.tile(ramp, (90, 1)), np.tile(ramp[:90, None], (1, 160)), np.full((90, 160), 77)], -1)
    frame = frame.astype(np.uint8)
    pillow = np.asarray(Image.fromarray(frame).resize((64, 36), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(resize(frame[None], 36, 64)[0].astype(int) - pillow).max() <= 1


def test_long_clips_are_resized_in_pieces_alike():
    frames = np.random.default_rng(1).integers(0, 256, (35, 20, 20, 3), np.uint8)
    np.testing.assert_array_equal(resize(frames, 8, 8)[34], resize(frames[34:], 8, 8)[0])


@pytest.mark.parametrize("sizes", [(10, 10, 100, 28), (0, 10, 56, 28), (10, 10, 0, 28), (10, 10, 56, 0)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ConfigError):
        letterbox_box(*sizes)


def test_frames_of_another_kind_are_refused():
    with pytest.raises(VideoError, match="uint8"):
        letterbox(np.zeros((1, 8, 8, 3), np.float32), 56, 28)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reading import nearest, read_card, template
from walks import LOOKS, walk

from longpanda.errors import VideoError
from longpanda.longwatch import Background, Card, Scene, Shot
from longpanda.longwatch.deck import deck
from longpanda.longwatch.overlay import Layout, overlay
from longpanda.longwatch.rooms import placed
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.sprites import card_sprite
from longpanda.longwatch.world import TITLES
from longpanda.video import decode, encode, probe

VIDEOS = Path(__file__).resolve().parents[2] / "../shared/data/videos"
SHOT = (Shot(0.0, Background(0, 60.0, 60.0, 60.0, 0.0)),)
ONE = Scene(0, 8.0, SHOT, (), (Card(2.0, 5.0, 3, "white", "circle", 47, sign="blue cross"),))


def _shared(name):
    if not (VIDEOS / name).exists():
        pytest.skip(f"{name} is not in ../shared/data/videos")
    return VIDEOS / name


def _box(card, frame):
    """Return the position of a card in a frame: top, left and side in pixels."""
    layout = Layout(*frame.shape[:2])
    sprite, top_px, left_px = placed(card, layout.side_px)
    return (
        top_px + (layout.height_px - layout.side_px) // 2,
        left_px + (layout.width_px - layout.side_px) // 2,
        sprite.transparency.shape[0],
    )


def _read(card, frame):
    """Return the nearest title, number and sign."""
    top_px, left_px, side_px = _box(card, frame)
    pixels, region_px = frame[top_px : top_px + side_px, left_px : left_px + side_px], min(frame.shape[:2])
    colour, shape, number = read_card(pixels, region_px)
    signs = [card_sprite(colour, shape, number, sign, region_px) for sign in ("", *TITLES)]
    return colour, shape, number, nearest(pixels, (("", *TITLES), np.stack([template(sign) for sign in signs])))


def _found(card, frame):
    """Return the top and left at which the frame matches the card best, to 2 px."""
    side_px = _box(card, frame)[2]
    sprite = card_sprite(card.colour, card.shape, card.number, card.sign, min(frame.shape[:2]))
    wanted = template(sprite).reshape(side_px, side_px, 3)
    windows = np.lib.stride_tricks.sliding_window_view(frame.astype(np.float32), wanted.shape)[::2, ::2, 0]
    likeness = 2 * np.einsum("ijklm,klm->ij", windows, wanted) - np.einsum("ijklm,ijklm->ij", windows, windows)
    return 2 * np.array(np.unravel_index(likeness.argmax(), likeness.shape))


@pytest.mark.parametrize("look", [*LOOKS, "confetti"])
def test_every_card_is_found_and_read_in_the_written_file(look, tmp_path):
    source = walk(tmp_path / "source.mp4", look)
    scene = replace(deck(4, LEVELS["flash"], 1).scene(10.0), shots=SHOT)
    overlay(source, tmp_path / "out.mp4", scene, (128, 228), 4.0, 28)
    frames = decode(tmp_path / "out.mp4", [(card.start_seconds + card.end_seconds) / 2 for card in scene.cards]).frames
    assert len(frames) == len(scene.cards) >= 10
    for card, frame in zip(scene.cards, frames, strict=True):
        assert _read(card, frame) == (card.colour, card.shape, card.number, card.sign)
    for card, frame in list(zip(scene.cards, frames, strict=True))[:3]:
        assert np.abs(_found(card, frame) - _box(card, frame)[:2]).max() <= 2


def test_without_plates_most_cards_could_not_be_read_over_snow(tmp_path):
    still = decode(walk(tmp_path / "source.mp4", "snow", seconds=1), [0.0]).frames[0]
    right = []
    for card in [card for seed in range(3) for card in deck(seed, LEVELS["flash"], 1).scene(10.0).cards]:
        frame = still.copy()
        square = Layout(*frame.shape[:2]).square(frame)
        sprite, top_px, left_px = placed(card, len(square))
        sprite.blend(square, top_px, left_px)
        right.append(_read(card, frame)[:3] == (card.colour, card.shape, card.number))
    assert len(right) >= 30
    assert sum(right) < len(right) / 2


def test_cards_show_in_their_time_and_the_rest_is_the_footage(tmp_path):
    source = walk(tmp_path / "source.mp4", "grass")
    overlay(source, tmp_path / "out.mp4", ONE, (128, 228), 4.0, 18)
    seconds = np.arange(32) / 4
    before, after = (decode(path, seconds).frames.astype(int) for path in (source, tmp_path / "out.mp4"))
    assert len(before) == len(after) == 32
    outside = np.abs(after[:, :, :50] - before[:, :, :50]).mean(axis=(1, 2, 3))
    assert outside.max() < 5
    changed = np.abs(after - before).mean(axis=(1, 2, 3)) > 5
    assert changed.tolist() == ((seconds >= 2) & (seconds < 5)).tolist()


def test_a_picture_that_stays_on_screen_is_clean_again_when_the_card_is_gone(tmp_path):
    source = walk(tmp_path / "source.mp4", "snow", seconds=2)
    encode(decode(source, [0.0]).frames, tmp_path / "still.mp4", 0.1)
    overlay(tmp_path / "still.mp4", tmp_path / "out.mp4", replace(ONE, duration_seconds=10.0), (128, 228), 2.0, 18)
    shown = decode(tmp_path / "out.mp4", [1.0, 4.9, 5.0, 9.0]).frames.astype(int)
    assert np.abs(shown[1] - shown[0]).mean() > 5
    assert np.abs(shown[2] - shown[0]).mean() < 2
    assert np.abs(shown[3] - shown[0]).mean() < 2


@pytest.mark.parametrize("size_px", [(128, 228), (228, 128), (150, 150)])
def test_cards_lie_in_the_middle_square_of_any_frame(size_px):
    layout = Layout(*size_px)
    frame = np.zeros((*size_px, 3), np.uint8)
    layout.square(frame)[...] = 1
    rows, columns = np.flatnonzero(frame.any((1, 2))), np.flatnonzero(frame.any((0, 2)))
    assert len(rows) == len(columns) == min(size_px)
    for places, length in ((rows, size_px[0]), (columns, size_px[1])):
        assert abs(places[0] - (length - 1 - places[-1])) <= 1


def test_a_file_without_its_end_is_an_error_that_names_the_second(tmp_path):
    source = walk(tmp_path / "source.mp4", "brick")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"no picture of '.*cut.mp4' can be read at [3-6]\.\d+ s"):
        overlay(cut, tmp_path / "out.mp4", ONE, (128, 228), 4.0, 28)
    assert not (tmp_path / "out.mp4").exists()


def test_a_damaged_stretch_is_an_error_that_names_the_second(tmp_path):
    with pytest.raises(VideoError, match=r"can be read at (2\.9|3\.)\d+ s"):
        overlay(
            _shared("dc_corrupted.mp4"), tmp_path / "out.mp4", replace(ONE, duration_seconds=5.0), (96, 96), 20.0, 28
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "size_px", "seconds", "fps"),
    [
        ("mb_cursed-vfr.mp4", (220, 480), 8.0, 1.0),
        ("mb_sar_2x1.mp4", (180, 640), 5.0, 2.0),
        ("dc_video_90.mov", (398, 224), 0.1, 30.0),
        ("tc_h264_10bits.mp4", (200, 200), 1.0, 4.0),
        ("io_newtonscradle.gif", (150, 200), 0.75, 8.0),
    ],
)
def test_awkward_real_files_show_their_card_and_keep_their_proportions(name, size_px, seconds, fps, tmp_path):
    card = Card(0.0, seconds, 4, "yellow", "hexagon", 83, sign="red diamond")
    scene = Scene(0, seconds, SHOT, (), (card,))
    overlay(_shared(name), tmp_path / "out.mp4", scene, size_px, fps, 28)
    info = probe(tmp_path / "out.mp4")
    assert (info.height_px, info.width_px, info.rotation_degrees) == (*size_px, 0)
    assert info.average_fps == pytest.approx(fps)
    shown = decode(tmp_path / "out.mp4", np.arange(round(seconds * fps)) / fps)
    assert len(shown) == round(seconds * fps)
    for frame in shown.frames:
        assert _read(card, frame) == ("yellow", "hexagon", 83, "red diamond")
    corner = decode(_shared(name), [0.0], size_px=size_px).frames[0, -30:, :30].astype(int)
    assert np.abs(shown.frames[0, -30:, :30] - corner).mean() < 12

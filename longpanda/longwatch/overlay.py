"""Cards over the frames of a real video, in constant memory: decoded, drawn on and encoded one at a time."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.errors import VideoError
from longpanda.longwatch.events import Card
from longpanda.longwatch.rooms import placed
from longpanda.longwatch.scene import Scene
from longpanda.types import Frames, Seconds
from longpanda.video import TimedFrame, encode, iter_frames

PLATE_RGB: Final = (60, 60, 60)
"""What lies behind a card: the grey of the benchmark's walls, darker than every card and lighter than its ink."""
Tick = Callable[[int], object]
"""Told how many more frames are written."""
_CELLS: Final = 3
"""Along each side of the square in which cards lie."""


@dataclass(frozen=True)
class Layout:
    """The square in which cards lie: as large as fits, in the middle of the frame.

    Args:
        height_px: of the frame.
        width_px: of the frame.
    """

    height_px: int
    width_px: int

    @property
    def side_px(self) -> int:
        """Of the square."""
        return min(self.height_px, self.width_px)

    def square(self, frame: Frames) -> Frames:
        """The square of a frame, uint8 [H, W, 3], as a view [S, S, 3]."""
        top_px, left_px = (self.height_px - self.side_px) // 2, (self.width_px - self.side_px) // 2
        return frame[top_px : top_px + self.side_px, left_px : left_px + self.side_px]

    def cell(self, cell: int) -> tuple[slice, slice]:
        """The rows and columns of a cell within the square."""
        edges = [round(i * self.side_px / _CELLS) for i in range(_CELLS + 1)]
        row, column = divmod(cell, _CELLS)
        return slice(edges[row], edges[row + 1]), slice(edges[column], edges[column + 1])


def unwatched(frames: int) -> None:
    """A `Tick` that nobody listens to."""


def with_cards(frame: Frames, cards: list[Card]) -> Frames:
    """A frame, uint8 [H, W, 3], as another one with cards over it, each on a plate that fills its cell."""
    layout, drawn = Layout(*frame.shape[:2]), frame.copy()
    square = layout.square(drawn)
    for card in cards:
        square[layout.cell(card.cell)] = PLATE_RGB
        sprite, top_px, left_px = placed(card, layout.side_px)
        sprite.blend(square, top_px, left_px)
    return drawn


def overlay(
    video: Path,
    target: Path,
    scene: Scene,
    size_px: tuple[int, int],
    fps: float,
    crf: int,
    tick: Tick = unwatched,
) -> None:
    """Write a video with the cards of a scene over it; the sound is left out and the file is not changed.

    Frame i shows what is on screen at i / fps seconds of the video, and the cards of that moment.

    Args:
        video: what the cards are laid over.
        target: the MP4 file to write; it appears when it is complete.
        scene: the cards, and for how long.
        size_px: even height and width of the frames.
        fps: frames per second.
        crf: H.264 quality, lower is better.
        tick: called with 1 after every frame.

    Raises:
        VideoError: no such video, or a moment at which it shows nothing that can be read.
        ConfigError: an fps, crf or target that cannot be used.
    """
    moments = np.arange(round(scene.duration_seconds * fps)) / fps
    frames = _without_gaps(iter_frames(video, moments, size_px=size_px), moments, video)
    encode(_drawn(frames, moments, scene.cards, tick), target, fps, crf=crf, preset="veryfast")


def _without_gaps(frames: Iterator[TimedFrame], moments: Seconds, video: Path) -> Iterator[Frames]:
    for number, frame in zip_longest(range(len(moments)), frames):
        if frame is None or frame.number != number:
            raise VideoError(
                f"no picture of '{video}' can be read at {moments[number]:.3f} s",
                f"one at every moment up to {moments[-1]:.3f} s",
                "repair or download the file again, or take what comes before with --minutes",
            )
        yield frame.pixels


def _drawn(frames: Iterator[Frames], moments: Seconds, cards: tuple[Card, ...], tick: Tick) -> Iterator[Frames]:
    starts = [card.start_seconds for card in cards]
    for pixels, moment in zip(frames, moments.tolist(), strict=True):
        shown = [card for card in cards[: bisect_right(starts, moment)] if moment < card.end_seconds]
        yield with_cards(pixels, shown) if shown else pixels
        tick(1)

"""Draw cards over a real video in constant memory: frames are decoded, drawn on and encoded one at a time."""

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
"""The plate behind a card: the grey of the generated walls, darker than every card and lighter than its ink."""
Tick = Callable[[int], object]
"""Called with the number of frames written since the last call."""
_CELLS: Final = 3
"""Cells along each side of the square that holds the cards."""


@dataclass(frozen=True)
class Layout:
    """The square that holds the cards: the largest one in the middle of the frame.

    Args:
        height_px: height of the frame.
        width_px: width of the frame.
    """

    height_px: int
    width_px: int

    @property
    def side_px(self) -> int:
        """Side of the square."""
        return min(self.height_px, self.width_px)

    def square(self, frame: Frames) -> Frames:
        """Return the square of a frame, uint8 [H, W, 3], as a view [S, S, 3]."""
        top_px, left_px = (self.height_px - self.side_px) // 2, (self.width_px - self.side_px) // 2
        return frame[top_px : top_px + self.side_px, left_px : left_px + self.side_px]

    def cell(self, cell: int) -> tuple[slice, slice]:
        """Return the rows and columns of a cell within the square."""
        edges = [round(i * self.side_px / _CELLS) for i in range(_CELLS + 1)]
        row, column = divmod(cell, _CELLS)
        return slice(edges[row], edges[row + 1]), slice(edges[column], edges[column + 1])


def no_tick(frames: int) -> None:
    """A `Tick` that does nothing."""


def with_cards(frame: Frames, cards: list[Card]) -> Frames:
    """Return a copy of a frame, uint8 [H, W, 3], with cards over it, each on a plate that fills its cell."""
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
    tick: Tick = no_tick,
) -> None:
    """Write a copy of a video, without its sound, with the cards of a scene over it.

    Frame i shows what is on screen at i / fps seconds of the video, and the cards of that moment.

    Args:
        video: the footage under the cards.
        target: the MP4 file to write; it appears when it is complete.
        scene: the cards; its duration is that of the video to write.
        size_px: even height and width of the frames.
        fps: frames per second.
        crf: H.264 quality, lower is better.
        tick: called with 1 after every frame.

    Raises:
        VideoError: the video is missing, or has no readable picture at some moment.
        ConfigError: the fps, crf or target cannot be used.
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
                "repair the file or download it again, or use only the part before it with --minutes",
            )
        yield frame.pixels


def _drawn(frames: Iterator[Frames], moments: Seconds, cards: tuple[Card, ...], tick: Tick) -> Iterator[Frames]:
    starts = [card.start_seconds for card in cards]
    for pixels, moment in zip(frames, moments.tolist(), strict=True):
        shown = [card for card in cards[: bisect_right(starts, moment)] if moment < card.end_seconds]
        yield with_cards(pixels, shown) if shown else pixels
        tick(1)

"""Coverage masks of everything that is drawn: functions on the unit square, supersampled and averaged.

The coordinates u (right) and v (down) run from 0 to 1 across the sprite. Only comparisons and exact arithmetic are
used, so every machine draws the same masks.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.longwatch.font import GLYPH_COLUMNS, GLYPH_ROWS, GLYPHS

Mask = npt.NDArray[np.bool_]
Coverage = npt.NDArray[np.uint16]
"""uint16 [h, w]: 0 is uncovered, 256 is fully covered."""
Axis = npt.NDArray[np.float64]
Shape = Callable[[Axis, Axis], Mask]

SAMPLES: Final = 4
"""Samples per pixel along each axis."""

DOT_WIDTH: Final = 0.056
DOT_HEIGHT: Final = 0.058
DIGIT_GAP: Final = 0.045
_NUMBER_CENTRE_V: Final = {"triangle": 0.74}


def circle(u: Axis, v: Axis) -> Mask:
    """Return a disc that touches the four sides."""
    return ellipse(u, v, (0.5, 0.5), 0.5)


def ellipse(u: Axis, v: Axis, centre: tuple[float, float], radius: float) -> Mask:
    """Return a disc with a given centre and radius."""
    return np.asarray((u - centre[0]) ** 2 + (v - centre[1]) ** 2 <= radius**2)


def rectangle(u: Axis, v: Axis, left_top: tuple[float, float], right_bottom: tuple[float, float]) -> Mask:
    """Return an upright rectangle between two corners (u, v)."""
    across = (u >= left_top[0]) & (u < right_bottom[0])
    return across & (v >= left_top[1]) & (v < right_bottom[1])


def square(u: Axis, v: Axis) -> Mask:
    """Return a square a little smaller than the sprite, so that its area resembles that of the other shapes."""
    return rectangle(u, v, (0.04, 0.04), (0.96, 0.96))


def triangle(u: Axis, v: Axis) -> Mask:
    """Return a wide triangle, point up, with blunt lower corners: its base has room for a number."""
    return np.abs(u - 0.5) <= 0.5 * v / 0.79


def diamond(u: Axis, v: Axis) -> Mask:
    """Return a square on its point, with blunt tips so that a number stays clear of the sides."""
    return np.abs(u - 0.5) + np.abs(v - 0.5) <= 0.56


def cross(u: Axis, v: Axis) -> Mask:
    """Return a plus whose arms are as thick as a number is tall."""
    return (np.abs(u - 0.5) <= 0.25) | (np.abs(v - 0.5) <= 0.25)


def hexagon(u: Axis, v: Axis) -> Mask:
    """Return a hexagon, flat at the top and bottom."""
    return np.abs(u - 0.5) + 0.56 * np.abs(v - 0.5) <= 0.5


CARD_SHAPES: Final[dict[str, Shape]] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "diamond": diamond,
    "cross": cross,
    "hexagon": hexagon,
}


def ball(u: Axis, v: Axis) -> Mask:
    """Return the outline of the ball."""
    return circle(u, v)


def ball_stripe(u: Axis, v: Axis) -> Mask:
    """Return the dark seams of the ball."""
    seam = (np.abs(u - 0.5) <= 0.045) | (np.abs(v - 0.5) <= 0.045)
    return circle(u, v) & (seam | ~ellipse(u, v, (0.5, 0.5), 0.42))


def key(u: Axis, v: Axis) -> Mask:
    """Return a horizontal key: ring, shaft and two teeth."""
    ring = ellipse(u, v, (0.28, 0.5), 0.28) & ~ellipse(u, v, (0.28, 0.5), 0.11)
    teeth = rectangle(u, v, (0.66, 0.5), (0.78, 0.86)) | rectangle(u, v, (0.87, 0.5), (0.99, 0.86))
    return ring | rectangle(u, v, (0.50, 0.40), (0.99, 0.60)) | teeth


def gem(u: Axis, v: Axis) -> Mask:
    """Return a cut stone: flat crown at the top, point at the bottom."""
    crown = (v >= 0.1) & (v < 0.4) & (np.abs(u - 0.5) <= 0.3 + (v - 0.1) / 0.3 * 0.2)
    return crown | ((v >= 0.4) & (np.abs(u - 0.5) <= 0.5 * (1 - (v - 0.4) / 0.6)))


def gem_facets(u: Axis, v: Axis) -> Mask:
    """Return the darker lines on the gem."""
    girdle = np.abs(v - 0.4) <= 0.03
    ribs = (v > 0.4) & (np.abs(np.abs(u - 0.5) - 0.2 * (1 - (v - 0.4) / 0.6)) <= 0.03)
    return gem(u, v) & (girdle | ribs)


def lamp_bulb(u: Axis, v: Axis) -> Mask:
    """Return the part of the lamp that shines."""
    return ellipse(u, v, (0.5, 0.5), 0.42)


def full(u: Axis, v: Axis) -> Mask:
    """Return all of the sprite."""
    return np.ones(np.broadcast_shapes(u.shape, v.shape), dtype=np.bool_)


def crate_edges(u: Axis, v: Axis) -> Mask:
    """Return the dark lines of a box: its outline and two planks."""
    border = (u < 0.05) | (u >= 0.95) | (v < 0.09) | (v >= 0.91)
    return border | (np.abs(v - 0.37) <= 0.03) | (np.abs(v - 0.64) <= 0.03)


@lru_cache(maxsize=256)
def coverage(shape: Shape, height_px: int, width_px: int) -> Coverage:
    """Return how much of each pixel a shape covers.

    Args:
        shape: a function of u [1, w] and v [h, 1] on the unit square.
        height_px: height of the sprite.
        width_px: width of the sprite.

    Returns:
        uint16 [height_px, width_px], 0 to 256; read-only because it is cached.
    """
    u = (np.arange(width_px * SAMPLES) + 0.5)[None, :] / (width_px * SAMPLES)
    v = (np.arange(height_px * SAMPLES) + 0.5)[:, None] / (height_px * SAMPLES)
    samples = np.broadcast_to(shape(u, v), (height_px * SAMPLES, width_px * SAMPLES))
    return _averaged(samples, height_px, width_px)


@lru_cache(maxsize=1024)
def number_coverage(number: int, shape_name: str, side_px: int) -> Coverage:
    """Return how much of each pixel of a card the digits of a number cover.

    Args:
        number: 10 to 99.
        shape_name: shape of the card, which decides the height of the number.
        side_px: side of the card.

    Returns:
        uint16 [side_px, side_px], 0 to 256; read-only because it is cached.
    """
    axis = (np.arange(side_px * SAMPLES) + 0.5) / (side_px * SAMPLES)
    top = _NUMBER_CENTRE_V.get(shape_name, 0.5) - GLYPH_ROWS * DOT_HEIGHT / 2
    row = np.floor((axis - top) / DOT_HEIGHT).astype(np.intp)
    rows_inside = (row >= 0) & (row < GLYPH_ROWS)
    ink = np.zeros((side_px * SAMPLES, side_px * SAMPLES), dtype=np.bool_)
    left = 0.5 - GLYPH_COLUMNS * DOT_WIDTH - DIGIT_GAP / 2
    for digit in str(number):
        column = np.floor((axis - left) / DOT_WIDTH).astype(np.intp)
        columns_inside = (column >= 0) & (column < GLYPH_COLUMNS)
        dots = GLYPHS[digit][np.ix_(row[rows_inside], column[columns_inside])]
        ink[np.ix_(rows_inside, columns_inside)] |= dots
        left += GLYPH_COLUMNS * DOT_WIDTH + DIGIT_GAP
    return _averaged(ink, side_px, side_px)


@lru_cache(maxsize=256)
def word_coverage(word: str, size_px: tuple[int, int], dot: float) -> Coverage:
    """Return how much of each pixel of a board the letters of a centred word cover.

    Args:
        word: a lower-case word; drawn in capitals, with one dot between two letters.
        size_px: height and width of the board.
        dot: side of one dot in pixels.

    Returns:
        uint16 [height, width], 0 to 256; read-only because it is cached.
    """
    dots = np.hstack([np.pad(GLYPHS[letter], ((0, 0), (0, 1))) for letter in word])[:, :-1]
    rows, columns = (_dot_of(length_px, count, dot) for length_px, count in zip(size_px, dots.shape, strict=True))
    return _averaged(np.pad(dots, 1)[np.ix_(rows, columns)], *size_px)


def _dot_of(length_px: int, count: int, dot: float) -> npt.NDArray[np.intp]:
    """Return the dot that holds each sample along an axis, from 1 to `count`; 0 and `count + 1` are outside."""
    samples = (np.arange(length_px * SAMPLES) + 0.5) / SAMPLES - (length_px - count * dot) / 2
    return np.clip(np.floor(samples / dot).astype(np.intp) + 1, 0, count + 1)


def _averaged(samples: Mask, height_px: int, width_px: int) -> Coverage:
    """Return the covered share of the samples of each pixel, in 256ths; read-only because it will be cached."""
    hits = samples.reshape(height_px, SAMPLES, width_px, SAMPLES).sum(axis=(1, 3), dtype=np.uint16)
    covered: Coverage = hits * np.uint16(256 // SAMPLES**2)
    covered.flags.writeable = False
    return covered

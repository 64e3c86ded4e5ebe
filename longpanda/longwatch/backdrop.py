"""The background texture and the slow camera pan over it, in exact integers, identical on every machine."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.longwatch.scene import Background

_KNOTS: Final = 9
_SCALE: Final = 4096
_DARKEST: Final = 24
_BRIGHTEST: Final = 104
_LEAST_GAIN: Final = 176
"""Lowest brightness, out of 256."""


def _spline(length_px: int) -> npt.NDArray[np.float64]:
    """Return cubic B-spline weights as whole numbers, whose rows sum to 4096: float64 [length_px, knots]."""
    position = np.arange(length_px) * ((_KNOTS - 3) / length_px)
    first = np.floor(position).astype(np.intp)
    t = position - first
    parts = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1]
    whole = [np.floor(part / 6 * _SCALE) for part in parts]
    weights = np.zeros((length_px, _KNOTS))
    for offset, part in enumerate([*whole, _SCALE - sum(whole)]):
        weights[np.arange(length_px), first + offset] = part
    return weights


def _knots(seed: int) -> npt.NDArray[np.int64]:
    """Draw muted colours at the knots, a grey pattern with a small tint per knot: int [knots, knots, 3]."""
    rng = np.random.Generator(np.random.PCG64((0xBAC, seed)))
    tint = rng.integers(-28, 29, size=3)
    grey = rng.integers(_DARKEST, _BRIGHTEST, size=(_KNOTS, _KNOTS, 1))
    own = rng.integers(-26, 27, size=(_KNOTS, _KNOTS, 3))
    return np.asarray(np.clip(grey + own + tint, 8, 124))


@lru_cache(maxsize=8)
def texture(seed: int, size_px: int) -> npt.NDArray[np.uint8]:
    """Return a smooth texture whose side is 1.5 times that of the frame.

    Sums and products of whole numbers below 2**53 are exact in float64, whatever the order in which a library adds.

    Returns:
        uint8 [1.5 S, 1.5 S, 3]; read-only because it is cached.
    """
    weights = _spline(size_px + size_px // 2)
    rows = np.tensordot(weights, _knots(seed).astype(np.float64), axes=(1, 0))
    smooth = np.tensordot(weights, rows, axes=(1, 1)) / _SCALE**2
    picture = np.ascontiguousarray(smooth.transpose(1, 0, 2)).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def _swing(seconds: float, period_seconds: float, phase: float) -> float:
    """Return a triangle wave that goes from 0 to 1 and back once per period."""
    cycle = (seconds / period_seconds + phase) % 1.0
    return 2 * cycle if cycle < 0.5 else 2 - 2 * cycle


def paint(background: Background, seconds: float, frame: npt.NDArray[np.uint8]) -> None:
    """Fill `frame` (uint8 [S, S, 3]) with the background at a moment."""
    size_px = frame.shape[0]
    room_px = size_px // 2
    left_px = int(_swing(seconds, background.pan_x_period_seconds, background.phase) * room_px)
    top_px = int(_swing(seconds, background.pan_y_period_seconds, 2 * background.phase) * room_px)
    swing = _swing(seconds, background.brightness_period_seconds, 3 * background.phase)
    gain = np.uint16(_LEAST_GAIN + int(swing * (256 - _LEAST_GAIN)))
    crop = texture(background.seed, size_px)[top_px : top_px + size_px, left_px : left_px + size_px]
    lit = crop * gain
    lit >>= 8
    frame[...] = lit

"""Sprites of the workshop: boards, levers, a gate, a bell and a gauge."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from longpanda.longwatch import shapes, world
from longpanda.longwatch.events import Effect, Gauge, Pull, Word
from longpanda.longwatch.shapes import Axis, Mask, coverage, rectangle, word_coverage
from longpanda.longwatch.sprites import Placed, Sprite, centred, layers, pixels

_KNOB_UP, _KNOB_DOWN, _KNOB = 0.24, 0.76, 0.17
_STEPS: Final = len(world.GAUGE_LEVELS)


def word_placed(word: Word, size_px: int) -> Placed:
    """Return a board with a word on it."""
    return _board_placed(word.board, board_sprite(word.word, word.size, size_px), size_px)


def pull_placed(pull: Pull, size_px: int) -> Placed:
    """Return a lever in its lower position."""
    return _lever_placed(pull.lever, True, size_px)


def effect_placed(effect: Effect, size_px: int) -> Placed:
    """Return the open gate or the ringing bell."""
    return _effect_placed(effect.what, True, size_px)


def gauge_placed(gauge: Gauge, size_px: int) -> Placed:
    """Return the gauge at a level."""
    return _gauge_placed(gauge.level, size_px)


def empty_boards(size_px: int) -> list[Placed]:
    """Return both boards without a word."""
    return [_board_placed(board, board_sprite("", "large", size_px), size_px) for board in world.BOARDS]


def resting_machine(size_px: int) -> list[Placed]:
    """Return all levers up, the gate shut, the bell silent and the gauge at 0."""
    levers = [_lever_placed(lever, False, size_px) for lever in world.LEVERS]
    effects = [_effect_placed(what, False, size_px) for what in world.EFFECTS]
    return [*levers, *effects, _gauge_placed(0, size_px)]


@lru_cache(maxsize=256)
def board_sprite(word: str, size: str, size_px: int) -> Sprite:
    """Return a board with a word, or without one for ""."""
    side = pixels(world.BOARD_HEIGHT, size_px), pixels(world.BOARD_WIDTH, size_px)
    plate, rim = coverage(shapes.full, *side), coverage(_board_rim, *side)
    drawn = [(plate, world.PLATE), (rim, world.PLATE_RIM)]
    if word:
        drawn.append((word_coverage(word, side, world.LETTER_SIZES[size] * size_px), world.PAPER))
    return layers(*drawn)


@lru_cache(maxsize=16)
def lever_sprite(lever: str, down: bool, size_px: int) -> Sprite:
    """Return a lever of a colour, up or down."""
    side_px = pixels(world.LEVER_SIDE, size_px)
    plate, rim, slot, knob = (
        coverage(shape, side_px, side_px) for shape in (shapes.full, _rim, _slot, _knob_down if down else _knob_up)
    )
    return layers((plate, world.PLATE), (rim, world.PLATE_RIM), (slot, world.INK), (knob, world.RGB[lever]))


@lru_cache(maxsize=8)
def effect_sprite(what: str, active: bool, size_px: int) -> Sprite:
    """Return the gate, shut or open, or the bell, silent or ringing."""
    side_px = pixels(world.EFFECT_SIDE, size_px)
    plate, rim = coverage(shapes.full, side_px, side_px), coverage(_rim, side_px, side_px)
    base = [(plate, world.PLATE), (rim, world.PLATE_RIM)]
    if what == "bell":
        waves = [(coverage(_waves, side_px, side_px), world.LIGHT)] if active else []
        metal = world.RGB["yellow"] if active else world.SHADE
        return layers(*base, *waves, (coverage(_bell, side_px, side_px), metal))
    way = coverage(_gateway, side_px, side_px)
    if active:
        return layers(*base, (way, world.LIGHT))
    return layers(*base, (way, world.INK), (coverage(_bars, side_px, side_px), world.METAL))


@lru_cache(maxsize=16)
def gauge_sprite(level: int, size_px: int) -> Sprite:
    """Return the gauge with the lowest `level` steps lit."""
    side = pixels(world.GAUGE_HEIGHT, size_px), pixels(world.GAUGE_WIDTH, size_px)
    steps = [(coverage(_Step(step), *side), world.RGB["cyan"] if step < level else world.INK) for step in range(_STEPS)]
    return layers((coverage(shapes.full, *side), world.PLATE_RIM), *steps)


def _board_placed(board: str, sprite: Sprite, size_px: int) -> Placed:
    x, y = world.BOARDS[board]
    return centred(sprite, y, x, size_px)


def _lever_placed(lever: str, down: bool, size_px: int) -> Placed:
    return centred(lever_sprite(lever, down, size_px), world.LEVER_CENTRE_Y, world.LEVERS[lever], size_px)


def _effect_placed(what: str, active: bool, size_px: int) -> Placed:
    return centred(effect_sprite(what, active, size_px), world.EFFECT_CENTRE_Y, world.EFFECTS[what], size_px)


def _gauge_placed(level: int, size_px: int) -> Placed:
    x, y = world.GAUGE_CENTRE
    return centred(gauge_sprite(level, size_px), y, x, size_px)


def _rim(u: Axis, v: Axis) -> Mask:
    return (u < 0.04) | (u >= 0.96) | (v < 0.04) | (v >= 0.96)


def _board_rim(u: Axis, v: Axis) -> Mask:
    return (u < 0.012) | (u >= 0.988) | (v < 0.05) | (v >= 0.95)


def _slot(u: Axis, v: Axis) -> Mask:
    return rectangle(u, v, (0.44, _KNOB_UP), (0.56, _KNOB_DOWN))


def _knob_up(u: Axis, v: Axis) -> Mask:
    return shapes.ellipse(u, v, (0.5, _KNOB_UP), _KNOB) | rectangle(u, v, (0.47, _KNOB_UP), (0.53, 0.5))


def _knob_down(u: Axis, v: Axis) -> Mask:
    return shapes.ellipse(u, v, (0.5, _KNOB_DOWN), _KNOB) | rectangle(u, v, (0.47, 0.5), (0.53, _KNOB_DOWN))


def _gateway(u: Axis, v: Axis) -> Mask:
    arch = shapes.ellipse(u, v, (0.5, 0.42), 0.3)
    return arch | rectangle(u, v, (0.2, 0.42), (0.8, 0.9))


def _bars(u: Axis, v: Axis) -> Mask:
    bar = (abs(u - 0.28) <= 0.035) | (abs(u - 0.43) <= 0.035) | (abs(u - 0.57) <= 0.035) | (abs(u - 0.72) <= 0.035)
    return _gateway(u, v) & (bar | (abs(v - 0.62) <= 0.03))


def _bell(u: Axis, v: Axis) -> Mask:
    dome = shapes.ellipse(u, v, (0.5, 0.42), 0.2) & (v <= 0.42)
    skirt = (v > 0.42) & (v <= 0.68) & (abs(u - 0.5) <= 0.2 + 0.4 * (v - 0.42))
    return dome | skirt | shapes.ellipse(u, v, (0.5, 0.74), 0.06) | rectangle(u, v, (0.47, 0.14), (0.53, 0.24))


def _waves(u: Axis, v: Axis) -> Mask:
    ring = shapes.ellipse(u, v, (0.5, 0.5), 0.44) & ~shapes.ellipse(u, v, (0.5, 0.5), 0.38)
    return ring & (abs(u - 0.5) >= 0.25)


@dataclass(frozen=True)
class _Step:
    """The shape of one step of the gauge, counted from the bottom."""

    step: int

    def __call__(self, u: Axis, v: Axis) -> Mask:
        bottom = 0.97 - self.step * 0.94 / _STEPS
        return rectangle(u, v, (0.14, bottom - 0.94 / _STEPS + 0.015), (0.86, bottom - 0.015))

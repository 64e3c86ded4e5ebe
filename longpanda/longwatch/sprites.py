"""Sprites: small pictures with alpha, made once per size and blended in integers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from longpanda.longwatch import shapes, world
from longpanda.longwatch.scene import Card, Event, Lamp
from longpanda.longwatch.shapes import Coverage, coverage, number_coverage
from longpanda.longwatch.world import Rgb


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture to be laid over a frame.

    Args:
        premultiplied: uint16 [h, w, 3], colour times alpha, at most 255 * 256, with 128 added for rounding.
        transparency: uint16 [h, w, 1], 256 minus alpha.
    """

    premultiplied: npt.NDArray[np.uint16]
    transparency: npt.NDArray[np.uint16]

    def blend(self, frame: npt.NDArray[np.uint8], top_px: int, left_px: int) -> None:
        """Lays the sprite over `frame` (uint8 [H, W, 3]) in place; it must lie inside."""
        height_px, width_px = self.transparency.shape[:2]
        region = frame[top_px : top_px + height_px, left_px : left_px + width_px]
        mixed = region * self.transparency
        mixed += self.premultiplied
        mixed >>= 8
        region[...] = mixed


def _layers(*layers: tuple[Coverage, Rgb]) -> Sprite:
    """A sprite of layers, each painted over those before it."""
    first, _ = layers[0]
    colour = np.zeros((*first.shape, 3), dtype=np.uint32)
    alpha = np.zeros((*first.shape, 1), dtype=np.uint32)
    for covered, rgb in layers:
        over = covered[..., None].astype(np.uint32)
        colour = (colour * (256 - over)) // 256 + over * np.array(rgb, dtype=np.uint32)
        alpha = (alpha * (256 - over)) // 256 + over
    sprite = Sprite((colour + 128).astype(np.uint16), (256 - alpha).astype(np.uint16))
    sprite.premultiplied.flags.writeable = False
    sprite.transparency.flags.writeable = False
    return sprite


def _pixels(fraction: float, size_px: int) -> int:
    return max(1, int(fraction * size_px + 0.5))


@lru_cache(maxsize=512)
def card_sprite(colour: str, shape: str, number: int, sign: str, size_px: int) -> Sprite:
    """A card for frames of side `size_px`, with the title of the card its sign points to, or ""."""
    side_px = _pixels(world.CARD_SIDE, size_px)
    body = coverage(shapes.CARD_SHAPES[shape], side_px, side_px)
    ink = np.minimum(number_coverage(number, shape, side_px), body)
    layers = [(body, world.RGB[colour]), (ink, world.INK)]
    if sign:
        sign_colour, sign_shape = sign.split()
        sign_px = _pixels(world.SIGN_SIDE, size_px)
        inner_px = _pixels(world.SIGN_SIDE * 0.8, size_px)
        plate = _in_corner(np.full((sign_px, sign_px), 256, np.uint16), side_px, 0)
        mark = coverage(shapes.CARD_SHAPES[sign_shape], inner_px, inner_px)
        layers += [(plate, world.INK), (_in_corner(mark, side_px, (sign_px - inner_px) // 2), world.RGB[sign_colour])]
    return _layers(*layers)


def _in_corner(part: Coverage, side_px: int, margin_px: int) -> Coverage:
    """`part` in the upper right corner of a square of side `side_px`, `margin_px` away from its sides."""
    whole = np.zeros((side_px, side_px), np.uint16)
    height_px, width_px = part.shape
    right_px = side_px - margin_px
    whole[margin_px : margin_px + height_px, right_px - width_px : right_px] = part
    return whole


@lru_cache(maxsize=32)
def lamp_sprite(colour: str | None, size_px: int) -> Sprite:
    """The lamp in a colour, or dark for None."""
    side_px = _pixels(world.LAMP_SIDE, size_px)
    rim, bulb = (coverage(shape, side_px, side_px) for shape in (shapes.circle, shapes.lamp_bulb))
    return _layers((rim, world.LAMP_RIM), (bulb, world.LAMP_OFF if colour is None else world.RGB[colour]))


@lru_cache(maxsize=8)
def crate_sprite(size_px: int) -> Sprite:
    """One of the three boxes."""
    side = _pixels(world.CRATE_HEIGHT, size_px), _pixels(world.CRATE_WIDTH, size_px)
    wood, edges = (coverage(shape, *side) for shape in (shapes.crate, shapes.crate_edges))
    return _layers((wood, world.CRATE_WOOD), (edges, world.CRATE_EDGE))


@lru_cache(maxsize=32)
def object_sprite(thing: str, size_px: int) -> Sprite:
    """A ball, key or gem."""
    side_px = _pixels(world.OBJECT_SIDE, size_px)
    if thing == "key":
        return _layers((coverage(shapes.key, side_px, side_px), world.RGB["yellow"]))
    whole, lines = (shapes.ball, shapes.ball_stripe) if thing == "ball" else (shapes.gem, shapes.gem_facets)
    rgb, dark = (world.RGB["orange"], (96, 44, 0)) if thing == "ball" else (world.RGB["cyan"], (10, 96, 128))
    return _layers((coverage(whole, side_px, side_px), rgb), (coverage(lines, side_px, side_px), dark))


def placed(event: Event, size_px: int) -> tuple[Sprite, int, int]:
    """The sprite of an event with its top and left in pixels."""
    if isinstance(event, Card):
        sprite = card_sprite(event.colour, event.shape, event.number, event.sign, size_px)
        row, column = divmod(event.cell, 3)
        return _centred(sprite, (row + 0.5) / 3 + event.dy, (column + 0.5) / 3 + event.dx, size_px)
    if isinstance(event, Lamp):
        return _centred(lamp_sprite(event.colour, size_px), 1 / 6, 1 / 6, size_px)
    column = world.PLACES.index(event.place)
    return _centred(object_sprite(event.thing, size_px), world.OBJECT_CENTRE_Y, (column + 0.5) / 3, size_px)


def fixtures(size_px: int) -> list[tuple[Sprite, int, int]]:
    """What is always there: the dark lamp and the three boxes, each with its top and left in pixels."""
    crates = [_centred(crate_sprite(size_px), world.CRATE_CENTRE_Y, (column + 0.5) / 3, size_px) for column in range(3)]
    return [_centred(lamp_sprite(None, size_px), 1 / 6, 1 / 6, size_px), *crates]


def _centred(sprite: Sprite, centre_y: float, centre_x: float, size_px: int) -> tuple[Sprite, int, int]:
    """Top and left that put the sprite's centre there, to the nearest pixel, kept inside the frame."""
    height_px, width_px = sprite.transparency.shape[:2]
    top_px = int(centre_y * size_px - height_px / 2 + 0.5)
    left_px = int(centre_x * size_px - width_px / 2 + 0.5)
    return sprite, min(max(0, top_px), size_px - height_px), min(max(0, left_px), size_px - width_px)

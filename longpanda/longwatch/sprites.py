"""Sprites, which are small pictures with alpha that are blended in integers, and those of the gallery."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from longpanda.longwatch import shapes, world
from longpanda.longwatch.events import Card, Lamp, Move
from longpanda.longwatch.shapes import Coverage, coverage, number_coverage
from longpanda.longwatch.world import Rgb


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture to blend over a frame.

    Args:
        premultiplied: uint16 [h, w, 3], colour times alpha, at most 255 * 256, with 128 added for rounding.
        transparency: uint16 [h, w, 1], 256 minus alpha.
    """

    premultiplied: npt.NDArray[np.uint16]
    transparency: npt.NDArray[np.uint16]

    def blend(self, frame: npt.NDArray[np.uint8], top_px: int, left_px: int) -> None:
        """Blend the sprite over `frame` (uint8 [H, W, 3]) in place. It must lie inside the frame."""
        height_px, width_px = self.transparency.shape[:2]
        region = frame[top_px : top_px + height_px, left_px : left_px + width_px]
        mixed = region * self.transparency
        mixed += self.premultiplied
        mixed >>= 8
        region[...] = mixed


Placed = tuple[Sprite, int, int]
"""A sprite with its top and left in pixels."""


def layers(*painted: tuple[Coverage, Rgb]) -> Sprite:
    """Make a sprite from layers, each painted over the previous ones."""
    first, _ = painted[0]
    colour = np.zeros((*first.shape, 3), dtype=np.uint32)
    alpha = np.zeros((*first.shape, 1), dtype=np.uint32)
    for covered, rgb in painted:
        over = covered[..., None].astype(np.uint32)
        colour = (colour * (256 - over)) // 256 + over * np.array(rgb, dtype=np.uint32)
        alpha = (alpha * (256 - over)) // 256 + over
    sprite = Sprite((colour + 128).astype(np.uint16), (256 - alpha).astype(np.uint16))
    sprite.premultiplied.flags.writeable = False
    sprite.transparency.flags.writeable = False
    return sprite


def pixels(fraction: float, size_px: int) -> int:
    """Return a length in whole pixels, at least one."""
    return max(1, int(fraction * size_px + 0.5))


@lru_cache(maxsize=512)
def card_sprite(colour: str, shape: str, number: int, sign: str, size_px: int) -> Sprite:
    """Return a card for frames of side `size_px`; `sign` is the title of the card that its sign points to, or ""."""
    side_px = pixels(world.CARD_SIDE, size_px)
    body = coverage(shapes.CARD_SHAPES[shape], side_px, side_px)
    ink = np.minimum(number_coverage(number, shape, side_px), body)
    drawn = [(body, world.RGB[colour]), (ink, world.INK)]
    if sign:
        sign_colour, sign_shape = sign.split()
        sign_px = pixels(world.SIGN_SIDE, size_px)
        inner_px = pixels(world.SIGN_SIDE * 0.8, size_px)
        plate = _in_corner(np.full((sign_px, sign_px), 256, np.uint16), side_px, 0)
        mark = coverage(shapes.CARD_SHAPES[sign_shape], inner_px, inner_px)
        drawn += [(plate, world.INK), (_in_corner(mark, side_px, (sign_px - inner_px) // 2), world.RGB[sign_colour])]
    return layers(*drawn)


def _in_corner(part: Coverage, side_px: int, margin_px: int) -> Coverage:
    """Put `part` in the upper right corner of a square of side `side_px`, `margin_px` away from its sides."""
    whole = np.zeros((side_px, side_px), np.uint16)
    height_px, width_px = part.shape
    right_px = side_px - margin_px
    whole[margin_px : margin_px + height_px, right_px - width_px : right_px] = part
    return whole


@lru_cache(maxsize=32)
def lamp_sprite(colour: str | None, size_px: int) -> Sprite:
    """Return the lamp in a colour, or dark for None."""
    side_px = pixels(world.LAMP_SIDE, size_px)
    rim, bulb = (coverage(shape, side_px, side_px) for shape in (shapes.circle, shapes.lamp_bulb))
    return layers((rim, world.LAMP_RIM), (bulb, world.LAMP_OFF if colour is None else world.RGB[colour]))


@lru_cache(maxsize=8)
def crate_sprite(size_px: int) -> Sprite:
    """Return one of the three boxes."""
    side = pixels(world.CRATE_HEIGHT, size_px), pixels(world.CRATE_WIDTH, size_px)
    wood, edges = (coverage(shape, *side) for shape in (shapes.full, shapes.crate_edges))
    return layers((wood, world.CRATE_WOOD), (edges, world.CRATE_EDGE))


@lru_cache(maxsize=32)
def object_sprite(thing: str, size_px: int) -> Sprite:
    """Return a ball, key or gem."""
    return layers(*object_layers(thing, pixels(world.OBJECT_SIDE, size_px)))


def object_layers(thing: str, side_px: int) -> list[tuple[Coverage, Rgb]]:
    """Return the layers of an object in a square of side `side_px`."""
    if thing == "key":
        return [(coverage(shapes.key, side_px, side_px), world.RGB["yellow"])]
    whole, lines = (shapes.ball, shapes.ball_stripe) if thing == "ball" else (shapes.gem, shapes.gem_facets)
    rgb, dark = (world.RGB["orange"], (96, 44, 0)) if thing == "ball" else (world.RGB["cyan"], (10, 96, 128))
    return [(coverage(whole, side_px, side_px), rgb), (coverage(lines, side_px, side_px), dark)]


def card_placed(card: Card, size_px: int) -> Placed:
    """Return a card in its cell."""
    sprite = card_sprite(card.colour, card.shape, card.number, card.sign, size_px)
    row, column = divmod(card.cell, 3)
    return centred(sprite, (row + 0.5) / 3 + card.dy, (column + 0.5) / 3 + card.dx, size_px)


def lamp_placed(lamp: Lamp, size_px: int) -> Placed:
    """Return the shining lamp."""
    return centred(lamp_sprite(lamp.colour, size_px), 1 / 6, 1 / 6, size_px)


def move_placed(move: Move, size_px: int) -> Placed:
    """Return an object above its box."""
    column = world.PLACES.index(move.place)
    return centred(object_sprite(move.thing, size_px), world.OBJECT_CENTRE_Y, (column + 0.5) / 3, size_px)


def dark_lamp(size_px: int) -> list[Placed]:
    """Return the dark lamp."""
    return [centred(lamp_sprite(None, size_px), 1 / 6, 1 / 6, size_px)]


def boxes(size_px: int) -> list[Placed]:
    """Return the three boxes."""
    return [centred(crate_sprite(size_px), world.CRATE_CENTRE_Y, (column + 0.5) / 3, size_px) for column in range(3)]


def centred(sprite: Sprite, centre_y: float, centre_x: float, size_px: int) -> Placed:
    """Place the centre of a sprite at a point, to the nearest pixel, and keep it inside the frame."""
    height_px, width_px = sprite.transparency.shape[:2]
    top_px = int(centre_y * size_px - height_px / 2 + 0.5)
    left_px = int(centre_x * size_px - width_px / 2 + 0.5)
    return sprite, min(max(0, top_px), size_px - height_px), min(max(0, left_px), size_px - width_px)


def in_square(part: Coverage, side_px: int, centre: tuple[float, float]) -> Coverage:
    """Put `part` in a square of side `side_px`, with its centre (x, y) in fractions of that, and keep it inside."""
    whole = np.zeros((side_px, side_px), np.uint16)
    height_px, width_px = part.shape
    left_px = min(max(0, int(centre[0] * side_px - width_px / 2 + 0.5)), side_px - width_px)
    top_px = min(max(0, int(centre[1] * side_px - height_px / 2 + 0.5)), side_px - height_px)
    whole[top_px : top_px + height_px, left_px : left_px + width_px] = part
    return whole

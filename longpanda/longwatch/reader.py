"""A classical reader of frames: it knows how the world looks and nothing about any scene; the nearest template wins."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.longwatch import sprites, world
from longpanda.longwatch.scene import Move
from longpanda.types import Frames

_GREY: Final = 60
"""A background between the darkest and the brightest."""
_BRIGHT: Final = 150
"""Of 255, in the brightest channel: above every background and its coding noise, below every card, lamp and object."""
_LEAST_SHARE: Final = 0.08
"""Of a cell or of an object's place that is bright when something is there."""
_SHIFT_PX: Final = 2
_UNCHANGED: Final = 5.0
"""Mean difference, of 255, below which a card is taken to be the one that was there before."""

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SeenCard:
    """What a card says.

    Args:
        title: colour and shape.
        number: 10 to 99.
        sign: the title that its sign points to, or "".
    """

    title: str
    number: int
    sign: str


@dataclass(frozen=True)
class Sight:
    """What one frame shows.

    Args:
        cards: by cell.
        lamp: the lamp's colour, or "" when it is dark.
        objects: what is seen above each box, by place.
    """

    cards: dict[int, SeenCard]
    lamp: str
    objects: dict[str, str]


class FrameReader:
    """Reads frames of one size, one after the other; a card that stays is read once.

    Args:
        size_px: side S of the frames.
    """

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px
        self.side_px = sprites.card_sprite("red", "square", 10, "", size_px).transparency.shape[0]
        self._before: dict[int, tuple[Pixels, SeenCard]] = {}

    def read(self, frame: Frames) -> Sight:
        """What a frame, uint8 [S, S, 3], shows."""
        cards = {}
        for cell in world.CARD_CELLS:
            if (card := self._card(cell, frame)) is not None:
                cards[cell] = card
        return Sight(cards, self._lamp(frame), self._objects(frame))

    def _card(self, cell: int, frame: Frames) -> SeenCard | None:
        row, column = divmod(cell, 3)
        edges = [round(i * self.size_px / 3) for i in range(4)]
        region = frame[edges[row] : edges[row + 1], edges[column] : edges[column + 1]].astype(np.float32)
        bright = region.max(axis=2) > _BRIGHT
        if bright.mean() < _LEAST_SHARE:
            self._before.pop(cell, None)
            return None
        pixels, card = self._before.get(cell, (region, None))
        if card is None or np.abs(region - pixels).mean() > _UNCHANGED:
            card = self._read_card(region, *(_middle(bright.sum(axis=axis)) for axis in (1, 0)))
        self._before[cell] = region, card
        return card

    def _read_card(self, region: Pixels, centre_y: float, centre_x: float) -> SeenCard:
        """The title at the best shift, then with it the number, then the sign."""
        crops = [
            _crop(region, centre_y + dy, centre_x + dx, self.side_px)
            for dy in range(-_SHIFT_PX, _SHIFT_PX + 1)
            for dx in range(-_SHIFT_PX, _SHIFT_PX + 1)
        ]
        titles = _titles(self.size_px)
        distances = np.stack([_distances(crop, titles) for crop in crops])
        best, title = np.unravel_index(int(distances.argmin()), distances.shape)
        name, crop = world.TITLES[int(title)], crops[int(best)]
        number = world.NUMBERS[int(_distances(crop, _numbers(name, self.size_px)).argmin())]
        corner = _corner_px(self.size_px)
        signs = _signs(name, number, self.size_px)
        sign = int(_distances(crop[: corner[0], -corner[1] :], signs).argmin())
        return SeenCard(name, number, ("", *world.TITLES)[sign])

    def _lamp(self, frame: Frames) -> str:
        looks = ("", *world.LAMP_COLOURS)
        height_px = sprites.lamp_sprite(None, self.size_px).transparency.shape[0]
        centre_px = self.size_px / 6
        crop = _crop(frame.astype(np.float32), centre_px, centre_px, height_px)
        return looks[int(_distances(crop, _lamps(self.size_px)).argmin())]

    def _objects(self, frame: Frames) -> dict[str, str]:
        seen = {}
        for place in world.PLACES:
            sprite, top_px, left_px = sprites.placed(Move(0.0, 1.0, world.OBJECTS[0], place), self.size_px)
            side_px = sprite.transparency.shape[0]
            crop = frame[top_px : top_px + side_px, left_px : left_px + side_px].astype(np.float32)
            if (crop.max(axis=2) > _BRIGHT).mean() >= _LEAST_SHARE:
                seen[place] = world.OBJECTS[int(_distances(crop, _things(self.size_px)).argmin())]
        return seen


def _middle(counts: npt.NDArray[np.int64]) -> float:
    """The middle of the stretch in which at least 2 pixels are bright."""
    where = np.flatnonzero(counts >= 2)
    return float(where[0] + where[-1] + 1) / 2


def _crop(region: Pixels, centre_y: float, centre_x: float, side_px: int) -> Pixels:
    """A square around a point, moved inside the region."""
    top_px = min(max(0, round(centre_y - side_px / 2)), region.shape[0] - side_px)
    left_px = min(max(0, round(centre_x - side_px / 2)), region.shape[1] - side_px)
    return region[top_px : top_px + side_px, left_px : left_px + side_px]


def _distances(crop: Pixels, templates: Pixels) -> Pixels:
    """Squared differences to each template: float32 [n]."""
    differences = templates - crop.ravel()
    return np.asarray(np.einsum("ij,ij->i", differences, differences))


def _looks(drawn: list[sprites.Sprite]) -> Pixels:
    """The sprites on plain grey: float32 [n, h, w, 3]."""
    pictures = []
    for sprite in drawn:
        picture = np.full((*sprite.transparency.shape[:2], 3), _GREY, dtype=np.uint8)
        sprite.blend(picture, 0, 0)
        pictures.append(picture)
    return np.stack(pictures).astype(np.float32)


def _flat(pictures: Pixels) -> Pixels:
    return pictures.reshape(len(pictures), -1)


@lru_cache(maxsize=2)
def _titles(size_px: int) -> Pixels:
    named = [title.split() for title in world.TITLES]
    return _flat(_looks([sprites.card_sprite(colour, shape, 88, "", size_px) for colour, shape in named]))


@lru_cache(maxsize=8)
def _numbers(title: str, size_px: int) -> Pixels:
    colour, shape = title.split()
    return _flat(_looks([sprites.card_sprite(colour, shape, number, "", size_px) for number in world.NUMBERS]))


@lru_cache(maxsize=64)
def _signs(title: str, number: int, size_px: int) -> Pixels:
    """The corner of the card without a sign, then with each."""
    colour, shape = title.split()
    height_px, width_px = _corner_px(size_px)
    pictures = _looks([sprites.card_sprite(colour, shape, number, sign, size_px) for sign in ("", *world.TITLES)])
    return _flat(np.ascontiguousarray(pictures[:, :height_px, -width_px:]))


def _corner_px(size_px: int) -> tuple[int, int]:
    side_px = round(world.SIGN_SIDE * size_px)
    return side_px, side_px


@lru_cache(maxsize=2)
def _lamps(size_px: int) -> Pixels:
    return _flat(_looks([sprites.lamp_sprite(colour, size_px) for colour in (None, *world.LAMP_COLOURS)]))


@lru_cache(maxsize=2)
def _things(size_px: int) -> Pixels:
    return _flat(_looks([sprites.object_sprite(thing, size_px) for thing in world.OBJECTS]))

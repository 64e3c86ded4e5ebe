"""Read frames by template matching, given only the appearance of the world and nothing about the scene."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.longwatch import rooms, sprites, world
from longpanda.longwatch.events import Card, Event
from longpanda.longwatch.rooms import Place
from longpanda.types import Frames

_GREY: Final = 60
"""A grey between the darkest and the brightest background."""
_BRIGHT: Final = 150
"""Threshold on the brightest channel: above all backgrounds with coding noise, below all cards, lamps and objects."""
_LEAST_SHARE: Final = 0.08
"""Least share of bright pixels in a cell or place that shows something."""
_SHIFT_PX: Final = 2
_UNCHANGED: Final = 5.0
"""Mean pixel difference, out of 255, up to which a region is taken to show what it showed before."""

Pixels = npt.NDArray[np.float32]


Sight = dict[Hashable, Event]
"""What one frame shows: the event in each cell or place, with times from 0 to 1 s."""


class FrameReader:
    """Reads consecutive frames of one room and size. A region is only read again when it changes.

    Args:
        room: one of `world.ROOMS`.
        size_px: side S of the frames.
    """

    def __init__(self, room: str, size_px: int) -> None:
        self.room, self.size_px = room, size_px
        self.side_px = sprites.card_sprite("red", "square", 10, "", size_px).transparency.shape[0]
        self._before: dict[Hashable, tuple[Pixels, Event | None]] = {}

    def read(self, frame: Frames) -> Sight:
        """Return what a frame, uint8 [S, S, 3], shows."""
        seen: dict[Hashable, Event | None] = {
            cell: self._seen(cell, self._region(cell, frame)) for cell in rooms.CARDS[self.room]
        }
        for place in rooms.places(self.room):
            seen[place.name] = self._seen(place, _window(place, self.size_px).of(frame))
        return {name: event for name, event in seen.items() if event is not None}

    def _region(self, cell: int, frame: Frames) -> Pixels:
        row, column = divmod(cell, 3)
        edges = [round(i * self.size_px / 3) for i in range(4)]
        return frame[edges[row] : edges[row + 1], edges[column] : edges[column + 1]].astype(np.float32)

    def _seen(self, where: int | Place, region: Pixels) -> Event | None:
        """Return what a cell or place shows: the same as before if its pixels have hardly changed."""
        pixels, event = self._before.get(where, (None, None))
        if pixels is None or np.abs(region - pixels).mean() > _UNCHANGED:
            event = self._look(where, region)
        self._before[where] = region, event
        return event

    def _look(self, where: int | Place, region: Pixels) -> Event | None:
        if isinstance(where, Place):
            if not where.furnished and not _bright(region).mean() >= _LEAST_SHARE:
                return None
            nearest = int(_distances(region, _window(where, self.size_px).templates).argmin())
            return (*where.looks, None)[nearest]
        bright = _bright(region)
        if bright.mean() < _LEAST_SHARE:
            return None
        return self._read_card(where, region, *(_middle(bright.sum(axis=axis)) for axis in (1, 0)))

    def _read_card(self, cell: int, region: Pixels, centre_y: float, centre_x: float) -> Card:
        """Read the title at the best shift, then the number given the title, then the sign given both."""
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
        colour, shape = name.split()
        return Card(0.0, 1.0, cell, colour, shape, number, sign=("", *world.TITLES)[sign])


def room_of(frame: Frames) -> str:
    """Return the room whose fixtures differ least from a frame, uint8 [S, S, 3]."""
    differences = {room: _fixture_difference(room, frame) for room in world.ROOMS}
    return min(differences, key=lambda room: differences[room])


def _fixture_difference(room: str, frame: Frames) -> float:
    """Return the mean difference, out of 255, of a frame from a room's fixtures or from the events that cover them."""
    size_px = frame.shape[0]
    windows = {_window(place, size_px) for place in rooms.places(room) if place.furnished}
    covered = {(window.rows.start, window.columns.start) for window in windows}
    for sprite, *at in rooms.fixtures(room, size_px):
        if tuple(at) not in covered:
            windows.add(_Window.around([sprite], *at))
    least = [_distances(window.of(frame), window.templates).min() / window.templates.shape[1] for window in windows]
    return float(np.mean(np.sqrt(least)))


def _middle(counts: npt.NDArray[np.int64]) -> float:
    """Return the middle between the first and the last row or column with at least 2 bright pixels."""
    where = np.flatnonzero(counts >= 2)
    return float(where[0] + where[-1] + 1) / 2


def _bright(region: Pixels) -> npt.NDArray[np.bool_]:
    return np.asarray(region.max(axis=2) > _BRIGHT)


def _crop(region: Pixels, centre_y: float, centre_x: float, side_px: int) -> Pixels:
    """Return a square around a point, shifted to lie inside the region."""
    top_px = min(max(0, round(centre_y - side_px / 2)), region.shape[0] - side_px)
    left_px = min(max(0, round(centre_x - side_px / 2)), region.shape[1] - side_px)
    return region[top_px : top_px + side_px, left_px : left_px + side_px]


def _distances(crop: Pixels, templates: Pixels) -> Pixels:
    """Return the squared distance to each template: float32 [n]."""
    differences = templates - crop.ravel()
    return np.asarray(np.einsum("ij,ij->i", differences, differences))


def _looks(drawn: list[sprites.Sprite]) -> Pixels:
    """Draw sprites on plain grey: float32 [n, h, w, 3]."""
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
    """Return templates of a card's corner, first without a sign, then with each sign."""
    colour, shape = title.split()
    height_px, width_px = _corner_px(size_px)
    pictures = _looks([sprites.card_sprite(colour, shape, number, sign, size_px) for sign in ("", *world.TITLES)])
    return _flat(np.ascontiguousarray(pictures[:, :height_px, -width_px:]))


def _corner_px(size_px: int) -> tuple[int, int]:
    side_px = round(world.SIGN_SIDE * size_px)
    return side_px, side_px


@dataclass(frozen=True, eq=False)
class _Window:
    """The position of a place in a frame, and its templates.

    Args:
        rows: rows of the frame.
        columns: columns of the frame.
        templates: float32 [n, h * w * 3], one per event of the place, then one of its fixture if it has one.
    """

    rows: slice
    columns: slice
    templates: Pixels

    @classmethod
    def around(cls, drawn: list[sprites.Sprite], top_px: int, left_px: int) -> "_Window":
        """Return the window of sprites of equal size."""
        height_px, width_px = drawn[0].transparency.shape[:2]
        rows, columns = slice(top_px, top_px + height_px), slice(left_px, left_px + width_px)
        return cls(rows, columns, _flat(_looks(drawn)))

    def of(self, frame: Frames) -> Pixels:
        """Return the part of a frame, uint8 [S, S, 3], that shows the place."""
        return frame[self.rows, self.columns].astype(np.float32)


@lru_cache(maxsize=32)
def _window(place: Place, size_px: int) -> _Window:
    drawn = [rooms.placed(event, size_px) for event in place.looks]
    at = drawn[0][1:]
    if place.furnished:
        stands = [one for room in world.ROOMS if place in rooms.places(room) for one in rooms.fixtures(room, size_px)]
        drawn.append(next(one for one in stands if one[1:] == at))
    return _Window.around([sprite for sprite, *_ in drawn], *at)

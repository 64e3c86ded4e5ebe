"""The fixed facts of the room: its layout, its colours, its shapes, its objects.

A square frame of side S is divided into 3 x 3 cells of side S / 3. Row 0 left holds the lamp, the other five cells of
rows 0 and 1 can show cards, and row 2 holds three boxes into which objects vanish. Lengths are fractions of S.
"""

from typing import Final

Rgb = tuple[int, int, int]

LAMP_COLOURS: Final = ("red", "green", "blue", "yellow")
CARD_COLOURS: Final = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "white")
SHAPES: Final = ("circle", "square", "triangle", "diamond", "cross", "hexagon")
TITLES: Final = tuple(f"{colour} {shape}" for colour in CARD_COLOURS for shape in SHAPES)
"""How questions and answers name the cards: "red circle"."""

OBJECTS: Final = ("ball", "key", "gem")
PLACES: Final = ("left", "middle", "right")
"""The boxes, in the order of their columns."""

NUMBERS: Final = range(10, 100)

LAMP_CELL: Final = 0
CARD_CELLS: Final = (1, 2, 3, 4, 5)
"""Cells are counted row by row: cell = 3 * row + column."""
BOX_ROW: Final = 2

CARD_SIDE: Final = 28 / 96
SIGN_SIDE: Final = 9 / 96
LAMP_SIDE: Final = 24 / 96
CRATE_WIDTH: Final = 26 / 96
CRATE_HEIGHT: Final = 15 / 96
CRATE_CENTRE_Y: Final = 87 / 96
OBJECT_SIDE: Final = 17 / 96
OBJECT_CENTRE_Y: Final = 72.5 / 96
JITTER_LIMIT: Final = 0.02

RGB: Final[dict[str, Rgb]] = {
    "red": (232, 44, 40),
    "green": (44, 190, 60),
    "blue": (70, 112, 255),
    "yellow": (250, 232, 40),
    "magenta": (228, 64, 214),
    "cyan": (60, 220, 235),
    "orange": (255, 140, 16),
    "white": (246, 246, 246),
}
INK: Final[Rgb] = (8, 8, 8)
LAMP_OFF: Final[Rgb] = (62, 62, 66)
LAMP_RIM: Final[Rgb] = (150, 150, 156)
CRATE_WOOD: Final[Rgb] = (126, 84, 46)
CRATE_EDGE: Final[Rgb] = (62, 40, 22)

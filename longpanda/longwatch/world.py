"""Constants of the generated world: its rooms, colours, shapes, objects and words.

A square frame of side S is divided into 3 x 3 cells of side S / 3. Lengths and centres (x, y) are fractions of S.

Gallery: the lamp is in the left cell of row 0, the other five cells of rows 0 and 1 can show cards, and row 2 holds
three boxes into which objects vanish. Workshop: the lamp and two boards at the top, three levers in the middle, and a
gate, a bell and a gauge at the bottom. Hall: visitors in the left and right columns, cards in the middle column, and
one stage per object at the bottom.
"""

from typing import Final

Rgb = tuple[int, int, int]

ROOMS: Final = ("gallery", "workshop", "hall")

LAMP_COLOURS: Final = ("red", "green", "blue", "yellow")
CARD_COLOURS: Final = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "white")
SHAPES: Final = ("circle", "square", "triangle", "diamond", "cross", "hexagon")
TITLES: Final = tuple(f"{colour} {shape}" for colour in CARD_COLOURS for shape in SHAPES)
"""The names of the cards in questions and answers: "red circle"."""

OBJECTS: Final = ("ball", "key", "gem")
PLACES: Final = ("left", "middle", "right")
"""The boxes, from left to right."""

NUMBERS: Final = range(10, 100)

LAMP_CELL: Final = 0
CARD_CELLS: Final = (1, 2, 3, 4, 5)
"""Cells are numbered row by row: cell = 3 * row + column."""
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

BOARDS: Final = {"upper": (0.645, 0.095), "lower": (0.645, 0.265)}
"""Centre (x, y) of each board."""
BOARD_WIDTH: Final = 0.66
BOARD_HEIGHT: Final = 0.145
LETTER_SIZES: Final = {"large": 0.0152, "small": 0.0094}
"""Side of one dot; a letter has 5 x 7 dots."""
_WORDS: Final = """
amber anchor apple arrow basket beacon bridge candle canyon castle cedar cloud comet copper coral desert dragon
eagle ember falcon forest garden harbor island jungle lemon linen maple marble meadow mirror ocean orchid panda
pebble pepper planet quartz raven river saddle spider summit temple tiger timber tulip tunnel valley velvet violin
walnut willow winter zebra
"""
WORDS: Final = tuple(_WORDS.split())

LEVERS: Final = {"red": 1 / 6, "green": 1 / 2, "blue": 5 / 6}
"""Centre x of each lever."""
LEVER_CENTRE_Y: Final = 0.505
LEVER_SIDE: Final = 0.24
EFFECTS: Final = {"gate": 1 / 6, "bell": 1 / 2}
"""What the machine can do, with the centre x of its picture."""
EFFECT_CENTRE_Y: Final = 0.82
EFFECT_SIDE: Final = 0.27
GAUGE_LEVELS: Final = range(1, 10)
GAUGE_CENTRE: Final = (5 / 6, 0.82)
GAUGE_WIDTH: Final = 0.12
GAUGE_HEIGHT: Final = 0.30

SPOTS: Final = {0: (1 / 6, 1 / 6), 1: (1 / 6, 1 / 2), 2: (5 / 6, 1 / 6), 3: (5 / 6, 1 / 2)}
"""Where visitors stand: centre (x, y) of each spot."""
SIDES: Final = {"left": (0, 1), "right": (2, 3)}
"""The spots of each side of the hall."""
BADGES: Final = SHAPES
PERSON_SIDE: Final = 28 / 96
HALL_CELLS: Final = (1, 4)
"""The cells of the hall that show cards. No question is about these cards."""
STAGE_CENTRE_Y: Final = 0.83
STAGE_SIDE: Final = 0.29

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
PLATE: Final[Rgb] = (34, 36, 44)
PLATE_RIM: Final[Rgb] = (92, 96, 108)
METAL: Final[Rgb] = (146, 150, 160)
SHADE: Final[Rgb] = (84, 88, 98)
SKIN: Final[Rgb] = (236, 188, 150)
COAT: Final[Rgb] = (176, 180, 190)
PAPER: Final[Rgb] = (246, 246, 246)
LIGHT: Final[Rgb] = (255, 240, 170)

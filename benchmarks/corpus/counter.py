"""Pictures that carry their number: a grid of black and white cells that survives compression and scaling."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
ROWS, COLUMNS = 4, 4
SIZE_PX = (96, 128)
"""(height, width) of most films and of all compared pictures."""
_BLACK, _WHITE, _TEXTURE = 36, 206, 24
_DARK_BELOW, _LIGHT_ABOVE = 104, 150


def numbered(number: int, size_px: tuple[int, int] = SIZE_PX, is_busy: bool = False) -> Pixels:
    """Draw a number as black and white cells, lowest bit top left, with a texture that moves between pictures.

    Args:
        number: 0 to 65535.
        size_px: (height, width).
        is_busy: whether to add noise that differs in every picture, so that it takes many bytes.

    Returns:
        uint8 [H, W, 3].
    """
    height_px, width_px = size_px
    bits = np.array([number >> bit & 1 for bit in range(ROWS * COLUMNS)]).reshape(ROWS, COLUMNS)
    rows = np.arange(height_px) * ROWS // height_px
    columns = np.arange(width_px) * COLUMNS // width_px
    cells = np.where(bits[rows][:, columns] == 1, _WHITE, _BLACK)
    texture = np.random.default_rng(0).integers(0, _TEXTURE, (height_px // 2 + 1, width_px // 2 + 1))
    texture = texture.repeat(2, axis=0).repeat(2, axis=1)[:height_px, :width_px]
    moved = np.roll(texture, (number, 2 * number), axis=(0, 1))
    if is_busy:
        moved = moved + np.random.default_rng(number).integers(-_BLACK, _BLACK, (height_px, width_px))
    return np.repeat((cells + moved).astype(np.uint8)[..., None], 3, axis=2)


def number_in(pixels: Pixels) -> int | None:
    """Return the number of a picture of any size, or None if a cell is neither dark nor light."""
    height_px, width_px = pixels.shape[:2]
    grey = pixels.astype(np.float32).mean(axis=2)
    number = 0
    for cell in range(ROWS * COLUMNS):
        row, column = divmod(cell, COLUMNS)
        inside = grey[_middle(row, ROWS, height_px), _middle(column, COLUMNS, width_px)].mean()
        if _DARK_BELOW <= inside <= _LIGHT_ABOVE:
            return None
        number |= int(inside > _LIGHT_ABOVE) << cell
    return number


def _middle(cell: int, cells: int, length_px: int) -> slice:
    """Return the middle half of a cell."""
    return slice(round((cell + 0.25) * length_px / cells), max(round((cell + 0.75) * length_px / cells), 1))

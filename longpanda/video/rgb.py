"""Convert decoded pictures to upright RGB with square pixels."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from longpanda.errors import VideoError
from longpanda.types import Frames
from longpanda.video.crop import NO_CROP, Crop

SAMPLE_ASPECT_LIMIT = 16
_PLANAR_RGB, _PACKED_RGB, _LEAST_BITS = "gbrp", "rgb24", 8
"""FFmpeg's scaler gives the same bits for both layouts, and planes take a third of the time. But for pictures with
fewer bits (16-bit RGB) planes lose values: their white would be (248, 252, 248)."""


@dataclass(frozen=True)
class Geometry:
    """How the stored pictures of one stream become the displayed ones.

    Stored pictures are cropped, stretched to square pixels, then transposed, then flipped.

    Args:
        width_px, height_px: displayed size.
        rotation_degrees: counterclockwise turn that makes the stored picture upright: 0, 90, 180 or 270.
        mirrored: the display matrix also mirrors.
        transposed: rows and columns are swapped.
        flip_rows, flip_columns: top and bottom, left and right are swapped (after the transposition).
        crop: the container's crop.
    """

    width_px: int
    height_px: int
    rotation_degrees: int = 0
    mirrored: bool = False
    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False
    crop: Crop = NO_CROP

    @property
    def stored_size_px(self) -> tuple[int, int]:
        """(height, width) before the turn, cropped, with square pixels."""
        return (self.width_px, self.height_px) if self.transposed else (self.height_px, self.width_px)


def geometry_of(frame: Any, sample_aspect: Fraction, crop: Crop = NO_CROP) -> Geometry:
    """Read size and display matrix from the first decoded picture.

    The height stays and the width is stretched by the sample aspect ratio, as ffplay does. Rotations are rounded to
    multiples of 90 degrees.

    Args:
        frame: a PyAV video frame; PyAV gives the display matrix only on frames, not on streams.
        sample_aspect: width of a stored pixel divided by its height.
        crop: the container's crop.

    Raises:
        VideoError: the sample aspect ratio is not between 1:16 and 16:1.
    """
    if not Fraction(1, SAMPLE_ASPECT_LIMIT) <= sample_aspect <= SAMPLE_ASPECT_LIMIT:
        raise VideoError(f"pixels of aspect {sample_aspect}", "1:16 to 16:1", "correct the header with ffmpeg -aspect")
    crop = crop if crop.fits(frame.width, frame.height) else NO_CROP
    width_px = max(1, round((frame.width - crop.left - crop.right) * sample_aspect))
    height_px = frame.height - crop.top - crop.bottom
    a, b, c, d = _display_matrix(frame)
    transposed = abs(a) < abs(b)
    flip_columns, flip_rows = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    degrees = (90 if flip_rows else 270) if transposed else (180 if flip_rows else 0)
    size_px = (height_px, width_px) if transposed else (width_px, height_px)
    mirrored = (flip_rows == flip_columns) if transposed else (flip_rows != flip_columns)
    return Geometry(*size_px, degrees, mirrored, transposed, flip_rows, flip_columns, crop)


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """(a, b, c, d): source (x, y) is shown at (a x + c y, b x + d y), up to a shift and a positive factor."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV 18 knows no name for side data type 31 and then refuses all of it
        quarter = round(frame.rotation / 90) % 4
        return ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))[quarter]
    if data is None:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("=5i", bytes(data)[:20])
    return (a, b, c, d) if any((a, b, c, d)) else (1, 0, 0, 1)


class UprightRgb:
    """Converts the pictures of one stream to upright RGB; keeps FFmpeg's scaler between pictures.

    Colour matrix and range are those of the picture's tags; untagged pictures are read as BT.601 limited range, as
    FFmpeg does. Chroma is interpolated at full resolution. 10 and 12 bits are rounded to 8. HDR is not tone-mapped, and
    transparency is dropped. Interlaced fields stay woven.
    """

    def __init__(self, geometry: Geometry) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._geometry = geometry
        self._flags = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
        self._to_rgb, self._stretch = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: Any) -> Frames:
        """Convert a PyAV frame to contiguous uint8 [H, W, 3]; one of another size is scaled to the stream's."""
        height_px, width_px = self._geometry.stored_size_px
        layout = _PLANAR_RGB if min(part.bits for part in frame.format.components) >= _LEAST_BITS else _PACKED_RGB
        rgb = self._to_rgb.reformat(frame, format=layout, interpolation=self._flags, threads=1)
        if self._geometry.crop != NO_CROP:
            rgb = _cropped(rgb, self._geometry.crop)
        if (rgb.height, rgb.width) != (height_px, width_px):
            rgb = self._stretch.reformat(rgb, width=width_px, height=height_px, interpolation=self._flags, threads=1)
        pixels: Any = rgb.to_ndarray()
        if self._geometry.transposed:
            pixels = pixels.transpose(1, 0, 2)
        if self._geometry.flip_rows:
            pixels = pixels[::-1]
        if self._geometry.flip_columns:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(pixels)


def _cropped(rgb: Any, crop: Crop) -> Any:
    """Crop an RGB frame; one that is too small for the crop is not changed."""
    import av

    if not crop.fits(rgb.width, rgb.height):
        return rgb
    pixels = rgb.to_ndarray(format=_PACKED_RGB)
    inner = pixels[crop.top : rgb.height - crop.bottom, crop.left : rgb.width - crop.right]
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(inner), _PACKED_RGB)

"""Conversion to RGB: planes are asked for because they are cheaper, and must hold what packed RGB would."""

from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from longpanda.video.rgb import Geometry, UprightRgb

EXACT = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
YUV = ("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le", "nv12")
FORMATS = (*YUV, "gray", "rgb24", "bgra", "rgb565le")


def blocks(height_px: int, width_px: int) -> Any:
    """Coloured blocks of 7 px, so that edges fall anywhere in a chroma sample."""
    colours = np.random.default_rng(0).integers(0, 256, (height_px // 7 + 1, width_px // 7 + 1, 3), np.uint8)
    return av.VideoFrame.from_ndarray(colours.repeat(7, 0).repeat(7, 1)[:height_px, :width_px].copy(), "rgb24")


@pytest.mark.parametrize("size_px", [(90, 160), (91, 161)])
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_pixels_are_those_of_packed_rgb_to_the_last_bit(pix_fmt: str, size_px: tuple[int, int]) -> None:
    frame = blocks(*size_px).reformat(format=pix_fmt)
    packed = frame.reformat(format="rgb24", interpolation=EXACT).to_ndarray()
    assert np.array_equal(UprightRgb(Geometry(*reversed(size_px)))(frame), packed)

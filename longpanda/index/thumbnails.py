"""Small pictures of a video, stored with its tokens: they show evidence and reveal a video that has changed."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from longpanda.types import Frames, Seconds

EVERY_SECONDS = 4.0
LONGEST_SIDE_PX = 160
JPEG_QUALITY = 80
JPEG_BYTES, BYTES_PER_PIXEL = 700, 0.25
"""Size of a typical thumbnail: header and content. Plain pictures take half as much, detailed ones twice."""


@dataclass(frozen=True)
class Thumbnail:
    """One small picture, with the time at which its frame is shown."""

    seconds: float
    jpeg: bytes

    def pixels(self) -> Frames:
        """uint8 [h, w, 3]."""
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(self.jpeg)).convert("RGB"))


def thumbnails_of(frames: Frames, seconds: Seconds) -> list[Thumbnail]:
    """A thumbnail of the first of these frames [T, H, W, 3] in each interval of `EVERY_SECONDS`."""
    return [Thumbnail(float(seconds[i]), jpeg_of(frames[i])) for i in _chosen(seconds)]


def _chosen(seconds: Seconds) -> list[int]:
    indices: list[int] = np.unique(np.floor(seconds / EVERY_SECONDS), return_index=True)[1].tolist()
    return indices


def predicted_bytes(seconds: Seconds, height_px: int, width_px: int) -> int:
    """Estimated size of the thumbnails of frames of this size at these seconds."""
    scale = min(1.0, LONGEST_SIDE_PX / max(height_px, width_px))
    return int(len(_chosen(seconds)) * (JPEG_BYTES + BYTES_PER_PIXEL * scale * height_px * scale * width_px))


def jpeg_of(frame: Frames) -> bytes:
    """Encode a frame [H, W, 3] as a small JPEG."""
    from PIL import Image

    picture = Image.fromarray(frame)
    picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    picture.save(jpeg := io.BytesIO(), "JPEG", quality=JPEG_QUALITY)
    return jpeg.getvalue()


def difference(one: Thumbnail, other: Thumbnail) -> float:
    """Mean absolute difference of two pictures, 0 to 255; 255 where they are of different sizes."""
    a, b = one.pixels(), other.pixels()
    return float(np.abs(a.astype(np.int16) - b).mean()) if a.shape == b.shape else 255.0


def pack(thumbnails: Sequence[Thumbnail]) -> dict[str, Tensor]:
    """Convert thumbnails to the tensors that are written."""
    joined = b"".join(one.jpeg for one in thumbnails)
    return {
        "thumbnails": torch.frombuffer(bytearray(joined or b"\0"), dtype=torch.uint8)[: len(joined)].clone(),
        "thumbnail_bytes": torch.tensor([len(one.jpeg) for one in thumbnails], dtype=torch.int64),
        "thumbnail_seconds": torch.tensor([one.seconds for one in thumbnails], dtype=torch.float64),
    }


def unpack(tensors: Mapping[str, Tensor]) -> list[Thumbnail]:
    """Undo `pack`."""
    pictures = torch.split(tensors["thumbnails"], tensors["thumbnail_bytes"].tolist())
    seconds = tensors["thumbnail_seconds"].tolist()
    return [Thumbnail(second, one.numpy().tobytes()) for second, one in zip(seconds, pictures, strict=True)]

"""Video files of any length for speed measurements: synthetic scenes whose frames carry their number in the pixels.

Two minutes are encoded by x264 with its default settings and then repeated by copying packets, so that 120 minutes take
little more time than two. There are textures, pans, camera shake, a moving patch, cuts every 2 to 14 s and noise;
natural video is still more complex.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FPS, LOOP_SECONDS = 30, 120
HEIGHT_PX, WIDTH_PX = 360, 640
BITS, BLOCK_PX = 16, 32


def make(folder: Path, minutes: int, height_px: int = 360) -> Path:
    """Return the file of a length in whole minutes and a height of 360 px or a multiple; it is made once per folder.

    Larger pictures repeat every pixel of the small ones, so they are easier to decode than real ones of that size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loop, path = (folder / f"scenes_{height_px}p_{length}min.mp4" for length in (LOOP_SECONDS // 60, minutes))
    if not loop.exists():
        _encode(new := loop.with_suffix(".new.mp4"), height_px)
        new.rename(loop)
    if not path.exists():
        _repeat(loop, new := path.with_suffix(".new.mp4"), minutes * 60)
        new.rename(path)
    os.utime(path, (0, 0))  # a new file could be a recording in progress, which one worker reads
    return path


def number_in(pixels: np.ndarray) -> int:
    """Return the number drawn into a frame of any size, counted from the start of its two minutes."""
    scale = pixels.shape[1] / WIDTH_PX
    at = ((np.arange(BITS) + 0.5) * BLOCK_PX * scale).astype(int)
    return int((pixels[int(BLOCK_PX * scale / 2), at].mean(axis=-1) > 128) @ (1 << np.arange(BITS)))


def _encode(path: Path, height_px: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "23", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = height_px * WIDTH_PX // HEIGHT_PX, height_px, "yuv420p"
        for pixels in _frames():
            large = pixels.repeat(height_px // HEIGHT_PX, 0).repeat(height_px // HEIGHT_PX, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, "rgb24")))
        container.mux(stream.encode())


def _repeat(loop: Path, path: Path, seconds: int) -> None:
    import av

    with av.open(str(path), "w") as write:
        copy = None
        for turn in range(-(-seconds // LOOP_SECONDS)):
            with av.open(str(loop)) as read:
                stream = read.streams.video[0]
                copy = copy or write.add_stream_from_template(stream)
                shift = round(turn * LOOP_SECONDS / stream.time_base)
                for packet in read.demux(stream):
                    if packet.dts is not None and (packet.pts + shift) * stream.time_base < seconds:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                        write.mux(packet)


def _frames() -> Iterator[np.ndarray]:
    """Yield the frames of two minutes, uint8 [H, W, 3]."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2.5, (8, HEIGHT_PX, WIDTH_PX, 1)).astype(np.int16)
    number, count = 0, FPS * LOOP_SECONDS
    while number < count:
        leaves, end = _leaves(rng), min(count, number + int(FPS * rng.uniform(2, 14)))
        start, pace = rng.uniform(100, 260, 2), rng.uniform(-0.6, 0.6, 2)
        for step in range(end - number):
            row, column = (start + pace * step + rng.normal(0, 0.4, 2)).clip(0, 359).astype(int)
            pixels = leaves[row : row + HEIGHT_PX, column : column + WIDTH_PX] + noise[rng.integers(8)]
            left = (7 * step) % (WIDTH_PX - 60)
            pixels[200:260, left : left + 60] = pixels[200:260, left : left + 60][::-1]
            yield _numbered(pixels.clip(0, 255).astype(np.uint8), number + step)
        number = end


def _leaves(rng: np.random.Generator) -> np.ndarray:
    """Draw overlapping discs, int16 [720, 1000, 3], whose edges have statistics like those of natural pictures."""
    canvas = np.zeros((720, 1000, 3), np.int16)
    rows, columns = np.ogrid[:720, :1000]
    for radius in 8 + 90 * rng.power(0.4, 500)[::-1]:
        row, column = rng.uniform(0, 720), rng.uniform(0, 1000)
        top, left = max(0, int(row - radius)), max(0, int(column - radius))
        box = np.s_[top : int(row + radius) + 1, left : int(column + radius) + 1]
        inside = (rows[box[0]] - row) ** 2 + (columns[:, box[1]] - column) ** 2 < radius**2
        canvas[box][inside] = rng.integers(20, 235, 3)
    return canvas


def _numbered(pixels: np.ndarray, number: int) -> np.ndarray:
    bits = (number >> np.arange(BITS)) & 1
    pixels[:BLOCK_PX, : BITS * BLOCK_PX] = np.repeat(bits * 255, BLOCK_PX)[None, :, None]
    return pixels

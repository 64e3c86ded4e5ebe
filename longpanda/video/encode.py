"""Write frames to an H.264 MP4 file that plays everywhere."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from longpanda.errors import ConfigError, VideoError
from longpanda.files import atomic_path, not_writable
from longpanda.types import Frames

_BT709, _LIMITED_RANGE = 1, 1


def encode(
    frames: Iterable[Frames],
    path: str | Path,
    fps: float | Fraction,
    *,
    crf: int = 18,
    preset: str = "medium",
    gop: int = 48,
    threads: int = 1,
) -> int:
    """Write frames as H.264, yuv420p, BT.709 limited range, with the index at the front of the file.

    Memory is constant: frames are taken one at a time. The file appears under its name only when it is complete. With
    one thread its bytes depend only on the frames and the x264 version, not on the machine.

    Args:
        frames: uint8 [H, W, 3] each, RGB, of one size, which is even.
        path: the file to write; an existing one is replaced.
        fps: frames per second.
        crf: x264's quality, 0 (lossless) to 51; 18 looks lossless.
        preset: x264's speed, "ultrafast" to "veryslow".
        gop: maximum number of frames from one keyframe to the next.
        threads: encoder threads, 0 for one per core.

    Returns:
        the number of frames written.

    Raises:
        ConfigError: an impossible fps, crf, preset or gop, or the file cannot be written: it is a directory, its folder
            does not exist or is read-only, or the disk is full.
        VideoError: no frames, or frames of odd or different sizes or of another type.
    """
    rate = _checked_rate(fps)
    if not 0 <= crf <= 51 or gop < 1 or threads < 0:
        found = f"crf={crf}, gop={gop}, threads={threads}"
        raise ConfigError(found, "crf 0 to 51, gop from 1, threads from 0", "pass such values")
    options = {"crf": str(crf), "preset": preset, "g": str(gop), "mbtree": "0"}  # x264's mbtree is not reproducible
    import av

    with atomic_path(Path(path)) as name:
        try:
            return _write(frames, name, rate, options, threads)
        except av.error.FFmpegError as error:
            raise not_writable(Path(path), error) from error


def _checked_rate(fps: float | Fraction) -> Fraction:
    if not np.isfinite(float(fps)) or not 0.001 <= fps <= 1000:
        raise ConfigError(f"fps={fps}", "0.001 to 1000 frames per second", "pass such a rate")
    return Fraction(fps).limit_denominator(100_000)


def _write(frames: Iterable[Frames], name: str, rate: Fraction, options: dict[str, str], threads: int) -> int:
    import av

    count, size_px, stream = 0, (0, 0), None
    with av.open(name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        for pixels in frames:
            if stream is None:
                size_px = _checked_size_px(pixels)
                stream = _add_stream(container, rate, size_px, options, threads)
            container.mux(stream.encode(_yuv(pixels, size_px, count)))
            count += 1
        if stream is None:
            raise VideoError("no frames to write", "at least one", "check what produces them")
        container.mux(stream.encode())
    return count


def _checked_size_px(pixels: Frames) -> tuple[int, int]:
    """(height, width) of the first frame, if H.264 with yuv420p can hold it."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise VideoError(f"a frame {pixels.dtype} {list(pixels.shape)}", "uint8 [H, W, 3]", "convert it first")
    height, width = pixels.shape[:2]
    if height % 2 or width % 2 or min(height, width) < 2:
        expected = "an even width and height (yuv420p halves the colour planes)"
        raise VideoError(f"a frame of {width}x{height} px", expected, "crop or pad by one pixel")
    return height, width


def _add_stream(container: Any, rate: Fraction, size_px: tuple[int, int], options: dict[str, str], threads: int) -> Any:
    import av

    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = size_px
    stream.pix_fmt = "yuv420p"
    codec = stream.codec_context
    codec.thread_count = threads
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = _LIMITED_RANGE
    try:
        codec.open()
    except av.error.FFmpegError as error:
        found = f"x264 refuses {options} ({error.strerror})"
        raise ConfigError(found, "a preset from ultrafast to veryslow", "pass such a preset") from error
    return stream


def _yuv(pixels: Frames, size_px: tuple[int, int], number: int) -> Any:
    import av
    from av.video.reformatter import Interpolation

    if pixels.dtype != np.uint8 or pixels.shape != (*size_px, 3):
        found = f"frame {number} is {pixels.dtype} {list(pixels.shape)}"
        raise VideoError(found, f"uint8 {[*size_px, 3]} like the first", "give all frames one size")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    flags = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
    yuv = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE, interpolation=flags)
    yuv.pts = number
    return yuv

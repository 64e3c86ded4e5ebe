"""FFmpeg's command line as the reference, which decodes every picture of a file."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.corpus.counter import SIZE_PX, Pixels

LIMIT_SECONDS = 300
_SHOWN = re.compile(r"showinfo.*\] n: *\d+ pts: *(\S+) pts_time:(\S+) .* sar:(\d+)/(\d+) s:(\d+)x(\d+)")


@dataclass(frozen=True, eq=False)
class Walked:
    """All pictures that FFmpeg outputs, in its order.

    Args:
        pixels: uint8 [T, H, W, 3], scaled to `SIZE_PX`, upright.
        pts_seconds: time of each picture on the file's clock, or None if it has no time.
        size_px: (height, width) of the first picture as displayed, with square pixels; None without pictures.
    """

    pixels: Pixels
    pts_seconds: list[float | None]
    size_px: tuple[int, int] | None

    def __len__(self) -> int:
        return len(self.pixels)


def walk(ffmpeg: Path, path: Path) -> Walked:
    """Decode every picture of the video stream that FFmpeg chooses.

    The command is `ffmpeg -threads 1 -copyts -i FILE -an -sn -dn -vf showinfo,scale=... -fps_mode passthrough -f
    rawvideo -`: no picture is dropped or repeated to keep a rate, times are those of the file, pictures are rotated and
    cropped as the file says, and pictures with concealed damage are included.
    """
    height_px, width_px = SIZE_PX
    filters = f"showinfo=checksum=0,scale={width_px}:{height_px}:flags=area,format=rgb24"
    before = [str(ffmpeg), "-nostdin", "-hide_banner", "-threads", "1", "-copyts", "-i", str(path)]
    after = ["-an", "-sn", "-dn", "-vf", filters, "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    done = subprocess.run([*before, *after], capture_output=True, check=False, timeout=LIMIT_SECONDS)
    shown = list(_shown(done.stderr.decode(errors="replace")))
    size_bytes = height_px * width_px * 3
    count = min(len(done.stdout) // size_bytes, len(shown))
    raw = np.frombuffer(done.stdout[: count * size_bytes], np.uint8)
    pixels = raw.reshape(count, height_px, width_px, 3)
    return Walked(pixels, [second for second, _ in shown[:count]], shown[0][1] if count else None)


def version(ffmpeg: Path) -> str:
    """Return the version that ffmpeg prints."""
    done = subprocess.run([str(ffmpeg), "-version"], capture_output=True, check=True, text=True)
    return done.stdout.splitlines()[0].partition(" Copyright")[0]


def _shown(text: str) -> Iterator[tuple[float | None, tuple[int, int]]]:
    """Yield the time and displayed (height, width) of each picture that showinfo lists."""
    for line in text.splitlines():
        if found := _SHOWN.search(line):
            pts, pts_time, wide, high, width, height = found.groups()
            aspect = int(wide) / int(high) if int(wide) and int(high) else 1.0
            yield None if pts == "NOPTS" else float(pts_time), (int(height), round(int(width) * aspect))


def make(ffmpeg: Path, source: Path, path: Path, before: tuple[str, ...], options: tuple[str, ...]) -> Path:
    """Write a file from another with FFmpeg's command line.

    Args:
        ffmpeg: the program.
        source: the file to read.
        path: the file to write.
        before: input options.
        options: output options.

    Raises:
        OSError: the command failed.
    """
    words = [str(ffmpeg), "-nostdin", "-y", "-loglevel", "error", *before, "-i", str(source), *options, str(path)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=LIMIT_SECONDS)
    if done.returncode:
        raise OSError("ffmpeg: " + done.stderr.decode(errors="replace").strip()[-300:])
    return path

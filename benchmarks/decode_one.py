"""Measure one reader on one file; `benchmarks.decode` starts this script in a new process.

    python benchmarks/decode_one.py READER FILE FRAMES SECONDS

The script imports only what the reader and the measurement need, so that other readers can run in environments of their
own. Every reader returns uint8 [N, 126, 224, 3], with the same resizing, at the middles of N equal parts of the video.
All readers but ours hold the full-size frames of one call in memory, as their users do.
"""

import importlib
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

HEIGHT_PX, WIDTH_PX = 126, 224
FPS = 30
Frames = Iterator[np.ndarray]


def small(frames: torch.Tensor) -> Frames:
    """Resize frames [N, 3, H, W] one at a time."""
    for frame in frames:
        resized = interpolate(frame[None], size=(HEIGHT_PX, WIDTH_PX), mode="bicubic", antialias=True)
        yield resized[0].permute(1, 2, 0).numpy()


def longpanda(path: str, seconds: np.ndarray, **options: Any) -> Frames:
    """Read as `longpanda index` and `longpanda ask` do."""
    from longpanda.video import iter_frames

    for frame in iter_frames(path, seconds, size_px=(HEIGHT_PX, WIDTH_PX), **options):
        yield frame.pixels


def longpanda_two(path: str, seconds: np.ndarray) -> Frames:
    """Read with LongPanda and two workers."""
    return longpanda(path, seconds, workers=2)


def longpanda_near(path: str, seconds: np.ndarray) -> Frames:
    """Read with LongPanda and a tolerance of a quarter of the spacing: not exact."""
    return longpanda(path, seconds, tolerance_seconds=float(seconds[1] - seconds[0]) / 4)


def decord(path: str, seconds: np.ndarray) -> Frames:
    """Read with decord as video language models do: one thread, one batch, frames by number."""
    from decord import VideoReader

    reader = VideoReader(path, num_threads=1)
    batch = reader.get_batch(np.floor(seconds * FPS + 1e-6).astype(int).tolist()).asnumpy()
    return small(torch.from_numpy(batch).permute(0, 3, 1, 2))


def torchcodec(path: str, seconds: np.ndarray, mode: str = "approximate") -> Frames:
    """Read with torchcodec, one batch and one thread; approximate mode trusts the frame rate of the header."""
    from torchcodec.decoders import VideoDecoder

    return small(VideoDecoder(path, seek_mode=mode).get_frames_played_at(seconds.tolist()).data)


def torchcodec_exact(path: str, seconds: np.ndarray) -> Frames:
    """Read with torchcodec in the exact mode, which scans the file first."""
    return torchcodec(path, seconds, "exact")


def pyav_seek(path: str, seconds: np.ndarray) -> Frames:
    """Read with PyAV as its documentation suggests: seek, then decode forward, for every frame."""
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for second in seconds.tolist():
            container.seek(int(second / stream.time_base), stream=stream)
            shown = None
            for frame in container.decode(stream):
                if frame.pts * stream.time_base > second + 1e-6:
                    break
                shown = frame
            assert shown is not None
            yield next(small(torch.from_numpy(shown.to_ndarray(format="rgb24")).permute(2, 0, 1)[None]))


READERS: dict[str, Callable[[str, np.ndarray], Frames]] = {
    "longpanda": longpanda,
    "longpanda, 2 workers": longpanda_two,
    "longpanda, near": longpanda_near,
    "decord": decord,
    "torchcodec": torchcodec,
    "torchcodec exact": torchcodec_exact,
    "pyav seek": pyav_seek,
}
MODULES = {"longpanda": ("longpanda.video", "av"), "pyav": ("av",), "torchcodec": ("torchcodec.decoders",)}
"""Modules to import before timing starts, by the first word of a reader's name; by default that word."""


def main() -> None:
    """Read the frames and print one line of JSON."""
    reader, path, count, duration_seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from benchmarks.scenes import LOOP_SECONDS, number_in
    from longpanda.memory import peak_memory_bytes

    torch.set_num_threads(1)
    library = re.split(r"\W", reader)[0]
    for module in MODULES.get(library, (library,)):
        importlib.import_module(module)
    seconds = (np.arange(count) + 0.5) * (duration_seconds / count)
    before, wall, cpu = peak_memory_bytes(), time.perf_counter(), time.process_time()
    shown = [number_in(frame) for frame in READERS[reader](path, seconds)]
    spent = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    expected = [math.floor(second * FPS + 1e-6) % (FPS * LOOP_SECONDS) for second in seconds]
    wrong = sum(a != b for a, b in zip(shown, expected, strict=True))
    print(json.dumps({**spent, "rss_bytes_over_start": peak_memory_bytes() - before, "wrong_frames": wrong}))


if __name__ == "__main__":
    main()

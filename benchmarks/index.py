"""Cost of indexing a video, of asking from the index instead of the file, and of storing the index.

    python -m benchmarks.index
    python -m benchmarks.index --only memory

Files are made first, under runs/decode; each measurement runs in a new process. Sizes other than the bundled model's
have random weights, which cost as much as trained ones. Asking is measured in three processes; medians are kept.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from benchmarks import scenes
from benchmarks.measure import command, keep_result, machine, write_json
from benchmarks.rendered import AS_LONG_AS_THE_CONTEXT
from longpanda.index import storage

RESULT = Path(__file__).parent / "results" / "index_cpu.json"
FILMS = Path("runs/decode")
QUESTION = "What number is on the red circle?"
MEMORY_MINUTES = (3, 120)
STAGE_MINUTES, ASK_MINUTES = 4, 60
ASK_FPS = 0.5
ROUNDS = 3
GRIDS: dict[float, dict[str, Any]] = {
    16: {"grid": [4, 4]},
    4: {"grid": [2, 2]},
    1: {"grid": [1, 1]},
    0.25: {"grid": [1, 1], "pool_frames": 4},
}
"""Compressors at the paper's width, by tokens per frame."""
Row = dict[str, Any]


def peak_memory(video: Path, fps: float) -> Row:
    """Measure peak memory while the bundled model indexes a video."""
    from longpanda.index.growth import workers_for
    from longpanda.inference import load
    from longpanda.memory import peak_memory_bytes

    with tempfile.TemporaryDirectory() as folder:
        panda = load("nano")
        before, cpu = peak_memory_bytes(), time.process_time()
        index = panda.index_builder(video, Path(folder) / "film.vidx", fps).build()
        return {  # reading the tokens back would count as indexing
            "minutes": index.facts["duration_seconds"] / 60,
            "frames": index.frames,
            "workers": workers_for(video),
            "peak_rss_bytes": peak_memory_bytes(),
            "model_loaded_bytes": before,
            "cpu_seconds": time.process_time() - cpu,
            "index_bytes": index.store.bytes(),
        }


def stages(video: Path, tokens: float) -> Row:
    """Measure CPU seconds of decoding, STAB and compressor per hour of video at one frame per second."""
    from longpanda.index.file_encoder import LEAST_BLOCK_FRAMES
    from longpanda.model.configuration import StabConfig, TemporalConfig, cells_of
    from longpanda.model.stab import Stab
    from longpanda.model.temporal import TemporalCompressor
    from longpanda.model.tokens import ClipTokens
    from longpanda.processing import FrameProcessor
    from longpanda.types import VideoClip
    from longpanda.video import Sampling, iter_chunks, probe

    torch.manual_seed(0)
    stab = Stab(StabConfig.of_size("base")).eval()
    temporal = TemporalCompressor(TemporalConfig(width=1024, **GRIDS[tokens])).eval()
    frames = FrameProcessor(stab_config={}, temporal_config=GRIDS[tokens])
    info = probe(video)
    grid = cells_of(info.height_px, info.width_px, frames.stab)
    seconds = Sampling(fps=1.0).seconds_for(info.duration_seconds)
    spent, state, clock, count = dict.fromkeys(("decode", "stab", "compressor"), 0.0), None, _Clock(), 0
    size_px = frames.size_for(info.height_px, info.width_px)
    with torch.inference_mode():
        for chunk in iter_chunks(video, seconds, chunk_frames=LEAST_BLOCK_FRAMES, size_px=size_px):
            spent["decode"] += clock.lap()
            clip = VideoClip(chunk.frames, chunk.pts_seconds, info.duration_seconds)
            media, count = frames.preprocess([clip]), count + len(clip)
            values = stab(media["pixel_values"], media["patch_boxes"], media["frame_windows"]).values
            spent["stab"] += clock.lap()
            _, state = temporal.compress(ClipTokens(values, grid, media["frame_seconds"]), state)
            spent["compressor"] += clock.lap()
    return {"tokens_per_frame": tokens, "frames": count, **{k: v * 3600 / count for k, v in spent.items()}}


def asking(video: Path, fps: float) -> Row:
    """Measure the first answer from a file, the first from its index, and every further one."""
    from longpanda.inference import load
    from longpanda.video import Sampling

    panda, clock = load("nano"), _Clock()
    session = panda.watch(video, Sampling(fps=fps))
    first = session.ask(QUESTION)
    row: Row = {"fps": fps, "visual_tokens": first.visual_tokens, "first_from_file": clock.lap()}
    again = ("What number is on the red square?", "What number is on the blue square?")
    for question in again:
        session.ask(question)
    row["again"] = clock.lap() / len(again)
    with tempfile.TemporaryDirectory() as folder:
        panda.index(video, Path(folder) / "film.vidx", fps)
        clock.lap()
        opened = panda.watch(Path(folder) / "film.vidx", budget_tokens=AS_LONG_AS_THE_CONTEXT)
        assert opened.ask(QUESTION).visual_tokens == first.visual_tokens
        row["first_from_index"] = clock.lap()
        opened.keep_prefix(Path(folder) / "prefix")
        row["prefix_bytes"] = (Path(folder) / "prefix").stat().st_size
        clock.lap()
        kept = panda.watch(Path(folder) / "film.vidx", budget_tokens=AS_LONG_AS_THE_CONTEXT)
        assert kept.use_prefix(Path(folder) / "prefix")
        assert kept.ask(QUESTION).visual_tokens == first.visual_tokens
        row["first_from_kept_prefix"] = clock.lap()
    return row


def sizes() -> list[Row]:
    """Return the bytes of the tokens of an hour at one frame per second, at the paper's width."""
    hour, width = 3600, 1024
    return [
        {"tokens_per_frame": tokens}
        | {name: int(hour * tokens) * storage.bytes_per_token(name, width) for name in storage.BYTES_PER_VALUE}
        for tokens in GRIDS
    ]


class _Clock:
    """A stopwatch for the CPU seconds of this process."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def lap(self) -> float:
        now = time.process_time()
        passed, self._last = now - self._last, now
        return passed


def alone(function: Callable[..., Row], *arguments: Any) -> Row:
    """Call a function in a new process with one PyTorch thread."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        row = pool.submit(function, *arguments).result()
    print(function.__name__, row, flush=True)
    return row


def medians(rounds: list[Row]) -> Row:
    """Return the median of each figure, and the number of rounds."""
    return {name: statistics.median(row[name] for row in rounds) for name in rounds[0]} | {"rounds": len(rounds)}


MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {
    "memory": lambda: [alone(peak_memory, scenes.make(FILMS, m, 720), 1.0) for m in MEMORY_MINUTES],
    "stages": lambda: [alone(stages, scenes.make(FILMS, STAGE_MINUTES, 720), tokens) for tokens in GRIDS],
    "asking": lambda: [medians([alone(asking, scenes.make(FILMS, ASK_MINUTES, 360), ASK_FPS) for _ in range(ROUNDS)])],
    "sizes": sizes,
}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.index", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(MEASUREMENTS), help="skip the others")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.only:
        keep_result(parser, options.out, RESULT, "--only")
    found = {name: MEASUREMENTS[name]() for name in options.only or MEASUREMENTS}
    write_json(
        options.out, {"machine": machine(), "command": command(parser, options), "asking_minutes": ASK_MINUTES, **found}
    )


if __name__ == "__main__":
    main()

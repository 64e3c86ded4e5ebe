"""How full packs are, and what packing costs, for lengths like those of VideoChat-Flash's stages.

    python -m benchmarks.packing

Lengths are generated for each annotation file of a stage: text by its kind, visual tokens from an assumed range of
durations (`videochat_flash.csv`), one frame a second, 64 to 512 frames as stage 3 asks for, 16 tokens and a written
time for each frame of a video, and 256 for an image. A record that is longer than the budget is shortened to the frames
that fit, as training does. The shares of images and of short and long videos are those of the mixture; the lengths of
its real files cannot be had here.
"""

import argparse
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.mixture_files import STAGES, AnnotationFile, table
from longpanda.data.frame_choice import FrameChoice
from longpanda.data.order import MixtureOrder, Numbers
from longpanda.data.packing import WINDOW_PLACES, PackOrder
from longpanda.data.selection import selected

RESULT = Path(__file__).parent / "results" / "packing.json"
BUDGETS: Final = (8192, 16384, 32768)
FRAME_TOKENS: Final = 21
"""16 visual tokens and the 5 of a written time."""
IMAGE_TOKENS: Final = 256
CHOICES: Final = {
    "stage1": FrameChoice(min_frames=4, max_frames=4),
    "stage2": FrameChoice(min_frames=4, max_frames=8),
    "stage3": FrameChoice(min_frames=64, max_frames=512),
    "stage4": FrameChoice(min_frames=64, max_frames=512),
}
"""Frames by stage, as the published training has them."""
_TEXT: Final = {"image": (4.9, 0.7), "video": (4.4, 0.7), "text": (5.6, 0.8)}
"""Mean and deviation of the logarithm of text tokens by kind."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """Lengths that are held in memory, one table for each source."""

    tables: tuple[Numbers, ...]

    @property
    def is_empty(self) -> bool:
        """Whether no record can be used."""
        return not any(table.any() for table in self.tables)

    def tokens(self, sources: Numbers, records: Numbers) -> Numbers:
        """As `TokenCounts`."""
        starts, every = self._joined
        found: Numbers = every[starts[sources] + records]
        return found

    @cached_property
    def _joined(self) -> tuple[Numbers, Numbers]:
        return np.cumsum([0, *map(len, self.tables)])[:-1], np.concatenate(self.tables)


def stage_lengths(stage: str, budget: int, share: float = 1.0) -> Sizes:
    """Token counts of the records that a stage uses.

    Args:
        stage: of `STAGES`.
        budget: most tokens of a record.
        share: of each file's records.
    """
    files = [file for file in table() if stage in file.strategies]
    rng = np.random.default_rng(0)
    return Sizes(tuple(_lengths(file, stage, budget, share, rng) for file in files))


def _lengths(file: AnnotationFile, stage: str, budget: int, share: float, rng: np.random.Generator) -> Numbers:
    count = max(1, round(len(selected(file.strategies[stage], file.records)) * share))
    text = np.clip(rng.lognormal(*_TEXT[file.kind], count).astype(np.int64), 10, 2048)
    if file.seconds is None:
        return text + np.int64(IMAGE_TOKENS * (file.kind == "image"))
    low, high = file.seconds
    seconds = np.exp(rng.uniform(np.log(low), np.log(high + 1e-9), count))
    frames = frame_counts(seconds, CHOICES[stage])
    found: Numbers = text + np.minimum(frames, (budget - text) // FRAME_TOKENS) * FRAME_TOKENS
    return found


def frame_counts(seconds: np.ndarray[Any, Any], choice: FrameChoice) -> Numbers:
    """Frames that are looked at, of files with 30 frames a second."""
    tenths = np.maximum(1, (seconds * 10).astype(np.int64))
    found = {tenth: choice.count(tenth / 10, max(1, tenth * 3)) for tenth in np.unique(tenths).tolist()}
    return np.array([found[tenth] for tenth in tenths.tolist()], np.int64)


def efficiency(sizes: Sizes, budget: int, windows: int, window_places: int = WINDOW_PLACES) -> float:
    """The share of tokens among all places of the packs of some windows from the first one on."""
    return float(packed(sizes, budget, windows, window_places)["efficiency"])


def packed(sizes: Sizes, budget: int, windows: int, window_places: int = WINDOW_PLACES) -> Row:
    """Efficiency, conversations of a pack, and CPU seconds to pack."""
    order = MixtureOrder(tuple(map(len, sizes.tables)), (1.0,) * len(sizes.tables), 1)
    packs = PackOrder(order, sizes, budget, window_places)
    began, count, items = time.process_time(), 0, 0
    while packs.state(count).window < windows:
        items += len(packs.pack(count))
        count += 1
    spent = time.process_time() - began
    tokens = sizes.tokens(*order.locate(np.arange(windows * window_places, dtype=np.int64)))
    return {
        "budget": budget,
        "window_places": window_places,
        "packs": count,
        "conversations_per_pack": items / count,
        "mean_tokens": float(tokens.mean()),
        "efficiency": float(tokens.sum()) / (count * budget),
        "cpu_seconds_per_window": spent / windows,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.packing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=20, help="that are packed")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = []
    for stage in STAGES:
        for budget in BUDGETS:
            row = {"stage": stage, **packed(stage_lengths(stage, budget, share=0.05), budget, options.windows)}
            print(row, flush=True)
            rows.append(row)
    from benchmarks.measure import command, machine, write_json

    write_json(options.out, {"machine": machine(), "command": command(parser, options), "rows": rows})


if __name__ == "__main__":
    main()

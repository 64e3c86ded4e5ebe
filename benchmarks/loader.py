"""A thousand clips through the loader, with decoders that hang or crash and files that are damaged.

    python -m benchmarks.loader

Films are made first. Token counts are taken while all files are whole; then some are cut off, emptied or deleted, as
files are lost between preparing and training. A film that is cut off is still shown, as far as it goes. Two films stand
for decoders that fail: one hangs, one ends its process. Then packs of 60-minute films are read, to see whether memory
grows.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.failing_reads import failing_read
from longpanda.data.conversations import ConversationRules, probed
from longpanda.data.frame_choice import FrameChoice
from longpanda.data.lengths import measure_lengths
from longpanda.data.loader import LoaderSettings, PackedData, PackLoader
from longpanda.data.mixture import read_mixture
from longpanda.data.mixture_records import open_records
from longpanda.data.packing import PackOrder
from longpanda.data.policy import BadData
from longpanda.video import encode

RESULT = Path(__file__).parent / "results" / "loader.json"
FILMS: Final = 100
RECORDS: Final = 1000
DAMAGED: Final = {"cut": range(10, 13), "empty": range(20, 22), "gone": range(30, 33), "zeros": range(40, 42)}
"""Numbers of films by what becomes of them."""
FAILING: Final = {"hang": 50, "crash": 51}
BUDGET: Final = 8192
LONG_PACKS: Final = (4, 24)
Row = dict[str, Any]


def film_name(number: int) -> str:
    """The file of a film."""
    kind = next((kind for kind, one in FAILING.items() if one == number), "film")
    return f"{kind}_{number}.mp4"


def pictures(count: int, seed: int) -> Iterator[np.ndarray[Any, Any]]:
    """A bar that moves over a grey picture of 320 x 180."""
    for number in range(count):
        picture = np.full((180, 320, 3), 40 + seed, np.uint8)
        picture[:, (7 * number + seed) % 300 :][:, :20] = (250, number % 250, 40)
        yield picture


def make(folder: Path) -> None:
    """Films, records and the mixture."""
    (folder / "media").mkdir()
    for number in range(FILMS):
        encode(pictures(10 * (5 + number % 20), number), folder / "media" / film_name(number), 10, preset="ultrafast")
    encode(pictures(3600, 0), folder / "media" / "long.mp4", 1, preset="ultrafast")
    turns = [
        {"from": "human", "value": "<image>\nWhat number is on the red circle?"},
        {"from": "gpt", "value": "7"},
    ]
    films = [{"video": film_name(number % FILMS), "conversations": turns} for number in range(RECORDS)]
    for name, rows in (("films", films), ("long", [{"video": "long.mp4", "conversations": turns}] * 50)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        (folder / f"{name}.yaml").write_text(f"datasets: [{{json_path: {name}.jsonl, data_root: media}}]")


def damage(folder: Path) -> None:
    """Lose some films."""
    for kind, numbers in DAMAGED.items():
        for number in numbers:
            path = folder / "media" / film_name(number)
            data = path.read_bytes()
            if kind == "gone":
                path.unlink()
            else:
                whole = {"cut": data[: len(data) // 2], "empty": b"", "zeros": data[:40] + bytes(len(data) - 40)}
                path.write_bytes(whole[kind])


def open_data(folder: Path, name: str, choice: FrameChoice) -> PackedData:
    """A mixture with its token counts."""
    from longpanda.inference import load  # here, as every new worker process imports this module again

    rules = ConversationRules(choice, max_tokens=BUDGET)
    processor = load("nano").processor
    records = open_records(read_mixture(folder / f"{name}.yaml"), folder / "cache")
    lengths = measure_lengths(records, processor, rules, probed, folder / "cache")
    return PackedData(records, lengths, PackOrder(records.order(0), lengths, BUDGET), processor, rules, probed)


def thousand(folder: Path, settings: LoaderSettings) -> Row:
    """Read an epoch with failures, as far as whole packs go."""
    data = open_data(folder, "films", FrameChoice(max_frames=64))
    damage(folder)
    shown: Counter[str] = Counter()
    frames = 0
    with PackLoader(data, settings, BadData("skip", 0.5), read=failing_read) as loader:
        began = time.perf_counter()
        packs = 0
        while loader.skips.seen.total() < RECORDS:
            pack = next(loader)
            packs += 1
            print(f"{loader.skips.seen.total()} records in {time.perf_counter() - began:.0f} s", flush=True)
            shown.update(data.records.read(*one).media[0].path for one in pack.records)
            frames += sum(len(clip) for one in pack.conversations for clip in one.clips)
        wall = time.perf_counter() - began
        workers = len(living_workers())
        skipped = {reason: count for one in loader.skips.skipped.values() for reason, count in one.items()}
        seen, wait = loader.skips.seen.total(), loader.wait_share
    bad = {film_name(number) for kind, numbers in DAMAGED.items() if kind != "cut" for number in numbers}
    bad |= {film_name(number) for number in FAILING.values()}
    return {
        "records": seen,
        "packs": packs,
        "shown": shown.total(),
        "frames": frames,
        "skipped": skipped,
        "cut_films_shown": len({film_name(number) for number in DAMAGED["cut"]} & set(shown)),
        "bad_films": len(bad),
        "bad_films_shown": len(bad & set(shown)),
        "good_films_not_shown": FILMS - len(bad) - len(set(shown) - bad),
        "wall_seconds": wall,
        "wait_share": wait,
        "workers_asked_for": settings.workers,
        "workers_at_the_end": workers,
        "limit_seconds": settings.limit_seconds,
    }


def living_workers() -> list[int]:
    """Processes that read media: children of the small process that they are forked from."""
    servers = [one for one in children(os.getpid()) if b"forkserver" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return [child for server in servers for child in children(server)]


def children(process: int) -> list[int]:
    """Process ids."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def rss_bytes(process: int) -> int:
    """Resident memory, what is shared with others included."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def long_films(folder: Path, settings: LoaderSettings) -> list[Row]:
    """Memory after some packs of 60-minute films, of which 512 frames are looked at each time."""
    data = open_data(folder, "long", FrameChoice(max_frames=512))
    rows = []
    with PackLoader(data, settings) as loader:
        for packs in range(1, max(LONG_PACKS) + 1):
            pack = next(loader)
            if packs in LONG_PACKS:
                memory = [rss_bytes(one) for one in living_workers()]
                rows.append(
                    {
                        "packs": packs,
                        "frames_per_pack": sum(len(clip) for one in pack.conversations for clip in one.clips),
                        "rss_bytes": rss_bytes(os.getpid()),
                        "largest_worker_rss_bytes": max(memory),
                        "wait_share": loader.wait_share,
                    }
                )
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.loader", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds for one film")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    folder, settings = Path(tempfile.mkdtemp(prefix="loader-")), LoaderSettings(options.workers, 3, options.limit)
    try:
        make(folder)
        found = {"thousand": thousand(folder, settings), "long_films": long_films(folder, settings)}
    finally:
        shutil.rmtree(folder)
    from benchmarks.measure import command, machine, write_json

    print(json.dumps(found, indent=1))
    write_json(options.out, {"machine": machine(), "command": command(parser, options), **found})


if __name__ == "__main__":
    main()

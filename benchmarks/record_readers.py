"""What processes that read a mixture do, in a module that imports as little as they do."""

import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.mixture_files import STAGES, roots, table
from longpanda.data.lengths import Lengths
from longpanda.data.mixture import Mixture, Places, read_mixture
from longpanda.data.order import MixtureOrder
from longpanda.data.packing import WINDOW_PLACES, PackOrder, PackState
from longpanda.data.record_index import RecordIndex, open_index
from longpanda.data.selection import selected

PACK_TOKENS: Final = 8192
FAR_PACK: Final = 1_000_000
READS: Final = 2000
"""Random records that each process reads before memory is measured."""


@dataclass(frozen=True)
class Opened:
    """All files of all stages, opened.

    Args:
        mixtures: by stage.
        indexes: by annotation file.
        ranges: of the records of every source of every stage that are used.
    """

    mixtures: dict[str, Mixture]
    indexes: dict[Path, RecordIndex]
    ranges: dict[str, list[range]]


def open_all(folder: Path) -> Opened:
    """Read the yamls of all stages and open every index."""
    files = table()
    places = {stage: Places(folder / "annotations", roots(stage, files, folder)) for stage in STAGES}
    mixtures = {stage: read_mixture(folder / f"{name}.yaml", places[stage]) for stage, name in STAGES.items()}
    indexes: dict[Path, RecordIndex] = {}
    for mixture in mixtures.values():
        for source in mixture.sources:
            if source.annotations not in indexes:
                found = open_index(source.annotations, folder / "indexes")
                assert found is not None, source.annotations
                indexes[source.annotations] = found
    ranges = {
        stage: [selected(source.strategy, len(indexes[source.annotations])) for source in mixture.sources]
        for stage, mixture in mixtures.items()
    }
    return Opened(mixtures, indexes, ranges)


def every_record(opened: Opened, seed: int = 0) -> tuple[MixtureOrder, list[RecordIndex]]:
    """The order of all records of all files, used whole."""
    indexes = list(opened.indexes.values())
    return MixtureOrder(tuple(map(len, indexes)), (1.0,) * len(indexes), seed), indexes


def read_at_random(opened: Opened, seed: int) -> float:
    """Read records at random places of the order; returns seconds for each."""
    order, indexes = every_record(opened)
    places = np.random.default_rng(seed).integers(0, len(order), READS)
    began = time.perf_counter()
    for source, record in zip(*(column.tolist() for column in order.locate(places)), strict=True):
        indexes[source].read(record)
    return (time.perf_counter() - began) / READS


def open_lengths(folder: Path, opened: Opened) -> Lengths:
    """Token counts of every record, memory-mapped."""
    tables = tuple(np.load(folder / "tokens" / f"{path.name}.npy", mmap_mode="r") for path in opened.indexes)
    return Lengths(tables, ((),) * len(tables), "")


def touch(opened: Opened) -> int:
    """Read every byte of every index, so that each process maps all of them."""
    return sum(int(index.entries["offset"].max()) for index in opened.indexes.values())


def memory_bytes() -> dict[str, int]:
    """This process's memory: proportional set size, in which a page of n processes counts as an n-th in each."""
    rows = [line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]]
    sizes = {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}
    return {"pss": sizes["Pss"], "private": sizes["Private_Dirty"] + sizes["Private_Clean"], "rss": sizes["Rss"]}


def serve(parent: Connection, folder: Path, seed: int) -> None:
    """One reading process: each message is a step, which ends with its figures."""
    parent.send({"pid": os.getpid()})
    opened: Opened | None = None
    while (step := parent.recv()) != "end":
        figures: dict[str, Any] = {}
        began, cpu = time.perf_counter(), time.process_time()
        if step == "open":
            opened = open_all(folder)
        elif step == "read":
            assert opened is not None
            figures["seconds_per_record"] = read_at_random(opened, seed)
        elif step == "touch":
            assert opened is not None
            touch(opened)
        elif step == "lengths":
            assert opened is not None
            lengths = open_lengths(folder, opened)
            figures["tokens"] = sum(int(table.sum(dtype=np.int64)) for table in lengths.tables)
        elif step == "memory":
            figures |= memory_bytes()
        elif step == "resume":
            figures |= resume(folder)
        wall, spent = time.perf_counter() - began, time.process_time() - cpu
        parent.send({**figures, "wall_seconds": wall, "cpu_seconds": spent})


def resume(folder: Path) -> dict[str, float]:
    """Open everything and read the records of a pack at a far place of the order."""
    began = time.perf_counter()
    opened = open_all(folder)
    lengths = open_lengths(folder, opened)
    ready = time.perf_counter()
    order, indexes = every_record(opened)
    packs = PackOrder(order, lengths, PACK_TOKENS, start=PackState(len(order) * 3 // 4 // WINDOW_PLACES, FAR_PACK))
    pack = packs.pack(FAR_PACK + 7)
    for source, record in zip(*(column.tolist() for column in order.locate(pack)), strict=True):
        indexes[source].read(record)
    return {
        "opened_seconds": ready - began,
        "pack_seconds": time.perf_counter() - ready,
        "place": int(pack[0]),
        "conversations": len(pack),
    }

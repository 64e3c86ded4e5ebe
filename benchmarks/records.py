"""Index, open and resume at the size of VideoChat-Flash's whole mixture: 12.6 million records in 114 files.

    python -m benchmarks.records
    python -m benchmarks.records --share 0.01 --out /tmp/records.json

Annotation files of the published numbers of records and the stage yamls are generated first (about 2 GB, deleted at the
end). Records are short: a real file has more bytes in each, so that indexing takes longer in proportion to its size.
"""

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mixture_files import STAGES, UNKNOWN_RECORDS, table, write_annotations, write_yaml
from benchmarks.record_readers import Opened, open_all, serve
from longpanda.data.record_index import index_files
from longpanda.data.scan import KINDS
from longpanda.data.selection import selected

RESULT = Path(__file__).parent / "results" / "records.json"
PROCESSES = (1, 8)
Row = dict[str, Any]


def generate(folder: Path, share: float) -> Row:
    """Write annotation files, yamls, and token counts as they are kept beside them."""
    files, began = table(), time.perf_counter()
    size = write_annotations(files, folder / "annotations", share)
    for stage in STAGES:
        write_yaml(stage, files, folder)
    (folder / "tokens").mkdir()
    for file in files:
        count = max(1, round(file.records * share))
        tokens = np.random.default_rng(0).integers(40, 1500, count).astype(np.uint32)
        np.save(folder / "tokens" / f"{file.name}.npy", tokens)
    return {"files": len(files), "bytes": size, "wall_seconds": time.perf_counter() - began}


def indexing(folder: Path, processes: int) -> Row:
    """Index every annotation file."""
    paths = sorted((folder / "annotations").iterdir())
    before, began = _cpu_seconds(), time.perf_counter()
    indexes = index_files(paths, folder / "indexes", processes)
    wall, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "processes": processes,
        "records": sum(map(len, indexes)),
        "index_bytes": sum(path.stat().st_size for path in (folder / "indexes").iterdir()),
        "wall_seconds": wall,
        "cpu_seconds": _cpu_seconds() - before,
        "peak_rss_bytes_of_a_process": peak,
    }


def _cpu_seconds() -> float:
    """Of this process and all that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def reading(folder: Path, processes: int) -> Row:
    """Open everything in several processes, read at random, and see what memory that adds in all of them together."""
    with Readers(folder, processes) as readers:
        before = readers.ask("memory")
        opened = readers.one_by_one("open")
        after_open = readers.ask("memory")
        read = readers.ask("read")
        after_read = readers.ask("memory")
        readers.ask("touch")
        after_touch = readers.ask("memory")
        readers.ask("lengths")
        after_lengths = readers.ask("memory")
    added = {
        "open": _sum(after_open) - _sum(before),
        "read": _sum(after_read) - _sum(before),
        "touch": _sum(after_touch) - _sum(before),
        "token_counts": _sum(after_lengths) - _sum(before),
    }
    return {
        "processes": processes,
        "open_wall_seconds": max(one["wall_seconds"] for one in opened),
        "open_cpu_seconds": max(one["cpu_seconds"] for one in opened),
        "read_seconds_per_record": max(one["seconds_per_record"] for one in read),
        "added_pss_bytes": added,
        "pss_bytes_before": _sum(before),
    }


def resuming(folder: Path) -> Row:
    """A new process opens everything and reads a pack three quarters into an epoch."""
    with Readers(folder, 1) as readers:
        return readers.ask("resume")[0]


def _sum(rows: list[Row]) -> int:
    return sum(int(row["pss"]) for row in rows)


class Readers:
    """Processes that do the same steps.

    Args:
        folder: of the files.
        count: processes.
    """

    def __init__(self, folder: Path, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for seed in range(count):
            here, there = context.Pipe()
            process = context.Process(target=serve, args=(there, folder, seed), daemon=True)
            process.start()
            there.close()
            self._ends.append(here)
            self._processes.append(process)

    def __enter__(self) -> "Readers":
        for end in self._ends:
            end.recv()
        return self

    def __exit__(self, *_: object) -> None:
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send("end")
            process.join()

    def ask(self, step: str) -> list[Row]:
        """All do it at once; their figures."""
        for end in self._ends:
            end.send(step)
        return [end.recv() for end in self._ends]

    def one_by_one(self, step: str) -> list[Row]:
        """One does it after the other, so that its wall seconds are its own."""
        rows = []
        for end in self._ends:
            end.send(step)
            rows.append(end.recv())
        return rows


def stages(opened: Opened, share: float) -> list[Row]:
    """Records of each stage by kind, beside those that the table of files gives; files of unknown size apart."""
    files = table()
    rows = []
    for stage, mixture in opened.mixtures.items():
        row: Row = {"stage": stage, "entries": len(mixture.sources), "notices": len(mixture.notices)}
        found, expected, unknown = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0), 0
        by_name = {file.name: file for file in files}
        for source, used in zip(mixture.sources, opened.ranges[stage], strict=True):
            file = by_name[source.annotations.name]
            if file.count is None:
                unknown += len(used)
                continue
            kinds = opened.indexes[source.annotations].entries["kind"][used.start : used.stop]
            for number, kind in enumerate(KINDS):
                found[kind] += int((kinds == number).sum())
            expected[file.kind] += len(selected(file.strategies[stage], max(1, round(file.count * share))))
        rows.append({**row, "found": found, "expected": expected, "of_unknown_size": unknown})
    return rows


def measure(folder: Path, share: float, processes: int) -> Row:
    """All measurements on files in a folder that is empty."""
    rows: Row = {"unknown_records_each": UNKNOWN_RECORDS, "share": share, "generated": generate(folder, share)}
    rows["indexing"] = indexing(folder, processes)
    print(rows, flush=True)
    rows["reading"] = [reading(folder, count) for count in PROCESSES]
    rows["resuming"] = resuming(folder)
    rows["stages"] = stages(open_all(folder), share)
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.records", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=1.0, help="of each file's records")
    parser.add_argument("--processes", type=int, default=2, help="that index")
    parser.add_argument("--folder", type=Path, help="for the files; a temporary one")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.share != 1.0 and options.out.resolve() == RESULT.resolve():
        parser.error(f"--share would overwrite {RESULT}; name another file with --out")
    folder = Path(tempfile.mkdtemp(prefix="records-", dir=options.folder))
    try:
        found = measure(folder, options.share, options.processes)
    finally:
        shutil.rmtree(folder)
    from benchmarks.measure import command, machine, write_json  # PyTorch, which would count in the figures above

    for name, value in found.items():
        print(name, value, flush=True)
    write_json(options.out, {"machine": machine(), "command": command(parser, options), **found})


if __name__ == "__main__":
    main()

"""The shared harness of the benchmarks: contenders in separate processes, timed in interleaved rounds.

Every contender runs in a newly spawned process, so its peak memory is its own. One runs at a time, in turn, round by
round, so that other load on the machine affects all of them alike. Medians of CPU and wall seconds are reported.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shlex
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from longpanda.files import write_atomic
from longpanda.memory import peak_memory_bytes
from longpanda.provenance import model_versions, versions


@dataclass(frozen=True)
class Workload:
    """The call that a contender repeats, and facts about it (parameters, operations, ...)."""

    run: Callable[[], object]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """A name, a picklable builder that runs in the contender's process, and the number of items per run."""

    name: str
    build: Callable[[], Workload]
    items: int = 1


@dataclass(frozen=True)
class Measurement:
    """Medians over the rounds, per item; memory is that of the whole process."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    wall_seconds_each_round: list[float]
    cpu_seconds_each_round: list[float]
    peak_rss_bytes: int
    rss_before_build_bytes: int
    peak_device_bytes: int
    facts: dict[str, Any]


def compare(contenders: Sequence[Contender], rounds: int, device: str = "cpu", threads: int = 1) -> list[Measurement]:
    """Build all contenders, warm each up once, then run them in turn for `rounds` rounds."""
    spawn = multiprocessing.get_context("spawn")
    workers = []
    try:
        for contender in contenders:
            here, there = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(there, contender, device, threads), daemon=True)
            process.start()
            there.close()
            workers.append((process, here))
            here.recv()  # built and warm, before the next one starts
        times: list[list[tuple[float, float]]] = [[] for _ in contenders]
        for _ in range(rounds):
            for (_, here), mine in zip(workers, times, strict=True):
                here.send(True)
                mine.append(here.recv())
        for _, here in workers:
            here.send(False)
        ends = [here.recv() for _, here in workers]
    finally:
        for process, here in workers:
            here.close()
            process.join(timeout=30)
    return [_measurement(*parts) for parts in zip(contenders, times, ends, strict=True)]


def _serve(parent: Connection, contender: Contender, device: str, threads: int) -> None:
    """Serve one contender in its process: build it, warm it up, then do a timed run for every True received."""
    torch.set_num_threads(threads)
    before = peak_memory_bytes()
    workload = contender.build()
    timed(workload.run, device)
    parent.send("ready")
    while parent.recv():
        parent.send(timed(workload.run, device))
    device_bytes = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    parent.send((peak_memory_bytes(), before, device_bytes, workload.facts))


def timed(run: Callable[[], object], device: str = "cpu") -> tuple[float, float]:
    """Return wall and CPU seconds of one run, summed over all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def _measurement(
    contender: Contender, times: list[tuple[float, float]], end: tuple[int, int, int, dict[str, Any]]
) -> Measurement:
    walls = [wall / contender.items for wall, _ in times]
    cpus = [cpu / contender.items for _, cpu in times]
    peak, before, device_bytes, facts = end
    medians = statistics.median(walls), statistics.median(cpus)
    return Measurement(contender.name, *medians, walls, cpus, peak, before, device_bytes, facts)


def machine() -> dict[str, Any]:
    """Describe this machine: processor, memory, accelerator, versions and commit."""
    found = versions()
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        **model_versions(),
        **found,
        "load_average": os.getloadavg(),
        "commit": None if found["commit"] is None else short(found["commit"]),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def short(commit: str) -> str:
    """Abbreviate a commit, with "+" if tracked files differed from it."""
    return commit[:12] + ("+" if commit.endswith("-dirty") else "")


def command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Return the command that gives these options again: those that differ from their defaults."""
    words = parser.prog.split()
    for name, value in vars(options).items():
        if value != parser.get_default(name):
            words += ["--" + name.replace("_", "-"), *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def keep_result(parser: argparse.ArgumentParser, out: Path, result: Path, option: str) -> None:
    """Stop if `option` changes what is measured and `out` is the `result` that the documents show."""
    if out.resolve() == result.resolve():
        parser.error(f"{option} would overwrite {result}, which the documents show; name another file with --out")


def write_json(path: Path, result: dict[str, Any]) -> None:
    """Write a file atomically, and make its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(result, indent=2) + "\n")


def report(
    path: Path, measurements: Sequence[Measurement], baseline: str, **conditions: Any
) -> dict[str, dict[str, float]]:
    """Write measurements with the machine and their ratios to `baseline`; return the ratios by name."""
    by_name = {one.name: one for one in measurements}
    base = by_name[baseline]
    ratios = {
        name: {"wall": one.wall_seconds / base.wall_seconds, "cpu": one.cpu_seconds / base.cpu_seconds}
        for name, one in by_name.items()
    }
    rows = [asdict(one) for one in measurements]
    write_json(
        path,
        {"machine": machine(), **conditions, "baseline": baseline, "ratios_to_baseline": ratios, "measurements": rows},
    )
    return ratios

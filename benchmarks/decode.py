"""Decoding frames from 10 and 120 minutes of video: LongPanda against decord, torchcodec and PyAV.

    python -m benchmarks.decode --peers-python PATH
    python -m benchmarks.decode --cases 10:64 120:512 --rounds 5 --out two.json

CPU and wall seconds, peak memory and the number of wrong frames are measured. PATH is a Python interpreter with decord
0.6.0 and torchcodec 0.13.0 (with FFmpeg's libraries); without it both are skipped. A case is MINUTES:FRAMES. Every run
is a new process, in interleaved rounds; cases with more than 64 frames of more than 10 minutes have one round. The
files are made first, under runs/decode; the result is written after each case.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import scenes
from benchmarks.decode_one import READERS
from benchmarks.measure import command, keep_result, machine, write_json

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "decode_cpu.json"
CASES = ("10:64", "10:512", "10:600", "120:64", "120:512", "120:7200")
SHORT_MINUTES, FEW_FRAMES = 10, 64
BASELINE = "longpanda"
PEERS = ("decord", "torchcodec", "torchcodec exact")
Run = dict[str, Any]


def one_run(reader: str, path: Path, frames: int, duration_seconds: float, python: str, limit: float) -> Run:
    """Measure one reader on one file; `failed` is the reason if there is no measurement."""
    ran = [python, str(ROOT / "benchmarks" / "decode_one.py"), reader, str(path), str(frames), str(duration_seconds)]
    try:
        done = subprocess.run(
            ran, capture_output=True, text=True, check=False, timeout=limit, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {limit:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    result: Run = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(path: Path, minutes: int, frames: int, options: argparse.Namespace) -> list[Run]:
    """Run all readers on one file in interleaved rounds; a reader that fails is not run again."""
    runs: dict[str, list[Run]] = {reader: [] for reader in options.readers}
    for _ in range(options.rounds if minutes <= SHORT_MINUTES or frames <= FEW_FRAMES else 1):
        for reader, mine in runs.items():
            python = options.peers_python if reader in PEERS else sys.executable
            if python is None:
                mine[:] = [{"failed": "no --peers-python"}]
            elif not any("failed" in run for run in mine):
                mine.append(one_run(reader, path, frames, 60 * minutes, str(python), options.limit))
                print(f"{minutes} min, {frames} frames, {reader}: {mine[-1]}", flush=True)
    return [{"minutes": minutes, "frames": frames, "reader": reader, **summary(mine)} for reader, mine in runs.items()]


def summary(runs: list[Run]) -> Run:
    """Return the medians of the rounds."""
    failed = [run for run in runs if "failed" in run]
    if failed:
        return failed[0]
    medians: Run = {kind: statistics.median(run[kind] for run in runs) for kind in ("wall_seconds", "cpu_seconds")}
    rounds = {f"{kind}_each_round": [run[kind] for run in runs] for kind in medians}
    worst = {kind: max(run[kind] for run in runs) for kind in ("rss_bytes_over_start", "wrong_frames")}
    return medians | rounds | worst


def main() -> None:
    """Make the files, run all readers, and write the result."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.decode", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="MINUTES:FRAMES")
    parser.add_argument("--readers", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a run is stopped")
    parser.add_argument("--peers-python", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.readers != parser.get_default("readers"):
        keep_result(parser, options.out, RESULT, "--readers")
    hidden = {"peers_python": "PATH"} if options.peers_python else {}
    result = {"machine": machine(), "baseline": BASELINE, "rounds": options.rounds}
    rows = []
    for number, case in enumerate(options.cases, 1):
        minutes, frames = map(int, case.split(":"))
        rows += compare(scenes.make(ROOT / "runs" / "decode", minutes), minutes, frames, options)
        so_far = argparse.Namespace(**vars(options) | hidden | {"cases": options.cases[:number]})
        write_json(options.out, result | {"command": command(parser, so_far), "runs": rows})


if __name__ == "__main__":
    main()

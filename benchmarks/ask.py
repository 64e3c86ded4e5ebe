"""Time and memory of asking the bundled model about a 3-minute video, split by stage.

    python -m benchmarks.ask --rounds 5

Each round loads the model, reads the video and asks two questions in a new process. Medians are kept.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import command, keep_result, machine, write_json
from longpanda.longwatch import Split, generate, scene_seed
from longpanda.longwatch.film import film

MODEL = "nano"
SECONDS = 180.0
RESULT = Path(__file__).parent / "results" / "ask_cpu.json"

ONE_ROUND = """
import json, sys, time
start = time.perf_counter(), time.process_time()
import longpanda
panda = longpanda.load(sys.argv[1])

loaded = time.perf_counter()
session = panda.watch(sys.argv[2])
first, second = session.ask("Which card came first?"), session.ask("Which card came last?")
cpu_seconds = time.process_time() - start[1]
print(json.dumps({"stages": {"import_and_load": loaded - start[0], **first.seconds,
    "second_question": second.seconds["encode_frames"] + second.seconds["generate"]},
    "cpu_seconds": cpu_seconds, "peak_memory_bytes": second.peak_memory_bytes,
    "frames": len(first.pts_seconds), "visual_tokens": first.visual_tokens}))
"""


def one_round(model: str, path: Path) -> dict[str, Any]:
    """Load the model, read the video and ask twice, in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_ROUND, model, str(path)], capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Film a video, ask in rounds, and write the medians."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ask", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.model != MODEL:
        keep_result(parser, options.out, RESULT, f"--model {options.model}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        film(generate(scene_seed(Split.DEV, 0), SECONDS), path)
        rounds = [one_round(options.model, path) for _ in range(1 + options.rounds)][1:]
        file_bytes = path.stat().st_size
    stages = {name: statistics.median(r["stages"][name] for r in rounds) for name in rounds[0]["stages"]}
    result = {
        "machine": machine(),
        "command": command(parser, options),
        "video_seconds": SECONDS,
        "file_bytes": file_bytes,
        "frames": rounds[0]["frames"],
        "visual_tokens": rounds[0]["visual_tokens"],
        "stages": stages,
        "cpu_seconds": statistics.median(r["cpu_seconds"] for r in rounds),
        "peak_memory_bytes": max(r["peak_memory_bytes"] for r in rounds),
    }
    write_json(options.out, result)
    for name, seconds in stages.items():
        print(f"{name:16} {seconds:7.3f} s")


if __name__ == "__main__":
    main()

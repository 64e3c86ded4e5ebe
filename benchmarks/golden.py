"""Golden values: compare what the code computes now with recorded numbers that a refactoring must not change.

    python -m benchmarks.golden                # compute the values and compare them with benchmarks/results/golden.json
    python -m benchmarks.golden --record       # write them there; only before a change that must not alter any

The values are the logits of both bundled models on a fixed clip; losses, gradient norms and weights of three training
steps of every stage of both shipped recipes (in float32, with small batches); the tokens of an index; and the marks of
a small LongWatch run. A tensor is recorded as the SHA-256 of its bytes, its sum and a few of its values: equal hashes
mean equal to the last bit, and if the order of a sum had to change, the values show by how much. Compare on the machine
that recorded them; other processors add in another order.
"""

import argparse
import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import longpanda
from benchmarks.measure import machine, write_json
from longpanda.cli.main import main as command
from longpanda.longwatch import generate, render
from longpanda.longwatch.examples import LongWatchData
from longpanda.train.recipe import load_recipe
from longpanda.types import VideoClip

GOLDEN = Path(__file__).parent / "results/golden.json"
TOLERANCE = 1e-5
"""Largest difference that another order of sums may explain, as a share of the largest recorded value of a tensor."""
KEPT_VALUES = 32
MODELS = ("nano", "nano-long")
STEPS = 3


def kept(values: torch.Tensor) -> dict[str, Any]:
    """Return the hash, shape, sum and some evenly spaced values of a tensor."""
    flat = values.detach().cpu().contiguous().flatten()
    spread = torch.linspace(0, len(flat) - 1, min(KEPT_VALUES, len(flat))).long()
    return {
        "sha256": hashlib.sha256(flat.view(torch.uint8).numpy().tobytes()).hexdigest(),
        "shape": list(values.shape),
        "sum": float(flat.double().sum()),
        "values": flat[spread].double().tolist(),
    }


def logits_of(name: str) -> dict[str, Any]:
    """Return a model's logits at every token of a prompt about a generated clip of 24 frames."""
    panda = longpanda.load(name)
    scene = generate(5, 180.0)
    moments = np.arange(24, dtype=np.float64) * 7.5
    clip = VideoClip(render(scene, moments, 96), moments, scene.duration_seconds)
    inputs = panda.processor(panda.processor.chat("Where is the key at the end?"), [clip])
    with torch.inference_mode():
        return {"logits": kept(panda.model(**inputs).logits)}


def trained(name: str, folder: Path) -> dict[str, Any]:
    """Return losses and gradient norms of the first steps of each stage of a recipe, and the weights after them."""
    recipe = load_recipe(name, [])
    stages = [
        f"stages.{number}.{field}"
        for number, stage in enumerate(recipe.stages)
        if isinstance(stage.data, LongWatchData)
        for field in (f"steps={STEPS}", "batch=2", f"data.frames=[{min(max(stage.data.frames), 24)}]")
    ]
    run_command("train", name, *stages, "bf16=false", "log_steps=1", f"save_steps={STEPS}", "--out", str(folder))
    found: dict[str, Any] = {}
    for state in sorted(folder.glob(f"*/checkpoint-{STEPS}/trainer_state.json")):
        steps = [one for one in json.loads(state.read_text())["log_history"] if "loss" in one]
        fields = ("loss", "grad_norm", "answer_loss", "cell_loss", "group_loss")
        found[state.parent.parent.name] = [{key: one[key] for key in fields if key in one} for one in steps]
    weights = longpanda.load(folder / "model").model.state_dict()
    found["weights"] = kept(torch.cat([weights[key].flatten().float() for key in sorted(weights)]))
    return found


def indexed(name: str, video: Path, folder: Path) -> dict[str, Any]:
    """Return stored tokens and times of the index of a film, and an answer with its evidence."""
    panda = longpanda.load(name)
    tokens = panda.index(video, folder / f"{name}.vidx", fps=1.0).tokens
    answer = panda.watch(folder / f"{name}.vidx").ask("What number is on the green circle?", evidence=True)
    evidence = [[one.start_seconds, one.end_seconds, one.weight] for one in answer.evidence]
    starts = kept(torch.from_numpy(tokens.starts_seconds))
    return {"tokens": kept(tokens.values.flatten()), "starts": starts, "answer": answer.text, "evidence": evidence}


def marked(name: str, suite: Path, folder: Path) -> dict[str, Any]:
    """Return answers and marks of a suite, in the order of its questions."""
    out = folder / f"{name}.jsonl"
    run_command("longwatch", "run", str(suite), "--model", name, "--out", str(out))
    answered = [one for line in out.read_text().splitlines() if "value" in (one := json.loads(line))]
    marks = sorted([a["sample"]["question"], a["reply"]["text"], a["value"], a["partial"]] for a in answered)
    return {"marks": marks}


def run_command(*words: str) -> None:
    """Run a longpanda command in this process. Raises RuntimeError if it fails."""
    code = command(list(words))
    if code:
        raise RuntimeError(f"longpanda {' '.join(words)} ended with {code}")


def computed(folder: Path) -> dict[str, Any]:
    """Compute all values with one thread: several threads would add in another order."""
    torch.set_num_threads(1)
    suite = folder / "suite"
    about = ("--minutes", "3", "--per-cell", "3", "--split", "dev", "--size-px", "96", "--workers", "1")
    run_command("longwatch", "make", *about, "--families", "needle", "order", "count", "state", "--out", str(suite))
    video = min(suite.rglob("*.mp4"))
    numbers: dict[str, Any] = {}
    for name in MODELS:
        numbers[name] = logits_of(name) | indexed(name, video, folder) | marked(name, suite, folder)
        numbers[name]["trained"] = trained(name, folder / f"{name}-run")
    return numbers


def differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """Yield one line per value that is not the same to the last bit, with the size of the difference."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        if "sha256" in before and "sha256" in now:
            yield from _of_tensors(before, now, where)
            return
        for key in sorted(before.keys() | now.keys()):
            if key not in before or key not in now:
                yield f"{where}/{key}: only {'now' if key in now else 'before'}"
            else:
                yield from differences(before[key], now[key], f"{where}/{key}")
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now, strict=True)):
            yield from differences(*pair, f"{where}/{number}")
    elif isinstance(before, float) and isinstance(now, float):
        if before != now:
            yield _said(where, abs(before - now) / max(abs(before), 1e-12))
    elif before != now:
        yield f"{where}: {before!r} before, {now!r} now"


def _of_tensors(before: Mapping[str, Any], now: Mapping[str, Any], where: str) -> Iterator[str]:
    if before["shape"] != now["shape"]:
        yield f"{where}: {before['shape']} before, {now['shape']} now"
    elif before["sha256"] != now["sha256"]:
        largest = max(map(abs, before["values"]), default=0.0) or 1.0
        pairs = zip(before["values"], now["values"], strict=True)
        yield _said(where, max(abs(a - b) for a, b in pairs) / largest)


def _said(where: str, share: float) -> str:
    """Describe a difference; one that another order of sums explains begins with a tilde."""
    within = share <= TOLERANCE and not math.isnan(share)
    return f"{'~' if within else ''}{where}: off by {share:.2g} of its size"


def main() -> int:
    """Record or compare. Return 1 if anything differs by more than another order of sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the values that are computed now")
    about = "the golden file (default: benchmarks/results/golden.json)"
    parser.add_argument("--golden", type=Path, default=GOLDEN, metavar="FILE", help=about)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        numbers = json.loads(json.dumps(computed(Path(folder))))
    if options.record:
        write_json(options.golden, {"machine": machine(), "numbers": numbers})
        print(f"recorded in {options.golden}")
        return 0
    said = list(differences(json.loads(options.golden.read_text())["numbers"], numbers))
    print("\n".join(said) or "the same to the last bit")
    return int(any(not line.startswith("~") for line in said))


if __name__ == "__main__":
    sys.exit(main())

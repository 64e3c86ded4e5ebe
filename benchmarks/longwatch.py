"""Accuracy of a model on LongWatch, against the same model with 8, 1 and no frames and against the suite's controls.

    python -m benchmarks.longwatch --suites runs/longwatch/short --unaudited runs/longwatch/long

The suites come from `longpanda longwatch make`. Runs and audits are kept in --work, and continued by the next call.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.measure import command, keep_result, machine, write_json
from benchmarks.nano import Blind
from longpanda.evaluate import Accuracy, accuracy, read_notes, read_records, run
from longpanda.evaluate.analysis import coverage
from longpanda.files import write_atomic
from longpanda.harness.identity import suite_sha256
from longpanda.inference import load
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.audit import Row, audit
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Sample, Score

MODEL = "nano"
FRAMES: dict[str, list[str]] = {"all": [], "eight": ["--frames", "8"], "one": ["--frames", "1"]}
"""Options by name: the model's own sampling, eight frames, one frame."""
UNANSWERED = 3
"""Exit code of a run with unanswered questions."""
RESULTS = Path(__file__).parent / "results"
Cell = tuple[str, float]


def runs(model: str, suite: Path, work: Path) -> dict[str, list[Score]]:
    """Return the scores of the model with each of `FRAMES`."""
    found = {}
    for name, options in FRAMES.items():
        out = work / f"{suite.name}-{name}.jsonl"
        ask = ["longwatch", "run", str(suite), "--model", model, "--out", str(out), *options]
        done = subprocess.run([sys.executable, "-m", "longpanda", *ask], stdout=subprocess.DEVNULL, check=False)
        if done.returncode != UNANSWERED:
            done.check_returncode()
        found[name] = read_records(out)[1]
        if len(found[name]) < len(read_questions(suite)):  # it stopped; unanswered questions have an error instead
            done.check_returncode()
    return found


def audited(suite: Path, work: Path) -> list[dict[str, Any]]:
    """Return the rows of the suite's audit, which is read from --work if it was made before."""
    kept = work / f"{suite.name}-audit-{suite_sha256(suite)[:12]}.json"
    if not kept.is_file():
        with tqdm(total=len(SuitePlan.read(suite).entries), desc="auditing", unit="video") as bar:
            rows = []
            for found in audit(suite):
                if isinstance(found, Row):
                    rows.append(asdict(found))
                else:
                    bar.update()
        write_atomic(kept, json.dumps(rows))
    stored: list[dict[str, Any]] = json.loads(kept.read_text())
    return stored


def blind(model: str, samples: list[Sample]) -> dict[str, Accuracy]:
    """Return the accuracy by family without frames, when the model picks the likeliest of a closed set of answers."""
    panda, shares = load(model), {}
    for family, asked in by_family(samples):
        if all(sample.target in FAMILIES[family].answers for sample in asked):
            unseen = Blind(panda, asked)
            scores = run(unseen, asked, lambda text, sample: FAMILIES[sample.family].mark(text, sample))
            shares[family] = accuracy(list(tqdm(scores, total=len(asked), desc=f"blind {family}", unit="question")))
    return shares


def by_family(samples: list[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    """Yield the samples of each family."""
    ordered = sorted(samples, key=lambda sample: list(FAMILIES).index(sample.family))
    for family, group in groupby(ordered, key=lambda sample: sample.family):
        yield family, list(group)


def cells(scores: list[Score]) -> dict[Cell, list[Score]]:
    """Group the scores by family and length."""
    found: dict[Cell, list[Score]] = {}
    for score in scores:
        found.setdefault((score.sample.family, score.sample.minutes), []).append(score)
    return found


def main() -> None:
    """Do the missing runs and audits, and write the results."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.longwatch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suites", type=Path, nargs="+", required=True, help="folders of suites")
    parser.add_argument("--unaudited", type=Path, nargs="*", default=[], help="further suites that are not audited")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--work", type=Path, default=Path("runs/longwatch"))
    parser.add_argument("--out", type=Path, default=RESULTS / "longwatch_scores.json")
    parser.add_argument("--audit-out", type=Path, default=RESULTS / "longwatch_audit.json")
    options = parser.parse_args()
    if options.model != MODEL:
        keep_result(parser, options.out, RESULTS / "longwatch_scores.json", f"--model {options.model}")
    options.work.mkdir(parents=True, exist_ok=True)
    scored: dict[str, dict[Cell, list[Score]]] = {name: {} for name in FRAMES}
    every = [*options.suites, *options.unaudited]
    for suite in every:
        for name, scores in runs(options.model, suite, options.work).items():
            if doubled := sorted(scored[name].keys() & cells(scores).keys()):
                parser.error(f"two of the suites ask {doubled[0]}; name suites of other lengths or families")
            scored[name] |= cells(scores)
    rows = [row for suite in options.suites for row in audited(suite, options.work)]
    rows.sort(key=lambda row: _place((row["family"], row["minutes"])))
    first = [sample for suite in options.suites for sample in read_questions(suite)]
    shortest = min(sample.minutes for sample in first)
    without = blind(options.model, [sample for sample in first if sample.minutes == shortest])
    found = [_scores(cell, rows, scored, without.get(cell[0])) for cell in sorted(scored["all"], key=_place)]
    about = {"machine": machine(), "command": command(parser, options), "asked_with_commits": _commits(options.work)}
    write_json(options.audit_out, about | {"suites": _plans(options.suites), "rows": rows})
    write_json(options.out, about | {"suites": _plans(every), "model": options.model, "rows": found})


def _commits(work: Path) -> list[str]:
    """Return the commits with which the model was asked; they may be older than this one."""
    notes = [note for path in sorted(work.glob("*.jsonl")) for note in read_notes(path)]
    return sorted({str(note["commit"]) for note in notes if note.get("commit")})


def _place(cell: Cell) -> tuple[int, float]:
    return list(FAMILIES).index(cell[0]), cell[1]


def _plans(suites: list[Path]) -> dict[str, dict[str, Any]]:
    return {suite.name: asdict(SuitePlan.read(suite)) for suite in suites}


def _scores(
    cell: Cell, audits: list[dict[str, Any]], scored: dict[str, dict[Cell, list[Score]]], none: Accuracy | None
) -> dict[str, Any]:
    """Return the scores of the model and of the controls for one family and length."""
    family, minutes = cell
    guesses = next(row for row in audits if row["family"] == family)  # the same at every length
    oracle = next((row["oracle"] for row in audits if (row["family"], row["minutes"]) == cell), None)
    seen = coverage(scored["all"][cell])
    return {
        "family": family,
        "minutes": minutes,
        "constant": guesses["chance"],
        "words": guesses["text_only"],
        "oracle": oracle,
        "evidence_seen": None if seen is None else seen.value,
        "none": None if none is None else asdict(none),
        **{name: asdict(accuracy(found[cell])) for name, found in scored.items()},
    }


if __name__ == "__main__":
    main()

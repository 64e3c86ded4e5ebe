import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from longpanda.errors import ConfigError
from longpanda.files import exclusive_lock
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.film import read_film
from longpanda.longwatch.folder import questions_jsonl, read_questions
from longpanda.longwatch.make import make, verify
from longpanda.longwatch.suite import SuitePlan
from longpanda.video import probe

PLAN = SuitePlan(minutes=(3.0, 4.0), per_cell=5, seed=11, split="dev", size_px=96, fps=0.25)

HOLD = """
import sys, time
from pathlib import Path
from longpanda.files import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print('held', flush=True)
    time.sleep(60)
"""
FILL = """
from pathlib import Path
from longpanda.longwatch.make import make
from longpanda.longwatch.suite import SuitePlan
if __name__ == "__main__":
    list(make(SuitePlan(minutes=(3.0, 4.0), per_cell=5, seed=11, split="dev", size_px=96, fps=0.25), Path({!r})))
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "here"
    assert len(list(make(PLAN, folder, workers=2))) == 12
    return folder


def _files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_cell_has_its_questions():
    samples = list(PLAN.samples())
    cells = Counter((sample.family, sample.minutes) for sample in samples)
    assert cells == {(family, minutes): 5 for family in FAMILIES for minutes in PLAN.minutes}
    asked = {minutes: [_timeless(s) for s in samples if s.minutes == minutes] for minutes in PLAN.minutes}
    assert asked[3.0] == asked[4.0]


def _timeless(sample):
    """Return the question without clock times, and its cluster."""
    return re.sub(r"\d\d:[\d:.]+", "", sample.question), sample.cluster


def test_only_what_has_no_prior_is_asked():
    counts = [sample for sample in PLAN.samples() if sample.family == "count"]
    assert all(sample.facts.chance == 0.2 for sample in counts)


def test_questions_of_one_video_stand_together():
    videos = [sample.video for sample in PLAN.samples()]
    assert len([v for v, before in zip(videos, [None, *videos], strict=False) if v != before]) == len(set(videos))


def test_a_suite_is_what_its_plan_says(suite):
    assert SuitePlan.read(suite) == PLAN
    for entry in PLAN.entries:
        path = suite / "videos" / f"{entry.name}.mp4"
        assert probe(path).duration_seconds == pytest.approx(60 * entry.minutes)
        assert read_film(path).scene == PLAN.scene(entry)
    samples = read_questions(suite)
    assert [sample.question for sample in samples] == [sample.question for sample in PLAN.samples()]
    assert all((suite / "videos" / f"{sample.video}.mp4").exists() for sample in samples)


def test_an_untouched_suite_verifies(suite):
    found = dict(verify(suite, frames=True))
    assert len(found) == 1 + 2 * len(PLAN.entries)
    assert not any(found.values())


def test_two_makes_give_the_same_bytes(suite, tmp_path):
    list(make(PLAN, tmp_path, workers=1))
    assert _files(tmp_path) == _files(suite)


def test_a_tampered_or_missing_file_is_named(suite, tmp_path):
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", suite, folder], check=True)
    first, second = (f"videos/{entry.name}" for entry in PLAN.entries[:2])
    (folder / f"{first}.mp4").write_bytes((folder / f"{first}.mp4").read_bytes() + b"\0")
    record = folder / f"{second}.json"
    record.write_text(record.read_text().replace("red", "blue"))
    (folder / f"{second}.mp4").unlink()
    (folder / "questions.jsonl").write_text("")
    found = {name: problem for name, problem in verify(folder) if problem}
    assert found == {
        "questions.jsonl": "changed since it was made",
        f"{first}.mp4": "changed since it was made",
        f"{second}.json": "changed since it was made",
        f"{second}.mp4": "missing",
    }


def test_a_consistent_forgery_is_named_too(suite, tmp_path):
    """If a file and its hash in the manifest are both changed, it still differs from what the seed gives."""
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", suite, folder], check=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    import hashlib

    changed = (folder / "questions.jsonl").read_text().replace("never", "often")
    (folder / "questions.jsonl").write_text(changed)
    manifest["sha256"]["questions.jsonl"] = hashlib.sha256(changed.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert {name for name, problem in verify(folder) if problem} == {"questions.jsonl"}


def test_a_damaged_film_is_made_again(suite, tmp_path):
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", suite, folder], check=True)
    path = folder / "videos" / f"{PLAN.entries[0].name}.mp4"
    path.write_bytes(path.read_bytes()[:500])
    list(make(PLAN, folder))
    assert _files(folder) == _files(suite)


@pytest.mark.parametrize("name", [".settings.json", "videos/.keep", "thesis.tex"])
def test_a_folder_with_other_files_is_refused_and_kept(tmp_path, name):
    (tmp_path / "videos").mkdir()
    (tmp_path / name).write_text("precious")
    with pytest.raises(ConfigError, match="holds other files, such as"):
        list(make(PLAN, tmp_path))
    assert (tmp_path / name).read_text() == "precious"


def test_an_error_crosses_the_processes_that_film_whole(tmp_path, monkeypatch):
    entry = PLAN.entries[0]
    (tmp_path / "videos" / f"{entry.name}.mp4").mkdir(parents=True)  # where a file should go
    (tmp_path / "suite.json").write_text(PLAN.to_json())
    with pytest.raises(ConfigError, match=f"{entry.name}.mp4' is a directory"):
        list(make(PLAN, tmp_path))


@pytest.mark.parametrize("change", [{"per_cell": 6}, {"seed": 12}, {"minutes": (3.0,)}, {"crf": 20}])
def test_a_folder_holds_one_suite(suite, change):
    before = _files(suite)
    with pytest.raises(ConfigError, match=f"another .*{next(iter(change))}"):
        list(make(replace(PLAN, **change), suite))
    assert _files(suite) == before


def test_a_folder_is_filled_by_one_process_at_a_time(tmp_path):
    command = HOLD
    with subprocess.Popen([sys.executable, "-c", command, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="another process"):
            list(make(PLAN, tmp_path))
        holder.kill()
    with exclusive_lock(tmp_path):
        with pytest.raises(ConfigError, match="another thread"), exclusive_lock(tmp_path):
            pass
        with pytest.raises(ConfigError, match="another thread"), exclusive_lock(tmp_path):
            pass  # and it is held still


def test_no_worker_outlives_a_make_that_is_killed(tmp_path):
    script, folder = tmp_path / "fill.py", tmp_path / "suite"
    script.write_text(FILL.format(str(folder)))
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, start_new_session=True)
    try:
        while not list((folder / "videos").glob("[!.]*.json")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate(timeout=60)  # workers hold its output open while they live
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_killed_at_any_moment_it_goes_on(suite, tmp_path):
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(FILL.format(str(tmp_path)))
    done = []
    while not (tmp_path / "manifest.json").exists():
        process = subprocess.Popen([sys.executable, script], start_new_session=True)
        before = len(list((tmp_path / "videos").glob("[!.]*.json"))) if (tmp_path / "videos").exists() else 0
        while process.poll() is None:
            now = list((tmp_path / "videos").glob("[!.]*.json")) if (tmp_path / "videos").exists() else []
            if len(now) > before:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            time.sleep(0.01)
        done.append({p: p.stat().st_mtime_ns for p in (tmp_path / "videos").glob("[!.]*.json")})
    assert len(done) > 1
    for earlier, later in itertools.pairwise(done):
        assert earlier.items() <= later.items()  # what was finished is not made again
    assert dict(_files(tmp_path).items()) == _files(suite)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"families": ("needel",)}, "unknown family 'needel'; .*did you mean 'needle'"),
        ({"families": ()}, "no family; expected at least one of needle, "),
        ({"families": ("needle", "needle")}, "family 'needle' 2 times; expected each once"),
        ({"split": "train"}, "unknown split 'train'"),
        ({"level": "fast"}, "unknown level 'fast'"),
        ({"seed": -1}, "seed -1; expected 0 to 1048575"),
        ({"seed": 2**20}, "seed 1048576"),
        ({"minutes": ()}, "no length"),
        ({"minutes": (3.0, 0.0)}, "a length of 0 minutes; expected more than 0"),
        ({"minutes": (3.0, 100_000.0)}, r"a length of 100,000 minutes; expected .* at most 1,440 \(a day\)"),
        ({"minutes": (float("inf"),)}, "a length of inf minutes"),
        ({"minutes": (float("nan"),)}, "a length of nan minutes"),
        ({"minutes": (3.0, 3.0000001)}, "length '3' 2 times"),
        ({"per_cell": 0}, "per_cell = 0; expected at least 1 question"),
        ({"version": 99}, "version 99"),
        ({"size_px": 49}, "size_px = 49; expected an even number of at least 48"),
        ({"size_px": 0}, "size_px = 0"),
        ({"crf": 52}, "crf = 52; expected 0 to 51"),
        ({"fps": -1.0}, "fps = -1.0"),
        ({"fps": 0.1}, "fps = 0.1 at level steady, where events may last only 16 s; expected at least 0.125"),
        ({"level": "flash"}, "events may last only 1 s; expected at least 2, "),
    ],
)
def test_impossible_plans_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(PLAN, **change)


def test_a_day_is_no_impossible_length():
    assert replace(PLAN, minutes=(1440.0,), families=("needle",), per_cell=1).entries[0].name == "gallery-0000-1440min"


def test_seeds_of_suites_never_meet_training_or_one_another():
    plans = [
        replace(PLAN, seed=seed, split=split) for seed in (0, 1, 2**20 - 1) for split in ("dev", "report", "private")
    ]
    seeds = [plan.scripts["gallery"][-1].seed // 2**20 for plan in plans]
    assert len(set(seeds)) == len(seeds)
    assert all(seed // 2**20 not in (0, 1) for seed in seeds)  # 1 is training


def test_half_a_suite_is_not_read(tmp_path):
    for read in (read_questions, lambda folder: list(verify(folder)), SuitePlan.read):
        with pytest.raises(ConfigError, match="make"):
            read(tmp_path)
    (tmp_path / "suite.json").write_text("{")
    with pytest.raises(ConfigError, match="not the plan"):
        SuitePlan.read(tmp_path)


def test_questions_do_not_depend_on_the_films():
    assert questions_jsonl(PLAN) == questions_jsonl(replace(PLAN, size_px=448, crf=20))

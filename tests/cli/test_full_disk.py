"""A disk that is full, or a file that may grow no more: one line, exit code 2, and the same command goes on.

The limit is the system's own on the size of a file (`ulimit -f`, blocks of 512 or 1,024 bytes): it needs no mount.
"""

import os
import resource
from contextlib import contextmanager

import pytest
from answering import NEVER

from longpanda.cli.main import main
from longpanda.evaluate import read_records
from longpanda.inference import load


@contextmanager
def largest(most_bytes):
    """Files that are written inside may be so long and no longer, by this process and those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def refused(capsys):
    """Runs a command that has too little room, and gives its one line."""

    def run(words, most_bytes):
        capsys.readouterr()
        with largest(most_bytes):
            code = main([str(word) for word in words])
        (line,) = (line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: "))
        assert code == 2, line
        assert line.startswith("longpanda: '")
        assert "' cannot be written (" in line
        assert "make room" in line
        return line

    return run


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suites") / "suite"
    plan = "--minutes 3 --per-cell 4 --seed 6 --split dev --size-px 96 --fps 0.5 --families state --workers 1"
    assert main(["longwatch", "make", *plan.split(), "--out", str(folder)]) == 0
    return folder


def test_results_keep_every_answer_that_had_room(suite, program, tmp_path, refused):
    out, command = tmp_path / "r.jsonl", program(NEVER.replace("never", 300 * "never"))
    run = ["longwatch", "run", suite, "--out", out, "--command", command]
    assert f"'{out}' cannot be written (File too large); every answer before this one is in it" in refused(run, 5_000)
    assert out.read_bytes().endswith(b"\n")
    kept = len(read_records(out)[1])
    assert 0 < kept < 4
    assert main([str(word) for word in run]) == 0
    assert len(read_records(out)[1]) == 4


def test_training_goes_on_after_a_full_disk(recipe, tmp_path, refused):
    out = tmp_path / "run"
    train = ["train", recipe, "stages.0.steps=4", "save_steps=2", "--out", out]
    assert f"'{out}/0-one/checkpoint-2' cannot" in refused(train, 1_000_000)
    assert not list(out.glob("*/checkpoint-*")), "the part that had room takes none"
    assert main([*map(str, train)]) == 0
    os.rename(out / "model", tmp_path / "model")
    assert f"'{out}/model' cannot" in refused(train, 1_000_000)
    assert not list(out.glob("model*"))
    (out / "0-one" / "done.pt").unlink()
    assert f"'{out}/0-one/done.pt' cannot" in refused(train, 1_000_000)
    assert main([*map(str, train)]) == 0
    assert load(out / "model")


def test_an_index_and_its_pictures(film, model_folder, tmp_path, refused):
    out = tmp_path / "film.vidx"
    index = ["index", film, "--out", out, "--fps", "10", "--model", model_folder]
    refused(index, 2_000)
    assert main([*map(str, index)]) == 0
    pictures = ["--thumbnails", tmp_path / "pictures", "--evidence"]
    refused(["ask", out, "Where is the key?", "--model", model_folder, *pictures], 500)
    refused(["ask", out, "Where is the key?", "--model", model_folder, "--keep-prefix"], 500)
    assert not list((tmp_path / "pictures").iterdir())


def test_films_and_pages(suite, tmp_path, refused):
    plan = "--minutes 3 --per-cell 1 --seed 7 --split dev --size-px 96 --fps 0.5 --families state --workers 1"
    refused(["longwatch", "make", *plan.split(), "--out", tmp_path / "suite"], 10_000)
    assert not list(tmp_path.glob("suite/videos/*.mp4"))
    results = tmp_path / "r.jsonl"
    assert main(["longwatch", "run", str(suite), "--oracle", "--out", str(results)]) == 0
    assert f"'{results.with_suffix('.html')}' cannot" in refused(["longwatch", "report", results], 10_000)
    assert [path.name for path in tmp_path.glob("r.*")] == ["r.jsonl"]

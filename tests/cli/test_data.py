"""`longpanda data`, as a user meets it."""

import json
import os
import signal
import subprocess
import sys

import pytest
from annotated import record, write_film, write_mixture, write_picture, write_records

from longpanda.cli.main import main

pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra 'data'")
pytest.importorskip("pebble", reason="pebble is not installed: the extra 'data'")


@pytest.fixture
def mixture(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return write_mixture(tmp_path)


def test_prepare_reports_what_is_there_and_lists_what_is_not(mixture, capsys):
    assert main(["data", "prepare", str(mixture), "--processes", "1"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["films.jsonl"] == ["3", "2", "66.7%", "0", "2", "0", "0.0024", "0", "0"]
    assert rows["all"] == ["7", "6", "85.7%", "2", "3", "1", "0.0031", "0", "0"]
    assert f"1 x missing: record 3 of '{mixture.parent / 'films.jsonl'}': '" in out
    folder = mixture.with_suffix(".manifest")
    (line,) = (folder / "unusable.jsonl").read_text().splitlines()
    assert json.loads(line)["record"] == 3
    report = json.loads((folder / "report.json").read_text())
    assert (report["sources"][0]["unusable"], f"mixture {report['sha256']}" in out) == ({"missing": 1}, True)
    assert main(["data", "show", str(mixture), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["sha256"], shown["sources"]) == (report["sha256"], report["sources"])


def test_show_writes_a_page(mixture, tmp_path, model_folder, capsys):
    assert main(["data", "prepare", str(mixture), "--processes", "1"]) == 0
    page = tmp_path / "page.html"
    assert main(["data", "show", str(mixture), "--html", str(page), "--samples", "1", "--max-frames", "4"]) == 0
    assert f"the page is {page}" in capsys.readouterr().out
    plain = page.read_text()
    assert plain.count("<article>") == 4
    model = ["--model", model_folder, "--time-message", "times"]
    assert main(["data", "show", str(mixture), "--html", str(page), *model]) == 0
    assert "&lt;|question|&gt;" in page.read_text()
    assert "&lt;|question|&gt;" not in plain


def test_a_killed_prepare_is_gone_on_with(tmp_path):
    for number in range(300):
        write_picture(tmp_path / f"media/{number}.png", number % 60)
    write_records(tmp_path / "a.jsonl", [record(image=f"{number}.png") for number in range(300)])
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.jsonl, data_root: media}]")
    folder = tmp_path / "m.manifest"
    code = (
        "import sys\nfrom longpanda.data import manifest\nmanifest.PART_FILES = 16\n"
        "from longpanda.cli.main import main\nif __name__ == '__main__': sys.exit(main())"
    )
    (tmp_path / "start.py").write_text(code)
    command = [sys.executable, str(tmp_path / "start.py"), "data", "prepare", "m.yaml", "--processes", "1"]
    paths = os.pathsep.join(sys.path)
    settings = {"cwd": tmp_path, "env": os.environ | {"HOME": str(tmp_path), "PYTHONPATH": paths}}
    process = subprocess.Popen(command, **settings, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (folder / "part-000001.parquet").exists():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = {part.name: part.read_bytes() for part in folder.glob("part-*.parquet")}
    assert 2 <= len(begun) < 19
    ended = subprocess.run(command, **settings, capture_output=True, text=True, check=True)
    assert "300 media files in m.manifest" in ended.stdout
    assert all((folder / name).read_bytes() == content for name, content in begun.items()), "nothing is done twice"
    assert len(list(folder.glob("part-*.parquet"))) <= 20


def test_files_are_found_where_options_say(mixture, tmp_path, capsys):
    path = tmp_path / "elsewhere/stage.yaml"
    path.parent.mkdir()
    path.write_text(mixture.read_text().replace("data_root: media", "data_root: 'https://example.org/x=1'"))
    path.write_text(path.read_text() + "  - {json_path: gone.json}\n")
    (path.parent / "places.yaml").write_text("annotations: ..\nmissing: leave out\n")
    words = ["--places", str(path.parent / "places.yaml"), "--root", f"https://example.org/x=1={tmp_path / 'media'}"]
    assert main(["data", "prepare", str(path), *words]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-5].split()[:3] == ["all", "7", "6"]
    assert "left out: gone.json: 'gone.json' in" in out
    same = ["--annotations", str(tmp_path), "--leave-out", "--root", words[-1]]
    assert main(["data", "show", str(path), *same]) == 0
    assert capsys.readouterr().out.splitlines()[-4].split()[:3] == ["all", "7", "6"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "{tmp}/none.yaml"], "no file '{tmp}/none.yaml'"),
        (["prepare", "{yaml}", "--places", "{tmp}/none.yaml"], "no file '{tmp}/none.yaml'"),
        (["prepare", "{yaml}", "--root", "media"], "--root media; expected KEY=DIR"),
        (["prepare", "{yaml}", "--root", "film.jsonl=media"], "a root for 'film.jsonl', which no entry"),
        (["prepare", "{yaml}", "--annotations", "{tmp}/media"], "no file '{tmp}/media/films.jsonl'"),
        (["prepare", "{yaml}", "--processes", "0"], "--processes 0; expected at least 1"),
        (["prepare", "{yaml}", "--limit", "0"], "--limit 0; expected seconds above 0"),
        (["prepare", "{yaml}", "--manifest", "{yaml}/x"], "cannot be written (Not a directory)"),
        (["show", "{yaml}"], "no manifest in '{tmp}/stage.manifest'; expected"),
        (["show", "{yaml}", "--time-message", "long"], "time_message 'long'"),
        (["show", "{yaml}", "--frame-rule", "middle"], "frames: rule 'middle'"),
        (["show", "{yaml}", "--max-frames", "0"], "frames: max_frames 0"),
        (["show", "{yaml}", "--model", "nano"], "--model without --html"),
        (["show", "{yaml}", "--samples", "0"], "--samples 0; expected at least 1"),
        ([], "the following arguments are required: STEP"),
    ],
)
def test_mistakes_are_one_line(arguments, message, mixture, tmp_path, capsys):
    words = [one.format(tmp=tmp_path, yaml=mixture) for one in arguments]
    try:
        code = main(["data", *words])
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message.format(tmp=tmp_path) in err


@pytest.mark.parametrize("module", ["pebble", "pyarrow.parquet"])
def test_a_missing_extra_is_named(module, mixture, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["data", "prepare", str(mixture)]) == 2
    assert "pip install 'longpanda[data]'" in capsys.readouterr().err
    assert not mixture.with_suffix(".manifest").exists()


def test_notes_are_no_part_of_the_result(mixture, capsys):
    mixture.write_text(mixture.read_text() + "  - json_path: pictures.json\n    repeat: 1\n    repeat: 1\n")
    write_records(mixture.parent / "pictures.json", [record("Two?", "Yes.")])
    assert main(["data", "prepare", str(mixture), "--processes", "1"]) == 0
    capsys.readouterr()
    assert main(["data", "show", str(mixture), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["sources"]) == 5
    assert "writes repeat a second time" in err


def test_a_manifest_that_does_not_know_a_file_is_refused(mixture, tmp_path, capsys):
    assert main(["data", "prepare", str(mixture), "--processes", "1"]) == 0
    write_film(tmp_path / "media/new.mp4", 10)
    write_records(tmp_path / "films.jsonl", [record(video="new.mp4")])
    capsys.readouterr()
    assert main(["data", "show", str(mixture)]) == 2
    assert "new.mp4' is not in the manifest" in capsys.readouterr().err
    assert main(["data", "prepare", str(mixture), "--processes", "1"]) == 0
    assert main(["data", "show", str(mixture)]) == 0

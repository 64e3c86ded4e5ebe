"""How much of a mixture can be used: counted by source, kind and reason."""

import json
from pathlib import Path

import pytest
from annotated import record, write_film, write_mixture, write_picture, write_records

from longpanda.data.frame_choice import FrameChoice
from longpanda.data.inventory import rows_of, take_inventory
from longpanda.data.manifest import prepare
from longpanda.data.media import read_clip
from longpanda.data.mixture import Places, read_mixture
from longpanda.data.places import places_of
from longpanda.data.record_index import index_files
from longpanda.data.selection import selected

pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra 'data'")
pytest.importorskip("pebble", reason="pebble is not installed: the extra 'data'")
EXAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/examples"
RATES = {"frames_tvqa_img.jsonl": 3, "frames_longvid_img.json": 1, "frames_sharegpt_img.json": 1}


def _taken(path, folder, places=None, tell=None):
    mixture = read_mixture(path, places)
    indexes = index_files([source.annotations for source in mixture.sources], folder / "cache")
    manifest = prepare(mixture, indexes, folder / "manifest")
    return mixture, indexes, manifest, take_inventory(mixture, indexes, manifest, tell=tell)


def test_records_are_counted_by_source_kind_and_reason(tmp_path):
    told = []
    mixture, _, _, (films, folders, pictures, text) = _taken(write_mixture(tmp_path), tmp_path, tell=told.append)
    assert (films.records, films.shown, films.usable, films.unusable) == (3, 6, {"video": 2}, {"missing": 1})
    assert films.video_seconds == pytest.approx(6.0 + 2.5)
    assert (folders.usable, folders.video_seconds) == ({"video": 1}, pytest.approx(2.5))
    assert (pictures.records, pictures.usable) == (2, {"image": 2}), "the third is not selected"
    assert (text.usable, text.share) == ({"text": 1}, 1.0)
    (missing,) = told
    assert (missing.source, missing.record, missing.reason) == ("films.jsonl", 3, "missing")
    assert "gone.mp4" in missing.message
    assert json.loads(missing.as_line())["annotations"] == str(tmp_path / "films.jsonl")
    *_, last = rows_of((films, folders, pictures, text), mixture)
    assert last == ("all", "7", "6", "85.7%", "2", "3", "1", "0.0031", "0", "0")


def test_a_file_may_hold_records_of_all_kinds(tmp_path):
    write_film(tmp_path / "media/film.mp4", 20)
    write_picture(tmp_path / "media/a.jpg")
    lines = [record(image="a.jpg"), record(video="film.mp4"), record(), record(image=["a.jpg", "a.jpg"])]
    write_records(tmp_path / "a.jsonl", lines)
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.jsonl, data_root: media}]")
    *_, (found,) = _taken(tmp_path / "m.yaml", tmp_path)
    assert found.usable == {"image": 2, "video": 1, "text": 1}


def test_bad_records_and_bad_media_are_told_apart(tmp_path):
    write_film(tmp_path / "media/film.mp4", 60)
    (tmp_path / "media/folder").mkdir()
    lines = [
        record(video="film.mp4", start=30, end=40),
        record(video="film.mp4", start=1, end=9),
        record(video="folder"),
        record(video="film.mp4", start=8, end=4),
        {"video": "film.mp4"},
        record(video="../../etc/passwd"),
        record(video="film.mp4", answer=""),
    ]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines) + '{"video": "fi\n')
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.jsonl, data_root: media}]")
    *_, (found,) = _taken(tmp_path / "m.yaml", tmp_path)
    assert found.unusable == {
        "annotated part begins behind the end": 1,
        "shorter than annotated": 1,
        "folder in place of a file": 1,
        "span": 1,
        "turns": 1,
        "path": 1,
        "empty answer": 1,
        "json": 1,
    }
    assert (found.records, found.usable_records) == (8, 0)
    assert {one.record for one in found.first.values()} == set(range(1, 9))
    assert all("'" in one.message for one in found.first.values()), "each names its file"


def _said(*turns, **media):
    return {**media, "conversations": [{"from": role, "value": text} for role, text in turns]}


ASKED, TOLD = ("human", "<image>\nx"), ("gpt", "y")
FILM = {"video": "film.mp4"}
PROBLEMS = {  # what may be wrong with a record: the record, and what becomes of it
    "a missing file": (_said(ASKED, TOLD, video="gone.mp4"), "missing"),
    "a part behind the end": (_said(ASKED, TOLD, **FILM, start=30.0, end=40.0), "annotated part begins behind the end"),
    "a start behind the end": (_said(ASKED, TOLD, **FILM, start=8.0, end=4.0), "span"),
    "no placeholder": (_said(("human", "none here"), TOLD, **FILM), "placeholder count"),
    "<video> in place of <image>": (_said(("human", "<video>\nx"), TOLD, **FILM), ""),
    "two placeholders, one video": (_said(("human", "<image>\n<image>\nx"), TOLD, **FILM), "placeholder count"),
    "an assistant that begins": (_said(("gpt", "hello"), ASKED, TOLD, **FILM), "turns"),
    "an empty answer": (_said(ASKED, ("gpt", ""), **FILM), "empty answer"),
    "an empty conversation": (_said(**FILM), "turns"),
    "an image that is null": (_said(("human", "hello"), TOLD, image=None), ""),
    "image and video": (_said(ASKED, TOLD, **FILM, image="a.jpg"), "media"),
    "a video in a list": (_said(ASKED, TOLD, video=["film.mp4"]), ""),
    "a path out of the root": (_said(ASKED, TOLD, video="../../etc/passwd"), "path"),
    "a placeholder in text": (
        _said(("human", "<image>\nthe literal <image> tag"), ("gpt", "It is <image>."), **FILM),
        "",
    ),
    "3 images, 2 placeholders": (
        _said(("human", "<image>\n<image>\nx"), TOLD, image=["a.jpg"] * 3),
        "placeholder count",
    ),
    "roles of chat completions": (_said(("user", "<image>\nx"), ("assistant", "y"), **FILM), ""),
    "no conversation": (dict(FILM), "turns"),
}


def test_every_problem_is_used_as_it_is_meant_or_counted_by_its_reason(tmp_path):
    write_film(tmp_path / "media/film.mp4", 120)
    write_picture(tmp_path / "media/a.jpg")
    write_records(tmp_path / "a.jsonl", [line for line, _ in PROBLEMS.values()])
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.jsonl, data_root: media}]")
    told = []
    *_, (found,) = _taken(tmp_path / "m.yaml", tmp_path, tell=told.append)
    reasons = {one.record: one.reason for one in told}
    for number, (name, (_, reason)) in enumerate(PROBLEMS.items(), 1):
        assert reasons.get(number, "") == reason, name
    assert found.usable_records + len(told) == found.records == 17, "nothing is lost, and nothing put in its place"


def test_the_stored_problems_are_those(tmp_path):
    path = EXAMPLES / "annotations/problem_records.jsonl"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/data/examples")
    stored = [json.loads(line) for line in path.read_text().splitlines()]
    (tmp_path / "media").mkdir()
    for folder, name in (("video", "clip_12s.mp4"), ("image", "a.jpg"), ("image", "b.png")):
        (tmp_path / "media" / name).symlink_to(EXAMPLES / "media" / folder / name)
    write_records(tmp_path / "a.jsonl", stored)
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.jsonl, data_root: media}]")
    told = []
    _taken(tmp_path / "m.yaml", tmp_path, tell=told.append)
    reasons = {one.record: one.reason for one in told}
    assert [reasons.get(number, "") for number in range(1, 18)] == [reason for _, reason in PROBLEMS.values()]


def test_videos_that_are_shorter_than_said_are_counted(tmp_path):
    film = write_film(tmp_path / "media/film.mkv", 300)
    (tmp_path / "media/cut.mkv").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    write_records(
        tmp_path / "a.jsonl",
        [record(video="cut.mkv"), record(video="film.mkv", duration=30.4), record(video="film.mkv", duration=45)],
    )
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.jsonl, data_root: media}]")
    *_, (found,) = _taken(tmp_path / "m.yaml", tmp_path)
    assert (found.usable_records, found.cut, found.short) == (3, 1, 1)


def test_what_is_left_out_or_substituted_stands_in_the_table(tmp_path):
    path = write_mixture(tmp_path)
    path.write_text(path.read_text() + "  - {json_path: webvid.json, data_root: webvid}\n  - {json_path: gone.json}\n")
    write_picture(tmp_path / "media/b.jpg")
    write_records(tmp_path / "other.json", [record(image="b.jpg")])
    substitute = {"webvid.json": {"json_path": "other.json", "data_root": "media"}}
    mixture, _, _, found = _taken(path, tmp_path, Places(substitute=substitute, missing="leave out"))
    rows = {row[0]: row[1:] for row in rows_of(found, mixture)}
    assert rows["other.json (for webvid.json)"][:3] == ("1", "1", "100.0%")
    assert rows["gone.json"][0] == "left out"
    assert rows["all"][0] == "8"


@pytest.fixture
def examples(tmp_path):
    """The stored examples of every variety."""
    if not (EXAMPLES / "mixture.yaml").is_file():
        pytest.skip("mixture.yaml is not in ../shared/data/examples")
    roots = {name: {"path": f"media/{name.rpartition('_')[0]}", "frames_fps": fps} for name, fps in RATES.items()}
    return _taken(EXAMPLES / "mixture.yaml", tmp_path, places_of({"roots": roots}, EXAMPLES / "mixture.yaml"))


def test_the_examples_are_15_records_that_can_all_be_read(examples):
    mixture, indexes, manifest, found = examples
    assert (len(found), sum(one.records for one in found), sum(one.usable_records for one in found)) == (14, 15, 15)
    kinds = {kind: sum(one.usable[kind] for one in found) for kind in ("image", "video", "text")}
    assert kinds == {"image": 3, "video": 11, "text": 1}
    choice = FrameChoice(max_frames=64)
    for source, index in zip(mixture.sources, indexes, strict=True):
        for number in selected(source.strategy, len(index)):
            for media in index.read(number).media:
                clip = read_clip(media, source, choice)
                part = manifest.facts(media, source).part(media)
                assert len(clip) == choice.count(part.duration_seconds, part.frames)
                assert clip.duration_seconds == part.duration_seconds


def test_a_yaml_that_holds_a_key_twice_is_read_or_refused_as_it_says():
    path = EXAMPLES / "mixture_duplicate_key.yaml"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/data/examples")
    assert any("a second time" in notice for notice in read_mixture(path).notices)

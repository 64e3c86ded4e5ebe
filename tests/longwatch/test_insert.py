import json
import re
from dataclasses import replace
from itertools import groupby

import pytest
from walks import walk

from longpanda.errors import ConfigError, VideoError
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.deck import FOOTAGE_FAMILIES
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.footage import Footage, FootagePlan
from longpanda.longwatch.insert import Overlaid, insert
from longpanda.longwatch.suite import SuitePlan
from longpanda.video import probe

STATED = ("scene_seed", "template", "chance", "instruction", "minutes", "cluster", "footage")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    return [walk(folder / "a walk, at 8.mp4", "grass", seconds=20), walk(folder / "snow.mp4", "snow", seconds=10)]


@pytest.fixture(scope="module")
def plan(videos):
    return FootagePlan(tuple(map(Footage.of, videos)), level="flash", fps=4.0)


@pytest.fixture(scope="module")
def suite(plan, videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "here"
    insert(plan, videos, folder)
    return folder


def _files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_suite_has_its_videos_and_questions_as_a_generated_one(suite, plan):
    samples = read_questions(suite)
    assert samples == list(plan.samples())
    assert {sample.family for sample in samples} == set(FOOTAGE_FAMILIES)
    assert len([name for name, _ in groupby(samples, lambda sample: sample.video)]) == 2
    for sample in samples:
        info = probe(suite / "videos" / f"{sample.video}.mp4")
        assert sample.minutes == round(info.duration_seconds / 60, 1)
        assert all(getattr(sample.facts, name) not in ("", None) for name in STATED)
        assert sample.facts.absent == (sample.target == "never") == (not sample.evidence_seconds)
        assert all(0 <= start < end <= info.duration_seconds - 1 for start, end in sample.evidence_seconds)
        assert FAMILIES[sample.family].score(sample.target, sample) == 1.0
        if sample.evidence_seconds:
            start_seconds = sample.evidence_seconds[0][0]
            assert sample.facts.depth == pytest.approx(start_seconds / info.duration_seconds, abs=0.01)
    assert len({sample.cluster for sample in samples}) == 2
    assert len({(sample.video, sample.question) for sample in samples}) == len(samples)


def test_the_manifest_names_every_file(suite):
    hashes = json.loads((suite / "manifest.json").read_text())["sha256"]
    assert set(_files(suite)) == {*hashes, "manifest.json", "footage.json", "lock"}


def test_the_users_files_are_as_they_were(suite, plan, videos):
    assert [Footage.of(video) for video in videos] == list(plan.footage)


def test_two_inserts_give_the_same_bytes_and_another_seed_other_cards(suite, plan, videos, tmp_path):
    insert(plan, videos, tmp_path)
    assert _files(tmp_path) == _files(suite)
    assert [s.question for s in replace(plan, seed=1).samples()] != [s.question for s in plan.samples()]


def test_every_length_of_a_video_shows_and_asks_the_same(videos, tmp_path):
    plan = FootagePlan((Footage.of(videos[0]),), minutes=(1 / 3, 1 / 6), level="flash", fps=4.0)
    insert(plan, videos[:1], tmp_path)
    short, long = (list(group) for _, group in groupby(read_questions(tmp_path), lambda sample: sample.video))
    assert [sample.question for sample in short] == [sample.question for sample in long]
    others = [s.target == o.target for s, o in zip(short, long, strict=True) if s.family != "grounding"]
    assert all(others)
    lengths = [probe(tmp_path / "videos" / f"{group[0].video}.mp4").duration_seconds for group in (short, long)]
    assert lengths == pytest.approx([10, 20])
    assert len({sample.cluster for sample in short + long}) == 1


def test_frames_are_scaled_down_never_up_and_stay_even(videos):
    plan = FootagePlan((Footage("x", "", 60.0, 405, 721),), level="flash")
    assert plan.size_px(0) == (404, 722)
    assert replace(plan, height_px=201).size_px(0) == (200, 358)
    assert replace(plan, height_px=900).size_px(0) == (404, 722)


def test_what_is_there_is_not_written_again(suite, plan, videos, tmp_path):
    insert(plan, videos, tmp_path)
    first, second = (tmp_path / "videos" / f"{entry.name}.mp4" for entry in plan.entries)
    written = first.stat().st_mtime_ns
    second.write_bytes(second.read_bytes()[:500])
    (tmp_path / "videos" / f".{second.name}.left.mp4").touch()
    counts = []
    insert(plan, videos, tmp_path, counts.append)
    assert counts[0] == 80
    assert sum(counts) == 120
    assert first.stat().st_mtime_ns == written
    assert _files(tmp_path) == _files(suite)


class Killed(BaseException):
    """An interruption in the middle of a video, like Ctrl-C."""


def test_half_a_video_never_looks_complete(suite, plan, videos, tmp_path):
    counts = []

    def killed(count):
        counts.append(count)
        if sum(counts) == 100:
            raise Killed

    with pytest.raises(Killed):
        insert(plan, videos, tmp_path, killed)
    names = {path.name for path in (tmp_path / "videos").iterdir()}
    assert names == {f"{plan.entries[0].name}.mp4", f"{plan.entries[0].name}.json"}
    with pytest.raises(ConfigError, match="a complete suite"):
        read_questions(tmp_path)
    insert(plan, videos, tmp_path)
    assert _files(tmp_path) == _files(suite)


def test_a_suite_that_is_being_repaired_is_not_complete(suite, plan, videos, tmp_path):
    insert(plan, videos, tmp_path)
    (tmp_path / "videos" / f"{plan.entries[1].name}.mp4").unlink()
    with pytest.raises(Killed):
        insert(plan, videos, tmp_path, _killed_at_once)
    with pytest.raises(ConfigError, match="a complete suite"):
        read_questions(tmp_path)


def _killed_at_once(count):
    raise Killed


def test_the_record_tells_a_video_from_any_other(suite, plan):
    records = [Overlaid.of(plan, entry, "0").to_json() for entry in plan.entries]
    records += [Overlaid.of(replace(plan, crf=20), plan.entries[0], "0").to_json()]
    assert len(set(records)) == 3


def test_names_of_files_are_tame(plan):
    names = [entry.name for entry in plan.entries]
    assert names == ["0000-a-walk-at-8-0.3min", "0001-snow-0.2min"]
    wild = replace(plan, footage=(Footage("../. né " + "x" * 300 + ".mkv", "", 60.0, 200, 200),))
    assert re.fullmatch(r"[\w.-]{1,60}", wild.entries[0].name)


def test_a_folder_holds_one_suite(suite, plan, videos, tmp_path):
    before = _files(suite)
    with pytest.raises(ConfigError, match="another seed"):
        insert(replace(plan, seed=1), videos, suite)
    assert _files(suite) == before
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigError, match=r"other files, such as 'thesis\.tex'"):
        insert(plan, videos, tmp_path)


def test_a_plan_outlives_its_folder_and_a_broken_one_is_named(suite, plan, tmp_path):
    assert FootagePlan.read(suite) == plan
    (tmp_path / "footage.json").write_text("{")
    with pytest.raises(ConfigError, match="not the plan of a suite on footage"):
        FootagePlan.read(tmp_path)


def test_a_suite_on_footage_is_no_generated_one(suite):
    with pytest.raises(ConfigError, match="real footage with cards"):
        SuitePlan.read(suite)


def test_a_damaged_video_stops_before_the_manifest(plan, videos, tmp_path):
    hole, data = tmp_path / "hole.mp4", bytearray(videos[1].read_bytes())
    first, length = data.index(b"mdat") + 4, len(data) // 8
    data[first + 4 * length : first + 5 * length] = bytes(length)
    hole.write_bytes(data)
    folder = tmp_path / "suite"
    with pytest.raises(VideoError, match=r"hole\.mp4' can be read at \d+\.\d+ s"):
        insert(replace(plan, footage=(Footage.of(hole),)), [hole], folder)
    assert not (folder / "manifest.json").exists()
    assert list((folder / "videos").iterdir()) == []


def test_as_many_videos_as_the_plan_has(plan, videos, tmp_path):
    with pytest.raises(ConfigError, match="1 video; expected the 2 of the plan"):
        insert(plan, videos[:1], tmp_path)


def test_one_video_under_two_names_is_refused(videos, plan, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(videos[0].read_bytes())
    footage = (*plan.footage, Footage.of(copy))
    with pytest.raises(ConfigError, match=f"'{plan.footage[0].name}' and 'copy.mp4', which are the same video"):
        replace(plan, footage=footage)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"footage": ()}, "no footage"),
        ({"level": "steady"}, "at least .* s for .* cards at the level 'steady'"),
        ({"minutes": (0.05,)}, "3.0 s of 'a walk, at 8.mp4'"),
        ({"minutes": (0.15, 0.5)}, "a length of 0.5 minutes of .*at most its 0.3 minutes"),
        ({"minutes": (-1.0,)}, "more than 0"),
        ({"minutes": (float("nan"),)}, "more than 0"),
        ({"minutes": (0.15, 0.15)}, "length '0.15' 2 times"),
        ({"depths": (0.5, 0.52)}, "increasing by more than"),
        ({"depths": tuple(i / 19 for i in range(20))}, "fewer --depths"),
        ({"families": ("needel",)}, "did you mean 'needle'"),
        ({"families": ("count",)}, "unknown family on footage 'count'"),
        ({"families": ()}, "no family on footage"),
        ({"families": ("needle", "needle")}, "'needle' 2 times; expected each once"),
        ({"level": "fast"}, "unknown level 'fast'"),
        ({"height_px": 100}, "at least 112 px"),
        ({"height_px": 0}, "at least 112 px"),
        ({"seed": -1}, "seed -1; expected 0 to 1048575"),
        ({"seed": 2**20}, "seed 1048576"),
        ({"fps": 1.0}, "fps = 1.0 .* at least 2, for two frames"),
        ({"fps": float("nan")}, "fps = nan"),
        ({"crf": 52}, "crf = 52; expected 0 to 51"),
        ({"version": 99}, "version 99"),
    ],
)
def test_impossible_plans_are_refused(plan, change, message):
    with pytest.raises(ConfigError, match=message):
        replace(plan, **change)

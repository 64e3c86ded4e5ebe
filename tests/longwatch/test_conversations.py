"""Scenes and suites as annotated data: what is written is what the data package reads."""

import json

import pytest

from longpanda.data.mixture import read_mixture
from longpanda.data.record_index import index_files
from longpanda.errors import ConfigError
from longpanda.longwatch.conversations import Clips, generate_clips, records_of
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Sample
from longpanda.video import probe

CLIPS = Clips(count=6, seconds=3.0, size_px=48)
SAMPLES = [Sample(f"q{number}?", f"a{number}", "own", "film" if number < 5 else "other") for number in range(7)]


def test_questions_become_conversations_about_one_video_each():
    records = list(records_of(SAMPLES, ".mp4", most_turns=2))
    assert [record["video"] for record in records] == ["film.mp4"] * 3 + ["other.mp4"]
    said = [[turn["value"] for turn in record["conversations"]] for record in records]
    assert said[:3] == [
        ["<video>\nq0?", "a0", "q1?", "a1"],
        ["<video>\nq2?", "a2", "q3?", "a3"],
        ["<video>\nq4?", "a4"],
    ]
    assert len({record["id"] for record in records}) == 4


def test_generated_clips_are_a_mixture(tmp_path):
    names = list(generate_clips(CLIPS, tmp_path))
    mixture = read_mixture(tmp_path / "mixture.yaml")
    (index,) = index_files([mixture.sources[0].annotations], tmp_path / "cache")
    records = [index.read(number) for number in range(len(index))]
    assert len(index) > 3
    assert {media.path for record in records for media in record.media} <= set(names)
    assert all(len(record.turns) <= 2 * CLIPS.most_turns for record in records)
    assert {turn.text for record in records for turn in record.turns if turn.role == "assistant"} >= {"1", "2"}
    assert probe(tmp_path / "videos" / names[0]).duration_seconds == pytest.approx(3.0)


def test_a_killed_generation_resumes_and_other_settings_are_refused(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    list(generate_clips(CLIPS, whole))
    generation = generate_clips(CLIPS, part)
    first = next(generation)
    generation.close()
    assert not (part / "mixture.yaml").exists()
    before = (part / "videos" / first).stat().st_mtime_ns
    list(generate_clips(CLIPS, part))
    assert (part / "videos" / first).stat().st_mtime_ns == before
    assert (part / "conversations.jsonl").read_bytes() == (whole / "conversations.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="clips of other settings"):
        next(generate_clips(Clips(count=6, seconds=3.0, size_px=64), part))


def test_seeds_share_no_scene_with_each_other_or_a_test():
    seeds = {
        Clips(count=9, seed=seed, stills=stills).scene(n).seed for seed in (0, 1) for stills in (0, 1) for n in (0, 8)
    }
    assert len(seeds) == 4
    plan = SuitePlan(minutes=(3.0,), per_cell=2, seed=1, split="report")
    assert not seeds & {sample.facts.scene_seed for sample in plan.samples()}


@pytest.mark.parametrize("wrong", [{"count": 0}, {"seed": -1}, {"seconds": 0}, {"most_turns": 0}, {"families": ("x",)}])
def test_what_makes_no_clips_is_refused(wrong):
    with pytest.raises(ConfigError):
        Clips(**{"count": 3, **wrong})


def test_the_command_says_how_to_train_on_what_it_wrote(tmp_path, capsys):
    from longpanda.cli.main import main

    assert main(["data", "generate", "--out", str(tmp_path / "clips"), "--clips", "2", "--size-px", "48"]) == 0
    assert f"mixture: {tmp_path}/clips/mixture.yaml" in capsys.readouterr().out
    lines = (tmp_path / "clips" / "conversations.jsonl").read_text().splitlines()
    assert all(json.loads(line)["video"].startswith("clip-0-") for line in lines)

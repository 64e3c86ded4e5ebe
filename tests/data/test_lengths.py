"""Token counts before decoding: equal to those of the rows that training makes, within the budget, counted once."""

from dataclasses import replace

import numpy as np
import pytest
from annotated import record, write_film, write_folder, write_picture, write_records
from tiny import FAMOUS, byte_tokenizer, tiny

from longpanda.data.conversations import (
    ConversationRules,
    TooLongError,
    conversation,
    facts_of,
    plan_conversation,
    probed,
)
from longpanda.data.frame_choice import FrameChoice
from longpanda.data.lengths import measure_lengths
from longpanda.data.manifest import Manifest, prepare
from longpanda.data.media import read_clip
from longpanda.data.mixture import read_mixture
from longpanda.data.mixture_records import open_records
from longpanda.data.policy import BadData, BadDataError
from longpanda.data.schema import Fault, RecordError
from longpanda.errors import ConfigError

COMPRESSOR = {
    "layers": 1,
    "state_width": 8,
    "head_width": 8,
    "grid": [2, 2],
    "pool_frames": 2,
    "direction": "causal",
}
MIXTURE = """
datasets:
  - {json_path: films.jsonl, data_root: media}
  - {json_path: folders.json, data_root: media, video_read_type: img, frames_fps: 2}
  - {json_path: pictures.jsonl, data_root: media, sampling_strategy: "end:3"}
  - {json_path: text.jsonl, media_type: text}
"""


def talk(*answers, **media):
    """Several turns; the first is about the media."""
    one = record(**media)
    for number, answer in enumerate(answers):
        one["conversations"] += [{"from": "human", "value": f"And then {number}?"}, {"from": "gpt", "value": answer}]
    return one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """13 records, of which 4 cannot be used."""
    root = tmp_path_factory.mktemp("mixture")
    write_film(root / "media/long.mp4", 130)
    write_film(root / "media/uneven.mp4", 12, ticks=[0, 1, 2, 9, 10, 30, 31, 32, 60, 61, 90, 110])
    write_folder(root / "media/shots", 30)
    write_picture(root / "media/a.jpg")
    write_picture(root / "media/b.png", 3)
    films = [
        record(video="long.mp4"),
        talk("It ends.", "Nothing.", video="long.mp4", start=2.5, end=11),
        record(video="uneven.mp4"),
        record(video=["long.mp4", "uneven.mp4"]),
        record(video="gone.mp4"),
        record(video="long.mp4", start=2, end=90),
    ]
    write_records(root / "films.jsonl", films)
    write_records(root / "folders.json", [record(video="shots", start=1, end=9)])
    pictures = [record(image="z.jpg"), record(image="a.jpg"), record(image=["a.jpg", "b.png"]), {"image": "a.jpg"}]
    write_records(root / "pictures.jsonl", pictures)
    write_records(root / "text.jsonl", [talk("Five.", "Six."), record(image="a.jpg")])
    (root / "stage.yaml").write_text(MIXTURE)
    return root


@pytest.fixture(scope="module")
def records(folder):
    return open_records(read_mixture(folder / "stage.yaml"), folder / "indexes")


def processor_of(**settings):
    template, end = FAMOUS["qwen2"][:2]
    return tiny(tokenizer=byte_tokenizer(template, end), **settings)[1]


RULES = ConversationRules(FrameChoice(fps=2.0, min_frames=4, max_frames=24, multiple=2))
GOOD = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (2, 1), (3, 0)]


def made(records, processor, rules, source, number):
    """A conversation as the loader makes it, and the tokens of its row."""
    where, one = records.mixture.sources[source], records.read(source, number)
    plan = plan_conversation(processor, one, facts_of(one, where, probed), rules)
    choice = rules.choice if plan.most_frames is None else rules.choice.limited(plan.most_frames)
    built = conversation(one, [read_clip(media, where, choice) for media in one.media], rules)
    return plan, built, processor.training_batch([(built,)])


@pytest.mark.parametrize("settings", [{}, {"temporal_config": COMPRESSOR, "times_seconds": 3.0}])
@pytest.mark.parametrize("rule", ["times", "videochat_flash"])
@pytest.mark.parametrize("time_message", ["", "short", "times"])
def test_predicted_tokens_are_those_of_the_row(records, settings, rule, time_message):
    processor = processor_of(**settings)
    choice = FrameChoice(min_frames=4, max_frames=24, multiple=2, rule=rule)
    rules = replace(RULES, time_message=time_message, choice=choice)
    for source, number in GOOD:
        plan, built, batch = made(records, processor, rules, source, number)
        found = batch["input_ids"].shape[1]
        if any("uneven" in clip.path for clip in built.clips):  # written times are those of the frames
            assert abs(found - plan.tokens) <= 4 * sum(map(len, built.clips))
        else:
            assert found == plan.tokens
        visual = (batch["input_ids"] == processor.video_token_id).sum()
        expected = sum(sum(processor.image_processor.timeline(clip).group_tokens) for clip in built.clips)
        assert visual == expected
        assert plan.most_frames is None


def test_a_conversation_that_is_too_long_loses_frames_and_nothing_else(records):
    processor = processor_of()
    whole, _, batch = made(records, processor, RULES, 0, 1)
    budget = whole.tokens * 2 // 3
    plan, built, shorter = made(records, processor, replace(RULES, max_tokens=budget), 0, 1)
    assert plan.tokens == shorter["input_ids"].shape[1] <= budget
    assert len(built.clips[0]) <= plan.most_frames < 17
    more = replace(RULES, choice=RULES.choice.limited(plan.most_frames + RULES.choice.multiple))
    assert made(records, processor, more, 0, 1)[0].tokens > budget, "the most frames that fit"
    learned = [one["labels"][one["labels"] != -100].tolist() for one in (batch, shorter)]
    assert learned[0] == learned[1], "every answer is whole"


def test_the_longest_videos_are_shortened_first(records):
    processor = processor_of()
    whole = made(records, processor, RULES, 0, 3)[0]
    plan, built, _ = made(records, processor, replace(RULES, max_tokens=whole.tokens - 20), 0, 3)
    assert len(built.clips[0]) < 24
    assert plan.tokens > 0.8 * whole.tokens


@pytest.mark.parametrize(("source", "number"), [(3, 0), (2, 0), (0, 1)])
def test_text_that_is_too_long_is_refused(records, source, number):
    with pytest.raises(TooLongError, match="no fewer frames make short enough; expected at most 30"):
        made(records, processor_of(), replace(RULES, max_tokens=30), source, number)


def lengths_of(records, cache, rules=RULES, facts=probed, processor=None, **more):
    return measure_lengths(records, processor or processor_of(), rules, facts, cache, **more)


def refuse(media, source):
    raise AssertionError(f"{media.path} of {source.name} was asked for again")


def test_every_record_has_its_tokens_or_a_reason(records, tmp_path):
    told = []
    lengths = lengths_of(records, tmp_path, progress=told.append)
    assert sum(told) == sum(records.counts) == 12
    sources, numbers = (np.array(one) for one in zip(*GOOD, strict=True))
    processor = processor_of()
    expected = [made(records, processor, RULES, *pair)[0].tokens for pair in GOOD]
    assert lengths.tokens(sources, numbers).tolist() == expected
    assert lengths.tokens(np.array([0, 0, 2, 3]), np.array([4, 5, 2, 1])).tolist() == [0, 0, 0, 0]
    assert [dict(lengths.unusable(source)) for source in range(4)] == [
        {"missing": 1, "shorter than annotated": 1},
        {},
        {"turns": 1},
        {"kind": 1},
    ]
    assert not lengths.is_empty
    with pytest.raises(BadDataError, match=r"2 of 6 records of 'films.jsonl' cannot be used \(1 missing, 1 shorter"):
        lengths.check(records, BadData())
    with pytest.raises(BadDataError, match=r"at most 33.00% \(most_share: 0.33\)"):
        lengths.check(records, BadData("skip", 0.33))
    lengths.check(records, BadData("skip", 0.5))


def test_shortened_records_are_marked_and_too_long_ones_counted(records, tmp_path):
    lengths = lengths_of(records, tmp_path, replace(RULES, max_tokens=150))
    tokens = lengths.tokens(np.zeros(4, np.int64), np.arange(4))
    assert (tokens <= 150).all()
    assert [lengths.is_shortened(0, number) for number in range(4)] == [bool(one) for one in tokens]
    assert not lengths.is_shortened(2, 0)
    none = lengths_of(records, tmp_path, replace(RULES, max_tokens=30))
    assert none.is_empty
    assert none.unusable(1) == {"longer than the budget": 1}


def test_counts_are_kept_until_something_they_depend_on_changes(records, folder, tmp_path):
    first = lengths_of(records, tmp_path)
    again = lengths_of(records, tmp_path, facts=refuse)
    assert again.sha256 == first.sha256
    assert all(isinstance(table, np.memmap) for table in again.tables)
    others = (
        {"rules": replace(RULES, choice=FrameChoice())},
        {"rules": replace(RULES, time_message="short")},
        {"rules": replace(RULES, max_tokens=5000)},
        {"processor": processor_of(temporal_config=COMPRESSOR)},
        {"facts_identity": "another manifest"},
    )
    for other in others:
        with pytest.raises(AssertionError, match="was asked for again"):
            lengths_of(records, tmp_path, facts=refuse, **other)
    for damaged in tmp_path.glob("*.npy"):
        damaged.write_bytes(damaged.read_bytes()[:40])
    assert lengths_of(records, tmp_path).sha256 == first.sha256


def test_several_processes_count_what_one_counts(records, tmp_path):
    one = lengths_of(records, tmp_path / "one")
    several = lengths_of(records, tmp_path / "two", processes=2)
    assert (several.sha256, several.reasons) == (one.sha256, one.reasons)


def test_a_manifest_gives_what_the_files_give(records, tmp_path):
    manifest = prepare(records.mixture, records.indexes, tmp_path / "manifest")
    known = lengths_of(records, tmp_path / "one", facts=manifest.facts, facts_identity=manifest.sha256)
    assert known.sha256 == lengths_of(records, tmp_path / "two").sha256
    assert manifest.sha256 == Manifest.open(manifest.folder).sha256
    assert manifest.sha256 != replace(manifest, rows=manifest.rows[:-1]).sha256


def test_what_cannot_be_is_refused(records, folder, tmp_path):
    with pytest.raises(ConfigError, match="max_tokens -1"):
        ConversationRules(max_tokens=-1)
    with pytest.raises(ConfigError, match="time_message 'long'"):
        ConversationRules(time_message="long")
    with pytest.raises(ConfigError, match="cannot be written"):
        lengths_of(records, folder / "stage.yaml" / "cache")
    with pytest.raises(RecordError, match=r"record 2 of '.*text.jsonl' is about image; .*media_type text") as caught:
        records.read(3, 1)
    assert caught.value.fault is Fault.KIND


def test_records_are_counted_by_kind(records):
    assert list(records.kinds()) == [
        {"text": 0, "image": 0, "video": 6},
        {"text": 0, "image": 0, "video": 1},
        {"text": 0, "image": 2, "video": 0},
        {"text": 1, "image": 1, "video": 0},
    ]

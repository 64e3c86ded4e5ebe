"""Loading packs: the same in any number of processes and workers and after any stop; bad media cost themselves only."""

import hashlib
import json
from collections import Counter, deque

import numpy as np
import pytest
from annotated import record, write_film, write_folder, write_picture, write_records
from bad_media import bad_read, damaged_pictures
from tiny import FAMOUS, byte_tokenizer, tiny

from longpanda.data.conversations import ConversationRules, conversation, probed
from longpanda.data.frame_choice import FrameChoice
from longpanda.data.lengths import measure_lengths
from longpanda.data.loader import LoaderSettings, LoaderState, PackedData, PackLoader, Share
from longpanda.data.media import read_clip
from longpanda.data.mixture import read_mixture
from longpanda.data.mixture_records import open_records
from longpanda.data.packing import PackOrder
from longpanda.data.policy import BadData, BadDataError
from longpanda.errors import ConfigError

BUDGET = 400
RULES = ConversationRules(FrameChoice(fps=2.0, max_frames=12), max_tokens=BUDGET)
MIXTURE = """
datasets:
  - {json_path: films.jsonl, data_root: media, repeat: 1.5}
  - {json_path: folders.json, data_root: media, video_read_type: img, frames_fps: 2}
  - {json_path: pictures.jsonl, data_root: media}
  - {json_path: text.jsonl}
"""
WAIT_SECONDS = 4.0
"""A time limit: far above what reading a small film takes, and all that a hanging one costs."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("mixture")
    for number in range(4):
        write_film(root / f"media/{number}.mp4", 20 + 10 * number)
    write_folder(root / "media/shots", 12)
    for number in range(3):
        write_picture(root / f"media/{number}.jpg", 5 * number)
    films = [record(f"Film {number}?", f"{number}.", video=f"{number % 4}.mp4") for number in range(12)]
    write_records(root / "films.jsonl", films)
    write_records(root / "folders.json", [record(video="shots", start=n / 2, end=n / 2 + 3) for n in range(4)])
    write_records(root / "pictures.jsonl", [record(f"Number {n}?", image=f"{n % 3}.jpg") for n in range(6)])
    write_records(root / "text.jsonl", [record("x" * n, f"{n}.") for n in range(1, 9)])
    (root / "stage.yaml").write_text(MIXTURE)
    return root


@pytest.fixture(scope="module")
def data(folder):
    return open_data(folder)


def open_data(folder, budget=BUDGET, seed=0):
    template, end = FAMOUS["qwen2"][:2]
    processor = tiny(tokenizer=byte_tokenizer(template, end))[1]
    records = open_records(read_mixture(folder / "stage.yaml"), folder / "indexes")
    lengths = measure_lengths(records, processor, RULES, probed, folder / "lengths")
    packs = PackOrder(records.order(seed), lengths, budget, window_places=16)
    return PackedData(records, lengths, packs, processor, RULES, probed)


def seen(pack):
    """What a pack shows, pixels and text, as something to compare."""
    shown = hashlib.sha256()
    for one in pack.conversations:
        for clip in one.clips:
            shown.update(clip.frames.tobytes() + clip.pts_seconds.tobytes())
        shown.update(repr(one.turns).encode())
    return pack.index, pack.records, shown.hexdigest()


def run(data, processes, workers, rounds, state=None):
    """Packs of all processes of a run in the order of their indexes, and the state of each process."""
    settings = LoaderSettings(workers, packs_ahead=3)
    packs, states = [], []
    for rank in range(processes):
        with PackLoader(data, settings, state=state, share=Share(rank, processes)) as loader:
            packs += [seen(next(loader)) for _ in range(rounds)]
            states.append(loader.state())
    assert len(set(states)) == 1, "every process knows where all go on"
    return sorted(packs), states[0]


@pytest.fixture(scope="module")
def whole_run(data):
    """Without interruption, in one process."""
    return run(data, 1, 0, 24)[0]


def test_every_record_comes_as_often_as_the_mixture_says(data):
    with PackLoader(data, LoaderSettings(workers=0)) as loader:
        taken = []
        while loader.state().window < 36 * 4 // 16:  # four epochs of 36 places
            taken += next(loader).records
    times = {source: taken.count((source, 0)) for source in range(4)}
    assert times == {0: 6, 1: 4, 2: 4, 3: 4}
    rows = loader.counts()
    assert [(row.name, row.seen, row.expected, row.skipped) for row in rows] == [
        ("films.jsonl", 72, 72.0, 0),
        ("folders.json", 16, 16.0, 0),
        ("pictures.jsonl", 24, 24.0, 0),
        ("text.jsonl", 32, 32.0, 0),
    ]


@pytest.mark.parametrize(("processes", "workers"), [(1, 2), (2, 0), (3, 0), (3, 2)])
def test_order_does_not_depend_on_processes_or_workers(data, whole_run, processes, workers):
    packs, _ = run(data, processes, workers, 24 // processes)
    assert packs == whole_run


@pytest.mark.parametrize(
    ("before", "after"), [((1, 0), (2, 0)), ((2, 0), (3, 0)), ((3, 0), (1, 2)), ((1, 2), (2, 0)), ((2, 2), (1, 0))]
)
def test_a_run_goes_on_with_other_processes_and_workers(data, folder, whole_run, before, after):
    rounds = 1 + int(np.random.default_rng(before + after).integers(4))
    first, state = run(data, *before, rounds)
    stored = json.loads(json.dumps(state.as_dict()))
    assert len(json.dumps(stored)) < 100
    fresh = open_data(folder)
    rest, _ = run(fresh, *after, 4, LoaderState(**stored))
    assert first + rest == whole_run[: len(first) + len(rest)]
    assert rest[0][0] == rounds * before[0]


def test_a_state_of_other_data_is_refused(data, folder):
    _, state = run(data, 1, 0, 1)
    for other in (open_data(folder, seed=1), open_data(folder, budget=500)):
        with pytest.raises(ConfigError, match="expected the same records, token counts, seed and budget"):
            PackLoader(other, state=state)


def test_a_loaded_pack_is_what_reading_its_records_gives(data):
    with PackLoader(data, LoaderSettings(workers=0)) as loader:
        packs = [next(loader) for _ in range(6)]
    for pack in packs:
        for (source, number), built in zip(pack.records, pack.conversations, strict=True):
            where, one = data.records.mixture.sources[source], data.records.read(source, number)
            clips = [read_clip(media, where, RULES.choice) for media in one.media]
            expected = data.processor.training_batch([(conversation(one, clips, RULES),)])
            found = data.processor.training_batch([(built,)])
            assert set(found) == set(expected)
            assert all((found[name] == expected[name]).all() for name in found)
        row = data.processor.training_batch([pack.conversations])["input_ids"]
        assert row.shape[1] <= BUDGET
        assert row.shape[1] == data.lengths.tokens(*np.array(pack.records).T).sum()


def test_hanging_and_damaged_media_cost_themselves_only(data, whole_run):
    settings = LoaderSettings(workers=2, packs_ahead=3, limit_seconds=WAIT_SECONDS)
    with PackLoader(data, settings, BadData("skip", 0.6), read=bad_read) as loader:
        packs = [next(loader) for _ in range(10)]
        assert 0 < loader.wait_share <= 1
    wrong = {(0, n): ("decoder stopped at the time limit", "decoder crashed")[n % 4 - 1] for n in (1, 5, 9, 2, 6, 10)}
    wrong |= {(2, 2): "missing", (2, 5): "missing"}
    expected = {name: Counter() for name in ("films.jsonl", "pictures.jsonl")}
    for pack, (_, records, _) in zip(packs, whole_run, strict=False):
        assert pack.records == tuple(one for one in records if one not in wrong)
        for one in (one for one in records if one in wrong):
            expected["films.jsonl" if one[0] == 0 else "pictures.jsonl"][wrong[one]] += 1
    assert {name: reasons for name, reasons in loader.skips.skipped.items() if reasons} == expected
    assert sum(map(len, expected.values())) == 3, "each kind has occurred"
    assert any(line.startswith("films.jsonl: ") and "decoder crashed" in line for line in loader.skips.lines())


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (BadData(), "1 of 100 records of 'pictures.jsonl' cannot be used .*missing.*expected none with on_bad: fail"),
        (BadData("skip", 0.01), "2 of 100 records of 'pictures.jsonl'.*at most 1.00%"),
    ],
)
def test_more_than_the_policy_allows_stops_training(data, policy, message):
    loader = PackLoader(data, LoaderSettings(workers=0), policy, read=damaged_pictures)
    with pytest.raises(BadDataError, match=message):
        deque(loader, maxlen=0)


@pytest.mark.parametrize("settings", [{"workers": -1}, {"packs_ahead": 0}, {"limit_seconds": 0.0}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ConfigError, match="correct the loader's settings"):
        LoaderSettings(**settings)

"""Groups with different numbers of tokens, from an index to an answer with its evidence."""

import json

import numpy as np
import pytest
import torch

from longpanda.errors import IndexFileError
from longpanda.index import file_encoder, store
from longpanda.inference import load
from longpanda.model.tokens import RaggedTokens
from longpanda.video import Sampling

QUESTION = "What number is on the red circle?"


class Alternating:
    """Groups keep all of their tokens, their first two, or none, in turn."""

    def __call__(self, tokens: RaggedTokens) -> RaggedTokens:
        parts = torch.split(tokens.values, tokens.group_tokens)
        kept = [part[: (len(part), 2, 0)[number % 3]] for number, part in enumerate(parts)]
        return RaggedTokens(torch.cat(kept), tuple(map(len, kept)), tokens.group_frames)

    def fingerprint_parts(self):
        yield b"alternating"


@pytest.fixture(params=["plain", "compressed"])
def panda(request, model_folder, compressed_folder):
    return load(str(model_folder if request.param == "plain" else compressed_folder))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(file_encoder, "LEAST_BLOCK_FRAMES", 24)  # whole rounds of `Alternating`


def test_groups_of_any_size_go_from_index_to_answer_and_evidence(panda, film, tmp_path):
    panda.model.reducer = Alternating()
    index = panda.index(film, tmp_path / "film.vidx", fps=4.0, storage="float32")
    direct = panda.watch(film, Sampling(fps=4.0))
    counts, most = index.tokens.group_tokens, index.header.tokens_per_group
    assert counts.tolist() == [(most, 2, 0)[number % 3] for number in range(len(index.tokens))]
    assert torch.equal(index.tokens.values, direct.watched.tokens.values)
    assert index.token_count == index.tokens.count == counts.sum()
    session = panda.watch(tmp_path / "film.vidx")
    assert session.plan.visual_tokens == session.prompt_ids(QUESTION).count(panda.model.config.video_token_id)
    answer = session.ask(QUESTION, evidence=True)
    assert (answer.text, answer.visual_tokens) == (direct.ask(QUESTION).text, counts.sum())
    ids = session.prompt_ids(QUESTION)
    effects = session._prefix.effects([*ids, 5, 6], 2, session.timeline.group_tokens)
    assert len(effects) == len(counts)
    assert np.array_equal(effects == 0, counts == 0)
    assert session.only([1, 4]).ask(QUESTION).visual_tokens == 4


def test_an_empty_group_writes_no_time(panda, film):
    panda.model.reducer = Alternating()
    session = panda.watch(film, Sampling(frames=12))
    said = panda.processor.tokenizer.decode(session.prompt_ids(QUESTION))
    assert len(session.groups) - said.count("[") == (session.watched.tokens.group_tokens == 0).sum() > 0


def test_an_index_of_other_sizes_is_thinned_by_what_its_groups_have(panda, film, tmp_path):
    panda.model.reducer = Alternating()
    panda.index(film, tmp_path / "film.vidx", fps=4.0)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=60)
    assert len(session.groups) < len(session.watched.tokens)
    assert session.plan.visual_tokens == sum(session.timeline.group_tokens)
    assert session.plan.prompt_tokens <= 60
    most = max(session.timeline.group_tokens)
    assert session.plan.prompt_tokens > 60 - 2 * (most + panda.processor.time_tokens(12.0)), "much room is left"
    assert "groups of at most" in str(session.plan)


def test_another_reducer_is_another_encoder(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=4.0)
    panda.model.reducer = Alternating()
    with pytest.raises(IndexFileError, match="holds tokens of model"):
        panda.watch(tmp_path / "film.vidx")


def test_an_index_knows_the_pictures_of_its_file(panda, film, tmp_path):
    times = panda.index(film, tmp_path / "film.vidx", fps=4.0).frame_times
    assert len(times) == 120
    np.testing.assert_allclose(times.seconds, np.arange(120) / 10, atol=1e-6)
    assert np.flatnonzero(times.is_keyframe).tolist() == list(range(0, 120, 5))


def test_an_index_keeps_how_frames_were_prepared(panda, film, tmp_path):
    index = panda.index(film, tmp_path / "film.vidx", fps=4.0)
    kept = store.Store.open(index.path).header.preprocessing
    assert kept == json.loads(json.dumps(panda.processor.image_processor.to_dict()))
    assert kept["stab_config"]["image_px"] == 48

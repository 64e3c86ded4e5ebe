"""Evidence is where the attention lies, and verification is asking again."""

import numpy as np
import pytest
import torch
from tiny import scenery, tiny

from longpanda.errors import ConfigError
from longpanda.index import LongPanda, load
from longpanda.index import session as session_module
from longpanda.index.evidence import MOST_INTERVALS, READ_TOKENS, group_weights, intervals
from longpanda.types import Evidence
from longpanda.video import Sampling
from longpanda.video import encode as write_video

QUESTION = "What number is on the red circle?"


@pytest.fixture(scope="module")
def panda(model_folder):
    return load(str(model_folder))


def test_weights_are_those_of_the_attention(panda, film):
    session = panda.watch(film, Sampling(frames=5))
    ids = session.prompt_ids(QUESTION)
    new = session._generate(ids)
    found = session._prefix.weights([*ids, *new], len(new), 5)
    panda.model.set_attn_implementation("eager")
    with torch.no_grad():
        embeddings = panda.model.place(torch.tensor([[*ids, *new]]), session._embeddings())
        layers = panda.model(inputs_embeds=embeddings, output_attentions=True).attentions
    panda.model.set_attn_implementation("sdpa")
    where = [i for i, token in enumerate(ids) if token == panda.model.config.video_token_id]
    looks = np.zeros((min(len(new) - 1, READ_TOKENS), 5))
    for layer in layers:
        for head in layer[0]:
            for number, row in enumerate(head[len(ids) - 1 : len(ids) - 1 + len(looks)]):
                for group in range(5):
                    looks[number, group] += float(row[where[group * 7 : group * 7 + 7]].sum()) ** 2
    expected = (looks * looks.max(1, keepdims=True)).sum(0)
    # Keys of the prefix come from another pass: sums of other lengths differ in their last bits.
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-5)
    assert found.sum() == pytest.approx(1.0)


def test_looking_changes_no_answer(panda, film):
    watched = panda.watch(film)
    plain = [watched.ask(question).text for question in (QUESTION, "Where is the key?", QUESTION)]
    looked = [watched.ask(question, evidence=True).text for question in (QUESTION, "Where is the key?", QUESTION)]
    assert looked == plain
    assert panda.model.language_model.config._attn_implementation == "sdpa"


def test_intervals_are_stretches_of_heavy_groups():
    weights = np.array([0.02, 0.2, 0.3, 0.02, 0.02, 0.16, 0.28])
    starts = np.arange(7) * 10.0
    found, groups = intervals(weights, starts, starts + 10)
    assert [(one.start_seconds, one.end_seconds) for one in found] == [(10.0, 30.0), (50.0, 70.0)]
    assert [one.weight for one in found] == pytest.approx([0.5, 0.44])
    assert groups == [1, 2, 5, 6]


def test_even_attention_is_the_whole_video_and_many_peaks_are_the_heaviest():
    starts = np.arange(40) * 1.0
    (whole,), groups = intervals(np.full(40, 1 / 40), starts, starts + 1)
    assert (whole.start_seconds, whole.end_seconds, len(groups)) == (0.0, 40.0, 40)
    spikes = np.where(np.arange(40) % 2, 0.0, np.linspace(0.6, 1.0, 40))
    assert len(intervals(spikes / spikes.sum(), starts, starts + 1)[0]) == MOST_INTERVALS


def test_evidence_of_an_answer_lies_in_the_video(panda, film):
    answer = panda.watch(film, Sampling(frames=6)).ask(QUESTION, evidence=True)
    assert answer.evidence
    assert sum(one.weight for one in answer.evidence) <= 1 + 1e-9
    for one in answer.evidence:
        assert 0 <= one.start_seconds < one.end_seconds <= answer.duration_seconds
    assert answer.verification is None


def test_verification_is_asking_with_the_evidence_alone_and_without_it(panda, film):
    session = panda.watch(film, Sampling(frames=6))
    answer = session.ask(QUESTION, verify=True)
    inside = [
        i
        for i, second in enumerate(session.timeline.starts_seconds)
        if any(one.start_seconds <= second < one.end_seconds for one in answer.evidence)
    ]
    outside = sorted(set(range(6)) - set(inside))
    checked = answer.verification
    assert checked is not None
    assert checked.only == session.only(inside).ask(QUESTION).text
    assert checked.without == session.only(outside).ask(QUESTION).text
    assert checked.is_supported == (checked.only == answer.text)
    assert checked.is_necessary == (checked.without != answer.text)


def test_without_everything_nothing_is_asked(panda, film, monkeypatch):
    all_of_it = (Evidence(0.0, 12.0, 1.0),)
    monkeypatch.setattr(session_module, "intervals", lambda weights, *_: (all_of_it, [*range(len(weights))]))
    checked = panda.watch(film).ask(QUESTION, verify=True).verification
    assert checked is not None
    assert (checked.without, checked.is_necessary, checked.is_supported) == (None, None, True)


def test_evidence_of_a_picture_that_stays_lasts(panda, tmp_path):
    """One picture a second, looked at five times a second."""
    write_video(scenery(6)[::10], tmp_path / "slides.mp4", 1, preset="ultrafast")
    answer = panda.watch(tmp_path / "slides.mp4", Sampling(fps=5.0)).ask(QUESTION, evidence=True)
    assert answer.evidence
    assert all(one.end_seconds > one.start_seconds for one in answer.evidence)


def test_layers_that_forget_give_no_evidence(film, monkeypatch):
    model, processor = tiny("mistral")
    model.config.text_config.sliding_window = 16
    panda = LongPanda("sliding", type(model)(model.config).eval(), processor)
    monkeypatch.setattr(panda.model, "generate", lambda *_, **__: pytest.fail("answered first"))
    with pytest.raises(ConfigError, match=r"evidence from a 'mistral' with layers that forget; .*; ask without"):
        panda.watch(film).ask(QUESTION, evidence=True)


def test_no_answer_has_no_evidence(panda, film, monkeypatch):
    end = torch.tensor([[panda.processor.end_token_id]])
    monkeypatch.setattr(panda.model, "generate", lambda ids, **_: torch.cat([ids, end], 1))
    answer = panda.watch(film).ask(QUESTION, verify=True)
    assert (answer.evidence, answer.verification) == ((), None)


def test_group_weights_cut_the_cache_to_where_the_answer_begins(panda, film):
    session = panda.watch(film, Sampling(frames=3))
    ids = session.prompt_ids(QUESTION)
    new = session._generate(ids)
    cache = session._prefix._cache
    group_weights(panda.model, cache, [*ids, *new], len(new), 3)
    assert cache.get_seq_length() == len(ids) - 1 + min(len(new), READ_TOKENS)


def test_evidence_of_a_thinned_index_is_no_time_that_was_not_looked_at(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=2.0)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=30)
    assert session.groups == [4, 12, 20]
    for one in session.ask(QUESTION, evidence=True).evidence:
        assert one.start_seconds in (2.0, 6.0, 10.0)
        assert one.end_seconds - one.start_seconds == pytest.approx(0.5)


def test_verification_of_a_thinned_index_asks_with_groups_of_the_index(panda, film, tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "intervals", lambda *_: ((Evidence(6.0, 6.5, 1.0),), [1]))
    panda.index(film, tmp_path / "film.vidx", fps=2.0)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=30)
    checked = session.ask(QUESTION, verify=True).verification
    assert checked is not None
    assert checked.only == session.only([12]).ask(QUESTION).text != session.only([1]).ask(QUESTION).text
    assert checked.without == session.only([4, 20]).ask(QUESTION).text


def test_evidence_ends_where_the_video_was_no_longer_looked_at(panda, cut_film, monkeypatch):
    """At the end of what can be read of a file, however long its header says that it is."""
    session = panda.watch(cut_film, Sampling(frames=24))
    starts = session.watched.tokens.starts_seconds
    monkeypatch.setattr(session._prefix, "weights", lambda *_: np.eye(len(starts))[-1])
    (found,) = session.ask(QUESTION, evidence=True).evidence
    assert found.start_seconds == starts[-1]
    assert found.end_seconds == pytest.approx(len(starts) / 2 + 0.25)  # the first second that has no frame
    assert found.end_seconds < 12

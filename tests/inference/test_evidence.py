"""Evidence is what makes the model surer of its answer, and verification is asking again."""

import math

import numpy as np
import pytest
import torch
from tiny import scenery, tiny

from longpanda.errors import ConfigError
from longpanda.inference import LongPanda, load
from longpanda.inference import session as session_module
from longpanda.inference.evidence import FADED, MOST_INTERVALS, READ_TOKENS, intervals
from longpanda.inference.planning import evidence_bytes
from longpanda.inference.prefix import PrefixCache
from longpanda.types import ANSWER_TOKENS, Evidence, Verification
from longpanda.video import Sampling
from longpanda.video import encode as write_video

QUESTION = "What number is on the red circle?"
STEP = 1e-2
"""Of finite differences; norms are computed in float32, so that it cannot be tiny."""


@pytest.fixture(scope="module")
def panda(model_folder):
    return load(str(model_folder))


@pytest.fixture
def telling(monkeypatch):
    """Evidence that lies in these of the groups shown, with so many nats each."""

    def place(groups: list[int], nats: float = 5.0) -> None:
        def effects(self: PrefixCache, ids: list[int], answered: int, counts: tuple[int, ...]) -> np.ndarray:
            return np.isin(np.arange(len(counts)), groups) * nats

        monkeypatch.setattr(PrefixCache, "effects", effects)

    return place


def log_odds(panda, session, ids, new, factors):
    """Of an answer, when the values of the visual tokens are multiplied: a question at a time, in plain words."""
    end = max(i for i, token in enumerate(ids) if token == panda.model.config.video_token_id) + 1
    embeddings = panda.model.place(torch.tensor([ids[:end]]), session._embeddings())
    cache = panda.model(inputs_embeds=embeddings, use_cache=True).past_key_values
    where = [i for i, token in enumerate(ids) if token == panda.model.config.video_token_id]
    for layer in cache.layers:
        for number, place in enumerate(where):
            layer.values[:, :, place] *= factors[number // 7]
    written = new[: max(1, len(new) - 1)][:READ_TOKENS]
    row = torch.tensor([[*ids[end:], *written[:-1]]])
    likely = panda.model(input_ids=row, past_key_values=cache).logits[0, -len(written) :].softmax(-1)
    own = [float(likely[i, token]) for i, token in enumerate(written)]
    return sum(math.log(one / (1 - one)) for one in own)


@torch.no_grad()
def test_effects_are_the_growth_of_the_log_odds(model_folder, film):
    panda = load(str(model_folder))
    panda.model.double()
    session = panda.watch(film, Sampling(frames=5))
    for question in (QUESTION, "Where is the key?", QUESTION):  # of one kept prefix
        ids = session.prompt_ids(question)
        new = session._generate(ids)
        found = session._prefix.effects([*ids, *new], len(new), session.timeline.group_tokens)
        for group in range(5):
            more, less = np.full((2, 5), FADED)
            more[group] += STEP
            less[group] -= STEP
            change = log_odds(panda, session, ids, new, more) - log_odds(panda, session, ids, new, less)
            assert found[group] == pytest.approx(change / (2 * STEP), rel=0.02, abs=1e-3)
        assert np.ptp(found) > 0.1, "groups differ"


def test_explaining_changes_no_answer_and_keeps_the_prefix(panda, film, monkeypatch):
    watched = panda.watch(film)
    plain = [watched.ask(question).text for question in (QUESTION, "Where is the key?", QUESTION)]
    monkeypatch.setattr(PrefixCache, "_read", lambda *_: pytest.fail("the video was read again"))
    explained = [watched.ask(question, evidence=True).text for question in (QUESTION, "Where is the key?", QUESTION)]
    with torch.inference_mode():
        explained_there = watched.ask(QUESTION, evidence=True).text
    assert explained == plain
    assert explained_there == plain[0]


def test_evidence_is_the_same_from_a_prefix_that_was_kept(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    one, other = (panda.watch(tmp_path / "film.vidx") for _ in range(2))
    one.keep_prefix(tmp_path / "prefix.safetensors")
    assert other.use_prefix(tmp_path / "prefix.safetensors")
    for question in (QUESTION, "Where is the key?"):
        ids = one.prompt_ids(question)
        new = one._generate(ids)
        of_kept = other._prefix.effects([*ids, *new], len(new), other.timeline.group_tokens)
        np.testing.assert_array_equal(of_kept, one._prefix.effects([*ids, *new], len(new), one.timeline.group_tokens))


def test_intervals_are_stretches_that_speak_for_the_answer():
    effects = np.array([0.2, 2.0, 3.0, -9.0, 0.2, 1.6, 2.8, 0.2])
    starts = np.arange(8) * 10.0
    found, groups = intervals(effects, starts, starts + 10)
    assert [(one.start_seconds, one.end_seconds) for one in found] == [(10.0, 30.0), (50.0, 70.0)]
    assert [one.weight for one in found] == pytest.approx([0.5, 0.44])
    assert groups == [1, 2, 5, 6]


@pytest.mark.parametrize("apart", [0.5, 1.0, 7.5])
def test_how_densely_a_video_was_looked_at_changes_no_evidence(apart):
    """What shows for 30 s of ten minutes, in one frame or in sixty, and one frame elsewhere that counts a little."""
    starts = np.arange(0, 600, apart)
    shows = (starts >= 300) & (starts < 330)
    effects = np.where(shows, 6.0 / shows.sum(), 0.0)
    effects[len(starts) // 4] = 0.9
    (found,), groups = intervals(effects, starts, starts + apart)
    assert found.start_seconds == pytest.approx(300, abs=7.5)
    assert found.end_seconds == pytest.approx(330, abs=7.5)
    assert found.weight == pytest.approx(6 / 6.9)
    assert {*np.flatnonzero(shows)} <= {*groups}


def test_of_many_stretches_the_heaviest_are_given():
    starts = np.arange(100) * 1.0
    spikes = np.where(np.arange(100) % 10, 0.0, np.linspace(2.5, 5.0, 100))
    found, _ = intervals(spikes, starts, starts + 1)
    assert len(found) == MOST_INTERVALS
    assert found[0].start_seconds <= 90.0 < found[0].end_seconds
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)


@pytest.mark.parametrize(
    "effects",
    [
        pytest.param(np.full(40, 1.0), id="all alike"),
        pytest.param(np.eye(40)[7] * 1.9, id="too little"),
        pytest.param(-np.eye(40)[7] * 9, id="against the answer"),
        pytest.param(np.zeros(40), id="none"),
        pytest.param(np.full(40, np.nan), id="overflow"),
        pytest.param(np.array([9.0]), id="all that there is"),
    ],
)
def test_where_nothing_stands_out_there_is_no_interval(effects):
    starts = np.arange(len(effects)) * 1.0
    assert intervals(effects, starts, starts + 1) == ((), [])


def test_an_answer_without_evidence_says_so(panda, film, telling):
    telling([2], nats=1.0)
    session = panda.watch(film, Sampling(frames=6))
    answer = session.ask(QUESTION, verify=True)
    assert (answer.evidence, answer.verification) == ((), None)
    assert "No part of the video stands out as the reason for this answer." in answer.notice
    assert "stands out" not in session.ask(QUESTION).notice
    telling([2])
    assert "stands out" not in session.ask(QUESTION, evidence=True).notice


def test_evidence_of_an_answer_lies_in_the_video(panda, film, telling):
    telling([2, 5])
    answer = panda.watch(film, Sampling(frames=6)).ask(QUESTION, evidence=True)
    assert [one.weight for one in answer.evidence] == [0.5, 0.5]
    for one in answer.evidence:
        assert 0 <= one.start_seconds < one.end_seconds <= answer.duration_seconds
    assert answer.verification is None


def test_verification_is_asking_with_the_evidence_alone_and_without_it(panda, film, telling):
    telling([1, 2])
    session = panda.watch(film, Sampling(frames=6))
    answer = session.ask(QUESTION, verify=True)
    checked = answer.verification
    assert checked is not None
    assert checked.only == session.only([1, 2]).ask(QUESTION).text
    assert checked.without == session.only([0, 3, 4, 5]).ask(QUESTION).text
    assert answer.as_dict()["verification"]["verdict"] == checked.verdict


@pytest.mark.parametrize(
    ("first", "only", "without", "verdict"),
    [
        ("6.", "6.", "7.", "supported, necessary"),
        ("6.", "7.", "6.", "not supported, not necessary"),
        ("6.", "", "6.", "unknown whether supported, not necessary"),
        ("6.", "6.", "", "supported, unknown whether necessary"),
        ("6.", "77777", "77777", "unknown whether supported, unknown whether necessary"),
        ("66666", "66666", "7.", "unknown whether supported, unknown whether necessary"),
    ],
)
def test_what_is_empty_or_cut_verifies_nothing(panda, film, telling, monkeypatch, first, only, without, verdict):
    """Answers of at most 5 tokens; a full stop here is where the model ends one."""
    telling([1, 2])
    said = iter([first, only, without])
    tokenizer, end = panda.processor.tokenizer, panda.model.generation_config.eos_token_id

    def generate(*_args, **_settings):
        text = next(said)
        ids = tokenizer.encode(text.rstrip("."), add_special_tokens=False)
        return [*ids, end] if len(text) < 5 else ids

    monkeypatch.setattr(PrefixCache, "generate", generate)
    checked = panda.watch(film, Sampling(frames=6), answer_tokens=5).ask(QUESTION, verify=True).verification
    assert checked is not None
    assert (checked.verdict, checked.only, checked.without) == (verdict, only.rstrip("."), without.rstrip("."))


def test_without_the_evidence_is_without_what_is_next_to_it(panda, film, telling):
    """Ten frames a second: those beside the evidence, within a twentieth of the video, show the same."""
    telling([50, 51])
    session = panda.watch(film, Sampling(fps=10.0))
    checked = session.ask(QUESTION, verify=True).verification
    assert checked is not None
    assert checked.only == session.only([*range(48, 54)]).ask(QUESTION).text
    assert checked.without == session.only([*range(43), *range(59, 120)]).ask(QUESTION).text


@pytest.mark.parametrize(
    ("without", "verdict"),
    [("6", "supported, not necessary"), ("7", "supported, necessary"), (None, "supported, all that was looked at")],
)
def test_a_verdict_says_what_the_evidence_is_worth(without, verdict):
    necessary = None if without is None else without != "6"
    assert Verification("6", without, True, necessary).verdict == verdict
    assert Verification("5", without, False, necessary).verdict == f"not {verdict}"


def test_without_everything_nothing_is_asked(panda, film, monkeypatch):
    all_of_it = (Evidence(0.0, 12.0, 1.0),)
    monkeypatch.setattr(session_module, "intervals", lambda effects, *_: (all_of_it, [*range(len(effects))]))
    monkeypatch.setattr(session_module.Session, "_is_cut", lambda *_: False)
    checked = panda.watch(film).ask(QUESTION, verify=True).verification
    assert checked is not None
    assert (checked.without, checked.is_necessary, checked.is_supported) == (None, None, True)


def test_evidence_of_a_picture_that_stays_lasts(panda, tmp_path, telling):
    """One picture a second, looked at five times a second."""
    telling([*range(5, 10)])
    write_video(scenery(6)[::10], tmp_path / "slides.mp4", 1, preset="ultrafast")
    answer = panda.watch(tmp_path / "slides.mp4", Sampling(fps=5.0)).ask(QUESTION, evidence=True)
    (found,) = answer.evidence
    assert (found.start_seconds, found.end_seconds) == (1.0, 2.0)


def test_layers_that_forget_give_no_evidence(film, monkeypatch):
    model, processor = tiny("mistral")
    model.config.text_config.sliding_window = 16
    panda = LongPanda("sliding", type(model)(model.config).eval(), processor)
    monkeypatch.setattr(panda.model, "generate", lambda *_, **__: pytest.fail("answered first"))
    with pytest.raises(ConfigError, match=r"evidence from a 'mistral' with layers that forget; .*; ask without"):
        panda.watch(film).ask(QUESTION, evidence=True)


def without_gradients(layer):
    layer.self_attn.o_proj.register_forward_hook(lambda _layer, _given, output: output.detach())


def partly_without_gradients(layer):
    layer.mlp.forward = torch.no_grad()(layer.mlp.forward)


class Int8(torch.nn.Module):
    """A linear layer as some quantisations have it: int8 weights, and a kernel that autograd does not know."""

    def __init__(self, linear):
        super().__init__()
        self.scale = linear.weight.detach().abs().max() / 127
        self.weight = torch.nn.Buffer((linear.weight.detach() / self.scale).round().to(torch.int8))

    @torch.no_grad()
    def forward(self, given):
        return torch.nn.functional.linear(given, self.weight.to(given.dtype) * self.scale)


def partly_quantised(layer):
    layer.mlp.down_proj = Int8(layer.mlp.down_proj)


@pytest.mark.parametrize("change", [without_gradients, partly_without_gradients, partly_quantised])
def test_gradients_that_would_mislead_give_no_evidence_and_the_answer_says_why(model_folder, film, change):
    why = "whose gradients do not predict its logits when visual tokens are faded"
    panda = load(str(model_folder))
    for layer in panda.model.language_model.model.layers:
        change(layer)
    session = panda.watch(film)
    answer = session.ask(QUESTION, verify=True)
    assert answer.text == session.ask(QUESTION).text != ""
    assert (answer.evidence, answer.verification) == ((), None)
    assert f"No evidence is given: the language model is a 'qwen2' {why}. " in answer.notice
    assert "stands out" not in answer.notice
    assert "evidence" not in session.ask(QUESTION).notice
    ids = session.prompt_ids(QUESTION)
    with pytest.raises(ConfigError, match=rf"evidence from a 'qwen2' {why}; .*; ask without"):
        session._prefix.effects([*ids, 3, 4], 2, len(session.groups))


def test_evidence_that_memory_has_no_room_for_is_not_looked_for(panda, film, monkeypatch):
    ids = panda.watch(film).prompt_ids(QUESTION)
    kept, more = evidence_bytes(panda.model, len(ids) + ANSWER_TOKENS, 100)
    room = panda.watch(film, memory_bytes=kept + more)
    assert "No evidence is given" not in room.ask(QUESTION, evidence=True).notice
    monkeypatch.setattr(PrefixCache, "effects", lambda *_: pytest.fail("looked for"))
    most = 600 * kept // (len(ids) + ANSWER_TOKENS)  # room for any question, and so for this prompt
    tight = panda.watch(film, memory_bytes=most)
    answer = tight.ask(QUESTION, verify=True)
    assert answer.text
    assert (answer.evidence, answer.verification) == ((), None)
    assert "No evidence is given: it needs 0." in answer.notice
    assert "allow more memory, or fewer tokens" in answer.notice
    assert tight.only([1, 2]).memory_bytes == most


def test_no_answer_has_no_evidence(panda, film, monkeypatch):
    end = torch.tensor([[panda.processor.end_token_id]])
    monkeypatch.setattr(panda.model, "generate", lambda ids, **_: torch.cat([ids, end], 1))
    answer = panda.watch(film).ask(QUESTION, verify=True)
    assert (answer.evidence, answer.verification) == ((), None)


def test_evidence_of_a_thinned_index_is_no_time_that_was_not_looked_at(panda, film, tmp_path, telling):
    panda.index(film, tmp_path / "film.vidx", fps=2.0)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=60)
    assert session.groups == [2, 6, 10, 14, 18, 22]
    telling([1, 2], nats=1.5)
    found = session.ask(QUESTION, evidence=True).evidence
    assert [(one.start_seconds, one.end_seconds) for one in found] == [(3.0, 3.5), (5.0, 5.5)]
    assert "stands out" not in session.ask(QUESTION, evidence=True).notice, "together they are enough"


def test_verification_of_a_thinned_index_asks_with_groups_of_the_index(panda, film, tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "intervals", lambda *_: ((Evidence(6.0, 6.5, 1.0),), [1]))
    panda.index(film, tmp_path / "film.vidx", fps=2.0)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=30)
    checked = session.ask(QUESTION, verify=True).verification
    assert checked is not None
    assert checked.only == session.only([12]).ask(QUESTION).text != session.only([1]).ask(QUESTION).text
    assert checked.without == session.only([4, 20]).ask(QUESTION).text


def test_evidence_ends_where_a_cut_file_does(panda, cut_film, monkeypatch):
    """However long its header says that it is."""
    session = panda.watch(cut_film, Sampling(frames=24))
    starts = session.watched.tokens.starts_seconds
    monkeypatch.setattr(session._prefix, "effects", lambda *_: np.eye(len(starts))[-1] * 5)
    answer = session.ask(QUESTION, evidence=True)
    (found,) = answer.evidence
    assert found.start_seconds == starts[-1]
    assert found.end_seconds == pytest.approx(answer.duration_seconds)
    assert answer.duration_seconds < 7

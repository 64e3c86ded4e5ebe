"""What is kept of a prompt's beginning changes no answer, and saves passing it through the language model again."""

import pytest
import torch
from tiny import tiny

from longpanda.errors import ConfigError, ContextError, IndexFileError
from longpanda.index import LongPanda, load
from longpanda.index.prefix import PrefixCache, language_fingerprint
from longpanda.video import Sampling

QUESTIONS = ["Where is the key?", "What number is on the red circle?", "Where is the ball?", "Where is the key?"]
SETTINGS = {"max_new_tokens": 8, "do_sample": False}


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def damage_flip(path):
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)


@pytest.fixture(scope="module", params=["qwen2", "llama", "phi3", "mistral"])
def panda(request):
    """Mistral with windows of 16 tokens, which cannot be cut back."""
    model, processor = tiny(request.param)
    if request.param == "mistral":
        config = model.config
        config.text_config.sliding_window = 16
        torch.manual_seed(0)
        model = type(model)(config).eval()
    return LongPanda(request.param, model, processor)


@torch.no_grad()
def alone(session, ids):
    """The new tokens of a prompt that is read from its first token."""
    row = torch.tensor([ids])
    embeddings = session.model.place(row, session._embeddings())
    new = session.model.generate(inputs_embeds=embeddings, attention_mask=torch.ones_like(row), **SETTINGS)
    return new[0].tolist()


def test_answers_are_those_of_the_whole_prompt(panda, film):
    session = panda.watch(film, Sampling(frames=6))
    prefix = PrefixCache(panda.model, session._embeddings)
    for question in QUESTIONS:
        ids = session.prompt_ids(question)
        assert prefix.generate(ids, **SETTINGS) == alone(session, ids), question


def test_a_conversation_goes_on_from_what_was_said(panda, film):
    session = panda.watch(film, Sampling(frames=6))
    history: list[tuple[str, str]] = []
    for question in QUESTIONS:
        ids = session.prompt_ids(question, history)
        assert session._generate(ids)[:8] == alone(session, ids), question
        history.append((question, session.ask(question, history).text))
    assert session.prompt_ids("Where is the key?", history) != session.prompt_ids("Where is the key?")


def test_the_second_question_passes_its_own_words_alone(model_folder, film, monkeypatch):
    session = load(str(model_folder)).watch(film, Sampling(frames=6))
    passed: list[int] = []
    real = session.model.language_model.forward
    monkeypatch.setattr(
        session.model.language_model,
        "forward",
        lambda *a, **k: (passed.append((k.get("inputs_embeds")).shape[1]), real(*a, **k))[1],
    )
    session.ask(QUESTIONS[0])
    first, passed[:] = sum(passed), []
    answer = session.ask(QUESTIONS[1])
    longest = len(session.prompt_ids(QUESTIONS[1])) - session.plan.prompt_tokens
    assert max(passed) <= longest < 20 < first
    assert answer.seconds["encode_frames"] == 0


def test_prefixes_are_kept_on_disk(model_folder, film, tmp_path, monkeypatch):
    panda = load(str(model_folder))
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    first = panda.watch(tmp_path / "film.vidx")
    assert not first.use_prefix(tmp_path / "prefix.safetensors")
    first.keep_prefix(tmp_path / "prefix.safetensors")
    again = load(str(model_folder)).watch(tmp_path / "film.vidx")
    assert again.use_prefix(tmp_path / "prefix.safetensors")
    monkeypatch.setattr(again._prefix, "_embed", lambda: pytest.fail("the prefix was read again"))
    assert [again.ask(question).text for question in QUESTIONS] == [first.ask(question).text for question in QUESTIONS]


def test_a_prefix_of_something_else_is_left_alone(model_folder, compressed_folder, film, tmp_path):
    panda = load(str(model_folder))
    kept = tmp_path / "prefix.safetensors"
    for name in ("one", "two"):
        panda.index(film, tmp_path / f"{name}.vidx", fps=1.0)
    panda.watch(tmp_path / "one.vidx").keep_prefix(kept)
    assert not panda.watch(tmp_path / "two.vidx").use_prefix(kept), "another index, of the same frames"
    assert not panda.watch(tmp_path / "one.vidx", budget_tokens=50).use_prefix(kept), "fewer groups"
    with torch.no_grad():
        next(panda.model.language_model.parameters())[0, 0] += 1
    assert not panda.watch(tmp_path / "one.vidx").use_prefix(kept), "another language model"


@pytest.mark.parametrize("damage", [damage_cut, damage_flip])
def test_a_damaged_prefix_is_named(model_folder, film, tmp_path, damage):
    panda, kept = load(str(model_folder)), tmp_path / "prefix.safetensors"
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    panda.watch(tmp_path / "film.vidx").keep_prefix(kept)
    damage(kept)
    with pytest.raises(IndexFileError, match=r"prefix\.safetensors' is damaged: .*; delete this file"):
        panda.watch(tmp_path / "film.vidx").use_prefix(kept)


def test_what_cannot_be_cut_is_not_kept_on_disk(film, tmp_path):
    model, processor = tiny("mistral")
    model.config.text_config.sliding_window = 16
    panda = LongPanda("sliding", type(model)(model.config).eval(), processor)
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    with pytest.raises(ConfigError, match="expected full attention in every layer"):
        panda.watch(tmp_path / "film.vidx").keep_prefix(tmp_path / "prefix.safetensors")


def test_a_trained_language_model_is_another(model_folder):
    one, other = load(str(model_folder)).model, load(str(model_folder)).model
    assert language_fingerprint(one) == language_fingerprint(other)
    with torch.no_grad():
        other.projector.output.weight[0] *= 1.01
    assert language_fingerprint(one) != language_fingerprint(other)


def test_a_conversation_beyond_the_context_is_refused(model_folder, film):
    session = load(str(model_folder)).watch(film, Sampling(frames=4))
    with pytest.raises(
        ContextError, match=r"a question after 900 others that makes a prompt of \d+ tokens; expected at"
    ):
        session.ask("Where is the key?", [("Where is the ball?", "left")] * 900)


def test_a_prefix_is_of_an_index_and_of_the_groups_in_it(model_folder, film, tmp_path):
    panda, kept = load(str(model_folder)), tmp_path / "prefix.safetensors"
    with pytest.raises(ConfigError, match="a prefix of a video, to be kept; expected one of an index"):
        panda.watch(film).keep_prefix(kept)
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    session = panda.watch(tmp_path / "film.vidx")
    session.only([0, 1, 2]).keep_prefix(kept)
    assert session.only([0, 1, 2]).use_prefix(kept)
    assert not session.only([3, 4, 5]).use_prefix(kept)
    assert not panda.watch(film).use_prefix(kept)


def test_nothing_asked_is_nothing_to_keep(model_folder, film, tmp_path):
    session = load(str(model_folder)).watch(film)
    with pytest.raises(ConfigError, match="no prompt to keep anything of"):
        PrefixCache(session.model, session._embeddings).save(tmp_path / "prefix.safetensors", "key")

"""What is kept of a prompt's beginning changes no answer, and saves passing it through the language model again."""

import shutil

import pytest
import torch
from tiny import tiny
from transformers import AutoConfig

from longpanda.errors import ConfigError, ContextError, IndexFileError
from longpanda.inference import LongPanda, load
from longpanda.inference import prefix as prefix_module
from longpanda.inference.prefix import PrefixCache, language_fingerprint
from longpanda.model.configuration import LongPandaConfig
from longpanda.video import Sampling

QUESTIONS = ["Where is the key?", "What number is on the red circle?", "Where is the ball?", "Where is the key?"]
SETTINGS = {"max_new_tokens": 8, "do_sample": False}


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def damage_flip(path):
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)


LONG_ROPE = {"rope_type": "longrope", "original_max_position_embeddings": 64, "rope_theta": 10000.0}
CHANGED = {
    "mistral": {"sliding_window": 16},
    "phi3": {
        "rope_parameters": LONG_ROPE | {"short_factor": [1.0] * 4, "long_factor": [8.0, 16.0, 32.0, 64.0]},
        "original_max_position_embeddings": 64,
        "sliding_window": 4096,
    },
}
"""Windows that cannot be cut back; factors that would turn after 64 tokens, and windows longer than the context."""


def changed(backbone):
    """A random model whose language model is as `CHANGED` has it."""
    model, processor = tiny(backbone)
    text = AutoConfig.for_model(**model.config.text_config.to_dict() | CHANGED[backbone])
    placeholder = model.config.video_token_id
    config = LongPandaConfig(model.config.stab_config, text, placeholder, sampling={"frames": 4})
    torch.manual_seed(0)
    return LongPanda(backbone, type(model)(config).eval(), processor)


@pytest.fixture(scope="module", params=["qwen2", "llama", "phi3", "mistral"])
def panda(request):
    return changed(request.param) if request.param in CHANGED else LongPanda(request.param, *tiny(request.param))


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


@pytest.mark.parametrize("question", [True, False], ids=["generate", "effects"])
@pytest.mark.parametrize("layer", [0, 1])
def test_an_interrupted_question_leaves_nothing_half_done(panda, film, layer, question):
    """As Ctrl-C does, or a GPU without memory: some layers have keys of a token and others have not."""
    if panda.name == "mistral" and not question:
        pytest.skip("layers that forget give no evidence")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    session = panda.watch(film, Sampling(frames=6))
    prefix = PrefixCache(panda.model, session._embeddings)
    first, second = map(session.prompt_ids, QUESTIONS[:2])
    counts = session.timeline.group_tokens
    prefix.generate(first, **SETTINGS)
    stopped = panda.model.language_model.model.layers[layer].mlp.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        prefix.generate(second, **SETTINGS) if question else prefix.effects([*second, 5, 6], 2, counts)
    stopped.remove()
    assert prefix.generate(second, **SETTINGS) == alone(session, second)


@torch.no_grad()
@pytest.mark.parametrize("piece", [7, 2048])
def test_a_prefix_is_read_in_pieces(panda, film, monkeypatch, piece):
    monkeypatch.setattr(prefix_module, "PREFILL_TOKENS", piece)
    session = panda.watch(film, Sampling(frames=12))
    ids = session.prompt_ids(QUESTIONS[0])
    assert len(ids) > 64
    embeddings = panda.model.place(torch.tensor([ids]), session._embeddings())
    whole = panda.model(inputs_embeds=embeddings).logits[0, -1]
    cache = session._prefix._ready(ids)
    rest = torch.tensor([ids[cache.get_seq_length() :]])
    pieces = panda.model(input_ids=rest, past_key_values=cache).logits[0, -1]
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-4)  # sums in another order


def test_windows_longer_than_the_context_forget_nothing(film, tmp_path):
    panda = changed("phi3")
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    session = panda.watch(tmp_path / "film.vidx")
    assert session.ask(QUESTIONS[0], evidence=True).evidence
    session.keep_prefix(tmp_path / "prefix.safetensors")
    assert session.use_prefix(tmp_path / "prefix.safetensors")


def test_a_conversation_goes_on_from_what_was_said(panda, film):
    session = panda.watch(film, Sampling(frames=6))
    history: list[tuple[str, str]] = []
    for question in QUESTIONS:
        ids = session.prompt_ids(question, history)
        assert session._generate(ids)[:8] == alone(session, ids), question
        history.append((question, session.ask(question, history).text))
    assert session.prompt_ids("Where is the key?", history) != session.prompt_ids("Where is the key?")


def read(input_ids=None, inputs_embeds=None, **_: object):
    """What passes through the language model."""
    return input_ids if inputs_embeds is None else inputs_embeds


def test_the_second_question_passes_its_own_words_alone(model_folder, film, monkeypatch):
    session = load(str(model_folder)).watch(film, Sampling(frames=6))
    passed: list[int] = []
    real = session.model.language_model.forward
    monkeypatch.setattr(
        session.model.language_model,
        "forward",
        lambda *a, **k: (passed.append(read(**k).shape[1]), real(*a, **k))[1],
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
    panda = changed("mistral")
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    with pytest.raises(ConfigError, match="expected full attention in every layer"):
        panda.watch(tmp_path / "film.vidx").keep_prefix(tmp_path / "prefix.safetensors")


def test_a_copied_model_is_the_same(model_folder, tmp_path):
    shutil.copytree(model_folder, tmp_path / "copy")
    one, other = load(str(model_folder)).model, load(str(tmp_path / "copy")).model
    assert language_fingerprint(one) == language_fingerprint(other)


def test_a_trained_language_model_is_another(model_folder):
    one, other = load(str(model_folder)).model, load(str(model_folder)).model
    assert language_fingerprint(one) == language_fingerprint(other)
    with torch.no_grad():
        other.projector.output.weight[0] *= 1.01
    assert language_fingerprint(one) != language_fingerprint(other)


def test_a_conversation_beyond_the_context_is_refused(model_folder, film):
    session = load(str(model_folder)).watch(film, Sampling(frames=4))
    with pytest.raises(
        ContextError, match=r"a question after 900 others that makes a prompt of [\d,]+ tokens; expected at"
    ):
        session.ask("Where is the key?", [("Where is the ball?", "left")] * 900)


def test_a_prefix_is_of_an_index_and_of_the_groups_in_it(model_folder, film, tmp_path):
    panda, kept = load(str(model_folder)), tmp_path / "prefix.safetensors"
    with pytest.raises(ConfigError, match="a prefix of a video to keep; expected one of an index"):
        panda.watch(film).keep_prefix(kept)
    panda.index(film, tmp_path / "film.vidx", fps=1.0)
    session = panda.watch(tmp_path / "film.vidx")
    session.only([0, 1, 2]).keep_prefix(kept)
    assert session.only([0, 1, 2]).use_prefix(kept)
    assert not session.only([3, 4, 5]).use_prefix(kept)
    assert not panda.watch(film).use_prefix(kept)


def test_nothing_asked_is_nothing_to_keep(model_folder, film, tmp_path):
    session = load(str(model_folder)).watch(film)
    with pytest.raises(ConfigError, match="no prefix to keep"):
        PrefixCache(session.model, session._embeddings).save(tmp_path / "prefix.safetensors", "key")

"""What a language model cannot do is found out by trying, and said by its name; nothing is wrong in silence."""

import copy

import pytest
import torch
from accelerate import cpu_offload
from tiny import asked, noise, tiny, tiny_stab
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, StaticCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from benchmarks.tiny_backbones import tiny_model
from longpanda.errors import ConfigError, PromptError
from longpanda.longwatch import vocabulary
from longpanda.model.backbone import Backbone
from longpanda.model.configuration import LongPandaConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.processing import LongPandaProcessor
from longpanda.processing.prompt import VIDEO_TOKEN
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.types import Example

QUESTIONS = ["What number is on the red circle?", "Where is the key?"]


def around(name):
    """A LongPanda around a small language model of a type."""
    tokenizer = word_tokenizer(vocabulary())
    language_model = tiny_model(name, tokenizer)
    config = LongPandaConfig(tiny_stab(), copy.deepcopy(language_model.config), sampling={"frames": 4})
    processor = LongPandaProcessor.for_model(config, tokenizer)
    return LongPandaForConditionalGeneration(config, language_model).eval(), processor


def disturbed(when):
    """A language model whose logits are changed by a hundredth of what they are, where `when` says so."""
    model = tiny()[0].language_model
    seen = []

    def change(_module, _arguments, given, output):
        seen.append(given.get("inputs_embeds"))
        if when(given, seen):
            output.logits = output.logits + 1e-2 * output.logits.roll(1, -1)

    model.register_forward_hook(change, with_kwargs=True)
    return Backbone(model)


def is_read_again(given, seen):
    now = given.get("inputs_embeds")
    return now is not None and sum(one is not None and torch.equal(one, now) for one in seen) > 2


def is_by_ids(given, _seen):
    return given.get("input_ids") is not None


def is_behind_a_cache(given, _seen):
    return is_by_ids(given, _seen) and given.get("past_key_values") is not None


FAULTS = {
    "gives different logits for the same prompt": is_read_again,
    "reads more of a token than its embedding": is_by_ids,
    "generates something else with a cache than without one": is_behind_a_cache,
}


def test_a_language_model_without_fault_passes() -> None:
    disturbed(lambda *_: False).check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_hundredth_is_found_and_named(fault) -> None:
    when = FAULTS[fault]
    with pytest.raises(ConfigError, match=f"type 'qwen2' that {fault}.*; choose another one, or another quantisation"):
        disturbed(when).check()


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("bert", {"is_decoder": False}, "whose tokens see those that come after them"),
        ("gemma3n_text", {}, "that reads more of a token than its embedding"),
        ("deepseek_v4", {}, "that fails when given embeddings"),
        ("rembert", {}, "whose embeddings are not 32 numbers for each token"),
    ],
)
def test_language_models_that_cannot_be_shown_anything_are_refused(name, fields, why) -> None:
    model = tiny_model(name, word_tokenizer(vocabulary()))
    if fields:
        config = AutoConfig.for_model(**model.config.to_dict() | fields)
        model = AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(ConfigError, match=f"a language model of type '{name}' {why}"):
        Backbone(model).check()


def test_trying_leaves_the_model_and_the_random_numbers_as_they_were() -> None:
    model, _ = tiny()
    model.train()
    model.stab.eval()
    modes = [module.training for module in model.modules()]
    before = torch.random.get_rng_state()
    assert model.backbone.separates
    model.backbone.check()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("name", "continues", "crops", "pads", "separates"),
    [
        ("llama", True, True, True, True),
        ("qwen3_next", True, False, True, False),
        ("bamba", True, False, True, False),
        ("nemotron_h", True, False, True, False),
        ("zamba2", True, False, True, False),
        ("jamba", False, False, True, False),
        ("mamba2", False, False, True, False),
        ("rwkv", False, False, False, False),
        ("bloom", True, True, True, False),
        ("mpt", True, True, True, False),
    ],
)
def test_what_each_kind_can_do(name, continues, crops, pads, separates) -> None:
    backbone = Backbone(tiny_model(name, word_tokenizer(vocabulary())))
    assert (backbone.continues, backbone.crops, backbone.pads, backbone.separates) == (
        continues,
        crops,
        pads,
        separates,
    )


@torch.no_grad()
def test_time_steps_keep_their_limits_one_token_at_a_time() -> None:
    """And what is said to a whole text is what it was; trying twice, or a copy, adds nothing."""
    model = tiny_model("zamba2", word_tokenizer(vocabulary()))
    ids = torch.arange(20, 44)[None]
    before = model(ids, use_cache=False).logits
    for _ in range(2):
        Backbone(model).check()
    copied = copy.deepcopy(model)
    clamped = [layer for layer in copied.modules() if hasattr(layer, "time_step_limit")]
    assert [len(layer.in_proj._forward_hooks) for layer in clamped] == [1] * len(clamped)
    assert {id(next(iter(layer.in_proj._forward_hooks.values())).layer) for layer in clamped} == set(map(id, clamped))
    whole = copied(ids, use_cache=False).logits
    torch.testing.assert_close(whole, before, atol=1e-4, rtol=1e-4)
    cache, steps = DynamicCache(config=copied.config), []
    for token in ids.T[:, None]:
        steps.append(copied(token, past_key_values=cache).logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-3, rtol=1e-3)


def test_a_quantisation_by_tensor_is_refused_with_what_can_be_done() -> None:
    """One scale for all tokens lets each of them see those that come after it."""
    model = tiny_model("llama", word_tokenizer(vocabulary()))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(in_eight_bits)
    with pytest.raises(ConfigError, match=r"tokens see those that come after.*; .* another quantisation if"):
        Backbone(model).check()


def in_eight_bits(_module, arguments):
    scale = arguments[0].abs().max() / 127
    return ((arguments[0] / scale).round() * scale,)


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3_moe", "flex_olmo", "bloom"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_that_tell_what_seeing_less_does_pass_also_where_experts_change(name, dtype) -> None:
    assert Backbone(tiny_model(name, word_tokenizer(vocabulary())).to(dtype)).unexplained == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hrm_text", "whose gradients do not predict its logits when visual tokens are faded"),  # most cycles have none
        ("minicpm3", "whose cache holds no values of tokens, but latents that keys are computed from as well"),
        ("deepseek_v3", "whose cache holds no values of tokens, but latents that keys are computed from as well"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_that_would_mislead_are_found_and_named(name, why, dtype) -> None:
    model = tiny_model(name, word_tokenizer(vocabulary())).to(dtype)
    assert Backbone(model).unexplained == why


def test_gradients_are_tried_of_what_was_compiled_or_offloaded_and_leave_it_as_it_was() -> None:
    model = tiny()[0].language_model.bfloat16()
    assert Backbone(torch.compile(copy.deepcopy(model), backend="eager")).unexplained == ""
    offloaded = cpu_offload(copy.deepcopy(model), execution_device="cpu")
    before = [(one.dtype, one.device) for one in offloaded.parameters()]
    assert Backbone(offloaded).unexplained == ""
    assert [(one.dtype, one.device) for one in offloaded.parameters()] == before


def half_alone(module, query, key, value, mask, **given):
    """Attention as flash attention's kernels have it: nothing in float32."""
    if query.dtype == torch.float32:
        raise RuntimeError("only support fp16 and bf16 data type")
    return sdpa_attention_forward(module, query, key, value, mask, **given)


def test_gradients_are_tried_with_attention_that_takes_half_precision_alone(monkeypatch) -> None:
    model = tiny()[0].language_model.bfloat16()
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "half_alone", half_alone)
    monkeypatch.setitem(ALL_MASK_ATTENTION_FUNCTIONS, "half_alone", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    model.config._attn_implementation = "half_alone"
    assert Backbone(model).unexplained == ""


def test_gradients_that_cannot_be_tried_are_named() -> None:
    backbone = Backbone(tiny()[0].language_model)
    backbone.trial.model.register_forward_pre_hook(
        lambda *_: (_ for _ in ()).throw(ValueError("no such layer\nat all"))
    )
    assert backbone.unexplained == "whose gradients cannot be tried (ValueError: no such layer)"


def test_half_precision_is_no_fault() -> None:
    """Nor is it one where the next token of a padded prompt is another, of two that are about as likely."""
    for name in ("llama", "qwen3_next", "mixtral", "gpt2"):
        backbone = Backbone(tiny_model(name, word_tokenizer(vocabulary())).to(torch.bfloat16))
        backbone.check()
        assert backbone.continues, name
        assert backbone.pads, name


@pytest.mark.parametrize("name", ["bloom", "mpt", "rwkv"])
def test_questions_side_by_side_are_equal_to_alone_or_refused(name) -> None:
    model, processor = around(name)
    example = Example(noise(2), tuple(asked(question, "42") for question in QUESTIONS))
    with pytest.raises(ConfigError, match=rf"questions side by side on .*'{name}'"):
        model(**processor.training_batch([example]))


@pytest.mark.parametrize("name", ["mamba", "bloom", "jamba", "rwkv", "gemma3_text", "gpt2"])
def test_examples_of_one_question_teach_every_language_model(name) -> None:
    """The loss is the language model's own of each answer alone, whatever pads the shorter row, and it falls."""
    model, processor = around(name)
    examples = [
        Example(noise(4), (asked(QUESTIONS[0], "42"),)),
        Example(noise(2, seed=1), (asked(QUESTIONS[1], "left"),)),
    ]
    batch = processor.training_batch(examples)
    with torch.no_grad():
        before = model(**batch).loss
        alone = torch.cat([answer_losses(model, processor, example) for example in examples]).mean()
    torch.testing.assert_close(before, alone, atol=1e-4, rtol=1e-4)
    learner = torch.optim.SGD(model.train().parameters(), lr=0.02)
    torch.manual_seed(0)
    for _ in range(2):
        learner.zero_grad()
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learner.step()
    with torch.no_grad():
        assert model.eval()(**batch).loss < before


def answer_losses(model, processor, example):
    """Of each token of an answer and of its end, by the language model to the bare prompt."""
    (sample,) = example.samples
    inputs = processor(processor.chat(sample.question, sample.target), [example.clip])
    pictures = [inputs[key] for key in ("pixel_values", "patch_boxes", "frame_windows")]
    embeddings = model.place(inputs["input_ids"], model.visual_embeddings(*pictures))
    logits = model.language_model(inputs_embeds=embeddings, use_cache=False).logits[0, :-1]
    asked_tokens = processor(processor.chat(sample.question), [example.clip])["input_ids"].shape[1]
    targets = inputs["input_ids"][0, 1:]
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")[asked_tokens - 1 :]


def test_prompts_of_several_lengths_are_equal_to_alone_or_refused() -> None:
    model, processor = around("rwkv")
    texts, clips = [processor.chat(question) for question in QUESTIONS], [[noise(2)], [noise(3)]]
    with pytest.raises(ConfigError, match=r"prompts of several lengths for a 'rwkv'.*; ask them one by one"):
        model.generate(**processor(texts, clips), max_new_tokens=2)
    with pytest.raises(ConfigError, match="prompts of several lengths"):
        model(**processor(texts, clips))
    equal = processor([texts[0]] * 2, [clips[0]] * 2)
    model.generate(**equal, max_new_tokens=2)
    equal["attention_mask"][1, 4] = 0
    with pytest.raises(ConfigError, match="prompts of several lengths"):
        model(**equal)


@torch.no_grad()
def test_padding_before_a_cache_is_seen() -> None:
    """A cache that is empty, or holds the beginning, changes nothing: neither positions nor what is refused."""
    model, processor = around("gpt2")
    batch = processor([processor.chat(question) for question in QUESTIONS], [[noise(2)], [noise(3)]])
    whole = model(**batch).logits
    cache = DynamicCache()
    first = {**batch, "input_ids": batch["input_ids"][:, :-3], "attention_mask": batch["attention_mask"][:, :-3]}
    torch.testing.assert_close(model(**first, past_key_values=cache).logits, whole[:, :-3], atol=1e-4, rtol=1e-4)
    rest = {"input_ids": batch["input_ids"][:, -3:], "attention_mask": batch["attention_mask"]}
    torch.testing.assert_close(model(**rest, past_key_values=cache).logits, whole[:, -3:], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_padding_changes_no_positions() -> None:
    """Those of GPT-2 are learned one by one: none may be spent on padding."""
    model, processor = around("gpt2")
    batch = processor([processor.chat(question) for question in QUESTIONS], [[noise(2)], [noise(3)]])
    padding = int((batch["attention_mask"][0] == 0).sum())
    alone = model(**processor(processor.chat(QUESTIONS[0]), [noise(2)])).logits[0]
    assert padding > 0
    torch.testing.assert_close(model(**batch).logits[0, padding:], alone, atol=1e-4, rtol=1e-4)


def test_a_model_that_was_moved_is_tried_again() -> None:
    model, _ = tiny()
    first = model.backbone
    assert model.backbone is first
    assert model.to(torch.bfloat16).backbone is not first
    assert model.backbone.pads
    copied = copy.deepcopy(model)
    assert copied.backbone.model is copied.language_model


@torch.no_grad()
def test_what_wraps_a_language_model_takes_nothing_from_it() -> None:
    peft = pytest.importorskip("peft")
    model, processor = tiny()
    example = Example(noise(2), tuple(asked(question, "42") for question in QUESTIONS))
    plain = model(**processor.training_batch([example])).loss
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    adapted, compiled = tiny()[0], tiny()[0]
    adapted.language_model = peft.get_peft_model(adapted.language_model, settings)
    compiled.language_model = torch.compile(compiled.language_model, backend="eager")
    for model in (adapted, compiled):
        model.backbone.check()
        assert model.backbone.continues
        torch.testing.assert_close(model(**processor.training_batch([example])).loss, plain)


def test_what_a_language_model_would_ignore_is_refused() -> None:
    model, processor = around("bloom")
    inputs = processor(processor.chat(QUESTIONS[0]), [noise(2)])
    with pytest.raises(ConfigError, match="position_ids for a 'bloom', which would ignore it"):
        model(**inputs, position_ids=torch.arange(inputs["input_ids"].shape[1])[None])


@torch.no_grad()
@pytest.mark.parametrize("name", ["mamba", "mamba2", "falcon_mamba", "minimax", "recurrent_gemma", "zamba"])
def test_answers_are_those_of_the_bare_language_model(name) -> None:
    model, processor = around(name)
    inputs = processor(processor.chat(QUESTIONS[0]), [noise(4)])
    pictures = [inputs[key] for key in ("pixel_values", "patch_boxes", "frame_windows")]
    embeddings = model.place(inputs["input_ids"], model.visual_embeddings(*pictures))
    new = model.generate(**inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False)[
        :, inputs["input_ids"].shape[1] :
    ]
    for step in range(4):
        logits = model.language_model(inputs_embeds=embeddings, use_cache=False).logits[0, -1]
        logits[[model.config.video_token_id, processor.end_token_id]] = -torch.inf
        assert logits.argmax() == new[0, step]
        embeddings = torch.cat([embeddings, model.get_input_embeddings()(new[:, step : step + 1])], 1)


def test_two_prompts_are_refused() -> None:
    model, processor = tiny()
    ids = processor("What is left")["input_ids"]
    with pytest.raises(PromptError, match="both inputs and input_ids"):
        model.generate(ids, input_ids=ids)
    inputs = processor(processor.chat(QUESTIONS[0]), [noise(2)])
    with pytest.raises(PromptError, match="both pixel_values and inputs_embeds"):
        model.generate(**inputs, inputs_embeds=torch.zeros(1, inputs["input_ids"].shape[1], 32))
    with pytest.raises(PromptError, match="visual placeholders in input_ids; expected 0"):
        model.generate(inputs["input_ids"], past_key_values=DynamicCache())


@torch.no_grad()
def test_the_librarys_ways_to_generate_give_the_same() -> None:
    model, processor = tiny()
    inputs = processor(processor.chat(QUESTIONS[0]), [noise(5)])
    settings = {"max_new_tokens": 6, "do_sample": False}
    expected = model.generate(**inputs, **settings)
    other, rows = tiny("llama")[0], model.config.text_config.vocab_size
    fields = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    narrow = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=rows, **fields))
    for ways in (
        {"cache_implementation": "static"},
        {"past_key_values": DynamicCache()},
        {"past_key_values": StaticCache(config=model.config.text_config, max_cache_len=128)},
        {"assistant_model": model},
        {"assistant_model": other},
        {"assistant_model": narrow},
        {"prompt_lookup_num_tokens": 3},
    ):
        assert torch.equal(model.generate(**inputs, **settings, **ways), expected), ways
    media = {key: value for key, value in inputs.items() if key != "input_ids"}
    assert torch.equal(model.generate(inputs=inputs["input_ids"], **media, **settings), expected)


@torch.no_grad()
@pytest.mark.parametrize("name", ["llama", "bamba"])
def test_a_conversation_may_go_on_with_its_cache(name) -> None:
    """As transformers' users do it: each turn gives all of the prompt, and the cache of the turn before."""
    model, processor = around(name)
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
    cache, clips = DynamicCache(config=model.config.text_config), [noise(3), noise(2, seed=1)]
    first = processor(processor.chat(QUESTIONS[0]), clips[:1])
    said = model.generate(**first, **settings, past_key_values=cache)[:, :-1]  # what the cache holds
    for new in (0, 1):
        turn = processor(processor.chat(QUESTIONS[1], clips=new), clips[1 : 1 + new])["input_ids"]
        inputs = dict(processor(VIDEO_TOKEN * (1 + new), clips[: 1 + new]))
        ids = inputs["input_ids"] = torch.cat([said, turn], 1)
        inputs["attention_mask"] = torch.ones_like(ids)
        alone = model.generate(**inputs, **settings)
        assert torch.equal(model.generate(**inputs, **settings, past_key_values=copy.deepcopy(cache)), alone), new
    with pytest.raises(PromptError, match=r"\d+ visual placeholders in input_ids; expected 0"):
        model.generate(ids, past_key_values=cache)


def test_an_assistant_for_embeddings_without_their_prompt_is_refused() -> None:
    model, _ = tiny()
    with pytest.raises(ConfigError, match="an assistant for embeddings alone; expected the prompt's input_ids too"):
        model.generate(inputs_embeds=torch.zeros(1, 3, 32), assistant_model=tiny("llama")[0])

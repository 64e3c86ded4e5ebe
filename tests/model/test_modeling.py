"""One model around any causal language model: it learns, answers, is saved and is extended like any of transformers."""

import subprocess
import sys

import pytest
import torch
from tiny import FAMOUS, asked, byte_tokenizer, noise, save, tiny
from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from longpanda.errors import ConfigError, PromptError
from longpanda.model.configuration import LongPandaConfig, StabConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.model.stab import Stab
from longpanda.processing import FrameProcessor, LongPandaProcessor
from longpanda.types import Example

BACKBONES = ["llama", "phi3", "qwen2", "qwen3"]
QUESTION = "What number is on the red circle?"
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
"""Batches and caches change the order of sums in float32, and nothing else."""


def example_batch(processor):
    examples = [
        Example(noise(3), (asked(QUESTION, "42"),)),
        Example(noise(5, 32, 48, seed=1), (asked(QUESTION, "17"),)),
    ]
    return processor.training_batch(examples)


def answers(model, inputs, **settings):
    """New tokens only."""
    settings = {"max_new_tokens": 6, "do_sample": False} | settings
    return model.generate(**inputs, **settings)[:, inputs["input_ids"].shape[1] :]


def prefer(model, token_at):
    """From now on the model says `token_at(row, step)`."""
    assert model.backbone.pads  # found out before words are put into its mouth
    steps = []

    def choose(_module, _arguments, output):
        for row in range(output.logits.shape[0]):
            output.logits[row, -1, token_at(row, len(steps))] = 1e4
        steps.append(None)

    return model.language_model.register_forward_hook(choose)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("tied", [False, True])
def test_training_reaches_every_part_and_lowers_the_loss(backbone, tied):
    model, processor = tiny(backbone, tied)
    batch = example_batch(processor)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    loss = model(**batch).loss
    loss.backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name.split(".")[0] for name, p in model.named_parameters() if name not in still} == {
        "stab",
        "projector",
        "language_model",
    }
    # `up` starts at zero, so nothing before it learns in the first step; a key's bias cancels in the softmax.
    assert not {name for name in still if not name.startswith("stab.local.")} - {"stab.video.key.bias"}
    optimizer.step()
    assert model(**batch).loss < loss


@torch.no_grad()
def test_everything_of_a_model_without_memory_is_initialised():
    """As transformers loads one: whatever a checkpoint lacks is then garbage until its module initialises it."""
    compressor = {"layers": 1, "state_width": 8, "head_width": 8, "grid": [2, 2], "pooling": "learned"}
    stab = StabConfig(width=32, heads=4, patch_px=8, image_px=48, lste_width=16, split_tokens=True)
    text = tiny()[0].config.text_config
    with torch.device("meta"):
        model = LongPandaForConditionalGeneration(LongPandaConfig(stab, text, temporal_config=compressor))
    model.to_empty(device="cpu")
    held = [*model.stab.named_parameters(), *model.stab.named_buffers(), *model.temporal.named_parameters()]
    for _, value in held:
        value.fill_(torch.nan)
    for module in model.modules():
        module._is_hf_initialized = False
    model.initialize_weights()
    assert not [name for name, value in held if not value.isfinite().all()]
    assert torch.equal(model.stab.pixel_mean, Stab(stab).pixel_mean)
    assert not model.stab.local.up.weight.any()
    assert float(model.stab.local.down.weight.std()) == pytest.approx(text.initializer_range, rel=0.1)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_what_is_saved_is_what_is_loaded(backbone, tied, tmp_path):
    model, processor = panda = tiny(backbone, tied, notice="careful")
    inputs = processor(processor.chat(QUESTION), [noise(5)])
    save(panda, tmp_path)
    assert type(AutoModel.from_pretrained(tmp_path)) is LongPandaForConditionalGeneration
    loaded, report = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    config, again = AutoConfig.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert (type(loaded), type(config), type(again)) == (
        LongPandaForConditionalGeneration,
        LongPandaConfig,
        LongPandaProcessor,
    )
    assert config.notice == "careful"
    assert config.sampling == {"frames": 4}
    assert config.stab_config.width == model.config.stab_config.width
    for name, value in again(again.chat(QUESTION), [noise(5)]).items():
        assert torch.equal(value, inputs[name]), name
    # Memory is aligned differently, and kernels with it: last bits of sums over the layers may differ, 2e-5 were seen.
    torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits, atol=1e-4, rtol=1e-5)
    assert torch.equal(answers(loaded, inputs), answers(model, inputs))
    shared = loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    assert shared == tied
    assert loaded.generation_config.eos_token_id == again.end_token_id


@pytest.mark.parametrize("backbone", BACKBONES)
@torch.no_grad()
def test_a_batch_is_its_prompts_one_by_one(backbone):
    """Also where videos differ in length and shape, which decides how frames are padded."""
    model, processor = tiny(backbone)
    clips = [[noise(2)], [noise(7, 48, 20, seed=1)], [noise(1, 30, 48, seed=2), noise(4, seed=3)], []]
    texts = [processor.chat(QUESTION + " " * n, clips=len(group)) for n, group in enumerate(clips)]
    batch = processor(texts, clips)
    together, logits = answers(model, batch, eos_token_id=None), model(**batch).logits
    for row, (text, group) in enumerate(zip(texts, clips, strict=True)):
        inputs = processor(text, group)
        expected = model(**inputs).logits[0]
        torch.testing.assert_close(logits[row, -len(expected) :], expected, **CLOSE)
        assert torch.equal(together[row], answers(model, inputs, eos_token_id=None)[0])


@pytest.mark.parametrize("backbone", BACKBONES)
@torch.no_grad()
def test_generating_with_a_cache_is_reading_all_again(backbone):
    model, processor = tiny(backbone)
    batch = processor([processor.chat(QUESTION), processor.chat("Where is the key?")], [[noise(5)], [noise(2, seed=1)]])
    output = model.generate(
        **batch, max_new_tokens=6, do_sample=False, output_logits=True, return_dict_in_generate=True, eos_token_id=None
    )
    prompt = batch["input_ids"].shape[1]
    for step, cached in enumerate(output.logits):
        ids = output.sequences[:, : prompt + step]
        mask = torch.cat([batch["attention_mask"], torch.ones(2, step, dtype=torch.long)], 1)
        again = model(**{**batch, "input_ids": ids, "attention_mask": mask}).logits[:, -1]
        torch.testing.assert_close(cached, again, **CLOSE)
        assert torch.equal(output.sequences[:, prompt + step], again.index_fill(1, torch.tensor([3]), -9e9).argmax(1))


def test_frames_are_encoded_once(monkeypatch):
    model, processor = tiny()
    calls, original = [], model.stab.forward
    monkeypatch.setattr(model.stab, "forward", lambda *args: (calls.append(args), original(*args))[1])
    answers(model, processor(processor.chat(QUESTION), [noise(5)]), num_beams=3, num_return_sequences=2)
    assert [len(pixels) for pixels, _, _ in calls] == [5]


def test_beams_and_samples():
    model, processor = tiny()
    inputs = processor(processor.chat(QUESTION), [noise(5)])
    beams = answers(model, inputs, num_beams=3, num_return_sequences=2)
    assert len(beams) == 2
    assert not torch.equal(beams[0], beams[1])
    torch.manual_seed(1)
    samples = answers(model, inputs, do_sample=True, num_return_sequences=3)
    assert len({tuple(row) for row in samples.tolist()}) == 3


@torch.no_grad()
def test_text_alone_is_answered():
    model, processor = tiny()
    inputs = processor("What is left")
    assert answers(model, inputs).shape == (1, 6)
    assert model(**inputs).logits.shape[:2] == inputs["input_ids"].shape


def test_placeholders_without_frames_are_refused_with_both_counts():
    model, processor = tiny()
    inputs = processor(processor.chat(QUESTION), [noise(2)])
    cut = inputs["input_ids"][:, 5:]
    for call in (model, model.generate):
        with pytest.raises(PromptError, match="17 visual placeholders in input_ids; expected 20, the visual tokens of"):
            call(**{**inputs, "input_ids": cut, "attention_mask": inputs["attention_mask"][:, 5:]})
        with pytest.raises(PromptError, match="20 visual placeholders in input_ids; expected 0,"):
            call(input_ids=inputs["input_ids"])


def test_half_the_media_is_refused():
    model, processor = tiny()
    inputs = processor(processor.chat(QUESTION), [noise(2)])
    del inputs["frame_windows"]
    with pytest.raises(PromptError, match=r"only pixel_values and patch_boxes; expected .* and frame_windows"):
        model(**inputs)
    with pytest.raises(PromptError, match="neither input_ids nor inputs_embeds"):
        model()


def test_pixels_that_the_processor_did_not_make_are_refused():
    model, processor = tiny()
    inputs = processor(processor.chat(QUESTION), [noise(2)])
    for change in ({"pixel_values": inputs["pixel_values"] / 255}, {"patch_boxes": inputs["patch_boxes"][:1]}):
        for call in (model, model.generate):
            with pytest.raises(PromptError, match="uint8 pixels, and a box for each frame"):
                call(**{**inputs, **change})


AUTO = """
import sys
from longpanda import LongPandaForConditionalGeneration, LongPandaProcessor
from transformers import AutoModel, AutoProcessor
print(type(AutoModel.from_pretrained(sys.argv[1])).__name__, type(AutoProcessor.from_pretrained(sys.argv[1])).__name__)
"""


def test_auto_classes_know_the_model_in_a_new_process(tmp_path):
    save(tiny(), tmp_path)
    ran = subprocess.run([sys.executable, "-c", AUTO, tmp_path], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["LongPandaForConditionalGeneration", "LongPandaProcessor"]


def test_a_placeholder_is_never_said():
    model, processor = tiny()
    inputs = processor(processor.chat(QUESTION), [noise(2)])
    with prefer(model, lambda *_: model.config.video_token_id):
        said = answers(model, inputs)
    assert model.config.video_token_id not in said


@pytest.mark.parametrize("backbone", [*FAMOUS, "words"])
def test_generation_stops_where_an_answer_ends(backbone, tmp_path):
    """After saving and loading, each row on its own, padded from there on."""
    words = backbone == "words"
    tokenizer = None if words else byte_tokenizer(*FAMOUS[backbone][:2])
    save(tiny("qwen2" if words else backbone, tokenizer=tokenizer), tmp_path)
    model = LongPandaForConditionalGeneration.from_pretrained(tmp_path)
    processor = LongPandaProcessor.from_pretrained(tmp_path)
    token = processor.tokenizer.encode("4", add_special_tokens=False)[0]
    end, pad = processor.end_token_id, processor.tokenizer.pad_token_id
    batch = processor([processor.chat(QUESTION)] * 2, [[noise(2)], [noise(3)]])
    with prefer(model, lambda row, step: end if step >= (1, 3)[row] else token):
        said = answers(model, batch, max_new_tokens=9)
    assert said.tolist() == [[token, end, pad, pad], [token, token, token, end]]
    assert processor.tokenizer.batch_decode(said, skip_special_tokens=True) == ["4", "444"]


@torch.no_grad()
def test_half_precision(tmp_path):
    model, processor = panda = tiny()
    model = LongPandaForConditionalGeneration.from_pretrained(save(panda, tmp_path), dtype=torch.bfloat16)
    inputs = processor(processor.chat(QUESTION), [noise(5)])
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    logits, exact = model(**inputs).logits, panda[0](**inputs).logits
    assert logits.dtype == torch.bfloat16
    cosine = torch.nn.functional.cosine_similarity(logits[0].float(), exact[0], -1)
    assert cosine.min() > 0.95, "8 bits of mantissa over two layers"
    assert answers(model, inputs).shape == (1, 6)


def test_lora_wraps_and_learns():
    peft = pytest.importorskip("peft")
    model, processor = tiny()
    batch = example_batch(processor)
    inputs = processor(processor.chat(QUESTION), [noise(5)])
    before = answers(model, inputs)
    wrapped = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=True))
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    assert 0 < sum(p.numel() for p in trained) < 0.1 * sum(p.numel() for p in wrapped.parameters())
    assert torch.equal(answers(wrapped, inputs), before), "LoRA starts as no change"
    loss = wrapped(**batch).loss
    loss.backward()
    torch.optim.SGD(trained, lr=1e-2).step()
    assert wrapped(**batch).loss < loss


def test_gradient_checkpointing_gives_the_same_gradients():
    model, processor = tiny()
    batch = example_batch(processor)
    gradients = []
    for recompute in (False, True):
        model.train().zero_grad()
        if recompute:
            model.gradient_checkpointing_enable()
        model(**batch).loss.backward()
        gradients.append(model.projector.input.weight.grad.clone())
    assert model.language_model.model.layers[0].gradient_checkpointing
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_vocabulary_can_grow(tmp_path):
    model, processor = tiny()
    size = model.config.text_config.vocab_size
    model.resize_token_embeddings(size + 8)
    assert model.config.text_config.vocab_size == size + 8
    loaded = LongPandaForConditionalGeneration.from_pretrained(save((model, processor), tmp_path))
    assert loaded.get_output_embeddings().weight.shape[0] == size + 8


def test_a_prompt_is_read_with_logits_for_its_last_token_only():
    """All of them would be gigabytes for a long video and a real vocabulary."""
    model, processor = tiny()
    lengths = []
    model.language_model.register_forward_hook(
        lambda _module, _arguments, output: lengths.append(output.logits.shape[1])
    )
    model.generate(**processor(processor.chat("Where is the key?"), [noise(3)]), max_new_tokens=2, do_sample=False)
    assert lengths[0] == 1


@pytest.mark.parametrize(
    ("backbone", "settings", "message"),
    [
        ("phi3", {"sliding_window": 32}, "a sliding window of 32"),
        ("qwen2", {"layer_types": ["full_attention", "linear_attention"]}, "layers of linear_attention"),
    ],
)
def test_side_by_side_questions_need_full_attention(backbone, settings, message):
    model, processor = tiny(backbone)
    batch = processor.training_batch([Example(noise(3), (asked(QUESTION, "42"), asked(QUESTION, "17")))])
    model(**batch)
    for key, value in settings.items():
        setattr(model.language_model.config, key, value)
    with pytest.raises(ConfigError, match=message):
        model(**batch)


def test_unknown_fields_of_the_block_are_named():
    with pytest.raises(ConfigError, match=r"unknown field 'widht'.*did you mean 'width'"):
        StabConfig(widht=3)
    with pytest.raises(ConfigError, match="at least 1"):
        StabConfig(heads=0)


def test_times_are_no_less_than_nothing_apart():
    with pytest.raises(ConfigError, match=r"times_seconds=-1\.0; expected 0 or more seconds"):
        LongPandaConfig(times_seconds=-1.0)


def test_the_published_configuration_is_letterboxed():
    """Its convolutions see the padding: it has to be the padding that it was trained with."""
    stab = StabConfig(
        width=32, heads=4, patch_px=8, image_px=48, lste_width=16, masked=False, norm="batch", split_tokens=True
    )
    frames = FrameProcessor(stab_config=stab.to_diff_dict())
    wide, tall = noise(2, 20, 48), noise(1, 48, 20)
    batch = frames.preprocess([wide, tall])
    assert batch["pixel_values"].shape == (3, 3, 48, 48)
    assert batch["patch_boxes"].tolist() == [[0, 4, 0, 6]] * 2 + [[0, 6, 0, 4]]
    assert batch["pixel_values"][0, :, -1, 0].tolist() == [122, 116, 104]
    tokens = Stab(stab).eval()(batch["pixel_values"], batch["patch_boxes"], batch["frame_windows"])
    counts = [frames.timeline(clip).group_tokens[0] for clip in (wide, wide, tall)]
    assert tokens.mask.sum(1).tolist() == counts

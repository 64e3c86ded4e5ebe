"""Models of a few thousand weights, and clips of noise, that many tests share."""

from pathlib import Path

import av
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, PreTrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from longpanda.longwatch import vocabulary
from longpanda.model.configuration import LongPandaConfig, StabConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.processing import LongPandaProcessor
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.types import Sample, VideoClip

torch.set_num_threads(1)

Panda = tuple[LongPandaForConditionalGeneration, LongPandaProcessor]


SMALLEST_TEXT = {
    "model_type": "qwen2",
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
"""Of a recipe: a language model of one layer, which trains in no time."""


def tiny_stab() -> StabConfig:
    """3 x 3 cells for a square frame."""
    return StabConfig(width=32, heads=4, patch_px=8, image_px=48, lste_width=16)


def tiny_text(backbone: str, tokenizer: PreTrainedTokenizerBase, tied: bool = False) -> PreTrainedConfig:
    """A language model of two layers of width 32, for this tokenizer."""
    return AutoConfig.for_model(
        backbone,
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.3,  # large enough for tokens and frames to make a difference to untrained answers
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def tiny(
    backbone: str = "qwen2", tied: bool = False, tokenizer: PreTrainedTokenizerBase | None = None, **settings: object
) -> Panda:
    """A random model with 3 x 3 cells for a square frame, the same each time."""
    tokenizer = tokenizer or word_tokenizer(vocabulary())
    config = LongPandaConfig(tiny_stab(), tiny_text(backbone, tokenizer, tied), sampling={"frames": 4}, **settings)
    processor = LongPandaProcessor.for_model(config, tokenizer)
    torch.manual_seed(0)
    return LongPandaForConditionalGeneration(config).eval(), processor


def squeezing(direction: str, layers: int = 1, **rate: object) -> Panda:
    """A random model with a compressor."""
    sizes = {"layers": layers, "state_width": 8, "head_width": 8, "grid": [2, 2], "pool_frames": 2, **rate}
    panda = tiny(temporal_config={**sizes, "direction": direction}, notice="a random model")
    for name, weight in panda[0].temporal.named_parameters():
        if name.endswith("out_proj.weight"):
            torch.nn.init.normal_(weight, std=0.3)
    return panda


def save(panda: Panda, folder: Path) -> Path:
    """Write model and processor for `longpanda.load`."""
    for part in panda:
        part.save_pretrained(folder)
    return folder


def noise(frames: int, height_px: int = 48, width_px: int = 48, seed: int = 0, step_seconds: float = 5.0) -> VideoClip:
    """A clip of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, height_px, width_px, 3), dtype=np.uint8)
    return VideoClip(pixels, np.arange(frames) * step_seconds, frames * step_seconds)


def scenery(seconds: int) -> list[np.ndarray]:
    """Ten frames a second of a bar that moves over a grey room."""
    frames = []
    for number in range(10 * seconds):
        frame = np.full((64, 96, 3), 90, np.uint8)
        frame[:, number % 90 : number % 90 + 6] = (250, number % 250, 40)
        frames.append(frame)
    return frames


def as_recording(video: Path, path: Path) -> Path:
    """The same pictures as MPEG-TS, which can be cut anywhere."""
    with av.open(str(video)) as source, av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def asked(question: str, target: str) -> Sample:
    return Sample(question, target, "needle")


SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|end|>", "<s>", "</s>"]
QWEN_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}"
    "{%- endif %}{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
PHI_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
LLAMA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' '  + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
FAMOUS = {  # backbone: (chat template, end of text, prompt around the question, token that ends an answer)
    "qwen2": (
        QWEN_TEMPLATE,
        "<|endoftext|>",
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n<|video|>\n{}<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "phi3": (PHI_TEMPLATE, "<|endoftext|>", "<|user|>\n<|video|>\n{}<|end|>\n<|assistant|>\n", "<|end|>"),
    "llama": (LLAMA_TEMPLATE, "</s>", "<s>[INST] <|video|>\n{} [/INST]", "</s>"),
}
"""Chat formats of the backbones we name first: as their tokenizers have them, Qwen2.5's with the base model's eos."""


def byte_tokenizer(template: str, end_of_text: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of a real model's kind: no `<|video|>`, no padding token, merges over spaces."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=SPECIAL_TOKENS
    )
    backend.train_from_iterator(["What number is on the red circle? 42 left right middle"] * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token=end_of_text)
    tokenizer.chat_template = template
    return tokenizer

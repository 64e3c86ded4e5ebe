"""LongPandaProcessor: clips and text to the tensors the model takes; FrameProcessor: the picture half of it."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    BaseImageProcessor,
    BatchFeature,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)

from longpanda.errors import ConfigError, PromptError
from longpanda.model.configuration import LongPandaConfig, StabConfig, cells_of
from longpanda.processing.prompt import CHAT_TEMPLATE, VIDEO_TOKEN, expand, media_ids, timestamp
from longpanda.types import Frames, Lesson, Prompt, VideoClip
from longpanda.video import letterbox, resize

IGNORED = -100


class FrameProcessor(BaseImageProcessor):
    """Frames of any size to one canvas: the longer side becomes `image_px`, the shorter is rounded up to whole cells.

    Clips of different shapes share a batch by padding at the bottom and right, which the model masks. A model that
    does not (`StabConfig.paper()`) gets its own centred letterbox instead.
    """

    model_input_names = ("pixel_values", "patch_boxes", "frame_windows")

    def __init__(self, stab_config: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stab_config = stab_config or StabConfig().to_diff_dict()

    @property
    def stab(self) -> StabConfig:
        """The block these frames are for."""
        return StabConfig(**self.stab_config)

    def size_for(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Height and width in pixels at which the model looks at a picture of this shape."""
        stab = self.stab
        rows, columns = cells_of(height_px, width_px, stab)
        return rows * stab.cell_px, columns * stab.cell_px

    def frame_tokens(self, clip: VideoClip) -> list[int]:
        """Visual tokens of each frame of a clip."""
        stab = self.stab
        return [stab.tokens_per_frame(*cells_of(clip.frames.shape[1], clip.frames.shape[2], stab))] * len(clip)

    def preprocess(self, clips: Sequence[VideoClip], return_tensors: str = "pt") -> BatchFeature:
        """Clips to pixel_values uint8 [F, 3, H, W], patch_boxes [F, 4] and frame_windows [W, t].

        Raises:
            ConfigError: other tensors than torch's ("pt") are asked for.
        """
        if return_tensors != "pt":
            raise ConfigError(f"return_tensors='{return_tensors}'", "'pt'", "leave it out")
        stab = self.stab
        if not stab.masked:
            return _letterboxed(clips, stab)
        cells = [cells_of(clip.frames.shape[1], clip.frames.shape[2], stab) for clip in clips]
        rows, columns = max(r for r, _ in cells), max(c for _, c in cells)
        side, patches = stab.cell_px, stab.cell_px // stab.patch_px
        total = sum(len(clip) for clip in clips)
        pixels = np.zeros((total, rows * side, columns * side, 3), np.uint8)
        boxes, start = np.zeros((total, 4), np.int64), 0
        for clip, (r, c) in zip(clips, cells, strict=True):
            end = start + len(clip)
            pixels[start:end, : r * side, : c * side] = resize(clip.frames, r * side, c * side)
            boxes[start:end] = (0, r * patches, 0, c * patches)
            start = end
        data = {
            "pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2),
            "patch_boxes": torch.from_numpy(boxes),
            "frame_windows": torch.tensor(stab.windows([len(clip) for clip in clips])),
        }
        return BatchFeature(data)


class LongPandaProcessor(ProcessorMixin):
    """Text with `<|video|>` markers, and the clips they stand for, to model inputs."""

    def __init__(self, image_processor: FrameProcessor, tokenizer: PreTrainedTokenizerBase, **kwargs: Any) -> None:
        kwargs.setdefault("chat_template", tokenizer.chat_template or CHAT_TEMPLATE)
        super().__init__(image_processor, tokenizer, **kwargs)
        if VIDEO_TOKEN not in tokenizer.get_vocab():
            tokenizer.add_special_tokens({"additional_special_tokens": [VIDEO_TOKEN]})
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.video_token_id: int = tokenizer.convert_tokens_to_ids(VIDEO_TOKEN)

    @classmethod
    def for_model(cls, config: LongPandaConfig, tokenizer: PreTrainedTokenizerBase) -> "LongPandaProcessor":
        """The processor of a new model; sets the token ids of `config`, and makes room for the placeholder.

        Raises:
            ConfigError: the tokenizer's chat template ends answers with no token that generation could stop at.
        """
        stab = {k: v for k, v in config.stab_config.to_diff_dict().items() if k in StabConfig().__dict__}
        processor = cls(FrameProcessor(stab_config=stab), tokenizer)
        config.video_token_id = processor.video_token_id
        config.eos_token_id, config.pad_token_id = processor.end_token_id, tokenizer.pad_token_id
        config.text_config.vocab_size = max(config.text_config.vocab_size, len(tokenizer))
        return processor

    @cached_property
    def end_token_id(self) -> int:
        """The token that ends an answer in this chat format; not always the tokenizer's own end of text.

        Raises:
            ConfigError: the chat template puts no special token after an answer.
        """
        answer = "yes"
        _, _, after = self.chat("?", answer).rpartition(answer)
        special = set(self.tokenizer.all_special_ids)
        special |= {n for n, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        for token in self.tokenizer.encode(after, add_special_tokens=False):
            if token in special:
                return int(token)
        found = f"a chat template that writes {after!r} after an answer"
        raise ConfigError(found, "a special token that ends it", "add the tokenizer's eos_token to the template")

    def chat(self, question: str, answer: str | None = None, clips: int = 1) -> str:
        """The text of one question about `clips` clips, in the chat format of this model's tokenizer.

        Raises:
            PromptError: the question is empty.
        """
        if not isinstance(question, str) or not question.strip():
            found = (
                "an empty question" if isinstance(question, str) else f"a question of type {type(question).__name__}"
            )
            raise PromptError(found, "some text", 'ask something, for example "What happens first?"')
        messages = [{"role": "user", "content": VIDEO_TOKEN * clips + "\n" + question.strip()}]
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        text: str = self.tokenizer.apply_chat_template(
            messages, chat_template=self.chat_template, tokenize=False, add_generation_prompt=answer is None
        )
        return text

    def __call__(
        self, text: str | Sequence[str], clips: Sequence[VideoClip] | Sequence[Sequence[VideoClip]] = ()
    ) -> BatchFeature:
        """Prompts to generate from, padded on the left.

        Args:
            text: a prompt, or B prompts, with one `<|video|>` for each clip.
            clips: the clips of the prompt, or one list for each of the B prompts; an image is a clip of one frame.

        Returns:
            input_ids and attention_mask [B, L], and with clips pixel_values [F, 3, H, W], patch_boxes [F, 4] and
            frame_windows [W, t].

        Raises:
            PromptError: markers and clips do not match.
        """
        texts = [text] if isinstance(text, str) else list(text)
        groups: list[Any] = [clips] if isinstance(text, str) else list(clips) or [()] * len(texts)
        if not texts:
            raise PromptError("no text", "at least one prompt", "pass one")
        if len(groups) != len(texts) or _has_clip(groups):
            found = f"{len(texts)} texts and {len(groups)} " + ("clips" if _has_clip(groups) else "lists of clips")
            raise PromptError(found, "one list of clips per text", "pair them")
        if wrong := {type(clip).__name__ for group in groups for clip in group if not isinstance(clip, VideoClip)}:
            found = f"clips of type {', '.join(sorted(wrong))}"
            raise PromptError(found, "VideoClip", "decode a video, or wrap a picture with image_clip()")
        prompts = self.prompts(texts, groups)
        flat = [clip for group in groups for clip in group]
        return BatchFeature({**prompts, **self.image_processor.preprocess(flat)}) if flat else prompts

    def tokens_per_frame(self, height_px: int, width_px: int, last_second: float) -> int:
        """Tokens of one frame of a video of this shape with its time, at most, up to its last second."""
        stab: StabConfig = self.image_processor.stab
        time: list[int] = self.tokenizer.encode(timestamp(last_second), add_special_tokens=False)
        return len(time) + stab.tokens_per_frame(*cells_of(height_px, width_px, stab))

    def prompts(self, texts: Sequence[str], groups: Sequence[Sequence[VideoClip]]) -> BatchFeature:
        """input_ids and attention_mask of `__call__` alone: no picture is touched.

        Raises:
            PromptError: markers and clips do not match.
        """
        prompts = [self._prompt(text, group) for text, group in zip(texts, groups, strict=True)]
        length = max(len(p.input_ids) for p in prompts)
        ids = torch.full((len(prompts), length), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, length - len(prompt.input_ids) :] = torch.tensor(prompt.input_ids)
            mask[row, length - len(prompt.input_ids) :] = 1
        return BatchFeature({"input_ids": ids, "attention_mask": mask})

    def _prompt(self, text: str, clips: Sequence[VideoClip]) -> Prompt:
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        tokens = [self.image_processor.frame_tokens(clip) for clip in clips]
        media = [
            media_ids(self.tokenizer, clip.pts_seconds.tolist(), count, self.video_token_id)
            for clip, count in zip(clips, tokens, strict=True)
        ]
        return expand(ids, media, [n for count in tokens for n in count], self.video_token_id)

    def lessons(self, lessons: Sequence[Lesson]) -> BatchFeature:
        """A training batch: all questions of a clip side by side, sharing its visual tokens but not seeing each other.

        Returns:
            As `__call__`, padded on the right, with labels and position_ids [B, L] and a bool attention_mask
            [B, 1, L, L]. Every question has the logits it would have alone. Where any lesson has them, also cell_labels
            [N, A], one row per visual token. Without any question, pictures and cell_labels only.

        Raises:
            PromptError: a question is empty, or the chat template writes a prompt otherwise when its answer follows.
            ConfigError: cell labels of other cells than the model's, or no end of an answer (see `end_token_id`).
        """
        vision = self.image_processor.preprocess([lesson.clip for lesson in lessons])
        counts = [self.image_processor.frame_tokens(lesson.clip) for lesson in lessons]
        named = [lesson.cell_labels.shape[2] for lesson in lessons if lesson.cell_labels is not None]
        if named:
            labels = [_token_labels(lesson, n, named[0]) for lesson, n in zip(lessons, counts, strict=True)]
            vision["cell_labels"] = torch.cat(labels)
        if not any(lesson.samples for lesson in lessons):
            return vision
        rows = [self._lesson_row(lesson, count) for lesson, count in zip(lessons, counts, strict=True)]
        length = max(len(row["input_ids"]) for row in rows)
        pad = {"input_ids": self.tokenizer.pad_token_id, "labels": IGNORED, "position_ids": 0, "block": -1}
        padded = {
            key: torch.tensor([row[key] + [value] * (length - len(row[key])) for row in rows])
            for key, value in pad.items()
        }
        block = padded.pop("block")
        same = (block[:, :, None] == block[:, None, :]) | (block[:, None, :] == 0)
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        return BatchFeature({**padded, "attention_mask": (same & causal)[:, None], **vision})

    def _lesson_row(self, lesson: Lesson, frame_tokens: list[int]) -> dict[str, list[int]]:
        """Ids, labels, positions and block numbers of one lesson; block 0 is the clip, question i is block i + 1."""
        media = media_ids(self.tokenizer, lesson.clip.pts_seconds.tolist(), frame_tokens, self.video_token_id)
        row: dict[str, list[int]] = {"input_ids": [], "labels": [], "position_ids": [], "block": []}
        if not lesson.samples:
            _extend(row, media, [IGNORED] * len(media), 0, 0)
        for number, sample in enumerate(lesson.samples):
            asked, whole = _asked_and_answered(self, sample.question, sample.target)
            marker = asked.index(self.video_token_id)
            head = list(asked[:marker]) + media
            if number == 0:
                _extend(row, head, [IGNORED] * len(head), 0, 0)
            tail = list(whole[marker + 1 :])
            hidden = len(asked) - marker - 1
            _extend(row, tail, [IGNORED] * hidden + tail[hidden:], len(head), number + 1)
        return row


def _letterboxed(clips: Sequence[VideoClip], stab: StabConfig) -> BatchFeature:
    """As `FrameProcessor.preprocess`, on the square canvas that the published model was trained with (SPEC 1.2)."""
    placed = [letterbox(clip.frames, stab.image_px, stab.cell_px) for clip in clips]
    pixels = np.concatenate([frames for frames, _ in placed])
    boxes = [
        [edge // stab.patch_px for edge in (box.row0, box.row1, box.col0, box.col1)]
        for frames, box in placed
        for _ in frames
    ]
    data = {
        "pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2),
        "patch_boxes": torch.tensor(boxes),
        "frame_windows": torch.tensor(stab.windows([len(clip) for clip in clips])),
    }
    return BatchFeature(data)


@lru_cache(maxsize=65536)
def _asked_and_answered(processor: LongPandaProcessor, question: str, target: str) -> tuple[tuple[int, ...], ...]:
    """Ids of the prompt, and of the prompt with its answer up to the token that ends it.

    Cached: a curriculum asks the same things of many clips.
    """
    texts = processor.chat(question), processor.chat(question, target)
    asked, whole = (tuple(processor.tokenizer.encode(text, add_special_tokens=False)) for text in texts)
    if whole[: len(asked)] != asked:
        found = f"a chat template whose prompt changes when the answer follows: {texts[0]!r} and {texts[1]!r}"
        raise PromptError(found, "the answer after the same tokens", "give the tokenizer another chat template")
    return asked, whole[: whole.index(processor.end_token_id, len(asked)) + 1]


def _has_clip(groups: Sequence[Any]) -> bool:
    return any(isinstance(group, VideoClip) for group in groups)


def _token_labels(lesson: Lesson, frame_tokens: list[int], attributes: int) -> torch.Tensor:
    """Cell labels [T, cells, A] as one row per visual token [N, A]; the frame token has none.

    Raises:
        ConfigError: labels of other frames, cells or attributes than the visual tokens stand for.
    """
    if lesson.cell_labels is None:
        return torch.full((sum(frame_tokens), attributes), IGNORED)
    shape = (len(frame_tokens), frame_tokens[0] - 1, attributes)
    if lesson.cell_labels.shape != shape:
        found = f"cell labels {list(lesson.cell_labels.shape)}"
        raise ConfigError(found, f"{list(shape)}: frames, cells, attributes", "use a STAB size with the labels' cells")
    unnamed = np.full((len(frame_tokens), 1, attributes), IGNORED)
    return torch.from_numpy(np.concatenate([unnamed, lesson.cell_labels], 1).reshape(-1, attributes))


def _extend(row: dict[str, list[int]], ids: list[int], labels: list[int], position: int, block: int) -> None:
    row["input_ids"] += ids
    row["labels"] += labels
    row["position_ids"] += range(position, position + len(ids))
    row["block"] += [block] * len(ids)


def image_clip(image: Frames) -> VideoClip:
    """A single RGB image uint8 [H, W, 3] as a clip of one frame."""
    return VideoClip(image[None], np.zeros(1), 0.0)


AutoImageProcessor.register(
    LongPandaConfig, slow_image_processor_class=FrameProcessor, fast_image_processor_class=FrameProcessor
)
AutoProcessor.register(LongPandaConfig, LongPandaProcessor)

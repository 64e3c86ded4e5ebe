"""LongPandaProcessor: clips and text to the tensors the model takes."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from transformers import AutoProcessor, BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from longpanda.errors import ConfigError, PromptError, counted
from longpanda.model.configuration import LongPandaConfig, own_fields
from longpanda.processing.frame_processor import FrameProcessor
from longpanda.processing.labels import IGNORED, labels_of
from longpanda.processing.messages import ModelInputs, clips_of, plain, together
from longpanda.processing.prompt import CHAT_TEMPLATE, expand, media_ids, timestamp
from longpanda.processing.templates import names_in, written
from longpanda.processing.training_rows import Row, example_row, pack_row
from longpanda.types import VIDEO_TOKEN, Example, Pack, Prompt, Timeline, VideoClip

ALWAYS = (("return_tensors", "pt"), ("return_tensors", None), ("padding", True), ("padding", "longest"))
"""Options of transformers' processors that say what is done anyway."""
OF_TEMPLATES = ("tools", "documents", "add_generation_prompt", "continue_final_message")
"""Options of `apply_chat_template` that every chat template may use."""


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
        stab = own_fields(config.stab_config)
        temporal = None if config.temporal_config is None else own_fields(config.temporal_config)
        frames = FrameProcessor(stab_config=stab, temporal_config=temporal, times_seconds=config.times_seconds)
        processor = cls(frames, tokenizer)
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

    def chat(
        self, question: str, answer: str | None = None, clips: int = 1, history: Sequence[tuple[str, str]] = ()
    ) -> str:
        """The text of one question about `clips` clips, in the chat format of this model's tokenizer.

        Args:
            question: what is asked.
            answer: what is to be learned; None ends the text where the model goes on.
            clips: media that the first question is about.
            history: questions and answers before this one.

        Raises:
            PromptError: the question is empty, or bytes that are no text, or the chat template refuses it.
            ConfigError: the chat template is no Jinja.
        """
        if not isinstance(question, str) or not question.strip():
            found = (
                "an empty question" if isinstance(question, str) else f"a question of type {type(question).__name__}"
            )
            raise PromptError(found, "some text", 'ask something, for example "What happens first?"')
        if any("\ud800" <= letter <= "\udfff" for letter in question):
            raise PromptError("a question that is no Unicode text", "text in UTF-8", "write it in UTF-8")
        said = [text for turn in history for text in turn] + [question.strip()] + ([] if answer is None else [answer])
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        for message in messages[::2]:
            message["content"] = "\n" + message["content"]
        messages[0]["content"] = VIDEO_TOKEN * clips + messages[0]["content"]
        return written(self.tokenizer, [messages], self._template(None), add_generation_prompt=answer is None)[0]

    def apply_chat_template(
        self,
        conversation: Any,
        chat_template: str | None = None,
        tokenize: bool = False,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """transformers' chat messages, whose contents may be parts, to a prompt or to the model's inputs.

        Args:
            conversation: messages with `role` and `content`, or a list of conversations. A part is
                `{"type": "text", "text": str}`, `{"type": "image", "image": picture, path or url}` or
                `{"type": "video", "video": VideoClip or path}`; a path takes `num_frames` or `fps`.
            chat_template: in place of the processor's own.
            tokenize: give inputs rather than text.
            return_dict: give all inputs rather than the ids alone.
            **kwargs: as transformers' own, such as `add_generation_prompt`, `num_frames` and `fps`, or names that the
                chat template uses. The rest is for `__call__`, as is what `processor_kwargs` holds.

        Raises:
            PromptError: a part of another kind, media that cannot be read, options of inputs that are not given, or
                messages that the chat template refuses.
            ConfigError: the chat template is no Jinja.
        """
        several = bool(conversation) and not isinstance(conversation[0], dict)
        conversations = conversation if several else [conversation]
        template = self._template(chat_template)
        known = {*OF_TEMPLATES, *names_in(template)}
        options = dict(kwargs.pop("processor_kwargs", None) or {})
        options |= {name: kwargs.pop(name) for name in set(kwargs) - known}
        rate = {name: options.pop(name, None) for name in ("num_frames", "fps")}
        texts = written(self.tokenizer, [plain(one) for one in conversations], template, **kwargs)
        if not tokenize:
            return texts if several else texts[0]
        options = {name: value for name, value in options.items() if value is not None and value is not False}
        if options.get("return_tensors") == "auto":
            del options["return_tensors"]
        inputs = self(texts, [clips_of(one, **rate) for one in conversations], **options)
        return inputs if return_dict else inputs["input_ids"]

    def _template(self, chosen: str | None) -> str:
        """A chat template by its text or its name; None is the processor's own.

        Raises:
            ConfigError: the processor has none, none of several is the default, or none has that name.
        """
        own = self.chat_template if isinstance(self.chat_template, dict) else {"default": self.chat_template}
        if chosen is not None and chosen not in own and "{" in chosen:
            return chosen
        name = "default" if chosen is None else chosen
        if own.get(name) is None:
            known = ", ".join(key for key, template in own.items() if template is not None) or "none"
            found = f"no chat template '{name}' (this processor has: {known})"
            remedy = "name or write one with chat_template=, or set processor.chat_template"
            raise ConfigError(found, "one that says how messages are written", remedy)
        return str(own[name])

    def __call__(
        self,
        text: str | Sequence[str],
        clips: Sequence[VideoClip] | Sequence[Sequence[VideoClip]] = (),
        *,
        images: Any = None,
        videos: Any = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Prompts to generate from, padded on the left.

        Args:
            text: a prompt, or B prompts, with one `<|video|>` for each clip.
            clips: the clips of the prompt, or one list for each of the B prompts; an image is a clip of one frame.
            images: in place of `clips`, pictures alone, as transformers' pipelines pass them.
            videos: in place of `clips`, as transformers' processors take them.
            **kwargs: what transformers' pipelines say of what is always so: `return_tensors="pt"` and `padding`.

        Returns:
            input_ids and attention_mask [B, L], and with clips pixel_values [F, 3, H, W], patch_boxes [F, 4],
            frame_windows [W, t], and, for a model with a compressor, frame_seconds [F] and clip_frames, one number of
            frames for each clip.

        Raises:
            PromptError: markers and clips do not match.
        """
        if other := {key: value for key, value in kwargs.items() if (key, value) not in ALWAYS}:
            expected = "prompts padded on the left, as tensors of torch"
            raise PromptError(", ".join(f"{key}={value!r}" for key, value in other.items()), expected, "leave it out")
        if images is not None or videos is not None:
            clips = together(text, clips, images, videos)
        texts = [text] if isinstance(text, str) else list(text)
        groups: list[Any] = [clips] if isinstance(text, str) else list(clips) or [()] * len(texts)
        if not texts:
            raise PromptError("no text", "at least one prompt", "pass one")
        if len(groups) != len(texts) or _has_clip(groups):
            noun = ("clip",) if _has_clip(groups) else ("list of clips", "lists of clips")
            found = f"{counted(len(texts), 'text')} and {counted(len(groups), *noun)}"
            raise PromptError(found, "one list of clips per text", "pair them")
        if wrong := {type(clip).__name__ for group in groups for clip in group if not isinstance(clip, VideoClip)}:
            found = f"clips of type {', '.join(sorted(wrong))}"
            raise PromptError(found, "VideoClip", "decode a video, or wrap a picture with image_clip()")
        prompts = self.prompts(texts, [[self.image_processor.timeline(clip) for clip in group] for group in groups])
        flat = [clip for group in groups for clip in group]
        return ModelInputs({**prompts, **self.image_processor.preprocess(flat)}) if flat else prompts

    def prompts(self, texts: Sequence[str], groups: Sequence[Sequence[Timeline]]) -> BatchFeature:
        """input_ids and attention_mask of `__call__` alone: no picture is touched.

        Raises:
            PromptError: markers and clips do not match.
        """
        prompts = [self.prompt(text, group) for text, group in zip(texts, groups, strict=True)]
        length = max(len(p.input_ids) for p in prompts)
        ids = torch.full((len(prompts), length), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, length - len(prompt.input_ids) :] = torch.tensor(prompt.input_ids)
            mask[row, length - len(prompt.input_ids) :] = 1
        return BatchFeature({"input_ids": ids, "attention_mask": mask})

    def prompt(self, text: str, clips: Sequence[Timeline]) -> Prompt:
        """The ids of one prompt. Raises PromptError: markers and clips do not match."""
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        media = [media_ids(self.tokenizer, clip, self.video_token_id) for clip in clips]
        return expand(ids, media, self.video_token_id)

    def time_tokens(self, second: float) -> int:
        """Tokens of a written time."""
        return len(self.tokenizer.encode(timestamp(second), add_special_tokens=False))

    def chat_ids(self, messages: Sequence[dict[str, Any]], is_answered: bool) -> list[int]:
        """Token ids of messages in this model's chat format, up to where it goes on unless the last is an answer."""
        text = written(self.tokenizer, [messages], self._template(None), add_generation_prompt=not is_answered)[0]
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def training_batch(self, examples: Sequence[Example | Pack]) -> BatchFeature:
        """A training batch; each row is an example, or a pack of conversations.

        All questions of an example stand side by side behind their clip and do not see each other; nor do the
        conversations of a pack.

        Returns:
            As `__call__`, padded on the right, with labels [B, L]. Where an example has several questions, or a pack
            several conversations, also position_ids [B, L], and in place of the attention_mask block_ids [B, L], 0 for
            what all questions of the row share and -1 for padding: every question has the logits it would have alone.
            Where none has, any causal language model can be taught. Where any example has cell labels, also those of
            `labels_of`. Without any question, pictures and labels only; without any clip, no pictures.

        Raises:
            PromptError: a question is empty, or the chat template writes a prompt otherwise when its answer follows.
            ConfigError: labels that do not fit (see `labels_of`), or no end of an answer (see `end_token_id`).
        """
        shown = [one for example in examples for one in _shown(example)]
        vision = self.image_processor.preprocess([one.clip for one in shown]) if shown else BatchFeature()
        vision |= labels_of(shown, self.image_processor.stab)
        if not any(isinstance(example, tuple) or example.samples for example in examples):
            return vision
        rows = [self._row(example) for example in examples]
        length = max(len(row.input_ids) for row in rows)
        pad = {"input_ids": self.tokenizer.pad_token_id, "labels": IGNORED, "position_ids": 0, "block_ids": -1}
        padded = {
            key: torch.tensor([getattr(row, key) + [value] * (length - len(row.input_ids)) for row in rows])
            for key, value in pad.items()
        }
        if all(row.is_one_text for row in rows):
            del padded["position_ids"]  # those that every language model counts by itself: padding comes last
            block = padded.pop("block_ids")
            return BatchFeature({**padded, "attention_mask": (block >= 0).long(), **vision})
        return BatchFeature({**padded, **vision})

    def _row(self, example: Example | Pack) -> Row:
        timelines = [self.image_processor.timeline(one.clip) for one in _shown(example)]
        if isinstance(example, Example):
            return example_row(self, example, timelines[0])
        return pack_row(self, example, timelines)


def _shown(example: Example | Pack) -> list[Example]:
    """All clips of a row, in order, with their labels if they have any."""
    if isinstance(example, Example):
        return [example]
    return [Example(clip, ()) for conversation in example for clip in conversation.clips]


def _has_clip(groups: Sequence[Any]) -> bool:
    return any(isinstance(group, VideoClip) for group in groups)


AutoProcessor.register(LongPandaConfig, LongPandaProcessor)

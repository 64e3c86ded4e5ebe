"""LongPandaProcessor: clips and text to the model's input tensors."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from transformers import AutoProcessor, BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from longpanda.errors import ConfigError, PromptError, counted
from longpanda.model.configuration import LongPandaConfig, own_fields
from longpanda.processing.frame_processor import FrameProcessor
from longpanda.processing.labels import IGNORED, labels_of
from longpanda.processing.messages import ModelInputs, as_clips, clips_of, plain
from longpanda.processing.prompt import CHAT_TEMPLATE, expand, media_ids, timestamp
from longpanda.processing.templates import names_in, rendered
from longpanda.processing.training_rows import Row, example_row, pack_row
from longpanda.types import VIDEO_TOKEN, Example, Pack, Prompt, Timeline, VideoClip

ALWAYS = (("return_tensors", "pt"), ("return_tensors", None), ("padding", True), ("padding", "longest"))
"""Options of transformers' processors that are accepted because they are always in effect."""
OF_TEMPLATES = ("tools", "documents", "add_generation_prompt", "continue_final_message")
"""Options of `apply_chat_template` that any chat template may use."""


class LongPandaProcessor(ProcessorMixin):
    """Converts text with `<|video|>` markers, and their clips, to model inputs."""

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
        """Make the processor of a new model, and set the token ids and vocabulary size of `config`.

        Raises:
            ConfigError: the tokenizer's chat template does not end answers with a special token.
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
        """The token that ends an answer in this chat format, not always the tokenizer's own end of text.

        Raises:
            ConfigError: the chat template does not end answers with a special token.
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
        """Return the prompt of one question about clips, in the chat format of the tokenizer.

        Args:
            question: the question.
            answer: the target in training; None ends the prompt where the model continues.
            clips: number of clips, which come before the first question.
            history: earlier questions and answers.

        Raises:
            PromptError: the question is empty or not valid Unicode, or the chat template refuses it.
            ConfigError: the chat template is not valid Jinja.
        """
        if not isinstance(question, str) or not question.strip():
            found = (
                "an empty question" if isinstance(question, str) else f"a question of type {type(question).__name__}"
            )
            raise PromptError(found, "some text", 'ask something, for example "What happens first?"')
        if any("\ud800" <= letter <= "\udfff" for letter in question):
            raise PromptError("a question that is not valid Unicode", "text in UTF-8", "write it in UTF-8")
        said = [text for turn in history for text in turn] + [question.strip()] + ([] if answer is None else [answer])
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        for message in messages[::2]:
            message["content"] = "\n" + message["content"]
        messages[0]["content"] = VIDEO_TOKEN * clips + messages[0]["content"]
        return rendered(self.tokenizer, [messages], self._template(None), add_generation_prompt=answer is None)[0]

    def apply_chat_template(
        self,
        conversation: Any,
        chat_template: str | None = None,
        tokenize: bool = False,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Convert transformers' chat messages, whose contents may be lists of parts, to a prompt or to model inputs.

        Args:
            conversation: messages with `role` and `content`, or a list of conversations. A part is
                `{"type": "text", "text": str}`, `{"type": "image", "image": picture, path or URL}` or
                `{"type": "video", "video": VideoClip or path}`; a path needs `num_frames` or `fps`.
            chat_template: a template in place of the processor's own, or the name of one of its templates.
            tokenize: return model inputs instead of text.
            return_dict: return all inputs instead of only the ids.
            **kwargs: options of transformers' method, such as `add_generation_prompt`, `num_frames` and `fps`, or
                variables of the chat template. The rest is passed to `__call__`, with `processor_kwargs`.

        Raises:
            PromptError: a part has an unknown type, media cannot be read, `__call__` does not take an option, or the
                chat template refuses the messages.
            ConfigError: the chat template is not valid Jinja.
        """
        several = bool(conversation) and not isinstance(conversation[0], dict)
        conversations = conversation if several else [conversation]
        template = self._template(chat_template)
        known = {*OF_TEMPLATES, *names_in(template)}
        options = dict(kwargs.pop("processor_kwargs", None) or {})
        options |= {name: kwargs.pop(name) for name in set(kwargs) - known}
        rate = {name: options.pop(name, None) for name in ("num_frames", "fps")}
        texts = rendered(self.tokenizer, [plain(one) for one in conversations], template, **kwargs)
        if not tokenize:
            return texts if several else texts[0]
        options = {name: value for name, value in options.items() if value is not None and value is not False}
        if options.get("return_tensors") == "auto":
            del options["return_tensors"]
        inputs = self(texts, [clips_of(one, **rate) for one in conversations], **options)
        return inputs if return_dict else inputs["input_ids"]

    def _template(self, chosen: str | None) -> str:
        """Return a chat template, given as its text or its name; None is the processor's default.

        Raises:
            ConfigError: the processor has no template of that name, or no default.
        """
        own = self.chat_template if isinstance(self.chat_template, dict) else {"default": self.chat_template}
        if chosen is not None and chosen not in own and "{" in chosen:
            return chosen
        name = "default" if chosen is None else chosen
        if own.get(name) is None:
            known = ", ".join(key for key, template in own.items() if template is not None) or "none"
            found = f"no chat template '{name}' (this processor has: {known})"
            remedy = "name or write one with chat_template=, or set processor.chat_template"
            raise ConfigError(found, "a template for messages", remedy)
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
        """Make a batch of prompts for generation, padded on the left.

        Args:
            text: a prompt, or B prompts, with one `<|video|>` for each clip.
            clips: the clips of the prompt, or one list for each of the B prompts; an image is a clip of one frame.
            images: pictures in place of `clips`, as transformers' pipelines pass them.
            videos: videos in place of `clips`, as transformers' processors take them.
            **kwargs: only `return_tensors="pt"` and `padding=True`, which are always in effect.

        Returns:
            input_ids and attention_mask [B, L], and with clips pixel_values [F, 3, H, W], patch_boxes [F, 4],
            frame_windows [W, t], and, for a model with a compressor, frame_seconds [F] and clip_frames [clips].

        Raises:
            PromptError: markers and clips do not match, or an option is not supported.
        """
        if other := {key: value for key, value in kwargs.items() if (key, value) not in ALWAYS}:
            expected = "prompts padded on the left, as torch tensors"
            raise PromptError(", ".join(f"{key}={value!r}" for key, value in other.items()), expected, "leave it out")
        if images is not None or videos is not None:
            clips = as_clips(text, clips, images, videos)
        texts = [text] if isinstance(text, str) else list(text)
        groups: list[Any] = [clips] if isinstance(text, str) else list(clips) or [()] * len(texts)
        if not texts:
            raise PromptError("no text", "at least one prompt", "pass a prompt")
        if len(groups) != len(texts) or _has_clip(groups):
            noun = ("clip",) if _has_clip(groups) else ("list of clips", "lists of clips")
            found = f"{counted(len(texts), 'text')} and {counted(len(groups), *noun)}"
            raise PromptError(found, "one list of clips per text", "pass a list of clips for each text")
        if wrong := {type(clip).__name__ for group in groups for clip in group if not isinstance(clip, VideoClip)}:
            found = f"clips of type {', '.join(sorted(wrong))}"
            raise PromptError(found, "VideoClip", "decode a video, or wrap a picture with image_clip()")
        prompts = self.prompts(texts, [[self.image_processor.timeline(clip) for clip in group] for group in groups])
        flat = [clip for group in groups for clip in group]
        return ModelInputs({**prompts, **self.image_processor.preprocess(flat)}) if flat else prompts

    def prompts(self, texts: Sequence[str], groups: Sequence[Sequence[Timeline]]) -> BatchFeature:
        """Make only input_ids and attention_mask of `__call__`, without pixels.

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
        """Return the ids of one prompt. Raises PromptError if markers and clips do not match."""
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        media = [media_ids(self.tokenizer, clip, self.video_token_id) for clip in clips]
        return expand(ids, media, self.video_token_id)

    def time_tokens(self, second: float) -> int:
        """Return the number of tokens of a written time."""
        return len(self.tokenizer.encode(timestamp(second), add_special_tokens=False))

    def chat_ids(self, messages: Sequence[dict[str, Any]], is_answered: bool) -> list[int]:
        """Return the token ids of messages in this model's chat format.

        Args:
            messages: with text contents.
            is_answered: the last message is an answer; otherwise the ids end where the model generates one.
        """
        text = rendered(self.tokenizer, [messages], self._template(None), add_generation_prompt=not is_answered)[0]
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def training_batch(self, examples: Sequence[Example | Pack]) -> BatchFeature:
        """Make a training batch. Each row is an example, or a pack of conversations.

        Questions about a clip share its visual tokens but do not see each other; nor do conversations of a pack.

        Returns:
            The inputs of `__call__`, padded on the right, with labels [B, L]. If any example has several questions or
            any pack several conversations, also position_ids [B, L], and block_ids [B, L] in place of the
            attention_mask: 0 for the tokens that all questions of a row share, -1 for padding. Every question or
            conversation then has the same logits as alone. If no row has several, any causal language model can be
            trained. If any example has cell labels, also the labels of `labels_of`. Without any question, only pixels
            and labels; without any clip, no pixels.

        Raises:
            PromptError: a question is empty, or the chat template changes the prompt when an answer follows.
            ConfigError: labels do not fit (see `labels_of`), or answers have no end (see `end_token_id`).
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
            del padded["position_ids"]  # padding is last: every language model counts the same
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

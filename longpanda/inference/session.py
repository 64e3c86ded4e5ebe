"""Ask a model any number of questions about one video: the only path from a file or an index to an answer."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from longpanda.errors import ConfigError, ContextError, counted
from longpanda.index.file_encoder import clock
from longpanda.index.thumbnails import Thumbnail
from longpanda.inference.evidence import intervals, surrounded
from longpanda.inference.generation import GREEDY, Generation, OnText, TextPieces
from longpanda.inference.planning import evidence_bytes
from longpanda.inference.prefix import PrefixCache
from longpanda.inference.watched import Watched
from longpanda.memory import peak_memory_bytes
from longpanda.model.lock import held
from longpanda.processing.budget import PromptPlan, evenly
from longpanda.types import ANSWER_TOKENS, Answer, Evidence, Timeline, Verification

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

Turn = tuple[str, str]
"""A question and its answer."""
NO_EVIDENCE = "No part of the video stands out as the reason for this answer. "


class Session:
    """One video in front of one model. Its visual tokens pass through the language model once, at the first question.

    Args:
        name: the model's name, for `Answer.model`.
        model: the network.
        processor: its processor.
        watched: the video's tokens.
        plan: how many of them go into the prompt.
        groups: the groups in the prompt, in order; None spreads the planned number evenly.
        answer_tokens: limit on the length of an answer.
        memory_bytes: limit on the memory of a prompt's keys and values, with that of evidence; None is no limit.
    """

    def __init__(
        self,
        name: str,
        model: "LongPandaForConditionalGeneration",
        processor: "LongPandaProcessor",
        watched: Watched,
        plan: PromptPlan,
        groups: Sequence[int] | None = None,
        answer_tokens: int = ANSWER_TOKENS,
        memory_bytes: int | None = None,
    ) -> None:
        self.name, self.model, self.processor, self.watched, self.plan = name, model, processor, watched, plan
        self.groups = evenly(len(watched.tokens), plan.groups).tolist() if groups is None else list(groups)
        self.answer_tokens, self.memory_bytes = answer_tokens, memory_bytes
        self._spent = dict(watched.seconds)
        self._prefix = PrefixCache(model, self._embeddings)

    @cached_property
    def timeline(self) -> Timeline:
        """The times and token counts of the groups in the prompt."""
        tokens = self.watched.tokens
        timed = len(tokens.frames_seconds) > 1
        starts, counts = (one[self.groups].tolist() for one in (tokens.starts_seconds, tokens.group_tokens))
        timeline: Timeline = self.processor.image_processor.timeline_of(starts, counts, timed)
        return timeline

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        evidence: bool = False,
        verify: bool = False,
        generation: Generation = GREEDY,
        on_text: OnText | None = None,
    ) -> Answer:
        """Answer a question about the video. Sessions that share a model may be asked from several threads.

        Args:
            question: the question.
            history: earlier questions and answers that this one builds on.
            evidence: find where in the video the answer comes from. The notice tells why none is given: no part of the
                video stands out, the language model's gradients do not show it, or memory does not suffice.
            verify: find the evidence, and ask again with it alone and without it.
            generation: sampling parameters; the answers of `verify` are always the likeliest.
            on_text: called with each piece of the answer as it is generated.

        Raises:
            PromptError: the question is empty.
            ContextError: the prompt leaves no room in the context for an answer.
            ConfigError: evidence from a language model with layers that forget.
        """
        if evidence or verify:
            self._prefix.require_memory("evidence from")
        with held(self.model):
            ids = self.prompt_ids(question, history)
            started = clock(self.model)
            new = self._generate(ids, generation, on_text)
            text, is_cut = self._text(new), self._is_cut(new)
            explained = bool(text) and (evidence or verify)
            why = self._unexplained([*ids, *new]) if explained else ""
            found, inside = self._evidence(ids, new) if explained and not why else ((), [])
            said = _Said(text, not is_cut)
            checked = self._verification(said, inside, question, history) if verify and inside else None
            spent, self._spent = self._spent, dict.fromkeys(self._spent, 0.0)  # the first question pays for the reading
            tokens = self.watched.tokens
            return Answer(
                text=text,
                pts_seconds=tuple(tokens.frames_of(self.groups).tolist()),
                duration_seconds=tokens.duration_seconds,
                visual_tokens=sum(self.timeline.group_tokens),
                seconds=spent | {"generate": clock(self.model) - started},
                peak_memory_bytes=peak_memory_bytes(),
                model=self.name,
                path=str(self.watched.path),
                notice=self._notice(question, text, is_cut, why or (NO_EVIDENCE if explained and not found else "")),
                evidence=found,
                verification=checked,
                is_cut=is_cut,
            )

    def prompt_ids(self, question: str, history: Sequence[Turn] = ()) -> list[int]:
        """The token ids of a prompt. Raises PromptError and ContextError as `ask`."""
        text = self.processor.chat(question, history=history)
        ids = list(self.processor.prompt(text, [self.timeline]).input_ids)
        limit = getattr(self.model.config.text_config, "max_position_embeddings", None)
        if limit is not None and len(ids) + self.answer_tokens > limit:
            said = f" after {counted(len(history), 'other')}" if history else ""
            found = f"a question{said} that makes a prompt of {counted(len(ids), 'token')}"
            expected = f"at most {limit - self.answer_tokens}, so that this model's context has room for an answer"
            raise ContextError(found, expected, "ask less, begin a new conversation, or pass a smaller --budget")
        return ids

    def _generate(
        self, ids: Sequence[int], generation: Generation = GREEDY, on_text: OnText | None = None
    ) -> list[int]:
        streamer = {} if on_text is None else {"streamer": TextPieces(self.processor.tokenizer, on_text)}
        with generation.drawing():
            return self._prefix.generate(ids, max_new_tokens=self.answer_tokens, **generation.settings, **streamer)

    def _is_cut(self, new: Sequence[int]) -> bool:
        """Whether the answer reached its limit before its end."""
        ends = self.model.generation_config.eos_token_id
        return len(new) >= self.answer_tokens and new[-1] not in np.atleast_1d(ends)

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self.processor.tokenizer.decode(ids, skip_special_tokens=True)
        return text.strip()

    def _unexplained(self, ids: Sequence[int]) -> str:
        """Why no evidence can be computed; "" if it can."""
        backbone = self.model.backbone
        if backbone.unexplained:
            return f"No evidence is given: the language model is a '{backbone.name}' {backbone.unexplained}. "
        if self.memory_bytes is None:
            return ""
        rest = list(reversed(ids)).index(self.model.config.video_token_id)
        kept, more = evidence_bytes(self.model, len(ids), rest)
        if kept + more <= self.memory_bytes:
            return ""
        kept_mib, more_mib, most_mib = (f"{size / 2**20:.1f} MiB" for size in (kept, more, self.memory_bytes))
        return (
            f"No evidence is given: it needs {more_mib} beyond keys and values of {kept_mib}, and the limit for both "
            f"is {most_mib}; allow more memory, or fewer tokens. "
        )

    def _evidence(self, ids: Sequence[int], new: Sequence[int]) -> tuple[tuple[Evidence, ...], list[int]]:
        """The intervals that an answer comes from, and their groups as places in the prompt."""
        tokens = self.watched.tokens
        effects = self._prefix.effects([*ids, *new], len(new), self.timeline.group_tokens)
        starts = tokens.starts_seconds
        later = np.append(starts, max(tokens.seen_seconds, tokens.ends_seconds[-1]))
        # The next group that begins later, since several groups may show one picture.
        ends = later[np.searchsorted(starts, starts, side="right")]
        return intervals(effects, starts[self.groups], ends[self.groups])

    def _verification(self, said: "_Said", inside: list[int], question: str, history: Sequence[Turn]) -> Verification:
        """Ask again with only some groups of the prompt, and with all that are not near them."""
        near = surrounded(inside, self.watched.tokens.starts_seconds[self.groups])
        outside = sorted(set(range(len(self.groups))) - set(near))
        only = self._seeing(inside, question, history)
        supported = said.agrees(only)
        if not outside:
            return Verification(only.text, None, supported, None)
        without = self._seeing(outside, question, history)
        stays = said.agrees(without)
        return Verification(only.text, without.text, supported, None if stays is None else not stays)

    def _seeing(self, places: list[int], question: str, history: Sequence[Turn]) -> "_Said":
        """The answer when the prompt holds only some of its groups."""
        session = self.only([self.groups[place] for place in places])
        new = session._generate(session.prompt_ids(question, history))
        text = session._text(new)
        return _Said(text, bool(text) and not session._is_cut(new))

    def keep_prefix(self, path: Path) -> None:
        """Write an index's KV prefix. Raises ConfigError for a video, or a language model with layers that forget."""
        if not self.watched.key:
            raise ConfigError("a prefix of a video to keep", "one of an index", "index the video first")
        self._prefix.require_memory("a kept prefix of")
        with held(self.model):
            self._prefix.prepare(self.prompt_ids("?"))
        self._prefix.save(path, self._key)

    def use_prefix(self, path: Path) -> bool:
        """Read a kept KV prefix; False if there is none for these tokens. Raises IndexFileError if it is damaged."""
        return bool(self.watched.key) and self._prefix.load(path, self._key, self.prompt_ids("?"))

    def pictures(self, evidence: Evidence) -> list[Thumbnail]:
        """The thumbnails inside an interval of evidence, or else the nearest one."""
        small = self.watched.thumbnails
        inside = [one for one in small if evidence.start_seconds <= one.seconds < evidence.end_seconds]
        middle = (evidence.start_seconds + evidence.end_seconds) / 2
        return inside or sorted(small, key=lambda one: abs(one.seconds - middle))[:1]

    def only(self, groups: Sequence[int]) -> "Session":
        """A session about the same video with only these groups in the prompt.

        With a causal compressor, later groups still carry something of the earlier ones that are left out.

        Raises:
            ConfigError: no groups, unknown ones, or groups out of order.
        """
        chosen, count = list(groups), len(self.watched.tokens)
        if not chosen or chosen != sorted({*chosen} & {*range(count)}):
            expected = f"some of 0 to {count - 1}, each once, in order"
            raise ConfigError(f"groups {chosen[:8]}", expected, "choose groups of the video's tokens")
        parts = self.name, self.model, self.processor, self.watched, self.plan
        return Session(*parts, chosen, self.answer_tokens, self.memory_bytes)

    @property
    def _key(self) -> str:
        return f"{self.watched.key} {hashlib.sha256(str(self.groups).encode()).hexdigest()}"

    @torch.inference_mode()
    def _embeddings(self) -> Tensor:
        """The chosen groups at the language model's width [N, D]."""
        values = self.watched.tokens.values_of(self.groups).to(self.model.device)
        projected: Tensor = self.model.projector(values)
        return projected

    def _notice(self, question: str, answer: str, is_cut: bool, no_evidence: str) -> str:
        cut = f"The answer was cut off after {counted(self.answer_tokens, 'token')}, its limit. "
        parts = [
            self.watched.notice,
            self._amount(),
            cut if is_cut else "",
            no_evidence,
            self._not_understood(question, answer),
            self.model.config.notice,
        ]
        return "".join(parts).strip()

    def _amount(self) -> str:
        """The notice of what had no room in the prompt, and of more frames than the model was trained on."""
        plan, tokens = self.plan, self.watched.tokens
        used, most = len(tokens.frames_of(self.groups)), self.model.config.sampling.get("max_frames")
        notes = []
        if left_out := len(tokens) - len(self.groups):
            why = f": {plan.budget.limit}" if len(self.groups) == plan.groups else ""
            notes.append(f"Left out {left_out:,} of {counted(len(tokens), 'group')}{why}. ")
        if plan.frames < plan.wanted_frames:
            used_frames = counted(plan.frames, "frame")
            notes.append(f"Used {used_frames} instead of {plan.wanted_frames:,}: {plan.budget.limit}. ")
        if most is not None and used > most:
            notes.append(f"{used:,} frames are more than the {most:,} that this model takes by default. ")
        return "".join(notes)

    def _not_understood(self, question: str, answer: str) -> str:
        """The notice of words missing from a closed vocabulary, and of an empty answer."""
        tokenizer = self.processor.tokenizer
        known = tokenizer.unk_token_id is None or tokenizer.unk_token_id not in tokenizer.encode(question)
        words = "" if known else f"The model does not know: {', '.join(_unknown(tokenizer, question))}. "
        return words + ("" if answer else "The model gave no answer. ")


class _Said(NamedTuple):
    """An answer, and whether it is whole: neither empty nor cut off."""

    text: str
    is_whole: bool

    def agrees(self, other: "_Said") -> bool | None:
        """Whether both say the same; None unless both are whole."""
        return self.text == other.text if self.is_whole and other.is_whole else None


def _unknown(tokenizer: Any, question: str) -> list[str]:
    words = dict.fromkeys(question.split())
    return [word for word in words if tokenizer.unk_token_id in tokenizer.encode(word, add_special_tokens=False)]

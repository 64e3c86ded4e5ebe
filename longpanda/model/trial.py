"""A prompt of a few tokens, given to a language model in several ways that should be one."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from longpanda.model.fading import faded_logits

if TYPE_CHECKING:
    from longpanda.model.backbone import Backbone

TRIAL_TOKENS = 24
BLOCK_TOKENS = 12
VISUAL = (2, 9)
"""Where tokens of the trial's prompt are no words."""
PIECES = (10, 9)
"""Tokens of the trial's prompt that pass through the language model together, before the rest of it."""
NEW_TOKENS = 5
ROUNDINGS, LEAST_SHARE, MOST_SHARE, REFUSED_SHARE = 32.0, 2e-3, 0.1, 0.25
"""How far logits may be apart that should be one (`Limits`)."""
SEEN, STEPS = (0.5, 0.4, 0.6), (2**-9, 2**-3)
"""How much is seen of the visual tokens where a gradient is tried, and steps to try it with: one so small that a
mixture seldom turns to another expert on the way, and one for layers that round whatever they are given."""
IN_ANY_FORMAT = ("eager", "sdpa", "flex_attention")
"""Kinds of attention that are torch's own; kernels from elsewhere (flash attention) may take half precision alone."""
MOST_OFF = 0.1
"""Share of what a step changes by which a gradient may miss it at one of the places."""


class Limits:
    """How far logits may be apart that are sums of the same numbers in another order, root of the mean square.

    So many times what rounding the embeddings once changes; at least the first share of what another prompt changes
    (and a few units in the last place of what weights are kept in), at most the second where a language model is found
    unable to do something, which costs time, and the third where it is refused.

    The least is in the gap that all causal language models of transformers 5.23 leave, made small: in float32 the same
    sums differ by up to 0.00005 of what another prompt changes (hrm_text, which iterates, by more), other sums by 0.03
    and more. In half precision there is no gap: docs/backbones.md says what follows.

    Args:
        model: gives logits [B, L, V] for embeddings [B, L, D].
        embeddings: of a prompt.
        other: of another prompt of as many tokens.
    """

    def __init__(self, model: Callable[[Tensor], Tensor], embeddings: Tensor, other: Tensor) -> None:
        logits, eps = model(embeddings), torch.finfo(embeddings.dtype).eps
        self.changed = float((model(other) - logits).float().pow(2).mean().sqrt())
        signs = 1 - 2 * (torch.arange(embeddings.numel(), device=embeddings.device) % 3 % 2)
        rounded = (embeddings * (1 + eps * signs.view_as(embeddings))).to(embeddings.dtype)
        self.least = max(ROUNDINGS * apart(model(rounded), logits), max(LEAST_SHARE, 8 * eps) * self.changed)

    def within(self, one: Tensor, other: Tensor, most_share: float = MOST_SHARE) -> bool:
        """Are logits [B, L, V] no further apart, at any token?"""
        return bool(torch.isfinite(one).all()) and apart(one, other) <= min(self.least, most_share * self.changed)


def apart(one: Tensor, other: Tensor) -> float:
    """How far logits [B, L, V] are apart at the token where they are most, root of the mean square."""
    return float((one - other).float().pow(2).mean(-1).max().sqrt())


class Trial:
    """The prompt; some of its tokens are no words, as visual tokens are none.

    Args:
        backbone: what is tried.
    """

    def __init__(self, backbone: "Backbone") -> None:
        self.backbone, self.model = backbone, backbone.model
        self.embedding = self.model.get_input_embeddings()
        self.ids, self.other = self._tokens(11), self._tokens(12)

    def _tokens(self, first: int) -> Tensor:
        """Ids [1, L], all different where the vocabulary has as many; none that a model takes for padding."""
        size = int(self.embedding.weight.shape[0])
        special = {self.model.config.pad_token_id, *_listed(self.model.config.eos_token_id)}
        words = [word for word in range(size) if word not in special] if size < 10_000 else list(range(1000, 9000))
        ids = [words[(first + 37 * place) % len(words)] for place in range(TRIAL_TOKENS)]
        device = self.embedding.weight.device
        return torch.tensor([ids], device="cpu" if device.type == "meta" else device)  # offloaded: it is moved there

    def embeddings(self, ids: Tensor) -> Tensor:
        """Of a prompt [B, L, D], some of its tokens no words: as visual ones are, between two of them."""
        words = self.embedding(ids)
        first, end = VISUAL
        between = (words[:, first:end] + words[:, first + 1 : end + 1]) / 2
        return torch.cat([words[:, :first], between, words[:, end:]], 1)

    def fault(self) -> str:
        """What is wrong with the language model, "" where nothing is."""
        with _quiet(self.model):
            words = self.logits(self.embedding(self.ids))
            if not torch.isfinite(words).all():
                return "whose logits are no numbers"
            if not self._is_one(self.model(input_ids=self.ids, use_cache=False).logits, words):
                return "that reads more of a token than its embedding"
            embeddings, half = self.embeddings(self.ids), TRIAL_TOKENS // 2
            logits = self.logits(embeddings)
            if not self._is_one(self.logits(embeddings), logits):
                return "that does not say the same thing twice"
            later = torch.cat([embeddings[:, :half], self.embeddings(self.other)[:, half:]], 1)
            if not self._is_one(self.logits(later)[:, :half], logits[:, :half]):
                return "whose tokens see those that come after them"
            output = self.generated(input_ids=self.ids, inputs_embeds=embeddings)
            if not self._is_one(torch.stack(output.logits, 1), self._said(output.sequences, TRIAL_TOKENS)):
                return "that generates something else with a cache than without one"
        return ""

    def _is_one(self, one: Tensor, other: Tensor) -> bool:
        """As `same`, where a language model is refused if not."""
        return self.same(one, other, REFUSED_SHARE)

    def in_pieces(self) -> bool:
        """Are two prompts with one beginning, which is read once and in pieces, what each is as a whole?"""
        with _quiet(self.model):
            cache = self._begun()
            return self._continued(self.ids, copy.deepcopy(cache)) and self._continued(self._second(), cache)

    def cut_back(self) -> bool:
        """Is the second prompt what it is as a whole, behind a cache that held the first and was cut back?"""
        with _quiet(self.model):
            cache = self._begun()
            self._continued(self.ids, cache)
            cache.crop(sum(PIECES) - cache.get_seq_length())
            return self._continued(self._second(), cache)

    def _begun(self) -> Any:
        cache, start = self.backbone.new_cache(), 0
        for size in PIECES:
            self.backbone.read(self.embeddings(self.ids)[:, start : start + size], cache, start)
            start += size
        return cache

    def _second(self) -> Tensor:
        """Another end behind the same beginning."""
        return torch.cat([self.ids[:, : sum(PIECES)], self.other[:, sum(PIECES) :]], 1)

    def _continued(self, ids: Tensor, cache: Any) -> bool:
        output = self.backbone.go_on(ids, cache, **self._settings())
        return self.same(torch.stack(output.logits, 1), self._said(output.sequences, TRIAL_TOKENS))

    def padded(self) -> bool:
        """Two prompts in a batch, the second shorter, against each as a whole with the tokens generated behind it."""
        short = 7
        with _quiet(self.model):
            prompts = [self.ids, self.other[:, short:]]
            long, shorter = (self.embeddings(ids) for ids in prompts)
            filled = torch.cat([self.other[:, :short], prompts[1]], 1)
            padded = torch.cat([self.embedding(filled)[:, :short], shorter], 1)
            mask = torch.ones_like(filled).repeat(2, 1)
            mask[1, :short] = 0
            both = self.generated(
                input_ids=torch.cat([self.ids, filled]), inputs_embeds=torch.cat([long, padded]), attention_mask=mask
            )
            logits, new = torch.stack(both.logits, 1), both.sequences[:, TRIAL_TOKENS:]
            return all(
                self.same(logits[[row]], self._said(torch.cat([prompt, new[[row]]], 1), prompt.shape[1]))
                for row, prompt in enumerate(prompts)
            )

    def _said(self, ids: Tensor, prompt_tokens: int) -> Tensor:
        """Of a text [1, L], what the model says as a whole to a prompt and to what follows it; the last token's not.

        Which tokens follow is no question of this: where two are about as likely, rounding decides between them.
        """
        return self.logits(self.embeddings(ids))[:, prompt_tokens - 1 : -1]

    def side_by_side(self) -> bool:
        """Two questions behind one beginning, each hidden from the other, against the second alone."""
        begin, first = 4, 4
        with _quiet(self.model):
            embeddings = self.embeddings(self.ids)[:, :BLOCK_TOKENS]  # few: windows are no part of this question
            block = torch.zeros(BLOCK_TOKENS, dtype=torch.long, device=self.ids.device)
            block[begin : begin + first], block[begin + first :] = 1, 2
            place = torch.arange(BLOCK_TOKENS, device=self.ids.device)
            place = torch.where(block == 2, place - first, place)[None]
            readable = self.backbone.readable(block[None], embeddings.dtype)
            output = self.model(inputs_embeds=embeddings, attention_mask=readable, position_ids=place, use_cache=False)
            alone = self.logits(torch.cat([embeddings[:, :begin], embeddings[:, begin + first :]], 1))
            return self.same(output.logits[:, begin + first :], alone[:, begin:])

    def misled(self) -> str:
        """What is wrong with gradients by how much is seen of visual tokens, "" where they tell what that changes."""
        with _quiet(self.model):
            cache = self._begun()
            rank = getattr(self.model.config, "kv_lora_rank", None)
            if any(layer.keys.shape[1::2] == (1, rank) for layer in cache.layers):
                return "that keeps no values of tokens, but what keys are made of as well"
            if any(self._tells(cache, step) for step in STEPS):
                return ""
        return "whose gradients do not tell what it says when it sees less"

    def _tells(self, cache: Any, step: float) -> bool:
        """Does the gradient agree with a step at two of three places? Experts that change make logits jump at one."""
        agree = [self._off(cache, seen, step) <= MOST_OFF for seen in SEEN[:2]]
        return all(agree) or (any(agree) and self._off(cache, SEEN[2], step) <= MOST_OFF)

    @torch.inference_mode(False)
    def _off(self, cache: Any, seen: float, step: float) -> float:
        """By what share of what a step changes a gradient misses it, all logits together, along the change itself."""
        (_, less), (factor, logits), (_, more) = (self._seeing(cache, seen + way * step) for way in (-1, 0, 1))
        change = (more - less).detach()
        along = (logits * change).sum() + 0 * factor  # which it may not depend on
        (slope,) = torch.autograd.grad(along, factor)
        return abs(float(2 * step * slope / change.pow(2).sum() - 1))  # no number, and no agreement, where none changes

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _seeing(self, cache: Any, seen: float) -> tuple[Tensor, Tensor]:
        """How much is seen of the visual tokens, and what the model says to the rest of the prompt then."""
        factor, end = torch.tensor(seen, requires_grad=True), sum(PIECES)
        place = torch.arange(end)
        factors = torch.where((place >= VISUAL[0]) & (place < VISUAL[1]), factor, 1.0)
        is_here = not any(weight.is_meta for weight in self.model.parameters())  # offloaded ones stay what they are
        in_float32 = is_here and self.model.config._attn_implementation in IN_ANY_FORMAT
        return factor, faded_logits(self.model, cache, self.ids[:, end:].clone(), factors, in_float32=in_float32)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Of every token of a whole prompt [1, L, D]."""
        logits: Tensor = self.model(inputs_embeds=embeddings.clone(), use_cache=False).logits  # some scale in place
        return logits

    def _settings(self) -> dict[str, Any]:
        return {
            "max_new_tokens": NEW_TOKENS,
            "min_new_tokens": NEW_TOKENS,
            "do_sample": False,
            "num_beams": 1,
            "output_logits": True,
            "return_dict_in_generate": True,
        }

    def generated(self, **inputs: Tensor) -> Any:
        """A few tokens by the library's own generate."""
        return self.model.generate(**inputs, **self._settings())

    def same(self, one: Tensor, other: Tensor, most_share: float = MOST_SHARE) -> bool:
        """Do logits [B, L, V] differ, at any token, by no more than sums in another order may?"""
        return self.limits.within(one, other, most_share)

    @cached_property
    def limits(self) -> Limits:
        """How far logits may be apart."""
        return Limits(self.logits, self.embeddings(self.ids), self.embeddings(self.other))


def _listed(value: int | list[int] | None) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]


@contextmanager
def _quiet(model: nn.Module) -> Iterator[None]:
    """No dropout and no gradients for as long as the block lasts; each module is left as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training

"""Trials of a language model: a short prompt given in several ways that should have the same result."""

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
"""First and end of the trial prompt's tokens that are not words, as visual tokens are not."""
PIECES = (10, 9)
"""Lengths of the pieces in which the beginning of the trial prompt is read."""
NEW_TOKENS = 5
ROUNDINGS, LEAST_SHARE, MOST_SHARE, REFUSED_SHARE = 32.0, 2e-3, 0.1, 0.25
"""Limits on the difference of logits that should be equal (`Limits`)."""
SEEN, STEPS = (0.5, 0.4, 0.6), (2**-9, 2**-3)
"""Factors on visual tokens at which a gradient is tried, and step sizes: one so small that a mixture of experts seldom
changes its routing within a step, and one for layers that round their inputs."""
IN_ANY_FORMAT = ("eager", "sdpa", "flex_attention")
"""Attention implementations of torch itself; other kernels (flash attention) may only support half precision."""
MOST_OFF = 0.1
"""Largest error of a gradient that counts as agreement, as a share of the change in a step."""


class Limits:
    """Limits on the root mean square difference of logits that are the same sums in another order.

    The limit is `ROUNDINGS` times the change from rounding the embeddings once. It is at least `LEAST_SHARE` of the
    change from another prompt, or a few units in the last place of the weights' dtype. It is at most `MOST_SHARE` of
    that change where a capability is tried, whose lack costs time, and at most `REFUSED_SHARE` where a language model
    is refused.

    `LEAST_SHARE` lies in the gap that small versions of all causal language models of transformers 5.23 leave: in
    float32 the same sums differ by up to 0.00005 of the change from another prompt (hrm_text, which iterates, by more),
    other sums by 0.03 and more. In half precision there is no gap, see docs/backbones.md.

    Args:
        model: gives logits [B, L, V] for embeddings [B, L, D].
        embeddings: embeddings of a prompt.
        other: embeddings of another prompt of the same length.
    """

    def __init__(self, model: Callable[[Tensor], Tensor], embeddings: Tensor, other: Tensor) -> None:
        logits, eps = model(embeddings), torch.finfo(embeddings.dtype).eps
        self.changed = float((model(other) - logits).float().pow(2).mean().sqrt())
        signs = 1 - 2 * (torch.arange(embeddings.numel(), device=embeddings.device) % 3 % 2)
        rounded = (embeddings * (1 + eps * signs.view_as(embeddings))).to(embeddings.dtype)
        self.limit = max(ROUNDINGS * apart(model(rounded), logits), max(LEAST_SHARE, 8 * eps) * self.changed)

    def within(self, one: Tensor, other: Tensor, most_share: float = MOST_SHARE) -> bool:
        """Return whether logits [B, L, V] are within the limit at every token."""
        return bool(torch.isfinite(one).all()) and apart(one, other) <= min(self.limit, most_share * self.changed)


def apart(one: Tensor, other: Tensor) -> float:
    """Return the largest root mean square difference of logits [B, L, V] at any token."""
    return float((one - other).float().pow(2).mean(-1).max().sqrt())


class Trial:
    """A trial prompt, in which some tokens are not words, as visual tokens are not.

    Args:
        backbone: the language model to try.
    """

    def __init__(self, backbone: "Backbone") -> None:
        self.backbone, self.model = backbone, backbone.model
        self.embedding = self.model.get_input_embeddings()
        self.ids, self.other = self._tokens(11), self._tokens(12)

    def _tokens(self, first: int) -> Tensor:
        """Return ids [1, L] without padding and end tokens, all different if the vocabulary is large enough."""
        size = int(self.embedding.weight.shape[0])
        special = {self.model.config.pad_token_id, *_listed(self.model.config.eos_token_id)}
        words = [word for word in range(size) if word not in special] if size < 10_000 else list(range(1000, 9000))
        ids = [words[(first + 37 * place) % len(words)] for place in range(TRIAL_TOKENS)]
        device = self.embedding.weight.device
        return torch.tensor([ids], device="cpu" if device.type == "meta" else device)  # accelerate moves it

    def embeddings(self, ids: Tensor) -> Tensor:
        """Return embeddings [B, L, D] of a prompt in which some lie between two words, as visual tokens do."""
        words = self.embedding(ids)
        first, end = VISUAL
        between = (words[:, first:end] + words[:, first + 1 : end + 1]) / 2
        return torch.cat([words[:, :first], between, words[:, end:]], 1)

    def fault(self) -> str:
        """Return why the language model cannot be used, or "" if it can."""
        with _evaluating(self.model):
            words = self.logits(self.embedding(self.ids))
            if not torch.isfinite(words).all():
                return "whose logits are not finite"
            if not self._is_usable(self.model(input_ids=self.ids, use_cache=False).logits, words):
                return "that reads more of a token than its embedding"
            embeddings, half = self.embeddings(self.ids), TRIAL_TOKENS // 2
            logits = self.logits(embeddings)
            if not self._is_usable(self.logits(embeddings), logits):
                return "that gives different logits for the same prompt"
            later = torch.cat([embeddings[:, :half], self.embeddings(self.other)[:, half:]], 1)
            if not self._is_usable(self.logits(later)[:, :half], logits[:, :half]):
                return "whose tokens see those that come after them"
            output = self.generated(input_ids=self.ids, inputs_embeds=embeddings)
            if not self._is_usable(torch.stack(output.logits, 1), self._reread(output.sequences, TRIAL_TOKENS)):
                return "that generates something else with a cache than without one"
        return ""

    def _is_usable(self, one: Tensor, other: Tensor) -> bool:
        """Like `same`, with the limit at which a language model is refused."""
        return self.same(one, other, REFUSED_SHARE)

    def in_pieces(self) -> bool:
        """Try two prompts that share a beginning, which is read once and in pieces."""
        with _evaluating(self.model):
            cache = self._read_beginning()
            return self._continues(self.ids, copy.deepcopy(cache)) and self._continues(self._second_ids(), cache)

    def cut_back(self) -> bool:
        """Try the second prompt with a cache of the first that was cropped to their common beginning."""
        with _evaluating(self.model):
            cache = self._read_beginning()
            self._continues(self.ids, cache)
            cache.crop(sum(PIECES) - cache.get_seq_length())
            return self._continues(self._second_ids(), cache)

    def _read_beginning(self) -> Any:
        cache, start = self.backbone.new_cache(), 0
        for size in PIECES:
            self.backbone.read(self.embeddings(self.ids)[:, start : start + size], cache, start)
            start += size
        return cache

    def _second_ids(self) -> Tensor:
        """Return the ids of a prompt with the same beginning and another end."""
        return torch.cat([self.ids[:, : sum(PIECES)], self.other[:, sum(PIECES) :]], 1)

    def _continues(self, ids: Tensor, cache: Any) -> bool:
        output = self.backbone.go_on(ids, cache, **self._settings())
        return self.same(torch.stack(output.logits, 1), self._reread(output.sequences, TRIAL_TOKENS))

    def padded(self) -> bool:
        """Try two prompts of different lengths in a batch."""
        short = 7
        with _evaluating(self.model):
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
                self.same(logits[[row]], self._reread(torch.cat([prompt, new[[row]]], 1), prompt.shape[1]))
                for row, prompt in enumerate(prompts)
            )

    def _reread(self, ids: Tensor, prompt_tokens: int) -> Tensor:
        """Return the logits of the tokens generated after a prompt, from reading the whole text [1, L] at once.

        Logits are compared, not tokens: where two tokens are about equally likely, rounding decides between them.
        """
        return self.logits(self.embeddings(ids))[:, prompt_tokens - 1 : -1]

    def side_by_side(self) -> bool:
        """Try two questions behind one beginning, hidden from each other, against the second question alone."""
        begin, first = 4, 4
        with _evaluating(self.model):
            embeddings = self.embeddings(self.ids)[:, :BLOCK_TOKENS]  # few, so that sliding windows do not matter
            block = torch.zeros(BLOCK_TOKENS, dtype=torch.long, device=self.ids.device)
            block[begin : begin + first], block[begin + first :] = 1, 2
            place = torch.arange(BLOCK_TOKENS, device=self.ids.device)
            place = torch.where(block == 2, place - first, place)[None]
            mask = self.backbone.untried_block_mask(block[None], embeddings.dtype)
            output = self.model(inputs_embeds=embeddings, attention_mask=mask, position_ids=place, use_cache=False)
            alone = self.logits(torch.cat([embeddings[:, :begin], embeddings[:, begin + first :]], 1))
            return self.same(output.logits[:, begin + first :], alone[:, begin:])

    def misled(self) -> str:
        """Return why gradients by the factors of visual tokens are wrong, or "" if they predict a change."""
        with _evaluating(self.model):
            cache = self._read_beginning()
            rank = getattr(self.model.config, "kv_lora_rank", None)
            if any(layer.keys.shape[1::2] == (1, rank) for layer in cache.layers):
                return "whose cache holds no values of tokens, but latents that keys are computed from as well"
            if any(self._gradient_agrees(cache, step) for step in STEPS):
                return ""
        return "whose gradients do not predict its logits when visual tokens are faded"

    def _gradient_agrees(self, cache: Any, step: float) -> bool:
        """Return whether the gradient agrees with a step at two of three factors.

        At one of them the logits may jump, because a mixture changes its experts.
        """
        agree = [self._gradient_error(cache, seen, step) <= MOST_OFF for seen in SEEN[:2]]
        return all(agree) or (any(agree) and self._gradient_error(cache, SEEN[2], step) <= MOST_OFF)

    @torch.inference_mode(False)
    def _gradient_error(self, cache: Any, seen: float, step: float) -> float:
        """Return the gradient's error as a share of the change in a step, over all logits, along that change."""
        (_, less), (factor, logits), (_, more) = (self._faded(cache, seen + way * step) for way in (-1, 0, 1))
        change = (more - less).detach()
        along = (logits * change).sum() + 0 * factor  # the logits may not depend on the factor
        (slope,) = torch.autograd.grad(along, factor)
        return abs(float(2 * step * slope / change.pow(2).sum() - 1))  # NaN, so no agreement, if nothing changes

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _faded(self, cache: Any, seen: float) -> tuple[Tensor, Tensor]:
        """Return the factor of the visual tokens as a tensor, and the logits of the rest of the prompt."""
        factor, end = torch.tensor(seen, requires_grad=True), sum(PIECES)
        place = torch.arange(end)
        factors = torch.where((place >= VISUAL[0]) & (place < VISUAL[1]), factor, 1.0)
        is_here = not any(weight.is_meta for weight in self.model.parameters())  # offloaded weights keep their dtype
        in_float32 = is_here and self.model.config._attn_implementation in IN_ANY_FORMAT
        return factor, faded_logits(self.model, cache, self.ids[:, end:].clone(), factors, in_float32=in_float32)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Return the logits of every token of a whole prompt [1, L, D]."""
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
        """Generate a few tokens by transformers' own `generate`."""
        return self.model.generate(**inputs, **self._settings())

    def same(self, one: Tensor, other: Tensor, most_share: float = MOST_SHARE) -> bool:
        """Return whether logits [B, L, V] differ by no more than the same sums in another order may."""
        return self.limits.within(one, other, most_share)

    @cached_property
    def limits(self) -> Limits:
        """Limits for logits of the trial prompt."""
        return Limits(self.logits, self.embeddings(self.ids), self.embeddings(self.other))


def _listed(value: int | list[int] | None) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Disable dropout and gradients in the block, and restore each module's mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training

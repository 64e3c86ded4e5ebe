"""Differences between logits that a trial of a backbone takes for equal, by model type; and the cost of a trial.

    python -m benchmarks.trials         # differences, relative to other tokens' effect, in two formats; about 5 minutes
    python -m benchmarks.trials --cost  # passes and CPU seconds for a Llama of 1.2 billion weights, from 2 and 4 layers

The output is only printed; docs/backbones.md quotes it. A trial in float32 shows which sums are the same.
"""

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.tiny_backbones import names, tiny_model
from longpanda.longwatch import vocabulary
from longpanda.model.backbone import Backbone
from longpanda.model.trial import LEAST_SHARE, MOST_SHARE, Trial, apart
from longpanda.processing.tokenizer import word_tokenizer

PARTS = ("fault", "in_pieces", "cut_back", "padded", "side_by_side")
LLAMA = {
    "vocab_size": 128256,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
LAYERS = 16
Shares = dict[tuple[str, str], float]
"""Shares by type and part of the trial."""


class Noted(Trial):
    """A trial that takes all logits for equal and records their differences."""

    share = 0.0

    def same(self, one: Tensor, other: Tensor, _most_share: float = 0.0) -> bool:
        """Record the difference as a share of what other tokens change."""
        self.share = max(self.share, apart(one, other) / self.limits.changed)
        return True


def shares(dtype: torch.dtype) -> Shares:
    """Return the shares of every type that can be made small; parts that fail have none."""
    found: Shares = {}
    for name in names():
        try:
            backbone = Backbone(tiny_model(name, word_tokenizer(vocabulary())).to(dtype))
        except Exception:
            continue
        for part in PARTS:
            try:
                trial = Noted(backbone)
                getattr(trial, part)()
                found[name, part] = trial.share
            except Exception:
                continue
    return found


def show_shares() -> None:
    """Print the largest shares of equal sums and the smallest of different sums, in both formats."""
    exact, half = shares(torch.float32), shares(torch.bfloat16)
    same = {key for key, share in exact.items() if share <= LEAST_SHARE or key[0] == "hrm_text"}
    for dtype, found in (("float32", exact), ("bfloat16", half)):
        alike = sorted((share, *key) for key, share in found.items() if key in same)
        other = sorted((share, *key) for key, share in found.items() if key in exact.keys() - same)
        beyond = sum(share > MOST_SHARE for share, *_ in alike)
        print(f"{dtype}: {len(alike)} of the same sums, {beyond} beyond {MOST_SHARE}; {len(other)} of other sums")
        for said, rows in (("same, largest", alike[-12:]), ("other, smallest", other[:12])):
            print(f"  {said}: " + ", ".join(f"{name} {part} {share:.2g}" for share, name, part in rows))


def show_cost() -> None:
    """Print CPU seconds on one core, passes and tokens of each kind of trial."""
    for dtype in (torch.float32, torch.bfloat16):
        few, more = (_cost(layers, dtype) for layers in (2, 4))
        for part, (seconds, passes, tokens) in more.items():
            each = (seconds - few[part][0]) / 2
            print(f"{dtype} {part}: {passes} passes, {tokens} tokens, {few[part][0] + (LAYERS - 2) * each:.1f} CPU s")


def _cost(layers: int, dtype: torch.dtype) -> dict[str, tuple[float, int, int]]:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", num_hidden_layers=layers, **LLAMA))
    backbone, sizes = Backbone(model.to(dtype).eval()), list[int]()
    model.model.register_forward_hook(partial(_note, sizes), with_kwargs=True)
    parts: dict[str, Callable[[], Any]] = {
        "check": backbone.check,
        "continues and crops": lambda: (backbone.continues, backbone.crops),
        "pads": lambda: backbone.pads,
        "separates": lambda: backbone.separates,
    }
    found = {}
    for part, trying in parts.items():
        sizes.clear()
        start = time.process_time()
        trying()
        found[part] = (time.process_time() - start, len(sizes), sum(sizes))
    return found


def _note(sizes: list[int], _module: Any, _arguments: Any, given: dict[str, Any], _output: Any) -> None:
    embeddings = given.get("inputs_embeds")
    sizes.append(given["input_ids"].numel() if embeddings is None else embeddings.shape[0] * embeddings.shape[1])


def main() -> None:
    """Print the differences or the cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cost", action="store_true", help="print the cost of a trial instead of the differences")
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    transformers.logging.set_verbosity_error()
    if parser.parse_args().cost:
        show_cost()
    else:
        show_shares()


if __name__ == "__main__":
    main()

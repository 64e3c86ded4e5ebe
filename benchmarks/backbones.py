"""Check every causal language model of transformers as a backbone: it must work or be refused, never be silently wrong.

    python -m benchmarks.backbones                # all types, about eight minutes on one core
    python -m benchmarks.backbones llama mamba    # only these; prints and writes nothing

Each type is made small with random weights, saved, composed and asked; what LongPanda computes is compared with the
bare language model. The result is benchmarks/results/backbones.json; `python -m benchmarks.tables` shows it in
docs/backbones.md.
"""

import argparse
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file

import longpanda
from benchmarks.tiny_backbones import names, tiny_model
from longpanda.errors import LongPandaError
from longpanda.inference import LongPanda
from longpanda.inference import prefix as prefix_module
from longpanda.inference.prefix import PrefixCache
from longpanda.longwatch import vocabulary
from longpanda.model.configuration import StabConfig
from longpanda.model.trial import Limits, apart
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.types import Example, Sample, VideoClip

RESULTS = Path(__file__).parent / "results" / "backbones.json"
QUESTIONS = ("What number is on the red circle?", "Where is the key?")
STAB = StabConfig(width=32, heads=4, patch_px=8, image_px=48, lste_width=16)
PIECE_TOKENS = 24


def clip(frames: int, seed: int) -> VideoClip:
    """Return a clip of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 48, 48, 3), dtype=np.uint8)
    return VideoClip(pixels, np.arange(frames, dtype=np.float64) * 5.0, frames * 5.0)


class Row:
    """The checks of one composed model. Each returns "equal", or what went wrong."""

    def __init__(self, panda: LongPanda) -> None:
        self.panda, self.model, self.processor = panda, panda.model, panda.processor
        self.inputs = [self._inputs(question, 6, 0) for question in QUESTIONS]
        both = (self._embeddings(self._inputs(QUESTIONS[0], 6, seed)) for seed in (0, 1))
        self.limits = Limits(self._logits, *both)

    def _inputs(self, question: str, frames: int, seed: int) -> Any:
        return self.processor(self.processor.chat(question), [clip(frames, seed)])

    def _embeddings(self, inputs: Any) -> torch.Tensor:
        visual = self.model.visual_embeddings(inputs["pixel_values"], inputs["patch_boxes"], inputs["frame_windows"])
        embeddings: torch.Tensor = self.model.place(inputs["input_ids"], visual)
        return embeddings

    def _logits(self, embeddings: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model.language_model(inputs_embeds=embeddings.clone(), use_cache=False).logits
        return logits

    def _whole(self, inputs: Any, more: torch.Tensor | None = None) -> torch.Tensor:
        """Return the bare language model's logits of a whole prompt and of tokens after it."""
        embeddings = self._embeddings(inputs)
        if more is not None:
            embeddings = torch.cat([embeddings, self.model.get_input_embeddings()(more)], 1)
        return self._logits(embeddings)

    def _equal(self, one: torch.Tensor, other: torch.Tensor) -> str:
        if self.limits.within(one, other):
            return "equal"
        return f"DIFFERS by {apart(one, other) / self.limits.changed:.2g} of what another video changes"

    def _generated(self, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        settings: dict[str, Any] = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
        output = self.model.generate(**inputs, **settings, output_logits=True, return_dict_in_generate=True)
        return output.sequences[:, inputs["input_ids"].shape[1] :], torch.stack(output.logits, 1)

    def repeats(self) -> str:
        """Check that the same question gives the same answer twice."""
        first, second = (self._generated(self.inputs[0])[1] for _ in range(2))
        return self._equal(first, second)

    def cached(self) -> str:
        """Check that generation gives the same with and without a cache."""
        new, logits = self._generated(self.inputs[0])
        whole = self._whole(self.inputs[0], new)[:, -new.shape[1] - 1 : -1]
        return self._equal(logits, whole)

    def kept(self) -> str:
        """Check that questions after a kept prefix, read in pieces or repeated, give the same as whole prompts."""
        pictures = [self.inputs[0][name] for name in ("pixel_values", "patch_boxes", "frame_windows")]
        visual = self.model.visual_embeddings(*pictures)
        prefix, usual = PrefixCache(self.model, lambda: visual), prefix_module.PREFILL_TOKENS
        prefix_module.PREFILL_TOKENS = PIECE_TOKENS
        try:
            said = [self._asked(prefix, inputs) for inputs in (*self.inputs, self.inputs[0])]
        finally:
            prefix_module.PREFILL_TOKENS = usual
        equal = "equal" if self.model.backbone.continues else "read anew"
        return next((one for one in said if one != "equal"), equal)

    def _asked(self, prefix: PrefixCache, inputs: Any) -> str:
        seen: list[torch.Tensor] = []
        note = partial(_note_last, seen)
        hook = self.model.language_model.register_forward_hook(note)
        new = prefix.generate(inputs["input_ids"][0].tolist(), max_new_tokens=4, min_new_tokens=4, do_sample=False)
        hook.remove()
        whole = self._whole(inputs, torch.tensor([new]))[:, -len(new) - 1 : -1]
        return self._equal(torch.stack(seen[-len(new) :], 1), whole)

    def batch(self) -> str:
        """Check that prompts of two lengths give the same in a batch as alone."""
        texts = [self.processor.chat(question) for question in QUESTIONS]
        clips = [[clip(6, 0)], [clip(3, 1)]]
        together = self._generated(self.processor(texts, clips))[1]
        for row, (text, group) in enumerate(zip(texts, clips, strict=True)):
            alone = self._generated(self.processor(text, group))[1]
            if (said := self._equal(together[row : row + 1], alone)) != "equal":
                return said
        return "equal"

    def side_by_side(self) -> str:
        """Check that the second of two questions about a clip, hidden from each other, gives the same as alone."""
        samples = tuple(Sample(question, "42", "needle") for question in QUESTIONS)
        both, alone = (self.processor.training_batch([Example(clip(2, 0), asked)]) for asked in (samples, samples[1:]))
        answers = [batch["labels"][0] >= 0 for batch in (both, alone)]
        count = int(answers[1].sum())
        logits = [self.model(**batch).logits[0][at][-count:] for batch, at in zip((both, alone), answers, strict=True)]
        return self._equal(logits[0], logits[1])

    def taught(self) -> str:
        """Check that examples of two lengths give the same as alone, and two training steps with a gradient."""
        samples = [Sample(question, "42", "needle") for question in QUESTIONS]
        examples = [Example(clip(4 - 2 * row, row), (sample,)) for row, sample in enumerate(samples)]
        batch = self.processor.training_batch(examples)
        logits = self.model(**batch).logits
        for row, (example, sample) in enumerate(zip(examples, samples, strict=True)):
            alone = self._whole(self.processor(self.processor.chat(sample.question, "42"), [example.clip]))
            if (said := self._equal(logits[row : row + 1, : alone.shape[1]], alone)) != "equal":
                return said
        learner = torch.optim.SGD(self.model.train().parameters(), lr=1e-3)
        for _ in range(2):
            with torch.enable_grad():
                self.model(**batch).loss.backward()
            size = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            if not 0 < size < torch.inf:
                return f"not taught: a gradient of {size}"
            learner.step()
            learner.zero_grad()
        return "equal"

    def saved(self) -> str:
        """Check that weights and constants are bit-identical after loading, and after resuming as a Trainer does."""
        with tempfile.TemporaryDirectory() as folder:
            for part in (self.model, self.processor):
                part.save_pretrained(folder)
            again, mine = (_tensors(model) for model in (longpanda.load(folder).model, self.model))
            wrong = [name for name in mine if name not in again or not torch.equal(mine[name], again[name])]
            result = self.model.load_state_dict(load_file(f"{folder}/model.safetensors"), strict=False)
            wrong += result.unexpected_keys
            tied = {name for name in result.missing_keys if _is_shared(self.model, name)}
            wrong += [name for name in result.missing_keys if name not in tied]
        return f"not the same: {wrong[0]} and {len(wrong) - 1} others" if wrong else "equal"


TRIED = ("repeats", "cached", "kept", "batch", "side_by_side", "saved", "taught")


def _note_last(seen: list[torch.Tensor], _module: Any, _arguments: Any, output: Any) -> None:
    seen.append(output.logits[:, -1].clone())


def _tensors(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights and the buffers that are not saved."""
    return {**model.state_dict(), **dict(model.named_buffers())}


def _is_shared(model: Any, name: str) -> bool:
    state = model.state_dict()
    return any(other != name and state[other].data_ptr() == state[name].data_ptr() for other in state)


def tried(name: str) -> dict[str, Any]:
    """Return the outcome of one type."""
    tokenizer = word_tokenizer(vocabulary())
    row: dict[str, Any] = {"name": name}
    try:
        model = tiny_model(name, tokenizer)
    except Exception as error:
        return row | {"outcome": "not made", "reason": _line(error)}
    row |= {"class": type(model).__name__, "weights": sum(one.numel() for one in model.parameters())}
    with tempfile.TemporaryDirectory() as folder:
        for part in (model, tokenizer):
            part.save_pretrained(folder)
        try:
            panda = longpanda.compose(folder, STAB)
        except LongPandaError as error:
            return row | {"outcome": "refused", "reason": error.found.replace(folder, name)}
        except Exception as error:
            return row | {"outcome": "FAULT", "reason": f"compose: {_line(error)}"}
    return row | _checked(panda)


def _checked(panda: LongPanda) -> dict[str, Any]:
    """Run all checks of a composed model."""
    with torch.no_grad():
        try:
            row = Row(panda)
        except Exception as error:
            return {"outcome": "FAULT", "reason": _line(error)}
        found = {name: _said(getattr(row, name)) for name in TRIED}
    wrong = [f"{name}: {said}" for name, said in found.items() if said.split()[0] in ("DIFFERS", "FAULT", "not")]
    return {"outcome": "WRONG" if wrong else "works", "reason": "; ".join(wrong), **found}


def _said(check: Callable[[], str]) -> str:
    try:
        return check()
    except LongPandaError as error:
        return f"refused: {error.found}"
    except Exception as error:
        return f"FAULT {_line(error)}"


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def main() -> int:
    """Check all types, or the given ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="model types to check; by default all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)  # uninitialised memory is filled with NaN
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    rows: list[dict[str, Any]] = []
    for name in options.names or names():
        rows.append(tried(name))
        print(json.dumps(rows[-1]), flush=True)
    if not options.names:
        found = {
            "suite": "backbones",
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "rows": rows,
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return int(any(row["outcome"] in ("WRONG", "FAULT") for row in rows))


if __name__ == "__main__":
    sys.exit(main())

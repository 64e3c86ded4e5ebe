"""What a language model keeps of a prompt's beginning, so that a second question costs only its own words."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from longpanda.errors import ConfigError, IndexFileError
from longpanda.files import atomic_path, not_writable
from longpanda.index.store import checksum
from longpanda.inference.evidence import group_effects
from longpanda.model.token_map import TokenMap, cut_back, masks_by_layer, part_of
from longpanda.shapes import Float

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

PREFILL_TOKENS = 2048
"""Tokens that pass through the language model together: bounds the memory of a long prompt."""
SAMPLED_VALUES = 64
"""Values of each weight that tell one language model from another."""


class PrefixCache:
    """The keys and values of the last prompt, kept as far as the next prompt begins alike.

    Layers that forget (sliding windows, recurrent ones) cannot be cut back: for models that have them, a copy from the
    end of the visual prefix is kept beside. Where a prompt in pieces is not the whole prompt (`Backbone.continues`),
    nothing is kept, and every question reads all of it.

    Args:
        model: the network.
        embed: the visual tokens of the prompt at the language model's width [N, D], computed when needed.
        keep: which tokens of the visual prefix each layer is to hold, of those that were read; None keeps all.

    Raises:
        ConfigError: `keep` with layers that forget by themselves.
    """

    def __init__(
        self,
        model: "LongPandaForConditionalGeneration",
        embed: Callable[[], Float[Tensor, "N D"]],
        keep: Callable[[TokenMap], TokenMap] | None = None,
    ) -> None:
        self._model, self._embed, self._keep = model, embed, keep
        self._held = TokenMap(())
        self._cache: Any = None
        self._prefix: tuple[list[int], Any] | None = None
        self._forgets = not (model.backbone.continues and model.backbone.crops)
        if keep is not None:
            self.require_memory("layers that hold a part of what was read, of")

    def require_memory(self, wish: str) -> None:
        """Refuse what layers that forget cannot give. Raises ConfigError."""
        if self._forgets:
            found = f"{wish} a '{self._model.config.text_config.model_type}' with layers that forget"
            raise ConfigError(found, "full attention in every layer", "ask without it")

    @torch.inference_mode()
    def generate(self, ids: Sequence[int], **settings: Any) -> list[int]:
        """New tokens after a prompt.

        Args:
            ids: the prompt, its placeholders those of the visual tokens.
            **settings: as transformers' `generate` takes them.
        """
        prompt, backbone = list(ids), self._model.backbone
        row = torch.tensor([prompt], device=self._model.device)
        if not backbone.continues:
            embeddings = self._model.place(row, self._embed() if self._visual_end(prompt) else None)
            output = self._model.generate(
                row, inputs_embeds=embeddings, attention_mask=torch.ones_like(row), **settings
            )
            return list(output[0, len(prompt) :].tolist())
        cache = self._ready(prompt)
        with self._whole_or_none(), masks_by_layer(self._model.language_model, cache):
            output = self._model.generate(
                row,
                attention_mask=torch.ones_like(row),
                use_cache=True,
                **{backbone.cache_name: cache},
                **settings,
            )
        new: list[int] = output[0, len(prompt) :].tolist()
        read = (prompt + new)[: len(prompt) + len(new) - 1]
        if not self._forgets:
            read = read[: cache.get_seq_length()]
        self._held, self._cache = self._held.and_read(read[len(self._held) :]), cache
        return new

    def effects(self, ids: Sequence[int], answered: int, group_tokens: Sequence[int]) -> npt.NDArray[np.float64]:
        """By how much each group of frames speaks for an answer: [G]. Arguments and result as of `group_effects`.

        Raises:
            ConfigError: layers that forget, whose attention does not reach the whole video, or gradients that do not
                tell what the video does (`Backbone.unexplained`).
        """
        self.require_memory("evidence from")
        if why := self._model.backbone.unexplained:
            found = f"evidence from a '{self._model.backbone.name}' {why}"
            raise ConfigError(found, "gradients that tell what seeing less changes", "ask without it")
        with torch.inference_mode():
            cache = self._ready(list(ids)[: len(ids) - answered])
        return group_effects(self._model, cache, self._held, ids, answered, group_tokens)

    @torch.inference_mode()
    def prepare(self, ids: Sequence[int]) -> None:
        """Read a prompt's visual prefix now, rather than at the first question."""
        if self._model.backbone.continues:
            self._ready(list(ids))

    def save(self, path: Path, key: str) -> None:
        """Write the visual prefix's keys and values.

        Args:
            path: the file.
            key: says which visual tokens they are of.

        Raises:
            ConfigError: there are none yet, none to cut, a part of them alone, or the file cannot be written.
        """
        self.require_memory("a kept prefix of")
        end = self._visual_end(self._held.ids)
        if self._cache is None or not end:
            raise ConfigError("no prompt to keep anything of", "a prefix that was prepared", "ask something first")
        if not self._held.is_whole:
            found = "layers that hold a part of a prefix"
            raise ConfigError(found, "a prefix that is held as it was read", "ask without keeping it")
        kept = {}
        for number, layer in enumerate(self._cache.layers):
            kept[f"{number}.keys"] = layer.keys[:, :, :end].cpu().contiguous()
            kept[f"{number}.values"] = layer.values[:, :, :end].cpu().contiguous()
        about = self._about(key, self._held.ids[:end])
        with atomic_path(path) as name:
            try:
                save_file(kept, name, about | {"sha256": checksum(about, kept)})
            except (OSError, SafetensorError) as error:
                raise not_writable(path, OSError(0, str(error))) from error

    def load(self, path: Path, key: str, ids: Sequence[int]) -> bool:
        """Take over keys and values that `save` wrote for this model and a prompt that begins as `ids` do.

        Args:
            path: the file.
            key: as `save` was told.
            ids: a prompt.

        Returns:
            whether they were there and fit; another model's or another index's are left alone.

        Raises:
            IndexFileError: a damaged file.
        """
        if not path.exists():
            return False
        prompt = list(ids)[: self._visual_end(ids)]
        try:
            with safe_open(path, framework="pt", device=str(self._model.device)) as file:
                about = dict(file.metadata() or {})
                stored = about.pop("sha256", None)
                if about != self._about(key, prompt):
                    return False
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError) as error:
            found = f"'{path}' is damaged: {str(error).splitlines()[0]}"
            raise IndexFileError(found, "keys and values as they were written", "delete this file") from error
        if stored != checksum(about, {name: one.cpu() for name, one in tensors.items()}):
            found = f"'{path}' is damaged: its checksum is not that of its contents"
            raise IndexFileError(found, "keys and values as they were written", "delete this file")
        cache = self._model.backbone.new_cache()
        for number in range(len(tensors) // 2):
            cache.update(tensors[f"{number}.keys"], tensors[f"{number}.values"], number)
        self._held, self._cache = TokenMap(tuple(prompt)), cache
        return True

    def _about(self, key: str, prefix: Sequence[int]) -> dict[str, str]:
        ids = hashlib.sha256(json.dumps(list(prefix)).encode()).hexdigest()
        return {"visual": key, "prefix": ids, "model": language_fingerprint(self._model)}

    def _visual_end(self, ids: Sequence[int]) -> int:
        """Tokens up to the last placeholder."""
        placeholder = self._model.config.video_token_id
        return max((i + 1 for i, token in enumerate(ids) if token == placeholder), default=0)

    def _ready(self, prompt: list[int]) -> Any:
        """A cache that holds a beginning of the prompt, at least its visual prefix and not all of it."""
        end = self._visual_end(prompt)
        shared = self._held.shared(prompt)
        if self._cache is not None and shared >= end:
            if not self._forgets:
                keep = min(shared, len(prompt) - 1)
                cut_back(self._cache, self._held, keep)
                self._held = self._held.cut(keep)
                return self._cache
            if self._prefix is not None and self._prefix[0] == prompt[:end]:
                self._held = self._held.cut(end)
                return copy.deepcopy(self._prefix[1])
        self._cache = self._read(prompt[:end]) if end else self._model.backbone.new_cache()
        self._held = TokenMap(tuple(prompt[:end]))
        if self._keep is not None and end:
            self._held = self._keep(self._held)
            self._cache = part_of(self._cache, self._held)
        if self._forgets:
            self._prefix = (prompt[:end], copy.deepcopy(self._cache))
        return self._cache

    @contextmanager
    def _whole_or_none(self) -> Iterator[None]:
        """Forget the cache where the model was interrupted: some of its layers have grown and others have not."""
        try:
            yield
        except BaseException:
            self._held, self._cache = TokenMap(()), None
            raise

    def _read(self, ids: list[int]) -> Any:
        """Pass a prefix through the language model, piece by piece."""
        device = self._model.device
        embeddings = self._model.place(torch.tensor([ids], device=device), self._embed())
        cache = self._model.backbone.new_cache()
        for start in range(0, len(ids), PREFILL_TOKENS):
            self._model.backbone.read(embeddings[:, start : start + PREFILL_TOKENS], cache, start)
        return cache


def _without_names(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without where it was loaded from."""
    kept = {key: value for key, value in config.items() if key != "_name_or_path"}
    return {key: _without_names(value) if isinstance(value, dict) else value for key, value in kept.items()}


def language_fingerprint(model: "LongPandaForConditionalGeneration") -> str:
    """Of what keys and values depend on beyond the visual tokens: the projector and the language model.

    Its configuration, and the first values of every weight: a training step changes some of them, and reading them all
    would take a large model longer than the prompt.
    """
    config = _without_names(model.config.to_dict())
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for part in (model.projector, model.language_model):
        for name, weight in part.state_dict().items():
            sample = weight.detach().flatten()[:SAMPLED_VALUES].cpu()
            digest.update(f"{name} {weight.dtype} {list(weight.shape)}".encode())
            digest.update(sample.contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()

"""The KV prefix of a prompt, kept so that a second question costs only its own words."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from longpanda.errors import ConfigError, IndexFileError
from longpanda.files import atomic_path, not_writable
from longpanda.index.store import checksum
from longpanda.inference.evidence import Effects, group_effects
from longpanda.model.token_map import TokenMap, cut_back, masks_by_layer, part_of
from longpanda.shapes import Float

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

PREFILL_TOKENS = 2048
"""Tokens that pass through the language model together, to bound the memory of a long prompt."""
SAMPLED_VALUES = 64
"""Values of each weight that the fingerprint of a language model covers."""


class PrefixCache:
    """The keys and values of the last prompt, reused as far as the next prompt begins with the same tokens.

    Layers that forget (sliding windows, recurrent layers) cannot be cut back; for models with such layers, a copy is
    kept of the cache at the end of the visual prefix. For models that cannot read a prompt in pieces
    (`Backbone.continues`), nothing is kept, and every question reads all of it.

    Args:
        embed: computes the visual tokens of the prompt at the language model's width [N, D].
        keep: selects the tokens of the visual prefix that each layer keeps after reading; None keeps all.

    Raises:
        ConfigError: `keep` for a model with layers that forget.
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
            self.require_memory("a partly kept prefix of")

    def require_memory(self, wish: str) -> None:
        """Raise ConfigError about `wish` if the language model has layers that forget."""
        if self._forgets:
            found = f"{wish} a '{self._model.config.text_config.model_type}' with layers that forget"
            raise ConfigError(found, "full attention in every layer", "ask without it")

    @torch.inference_mode()
    def generate(self, ids: Sequence[int], **settings: Any) -> list[int]:
        """Generate the new tokens after a prompt.

        Args:
            ids: the prompt, with a placeholder for each visual token.
            **settings: arguments for transformers' `generate`.
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

    def effects(self, ids: Sequence[int], answered: int, group_tokens: Sequence[int]) -> Effects:
        """The effect of each group of frames on an answer: [G]. Arguments and result as of `group_effects`.

        Raises:
            ConfigError: the model has layers that forget, whose attention does not reach the whole video, or its
                gradients do not show the effect of the video (`Backbone.unexplained`).
        """
        self.require_memory("evidence from")
        if why := self._model.backbone.unexplained:
            found = f"evidence from a '{self._model.backbone.name}' {why}"
            raise ConfigError(found, "gradients that show the effect of the video", "ask without it")
        with torch.inference_mode():
            cache = self._ready(list(ids)[: len(ids) - answered])
        return group_effects(self._model, cache, self._held, ids, answered, group_tokens)

    @torch.inference_mode()
    def prepare(self, ids: Sequence[int]) -> None:
        """Read a prompt's visual prefix now instead of at the first question."""
        if self._model.backbone.continues:
            self._ready(list(ids))

    def save(self, path: Path, key: str) -> None:
        """Write the visual prefix's keys and values.

        Args:
            path: the file.
            key: identifies the visual tokens.

        Raises:
            ConfigError: there is no prefix yet, or only a part of one, the model has layers that forget, or the file
                cannot be written.
        """
        self.require_memory("a kept prefix of")
        end = self._visual_end(self._held.ids)
        if self._cache is None or not end:
            raise ConfigError("no prefix to keep", "one that was prepared", "ask something first")
        if not self._held.is_whole:
            raise ConfigError("layers that hold a part of a prefix", "a whole prefix", "ask without keeping it")
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
        """Read keys and values that `save` wrote for this model and the beginning of a prompt.

        Args:
            path: the file.
            key: see `save`.
            ids: the prompt.

        Returns:
            whether the file exists and fits; one of another model or index is left alone.

        Raises:
            IndexFileError: the file is damaged.
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
            raise _damaged(path, str(error).splitlines()[0]) from error
        if stored != checksum(about, {name: one.cpu() for name, one in tensors.items()}):
            raise _damaged(path, "its checksum does not match its contents")
        cache = self._model.backbone.new_cache()
        for number in range(len(tensors) // 2):
            cache.update(tensors[f"{number}.keys"], tensors[f"{number}.values"], number)
        self._held, self._cache = TokenMap(tuple(prompt)), cache
        return True

    def _about(self, key: str, prefix: Sequence[int]) -> dict[str, str]:
        ids = hashlib.sha256(json.dumps(list(prefix)).encode()).hexdigest()
        return {"visual": key, "prefix": ids, "model": language_fingerprint(self._model)}

    def _visual_end(self, ids: Sequence[int]) -> int:
        """Number of tokens up to and including the last placeholder."""
        placeholder = self._model.config.video_token_id
        return max((i + 1 for i, token in enumerate(ids) if token == placeholder), default=0)

    def _ready(self, prompt: list[int]) -> Any:
        """A cache with the beginning of the prompt: at least its visual prefix, but not all of it."""
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
        """Drop the cache if the model is interrupted: some of its layers have grown and others have not."""
        try:
            yield
        except BaseException:
            self._held, self._cache = TokenMap(()), None
            raise

    def _read(self, ids: list[int]) -> Any:
        """Pass a prefix through the language model in pieces."""
        device = self._model.device
        embeddings = self._model.place(torch.tensor([ids], device=device), self._embed())
        cache = self._model.backbone.new_cache()
        for start in range(0, len(ids), PREFILL_TOKENS):
            self._model.backbone.read(embeddings[:, start : start + PREFILL_TOKENS], cache, start)
        return cache


def _damaged(path: Path, why: str) -> IndexFileError:
    return IndexFileError(f"'{path}' is damaged: {why}", "keys and values as they were written", "delete this file")


def _without_names(config: dict[str, Any]) -> dict[str, Any]:
    """Remove the paths from which a configuration was loaded."""
    kept = {key: value for key, value in config.items() if key != "_name_or_path"}
    return {key: _without_names(value) if isinstance(value, dict) else value for key, value in kept.items()}


def language_fingerprint(model: "LongPandaForConditionalGeneration") -> str:
    """Identify the projector and the language model, on which keys and values depend beyond the visual tokens.

    The fingerprint covers the configuration and the first values of every weight: a training step changes some of them,
    and for a large model reading them all would take longer than the prompt.
    """
    config = _without_names(model.config.to_dict())
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for part in (model.projector, model.language_model):
        for name, weight in part.state_dict().items():
            sample = weight.detach().flatten()[:SAMPLED_VALUES].cpu()
            digest.update(f"{name} {weight.dtype} {list(weight.shape)}".encode())
            digest.update(sample.contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()

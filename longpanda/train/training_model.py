"""The model with its teachers: all losses in one forward, so that data-parallel training sees every gradient."""

import copy
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import CausalLMOutputWithPast

from longpanda.errors import ConfigError
from longpanda.model.configuration import LongPandaConfig, cells_of
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.model.tokens import ClipTokens, FrameBatch
from longpanda.processing.processor import IGNORED
from longpanda.train.objectives.probes import CellProbe, GroupProbe, group_labels
from longpanda.train.recipe import PARTS

HEADS = ("cell_probe", "group_probe")
"""Parts that are used in training only."""


@dataclass
class TrainingOutput(CausalLMOutputWithPast):
    """What one step learned: `loss` is the answers' loss plus the weighted naming losses; parts may be None."""

    answer_loss: Tensor | None = None
    answer_accuracy: Tensor | None = None
    cell_loss: Tensor | None = None
    cell_accuracy: Tensor | None = None
    group_loss: Tensor | None = None
    group_accuracy: Tensor | None = None


class PandaForTraining(LongPandaForConditionalGeneration):
    """A LongPanda model in training; `strip_heads` gives the model alone.

    `CellProbe` teaches STAB, by its own projected tokens. A model with a compressor has a second teacher:
    `GroupProbe` reads every cell from the tokens that are left, so that pooling, too, is taught by a gradient that does
    not pass through the language model. Where such a model's STAB learns nothing, its teacher rests.
    """

    def __init__(self, config: LongPandaConfig, cell_classes: Sequence[int]) -> None:
        super().__init__(config)
        width, stab, temporal = config.text_config.hidden_size, config.stab_config, config.temporal_config
        self.cell_probe = CellProbe(width, cell_classes)
        self.group_probe: GroupProbe | None = None
        if temporal is not None:
            grid = cells_of(1, 1, stab)  # labels are of square frames
            sizes = temporal.tokens_per_group(*grid), temporal.pool_frames, grid[0] * grid[1]
            self.group_probe = GroupProbe(width, cell_classes, *sizes)
        self._stab_learns = True

    def freeze(self, parts: Collection[str]) -> None:
        """Let these parts, of `recipe.PARTS`, keep their weights and all others learn."""
        for name in PARTS:
            part = getattr(self, name)
            if part is not None:
                part.requires_grad_(name not in parts)
        self._stab_learns = "stab" not in parts
        self.cell_probe.requires_grad_(self._stab_learns or self.temporal is None)

    def forward(  # type: ignore[override] # lessons come whole: no cache, no embeddings
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        patch_boxes: Tensor | None = None,
        frame_windows: Tensor | None = None,
        frame_seconds: Tensor | None = None,
        clip_frames: Tensor | None = None,
        labels: Tensor | None = None,
        cell_labels: Tensor | None = None,
        cell_weight: float = 1.0,
        **inputs: Any,
    ) -> TrainingOutput:
        """Losses of a batch of `LongPandaProcessor.lessons`: of its answers, of what its cells show, or of both."""
        assert pixel_values is not None
        assert patch_boxes is not None
        assert frame_windows is not None
        frames = FrameBatch(pixel_values, patch_boxes, frame_windows, frame_seconds, clip_frames)
        clips = self.visual.clips(frames)
        visual = self.projector(torch.cat([one.values for one in self.visual.compressed(clips)]))
        parts = {}
        if cell_labels is not None:
            whole = self.temporal is None
            parts = self._named_cells(visual, cell_labels) if whole else self._named_clips(clips, visual, cell_labels)
        loss = visual.new_zeros((), dtype=torch.float32)
        loss = loss + cell_weight * sum(parts[name] for name in ("cell_loss", "group_loss") if name in parts)
        if input_ids is not None and labels is not None:
            output = super().forward(inputs_embeds=self.place(input_ids, visual), labels=labels, **inputs)
            parts |= {"answer_loss": output.loss, "answer_accuracy": answer_accuracy(output.logits, labels)}
            loss = loss + output.loss
        return TrainingOutput(loss=loss, **parts)

    def _named_cells(self, visual: Tensor, labels: Tensor) -> dict[str, Tensor]:
        loss, right = self.cell_probe(visual, labels)
        return {"cell_loss": loss, "cell_accuracy": right}

    def _named_clips(self, clips: list[ClipTokens], visual: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What a compressor leaves of clips is named, and what STAB gave it where STAB learns."""
        assert self.group_probe is not None
        parts = {}
        if self._stab_learns:
            raw = [clip.values.flatten(0, 1) if clip.mask is None else clip.values[clip.mask] for clip in clips]
            parts = self._named_cells(self.projector(torch.cat(raw)), labels)
        wanted = group_labels(labels, [len(clip.seconds) for clip in clips], self.group_probe.frames)
        loss, right = self.group_probe(visual.view(len(wanted), -1, visual.shape[-1]), wanted)
        return {**parts, "group_loss": loss, "group_accuracy": right}

    def strip_heads(self, attention_scale: float = 1.0) -> LongPandaForConditionalGeneration:
        """The trained model without its teachers. Arguments and errors as of `scale_attention`."""
        config = copy.deepcopy(self.config)
        config.text_config = scale_attention(config.text_config, attention_scale)
        config.__dict__.pop("use_cache", None)  # the Trainer turns it off for training, and would for good
        model = LongPandaForConditionalGeneration(config)
        mine = self.state_dict()
        model.load_state_dict({name: value for name, value in mine.items() if name.partition(".")[0] not in HEADS})
        return model


def scale_attention(config: Any, attention_scale: float) -> Any:
    """A language model that looks harder: its attention logits times a number, by the temperature of YaRN.

    Attention that learned to find one frame among 128 spreads over 10,000: with n times as many that do not match, the
    one that does needs log(n) more. (Peng et al., 2309.00071, section 3.4; here without its change of frequencies.) It
    stands in the model's config.json: `attention_factor` of `rope_parameters` is the number's square root.

    Args:
        config: of a language model with rotary positions.
        attention_scale: the number; 1 changes nothing.

    Returns:
        another configuration.

    Raises:
        ConfigError: positions that are no plain rotary ones, or not of every layer and channel.
    """
    config = copy.deepcopy(config)
    if attention_scale == 1:
        return config
    rope = dict(getattr(config, "rope_parameters", None) or {})
    is_whole = rope.get("partial_rotary_factor", 1) == 1 and all(getattr(config, "no_rope_layers", None) or [1])
    if rope.get("rope_type") != "default" or not is_whole:
        found = f"attention_scale={attention_scale:g} of a '{config.model_type}' with positions {rope or None}"
        expected = "plain rotary positions in every layer and channel"
        raise ConfigError(found, expected, "leave it out")
    # Queries and keys are both multiplied by the factor.
    temperature = {"rope_type": "yarn", "factor": 1.0, "attention_factor": math.sqrt(attention_scale)}
    config.rope_parameters = rope | temperature | {"original_max_position_embeddings": config.max_position_embeddings}
    return config


def answer_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of answer tokens [B, L] that the logits [B, L, V] put first."""
    right = (logits[:, :-1].argmax(-1) == labels[:, 1:])[labels[:, 1:] != IGNORED]
    return right.float().mean()

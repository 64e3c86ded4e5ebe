"""The model in training. One forward computes all losses of a step, so data-parallel training sees every gradient."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from longpanda.errors import ConfigError
from longpanda.model.configuration import LongPandaConfig, cells_of
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.model.tokens import FrameBatch
from longpanda.train.attention_scale import scale_attention
from longpanda.train.objectives.kinds import OBJECTIVES, HeadSizes, ObjectiveRecipe
from longpanda.train.objectives.step import Step
from longpanda.train.recipe import PARTS, Recipe, StageRecipe

HEADS = "heads"
"""The name of the part that only exists in training."""


@dataclass
class TrainingOutput(ModelOutput):
    """The losses of one step.

    Args:
        loss: the weighted sum of the objectives' losses.
        parts: loss and accuracy of each objective, by their names in the log.
    """

    loss: Tensor | None = None
    parts: dict[str, Tensor] | None = None


class PandaForTraining(LongPandaForConditionalGeneration):
    """A LongPanda model with the heads of its objectives; `strip_heads` returns the model without them.

    Args:
        config: configuration of the model.
        objectives: the objectives of all stages, one of each kind.
        label_classes: number of classes of each labelled attribute; empty if no data has labels.
        label_grid: rows and columns of the labels of a frame.
        language_model: a language model with its weights; None makes one with random weights.
    """

    def __init__(
        self,
        config: LongPandaConfig,
        objectives: Sequence[ObjectiveRecipe] = (),
        label_classes: Sequence[int] = (),
        label_grid: tuple[int, int] = (1, 1),
        language_model: PreTrainedModel | None = None,
    ) -> None:
        super().__init__(config, language_model)
        self._sizes = _sizes_of(config, tuple(label_classes), label_grid)
        fitting = [one for one in objectives if one.fits(self._sizes)]
        self.heads = nn.ModuleDict({one.kind: one.head(self._sizes) for one in fitting})
        self._weights: dict[str, float] = {}

    @classmethod
    def of_recipe(
        cls, recipe: Recipe, config: LongPandaConfig, language_model: PreTrainedModel | None = None
    ) -> "PandaForTraining":
        """Make a model with the heads of all objectives of a recipe."""
        named = {one.kind: one for stage in recipe.stages for one in stage.objectives}
        objectives = [named[kind] for kind in OBJECTIVES if kind in named]
        labelled = [stage.data for stage in recipe.stages if stage.data.label_classes]
        if not labelled:
            return cls(config, objectives, language_model=language_model)
        classes, grid = tuple(labelled[0].label_classes.values()), labelled[0].label_grid
        return cls(config, objectives, classes, grid, language_model)

    def active_objectives(self, stage: StageRecipe) -> list[ObjectiveRecipe]:
        """Return the objectives of a stage that can learn from it, in the order in which losses are added.

        Raises:
            ConfigError: there is none, labels are finer than the model's cells, or a frozen part does not exist.
        """
        named = {one.kind: one for one in stage.objectives}
        order = [named[kind] for kind in self.heads if kind in named]
        found = [one for one in order if not one.is_inactive(stage.data, stage.frozen, self._sizes)]
        if not found:
            kinds = ", ".join(named)
            what = f"objectives {kinds} of stage '{stage.name}', of which none can teach this model anything there"
            raise ConfigError(what, "one that can", "add families of questions to the data, or other objectives")
        if "temporal" in stage.freeze and self.temporal is None:
            what = f"freeze = temporal of stage '{stage.name}', for a model without a compressor"
            raise ConfigError(what, "a part that the model has", "leave it out of freeze")
        if any(one.reads_labels for one in found):
            self._check_grid(stage)
        return found

    def _check_grid(self, stage: StageRecipe) -> None:
        """Raise ConfigError if a cell of the model would contain several labelled regions."""
        own, labels = cells_of(1, 1, self.config.stab_config), stage.data.label_grid
        if own[0] < labels[0] or own[1] < labels[1]:
            found = f"a STAB with {own[0]} x {own[1]} cells for stage '{stage.name}'"
            expected = f"at least {labels[0]} x {labels[1]}, as the labels of its data have"
            raise ConfigError(found, expected, "use a larger stab_size, or objectives: [answers]")

    def begin(self, stage: StageRecipe) -> None:
        """Prepare for a stage: freeze its parts, and set its objectives. Raises ConfigError as `active_objectives`."""
        for name in PARTS:
            part = getattr(self, name)
            if part is not None:
                part.requires_grad_(name not in stage.frozen)
        self._weights = {one.kind: one.weight for one in self.active_objectives(stage)}
        for kind, head in self.heads.items():
            head.requires_grad_(kind in self._weights)

    def forward(  # type: ignore[override] # examples are complete: no cache, no embeddings
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        patch_boxes: Tensor | None = None,
        frame_windows: Tensor | None = None,
        frame_seconds: Tensor | None = None,
        clip_frames: Tensor | None = None,
        labels: Tensor | None = None,
        cell_labels: Tensor | None = None,
        region_labels: Tensor | None = None,
        **inputs: Any,
    ) -> TrainingOutput:
        """Compute the losses of the current stage for a batch of `LongPandaProcessor.training_batch`."""
        has_clips = pixel_values is not None
        if pixel_values is None or patch_boxes is None or frame_windows is None:
            frames = self._blank_frame()
        else:
            frames = FrameBatch(pixel_values, patch_boxes, frame_windows, frame_seconds, clip_frames)
        clips = self.visual.clips(frames)
        tokens = self.visual.compressed(clips)
        visual = self.projector(torch.cat([one.values for one in tokens]))
        is_reduced = self.temporal is not None or self.reducer is not None
        run = partial(self._answered, input_ids, visual if has_clips else None, labels, inputs)
        step = Step(clips, tokens, visual, self.projector, is_reduced, cell_labels, region_labels, labels, run)
        parts: dict[str, Tensor] = {}
        loss = visual.new_zeros((), dtype=torch.float32) if has_clips else 0.0 * visual.float().sum()
        for kind, head in self.heads.items():
            found = head(step) if kind in self._weights else None
            if found is not None:
                loss = loss + self._weights[kind] * found.loss
                parts |= {f"{head.log_name}_loss": found.loss, f"{head.log_name}_accuracy": found.accuracy}
        return TrainingOutput(loss=loss, parts=parts)

    def _blank_frame(self) -> FrameBatch:
        """What the visual path is given beside text alone: on several processes, all wait for all its gradients."""
        stab, device = self.config.stab_config, self.device
        patches = stab.image_px // stab.patch_px
        return FrameBatch(
            torch.zeros(1, 3, stab.image_px, stab.image_px, dtype=torch.uint8, device=device),
            torch.tensor([[0, patches, 0, patches]], device=device),
            torch.tensor(stab.windows([1]), device=device),
            torch.zeros(1, dtype=torch.float64, device=device),
            torch.tensor([1], device=device),
        )

    def _answered(
        self, input_ids: Tensor | None, visual: Tensor | None, labels: Tensor | None, inputs: dict[str, Any]
    ) -> ModelOutput:
        """Run the language model on visual tokens, questions and answers."""
        assert input_ids is not None  # a batch with labels has them
        return super().forward(inputs_embeds=self.place(input_ids, visual), labels=labels, **inputs)

    def strip_heads(self, attention_scale: float = 1.0) -> LongPandaForConditionalGeneration:
        """Return the trained model without its heads. Arguments and errors as of `scale_attention`."""
        config = copy.deepcopy(self.config)
        config.text_config = scale_attention(config.text_config, attention_scale)
        config.__dict__.pop("use_cache", None)  # the Trainer turned it off, and it would be saved
        model = LongPandaForConditionalGeneration(config)
        mine = self.state_dict()
        model.load_state_dict({name: value for name, value in mine.items() if name.partition(".")[0] != HEADS})
        return model


def _sizes_of(config: LongPandaConfig, label_classes: tuple[int, ...], label_grid: tuple[int, int]) -> HeadSizes:
    """Return the sizes for heads, for square frames."""
    temporal = config.temporal_config
    tokens = 0 if temporal is None else temporal.tokens_per_group(*cells_of(1, 1, config.stab_config))
    frames = 1 if temporal is None else temporal.pool_frames
    regions = label_grid[0] * label_grid[1]
    return HeadSizes(config.text_config.hidden_size, label_classes, regions, tokens, frames)

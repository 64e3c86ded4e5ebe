"""The video language model: STAB, a projector and any transformers causal LM, joined at placeholder tokens."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText, GenerationMixin, PreTrainedModel
from transformers.generation.configuration_utils import GenerationMode
from transformers.utils import ModelOutput

from longpanda.errors import ConfigError, PromptError
from longpanda.model.attention import FoldedLinear
from longpanda.model.backbone import Backbone
from longpanda.model.configuration import LongPandaConfig
from longpanda.model.front_ends.stab import StabFrontEnd
from longpanda.model.panda_module import PandaModule
from longpanda.model.projector import Projector
from longpanda.model.stab import Stab
from longpanda.model.temporal import TemporalCompressor
from longpanda.model.tokens import FrameBatch
from longpanda.model.visual import Reducer, VisualEncoder

PICTURES = ("pixel_values", "patch_boxes", "frame_windows")
TIMES = ("frame_seconds", "clip_frames")


class LongPandaForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Answers text prompts that hold frames. Inputs come from `LongPandaProcessor`.

    Letters: B batch, L sequence, F frames of the whole batch, W windows, t frames of a window, C and D widths.
    """

    config_class = LongPandaConfig
    config: LongPandaConfig
    base_model_prefix = ""  # any other would let the language model's renamings of weights reach the whole model
    main_input_name = "input_ids"
    input_modalities = ("image", "video", "text")
    supports_gradient_checkpointing = True
    reducer: Reducer | None = None
    """Leaves tokens out behind the compressor; None keeps all."""
    shown: Tensor | None = None
    """Visual tokens [N, D] of a prompt, for as long as `generate` verifies what an assistant proposes."""
    _no_split_modules = ("Stab",)
    _keep_in_fp32_modules = (r"^stab\.", r"^temporal\.")
    """How names begin of weights that are not cast to float16: pixels, and sums over many of them, have little room in
    it, and an index would be of other tokens, and have another fingerprint, than the same model's in float32."""
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: LongPandaConfig, language_model: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        self.stab = Stab(config.stab_config)
        self.temporal = TemporalCompressor(config.temporal_config) if config.temporal_config else None
        self.projector = Projector(config.stab_config.width, config.text_config.hidden_size)
        self.language_model = language_model or AutoModelForCausalLM.from_config(config.text_config)
        self._backbones: dict[Any, Backbone] = {}
        self.post_init()  # leaves alone what was loaded

    def initialize_weights(self) -> None:
        """transformers' own; the language model's first, as when it is loaded alone.

        What is in no file is made here when a model is loaded. Of a class outside transformers, as this one, it takes
        parts without weights of their own for loaded, and so Falcon-H1's constants stayed what memory held.
        """
        self.language_model.initialize_weights()
        super().initialize_weights()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, FoldedLinear):
            module.reset_parameters(getattr(self.config.text_config, "initializer_range", 0.02))
        elif isinstance(module, PandaModule):
            module.reset_parameters()

    @property
    def dtype(self) -> torch.dtype:
        """Of the language model; STAB and the compressor stay float32 where that is float16."""
        dtype: torch.dtype = self.language_model.dtype
        return dtype

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embedding."""
        embeddings: nn.Module = self.language_model.get_input_embeddings()
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embedding."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The language model's head."""
        head: nn.Module = self.language_model.get_output_embeddings()
        return head

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's head."""
        self.language_model.set_output_embeddings(value)

    @property
    def visual(self) -> VisualEncoder:
        """The one path from frames to visual tokens before the projector."""
        return VisualEncoder(StabFrontEnd(self.stab), self.temporal, self.reducer)

    def visual_embeddings(
        self,
        pixel_values: Tensor,
        patch_boxes: Tensor,
        frame_windows: Tensor,
        frame_seconds: Tensor | None = None,
        clip_frames: Tensor | None = None,
    ) -> Tensor:
        """Visual tokens at the language model's width [N, D]: frame after frame, or group after group of a compressor.

        Raises:
            PromptError: pixels of another type than uint8, frames and boxes of different numbers, or a compressor
                without the times of the frames.
        """
        frames = FrameBatch(pixel_values, patch_boxes, frame_windows, frame_seconds, clip_frames)
        projected: Tensor = self.projector(torch.cat([clip.values for clip in self.visual.forward(frames)]))
        return projected

    def place(self, input_ids: Tensor, visual: Tensor | None) -> Tensor:
        """Embeddings [B, L, D] of a prompt, with visual tokens [N, D] in place of the placeholders.

        Raises:
            PromptError: the prompt has more or fewer placeholders than there are visual tokens.
        """
        embeddings: Tensor = self.get_input_embeddings()(input_ids)
        is_visual = input_ids == self.config.video_token_id
        found, expected = int(is_visual.sum()), 0 if visual is None else visual.shape[0]
        if found != expected:
            raise PromptError(
                f"{found} visual placeholders in input_ids",
                f"{expected}, the visual tokens of the frames given",
                "build prompts with LongPandaProcessor, pass its pixel_values, and do not truncate them",
            )
        if visual is None:
            return embeddings
        where = is_visual[..., None].to(embeddings.device)
        return embeddings.masked_scatter(where, visual.to(embeddings.device, embeddings.dtype))

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        patch_boxes: Tensor | None = None,
        frame_windows: Tensor | None = None,
        frame_seconds: Tensor | None = None,
        clip_frames: Tensor | None = None,
        attention_mask: Tensor | None = None,
        block_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> ModelOutput:
        """One pass through the model.

        Args:
            input_ids: long [B, L].
            pixel_values: uint8 [F, 3, H, W].
            patch_boxes: long [F, 4], the picture inside each canvas in patches.
            frame_windows: long [W, t], frames that stand together, -1 for none.
            frame_seconds: float64 [F], when each frame is shown; only for a model with a compressor.
            clip_frames: long [clips], how many frames are each clip's; only for a model with a compressor.
            attention_mask: [B, L], behind a cache with what that holds.
            block_ids: long [B, L], in place of a mask: which block each token belongs to, for several questions on one
                video side by side. Block 0 is seen by all, -1 is padding behind the rest (`longpanda.model.blocks`).
            position_ids: long [B, L]; None counts those that attention_mask shows.
            past_key_values: the key-value cache.
            inputs_embeds: [B, L, D] in place of input_ids and pixels.
            labels: long [B, L], -100 where nothing is learned.
            logits_to_keep: how many last positions get logits, 0 for all; `generate` asks for one.
            **kwargs: passed on to the language model.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise PromptError("neither input_ids nor inputs_embeds", "one of them", "pass a prompt")
            visual = self._visual(pixel_values, patch_boxes, frame_windows, frame_seconds, clip_frames)
            if self.shown is not None and (input_ids == self.config.video_token_id).any():
                visual = self.shown
            inputs_embeds = self.place(input_ids, visual)
        mask = attention_mask
        if block_ids is not None:
            if attention_mask is not None or past_key_values is not None:
                found = "block_ids beside an attention_mask or a cache"
                raise PromptError(found, "one of them", "pass what LongPandaProcessor.training_batch gives as it is")
            mask = self.backbone.block_mask(block_ids, inputs_embeds.dtype)
        arguments = self._arguments(mask, position_ids, past_key_values, inputs_embeds)
        if labels is not None:
            arguments["labels"] = labels
        if self.backbone.takes("logits_to_keep"):
            arguments["logits_to_keep"] = logits_to_keep
        output: ModelOutput = self.language_model(inputs_embeds=inputs_embeds, **arguments, **kwargs)
        return output

    def _arguments(self, mask: Any, position_ids: Tensor | None, cache: Any, embeddings: Tensor) -> dict[str, Any]:
        """What is given of these, under the names by which the language model takes them.

        Raises:
            ConfigError: one that it would take without a word and ignore, or padding that it does not keep apart.
        """
        if isinstance(mask, Tensor) and mask.ndim == 2 and (mask.long().diff(dim=1) > 0).any():
            self.backbone.require_padding()  # what is hidden comes before what is not: as padding on the left
            if position_ids is None and self.backbone.takes("position_ids"):
                position_ids = (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -embeddings.shape[1] :]
        given = {"attention_mask": mask, "position_ids": position_ids, self.backbone.cache_name: cache}
        given = {name: value for name, value in given.items() if value is not None}
        for name in given:
            if not self.backbone.takes(name):
                found = f"{name or 'past_key_values'} for a '{self.backbone.name}', which would ignore it"
                raise ConfigError(found, "what this language model takes", "leave it out")
        return given

    @property
    def backbone(self) -> Backbone:
        """What the language model can do where it is, in the type that its weights are in now."""
        model = self.language_model
        now = (model.device, model.dtype, model.config._attn_implementation)
        if now not in self._backbones:
            self._backbones[now] = Backbone(model)
        return self._backbones[now]

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """The language model's own `generate`; frames are encoded once, so beams and samples share them.

        Args:
            inputs: long [B, L], a prompt; also called `input_ids`.
            **kwargs: pixels and what belongs to them, and anything that transformers' `generate` takes.

        Raises:
            PromptError: two prompts, frames twice, or placeholders without their frames.
            ConfigError: prompts of several lengths for a language model that does not keep padding apart, or an
                assistant for embeddings without their prompt.
        """
        input_ids = kwargs.pop("input_ids", None)
        if inputs is not None and input_ids is not None:
            raise PromptError("both inputs and input_ids", "one prompt", "leave one of them out")
        input_ids = inputs if input_ids is None else input_ids
        media = [kwargs.pop(key, None) for key in (*PICTURES, *TIMES)]
        if media[0] is not None and kwargs.get("inputs_embeds") is not None:
            raise PromptError("both pixel_values and inputs_embeds", "one of them", "place visual tokens with `place`")
        if input_ids is not None and kwargs.get("inputs_embeds") is None:
            cached, is_visual = kwargs.get(self.backbone.cache_name), input_ids == self.config.video_token_id
            held = 0 if cached is None else int(cached.get_seq_length())
            if held == 0 or is_visual[:, held:].any():  # all others are words, or in the cache
                embeddings = self.place(input_ids, self._visual(*media))
                if is_visual.any():
                    kwargs["inputs_embeds"] = embeddings
        mask = kwargs.get("attention_mask")
        if mask is not None and not mask.all():
            self.backbone.require_padding()
        settings = kwargs.get("generation_config") or self.generation_config
        suppressed = kwargs.get("suppress_tokens") or settings.suppress_tokens or []
        kwargs["suppress_tokens"] = [*suppressed, self.config.video_token_id]  # it stands for a frame: no word
        if "prepare_inputs_for_generation" in vars(self):  # PEFT's soft prompts come in there
            return super().generate(input_ids, **kwargs)
        if self._is_assisted(settings, kwargs):
            return self._assisted(input_ids, kwargs)
        self.language_model.generation_config = self.generation_config
        return self.backbone.generate(input_ids, **kwargs)

    def _is_assisted(self, settings: Any, kwargs: dict[str, Any]) -> bool:
        """Does something else propose tokens, which this model only verifies?"""
        settings = copy.deepcopy(settings)
        settings.update(**{name: value for name, value in kwargs.items() if hasattr(settings, name)})
        mode = settings.get_generation_mode(kwargs.get("assistant_model"))
        return mode == GenerationMode.ASSISTED_GENERATION and not self.language_model._is_stateful

    def _assisted(self, input_ids: Tensor | None, kwargs: dict[str, Any]) -> Any:
        """`generate` with proposals: transformers would verify them against embeddings that end before them.

        So the prompt goes in as ids, and `forward` puts the visual tokens in their place. An assistant reads
        placeholders as a word like others; what it proposes changes the speed alone.

        Raises:
            ConfigError: embeddings in place of a prompt.
        """
        embeddings = kwargs.pop("inputs_embeds", None)
        if input_ids is None:
            raise ConfigError("an assistant for embeddings alone", "the prompt's input_ids too", "pass them")
        if isinstance(assistant := kwargs.get("assistant_model"), LongPandaForConditionalGeneration):
            kwargs["assistant_model"] = assistant.language_model
        shown = copy.copy(self)  # shares every part; only this call sees these visual tokens
        shown.shown = None if embeddings is None else embeddings[input_ids == self.config.video_token_id]
        return GenerationMixin.generate(shown, input_ids, **kwargs)

    def save_pretrained(self, save_directory: Any, save_original_format: bool = False, **kwargs: Any) -> None:
        """transformers' own, under the names that the weights have here.

        Mixtures of experts have other names in the files of their makers. transformers would write those, and its
        Trainer, which gives a file's weights to the model as they are called there, would resume without them.
        """
        super().save_pretrained(save_directory, save_original_format=save_original_format, **kwargs)

    def _visual(
        self,
        pixels: Tensor | None,
        boxes: Tensor | None,
        windows: Tensor | None,
        seconds: Tensor | None = None,
        clips: Tensor | None = None,
    ) -> Tensor | None:
        if pixels is None and boxes is None and windows is None:
            return None
        if pixels is None or boxes is None or windows is None:
            given = [name for name, value in zip(PICTURES, (pixels, boxes, windows), strict=True) if value is not None]
            found = f"only {' and '.join(given)}"
            raise PromptError(found, " and ".join(PICTURES), "pass all that the processor gives")
        return self.visual_embeddings(pixels, boxes, windows, seconds, clips)


for _auto in (AutoModel, AutoModelForImageTextToText):
    _auto.register(LongPandaConfig, LongPandaForConditionalGeneration)

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
    """A video language model: answers text prompts that contain frames. `LongPandaProcessor` makes its inputs.

    Letters: B batch, L sequence, F frames of the whole batch, W windows, t frames of a window, C and D widths.
    """

    config_class = LongPandaConfig
    config: LongPandaConfig
    base_model_prefix = ""  # otherwise the language model's key renamings would apply to all weights
    main_input_name = "input_ids"
    input_modalities = ("image", "video", "text")
    supports_gradient_checkpointing = True
    reducer: Reducer | None = None
    """Leaves out tokens after the compressor; None keeps all."""
    shown: Tensor | None = None
    """Visual tokens [N, D] of the prompt while `generate` verifies the proposals of an assistant."""
    _no_split_modules = ("Stab",)
    _keep_in_fp32_modules = (r"^stab\.", r"^temporal\.")
    """Name prefixes of weights that are not cast to float16. It has little range for pixels and sums over many of them,
    and an index would have other tokens and another fingerprint than the same model's in float32."""
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
        self.post_init()  # does not initialise weights that were loaded

    def initialize_weights(self) -> None:
        """Initialise all weights and constants that were not loaded, the language model's first, as when it is alone.

        In a class outside transformers, such as this one, transformers takes modules without parameters for loaded.
        Falcon-H1's constants, which are in no file, would therefore keep arbitrary values.
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
        """The language model's dtype. STAB and the compressor stay in float32 if it is float16."""
        dtype: torch.dtype = self.language_model.dtype
        return dtype

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's token embedding."""
        embeddings: nn.Module = self.language_model.get_input_embeddings()
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embedding."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the language model's head."""
        head: nn.Module = self.language_model.get_output_embeddings()
        return head

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's head."""
        self.language_model.set_output_embeddings(value)

    @property
    def visual(self) -> VisualEncoder:
        """The visual path from frames to tokens before the projector."""
        return VisualEncoder(StabFrontEnd(self.stab), self.temporal, self.reducer)

    def visual_embeddings(
        self,
        pixel_values: Tensor,
        patch_boxes: Tensor,
        frame_windows: Tensor,
        frame_seconds: Tensor | None = None,
        clip_frames: Tensor | None = None,
    ) -> Tensor:
        """Encode frames as visual tokens at the language model's width [N, D], group after group.

        Raises:
            PromptError: the pixels are not uint8, the numbers of frames and boxes differ, or the times that a
                compressor needs are missing.
        """
        frames = FrameBatch(pixel_values, patch_boxes, frame_windows, frame_seconds, clip_frames)
        projected: Tensor = self.projector(torch.cat([clip.values for clip in self.visual.forward(frames)]))
        return projected

    def place(self, input_ids: Tensor, visual: Tensor | None) -> Tensor:
        """Return the embeddings [B, L, D] of a prompt, with visual tokens [N, D] in place of the placeholders.

        Raises:
            PromptError: the numbers of placeholders and visual tokens differ.
        """
        embeddings: Tensor = self.get_input_embeddings()(input_ids)
        is_visual = input_ids == self.config.video_token_id
        found, expected = int(is_visual.sum()), 0 if visual is None else visual.shape[0]
        if found != expected:
            raise PromptError(
                f"{found} visual placeholders in input_ids",
                f"{expected}, the visual tokens of the frames given",
                "build prompts with LongPandaProcessor, pass its pixel_values, and do not truncate its input_ids",
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
        """Run the model once.

        Args:
            input_ids: long [B, L].
            pixel_values: uint8 [F, 3, H, W].
            patch_boxes: long [F, 4], the picture inside each canvas in patches.
            frame_windows: long [W, t], the frames of each window, -1 for padding.
            frame_seconds: float64 [F], when each frame is shown; only for a model with a compressor.
            clip_frames: long [clips], the number of frames of each clip; only for a model with a compressor.
            attention_mask: [B, L], including the tokens in the cache.
            block_ids: long [B, L], in place of a mask: the block of each token, for several questions about one video
                side by side. All tokens see block 0, and -1 is padding after the rest (`longpanda.model.blocks`).
            position_ids: long [B, L]; None counts the tokens that attention_mask shows.
            past_key_values: the key-value cache.
            inputs_embeds: [B, L, D] in place of input_ids and pixels.
            labels: long [B, L], -100 for tokens without loss.
            logits_to_keep: the number of last positions that get logits, 0 for all; `generate` asks for one.
            **kwargs: passed on to the language model.

        Raises:
            PromptError: there is no prompt, only part of the pixel inputs, or block_ids beside a mask or a cache.
            ConfigError: the language model would silently ignore one of the arguments.
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
                raise PromptError(found, "one of them", "pass a batch of LongPandaProcessor.training_batch unchanged")
            mask = self.backbone.block_mask(block_ids, inputs_embeds.dtype)
        arguments = self._arguments(mask, position_ids, past_key_values, inputs_embeds)
        if labels is not None:
            arguments["labels"] = labels
        if self.backbone.takes("logits_to_keep"):
            arguments["logits_to_keep"] = logits_to_keep
        output: ModelOutput = self.language_model(inputs_embeds=inputs_embeds, **arguments, **kwargs)
        return output

    def _arguments(self, mask: Any, position_ids: Tensor | None, cache: Any, embeddings: Tensor) -> dict[str, Any]:
        """Return those arguments that are not None, by their names in the language model's forward.

        Raises:
            ConfigError: the language model would silently ignore one of them, or does not keep padding apart.
        """
        if isinstance(mask, Tensor) and mask.ndim == 2 and (mask.long().diff(dim=1) > 0).any():
            self.backbone.require_padding()  # hidden before visible tokens: padding on the left
            if position_ids is None and self.backbone.takes("position_ids"):
                position_ids = (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -embeddings.shape[1] :]
        given = {"attention_mask": mask, "position_ids": position_ids, self.backbone.cache_name: cache}
        given = {name: value for name, value in given.items() if value is not None}
        for name in given:
            if not self.backbone.takes(name):
                found = f"{name or 'past_key_values'} for a '{self.backbone.name}', which would ignore it"
                raise ConfigError(found, "an argument that this language model takes", "leave it out")
        return given

    @property
    def backbone(self) -> Backbone:
        """The language model's capabilities, on its current device and in its current dtype."""
        model = self.language_model
        now = (model.device, model.dtype, model.config._attn_implementation)
        if now not in self._backbones:
            self._backbones[now] = Backbone(model)
        return self._backbones[now]

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """Generate with the language model's own `generate`. Frames are encoded once for all beams and samples.

        Args:
            inputs: long [B, L], a prompt; also called `input_ids`.
            **kwargs: pixels and their boxes, windows and times, and all arguments of transformers' `generate`.

        Raises:
            PromptError: two prompts are given, or pixels beside embeddings, or placeholders without frames.
            ConfigError: prompts have several lengths and the language model does not keep padding apart, or an
                assistant gets embeddings without the prompt's ids.
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
            if held == 0 or is_visual[:, held:].any():  # otherwise the rest is words
                embeddings = self.place(input_ids, self._visual(*media))
                if is_visual.any():
                    kwargs["inputs_embeds"] = embeddings
        mask = kwargs.get("attention_mask")
        if mask is not None and not mask.all():
            self.backbone.require_padding()
        settings = kwargs.get("generation_config") or self.generation_config
        suppressed = kwargs.get("suppress_tokens") or settings.suppress_tokens or []
        kwargs["suppress_tokens"] = [*suppressed, self.config.video_token_id]  # a placeholder is not a word
        if "prepare_inputs_for_generation" in vars(self):  # PEFT adds soft prompts there
            return super().generate(input_ids, **kwargs)
        if self._is_assisted(settings, kwargs):
            return self._assisted(input_ids, kwargs)
        self.language_model.generation_config = self.generation_config
        return self.backbone.generate(input_ids, **kwargs)

    def _is_assisted(self, settings: Any, kwargs: dict[str, Any]) -> bool:
        """Return whether an assistant proposes tokens, which this model only verifies."""
        settings = copy.deepcopy(settings)
        settings.update(**{name: value for name, value in kwargs.items() if hasattr(settings, name)})
        mode = settings.get_generation_mode(kwargs.get("assistant_model"))
        return mode == GenerationMode.ASSISTED_GENERATION and not self.language_model._is_stateful

    def _assisted(self, input_ids: Tensor | None, kwargs: dict[str, Any]) -> Any:
        """Generate with an assistant's proposals.

        transformers would verify them with embeddings of the prompt alone. So the prompt is passed as ids, and
        `forward` puts the visual tokens in place of the placeholders. An assistant reads placeholders as ordinary
        words; its proposals only change the speed.

        Raises:
            ConfigError: there are embeddings but no ids of the prompt.
        """
        embeddings = kwargs.pop("inputs_embeds", None)
        if input_ids is None:
            raise ConfigError("an assistant for embeddings alone", "the prompt's input_ids too", "pass input_ids")
        if isinstance(assistant := kwargs.get("assistant_model"), LongPandaForConditionalGeneration):
            kwargs["assistant_model"] = assistant.language_model
        shown = copy.copy(self)  # a shallow copy: only this call has these visual tokens
        shown.shown = None if embeddings is None else embeddings[input_ids == self.config.video_token_id]
        return GenerationMixin.generate(shown, input_ids, **kwargs)

    def save_pretrained(self, save_directory: Any, save_original_format: bool = False, **kwargs: Any) -> None:
        """Save as transformers does, but under the weights' names in this model.

        The original checkpoints of mixtures of experts have other names. transformers would write those names, and its
        Trainer, which loads a file's weights by name, would resume without them.
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
            raise PromptError(found, " and ".join(PICTURES), "pass all outputs of the processor")
        return self.visual_embeddings(pixels, boxes, windows, seconds, clips)


for _auto in (AutoModel, AutoModelForImageTextToText):
    _auto.register(LongPandaConfig, LongPandaForConditionalGeneration)

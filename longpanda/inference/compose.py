"""Build a new video model on a pretrained language model."""

import copy
from typing import TYPE_CHECKING, Any

from longpanda.errors import ConfigError, LongPandaError, ModelError, counted, first_line
from longpanda.inference.load import LongPanda

if TYPE_CHECKING:
    from longpanda.model.configuration import LongPandaConfig, StabConfig, TemporalConfig
    from longpanda.processing import LongPandaProcessor

SOURCE = ("revision", "token", "cache_dir", "local_files_only", "trust_remote_code")
"""Arguments that locate a model; the tokenizer and the configuration must come from the same place."""
LOADING = ("dtype", "torch_dtype", "attn_implementation")
"""Arguments of `from_pretrained` that a configuration would mistake for fields of its own."""

PARTS = {
    r"^(model\.)?language_model\.model\.": "model.",
    r"^model\.language_model\.": "model.",
    r"^language_model\.": "",
}
"""Names of a language model's weights within a multimodal model, and their names alone."""


UNTRAINED = "The STAB and projector of this model have not been trained: its answers tell nothing about a video."
"""The notice of a composed model, until training sets `model.config.notice`."""


def compose(
    backbone: str,
    stab: "StabConfig | str" = "base",
    *,
    temporal: "TemporalConfig | dict[str, Any] | None" = None,
    chat_template: str | None = None,
    **kwargs: Any,
) -> LongPanda:
    """Put a new, untrained STAB and projector in front of a pretrained language model.

    The placeholder token is added to the tokenizer, and to the embeddings if they have no spare row for it. A
    multimodal model contributes only its language model, which is first tried on a few tokens (`Backbone.check`).
    The returned model's `save` writes a folder that can be loaded or be the `start` of a training run.

    Args:
        backbone: a folder or hub id of any causal language model that transformers loads.
        stab: the visual block, or the name of one of `STAB_SIZES`.
        temporal: a new compressor after STAB, or its fields; None for none.
        chat_template: the format of questions and answers (Jinja), in place of the tokenizer's own; required for a
            tokenizer without one. `longpanda.processing.PLAIN_TEMPLATE` is an example.
        **kwargs: passed to the language model's `from_pretrained`: dtype, revision, attn_implementation, ..., or fields
            of its configuration, such as `rope_parameters`.

    Raises:
        ModelError: the language model or its tokenizer cannot be loaded, or lacks weights.
        ConfigError: an unknown size, a compressor of another width than STAB's, a language model that cannot read
            visual tokens, positions that depend on the length of the prompt, no chat template, or one that ends
            answers without a stop token.
    """
    from longpanda.model.modeling import LongPandaForConditionalGeneration

    config, processor, language_model = prepared(backbone, stab, temporal, chat_template, **kwargs)
    model = LongPandaForConditionalGeneration(config, language_model)
    for part in (model.stab, model.temporal, model.projector):
        if part is not None:
            part.to(language_model.device, language_model.dtype)
    return LongPanda(backbone, model.eval(), processor)


def prepared(
    backbone: str,
    stab: "StabConfig | str",
    temporal: "TemporalConfig | dict[str, Any] | None",
    chat_template: str | None,
    **kwargs: Any,
) -> "tuple[LongPandaConfig, LongPandaProcessor, Any]":
    """Matching configuration, processor and language model. Arguments and errors as of `compose`."""
    from longpanda.model.backbone import Backbone
    from longpanda.model.configuration import LongPandaConfig, StabConfig
    from longpanda.processing import LongPandaProcessor

    block = StabConfig.of_size(stab) if isinstance(stab, str) else stab
    tokenizer, language_model = _loaded(backbone, kwargs)
    tokenizer.chat_template = chat_template or tokenizer.chat_template
    if tokenizer.chat_template is None:
        found = f"a tokenizer of '{backbone}' that has no chat template"
        remedy = "pass chat_template=, for example longpanda.processing.PLAIN_TEMPLATE, or use an instruct model"
        raise ConfigError(found, "how questions and answers are written", remedy)
    Backbone(language_model).check()
    # A copy: with a shared one, the language model would lose its attention implementation and its causal mask.
    text = copy.deepcopy(language_model.config)
    config = LongPandaConfig(block, text, notice=UNTRAINED, temporal_config=temporal)
    rows = config.text_config.vocab_size
    processor = LongPandaProcessor.for_model(config, tokenizer)
    if config.text_config.vocab_size > rows:
        language_model.resize_token_embeddings(config.text_config.vocab_size)
    return config, processor, language_model


def _loaded(backbone: str, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from longpanda.model.configuration import with_steady_positions

    source = {name: kwargs[name] for name in SOURCE if name in kwargs}
    loading = {name: kwargs.pop(name) for name in LOADING if name in kwargs}
    try:
        tokenizer = AutoTokenizer.from_pretrained(backbone, **source)
        config, rest = AutoConfig.from_pretrained(backbone, return_unused_kwargs=True, **kwargs)
        if (text := _text_alone(config)) is not config:
            rest["key_mapping"] = PARTS
        language_model, report = AutoModelForCausalLM.from_pretrained(
            backbone, config=with_steady_positions(text), output_loading_info=True, **source | loading | rest
        )
    except LongPandaError:
        raise
    except Exception as error:  # transformers and code from the hub raise exceptions of any type
        found = f"language model '{backbone}' cannot be loaded: {first_line(error)}"
        raise ModelError(found, "a causal language model with a tokenizer", "check the name") from error
    if missing := sorted(report["missing_keys"]):
        found = f"language model '{backbone}' lacks {counted(len(missing), 'tensor')}, such as '{missing[0]}'"
        raise ModelError(found, "all weights of a causal language model", "use one that was saved as such")
    return tokenizer, language_model


def _text_alone(config: Any) -> Any:
    """The language model's part of a multimodal configuration, if that part can be loaded alone."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    text = config.get_text_config(decoder=True)
    if text is config or config.is_encoder_decoder or type(text) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return config
    text.tie_word_embeddings = config.tie_word_embeddings  # the value of the whole model is the right one
    return text

"""A new video model on a pretrained language model."""

import copy
from typing import TYPE_CHECKING, Any

from longpanda.errors import ModelError
from longpanda.index.load import LongPanda, first_line

if TYPE_CHECKING:
    from longpanda.model.configuration import StabConfig

SOURCE = ("revision", "token", "cache_dir", "local_files_only", "trust_remote_code")
"""Arguments that say where a model comes from: its tokenizer and configuration must come from there too."""
LOADING = ("dtype", "torch_dtype", "attn_implementation")
"""Arguments of the loading that a configuration would take for its own."""


def compose(backbone: str, stab: "StabConfig | str" = "base", **kwargs: Any) -> LongPanda:
    """Put a new STAB and projector in front of a pretrained language model; only these two have yet to learn.

    The placeholder token joins the tokenizer, and the embeddings where they have no spare row for it.

    Args:
        backbone: a folder or hub id of any causal language model that transformers loads.
        stab: the visual block, or the name of one of `STAB_SIZES`.
        **kwargs: passed to the language model's `from_pretrained`: dtype, revision, attn_implementation, ..., or fields
            of its configuration, such as `rope_parameters`.

    Raises:
        ModelError: the language model or its tokenizer cannot be loaded.
        ConfigError: an unknown size, positions that turn with the length of the prompt, or a chat template that ends
            answers with no token to stop at.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from longpanda.model.configuration import LongPandaConfig, StabConfig, with_steady_positions
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

    block = StabConfig.of_size(stab) if isinstance(stab, str) else stab
    source = {name: kwargs[name] for name in SOURCE if name in kwargs}
    loading = {name: kwargs.pop(name) for name in LOADING if name in kwargs}
    try:
        tokenizer = AutoTokenizer.from_pretrained(backbone, **source)
        text, rest = AutoConfig.from_pretrained(backbone, return_unused_kwargs=True, **kwargs)
        language_model = AutoModelForCausalLM.from_pretrained(
            backbone, config=with_steady_positions(text), **source | loading | rest
        )
    except (OSError, ValueError) as error:
        found = f"language model '{backbone}' cannot be loaded: {first_line(error)}"
        raise ModelError(found, "a causal language model with a tokenizer", "check the name") from error
    # A copy: sharing one, the language model would lose its attention implementation, and with it its causal mask.
    config = LongPandaConfig(block, copy.deepcopy(language_model.config))
    rows = config.text_config.vocab_size
    processor = LongPandaProcessor.for_model(config, tokenizer)
    if config.text_config.vocab_size > rows:
        language_model.resize_token_embeddings(config.text_config.vocab_size)
    model = LongPandaForConditionalGeneration(config, language_model)
    for part in (model.stab, model.projector):
        part.to(language_model.device, language_model.dtype)
    return LongPanda(backbone, model.eval(), processor)

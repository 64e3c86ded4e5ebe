"""An adapter that PEFT saved, on the model that it was trained for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.errors import ModelError

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

ABOUT, PROCESSOR = "adapter_config.json", "processor_config.json"


def base_of(folder: Path) -> str | None:
    """What an adapter's folder says that it belongs to; None where the folder holds no adapter alone.

    Raises:
        ModelError: it does not say so.
    """
    about = folder / ABOUT
    if not about.is_file() or (folder / "config.json").exists():
        return None
    try:
        base = json.loads(about.read_text())["base_model_name_or_path"]
    except (OSError, ValueError, TypeError, KeyError):
        base = None
    if not base or not isinstance(base, str):
        found = f"an adapter in '{folder}' that does not say which model it belongs to"
        raise ModelError(found, "base_model_name_or_path", f"write the model's name or folder into '{about}'")
    return base


def merged(model: "LongPandaForConditionalGeneration", folder: Path, base: str) -> "LongPandaForConditionalGeneration":
    """The model with an adapter's changes in its weights.

    Args:
        model: the one that it was trained for.
        folder: the adapter's.
        base: the model's name.

    Raises:
        ModelError: PEFT is not installed, the adapter is damaged or another model's, or of a kind that cannot become
            part of the weights.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
        from peft.utils.save_and_load import load_peft_weights
    except ImportError as error:
        raise ModelError(f"an adapter in '{folder}' and no package peft", "peft", "pip install peft") from error
    try:
        wrapped = PeftModel.from_pretrained(model, folder)
        lacking = sorted(get_peft_model_state_dict(wrapped).keys() ^ load_peft_weights(str(folder), "cpu").keys())
        whole: LongPandaForConditionalGeneration = wrapped.merge_and_unload(safe_merge=True)
    except Exception as error:  # PEFT and the tuners that it wraps raise whatever they like
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        found = f"the adapter in '{folder}' cannot be put into '{base}': {line[:200]}"
        raise ModelError(found, "an adapter of this model that merges, such as LoRA", "check both") from error
    if lacking:
        found = f"an adapter in '{folder}' with other weights than '{base}' has, such as '{lacking[0]}'"
        raise ModelError(found, "an adapter of this model", "check base_model_name_or_path")
    return whole

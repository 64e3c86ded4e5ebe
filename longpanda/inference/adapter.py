"""Merge an adapter that PEFT saved into the model that it was trained for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.errors import ModelError

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

ABOUT, PROCESSOR = "adapter_config.json", "processor_config.json"


def base_of(folder: Path) -> str | None:
    """The base model of an adapter's folder; None for any other folder. Raises ModelError if it names none."""
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
    """Merge the adapter in a folder into the weights of its base model, whose name is `base`.

    Raises:
        ModelError: PEFT is not installed, or the adapter is damaged, another model's, or of a kind that cannot be
            merged.
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
    except Exception as error:  # PEFT and its tuners raise exceptions of any type
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        found = f"the adapter in '{folder}' cannot be put into '{base}': {line[:200]}"
        raise ModelError(found, "an adapter of this model that can be merged", "use a LoRA adapter") from error
    if lacking:
        found = f"an adapter in '{folder}' with other weights than '{base}' has, such as '{lacking[0]}'"
        raise ModelError(found, "an adapter of this model", "check base_model_name_or_path")
    return whole

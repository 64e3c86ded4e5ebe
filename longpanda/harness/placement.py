"""A model by name, on the device and in the number format that it is to run in."""

from typing import TYPE_CHECKING, Any, Final

from longpanda.errors import ConfigError, nearest

if TYPE_CHECKING:
    from longpanda.inference import LongPanda

DTYPES: Final = ("float32", "bfloat16", "float16")


def loaded(name: str, device: str | None = None, dtype: str | None = None) -> "LongPanda":
    """A model as it is to run.

    Args:
        name: as `longpanda.load` takes it.
        device: one of `devices`, or "cuda" for the first of those; None is the CPU.
        dtype: one of `DTYPES`; None leaves the one it was saved in.

    Raises:
        ConfigError: this machine has no such device, or there is no such number format.
        ModelError: no such model.
    """
    where, settings = check_device(device), check_dtype(dtype)
    from longpanda.inference import load

    panda = load(name, **settings)
    panda.model.to(where)
    return panda


def check_dtype(name: str | None) -> dict[str, Any]:
    """What `longpanda.load` takes for a number format. Raises ConfigError where there is none of the name."""
    if name is None:
        return {}
    if name not in DTYPES:
        raise ConfigError(f"--dtype '{name}'", f"one of {', '.join(DTYPES)}", nearest(name, DTYPES, is_listed=True))
    import torch

    return {"dtype": getattr(torch, name)}


def check_device(name: str | None) -> str:
    """A device that is there. Raises ConfigError for any other, and says which ones are."""
    if name in (None, "cpu"):
        return "cpu"
    there = devices()
    if name not in there and not (name == "cuda" and len(there) > 1):
        raise ConfigError(f"--device '{name}'", f"one that this machine has: {', '.join(there)}", "choose one of these")
    return str(name)


def devices() -> list[str]:
    """What models can run on here: the CPU, and each CUDA device that torch can use."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{number}" for number in range(count))]

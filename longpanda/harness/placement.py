"""Loading a model onto a device, in a number format."""

from typing import TYPE_CHECKING, Any, Final

from longpanda.errors import ConfigError, nearest

if TYPE_CHECKING:
    from longpanda.inference import LongPanda

DTYPES: Final = ("float32", "bfloat16", "float16")


def loaded(name: str, device: str | None = None, dtype: str | None = None) -> "LongPanda":
    """Load a model onto a device.

    Args:
        name: name or path of the model, as for `longpanda.load`.
        device: one of `devices()`, or "cuda" for the first CUDA device; None for the CPU.
        dtype: one of `DTYPES`; None for the one it was saved in.

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
    """Return the arguments of `longpanda.load` for a number format. Raises ConfigError for an unknown name."""
    if name is None:
        return {}
    if name not in DTYPES:
        raise ConfigError(f"--dtype '{name}'", f"one of {', '.join(DTYPES)}", nearest(name, DTYPES, is_listed=True))
    import torch

    return {"dtype": getattr(torch, name)}


def check_device(name: str | None) -> str:
    """Return torch's name of a device. Raises ConfigError, listing the devices, if this machine does not have it."""
    if name in (None, "cpu"):
        return "cpu"
    known = devices()
    if name not in known and not (name == "cuda" and len(known) > 1):
        raise ConfigError(f"--device '{name}'", f"one that this machine has: {', '.join(known)}", "choose one of these")
    return str(name)


def devices() -> list[str]:
    """Return the devices of this machine: the CPU, and each CUDA device that torch can use."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{number}" for number in range(count))]

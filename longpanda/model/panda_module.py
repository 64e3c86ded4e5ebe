"""The base class of modules that hold parameters or constants of their own."""

from abc import ABC, abstractmethod

from torch import nn


class PandaModule(nn.Module, ABC):
    """A module that initialises what it holds itself.

    Its constructor gives it values to be used alone. `LongPandaForConditionalGeneration` calls `reset_parameters` after
    those of the modules inside it, and also when a model is loaded, for what the checkpoint does not hold.
    """

    @abstractmethod
    def reset_parameters(self) -> None:
        """Initialise the module's own parameters and constants, except parameters that transformers has loaded."""

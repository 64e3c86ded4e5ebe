"""The base class of modules that hold parameters or constants of their own."""

from abc import ABC, abstractmethod

from torch import nn


class PandaModule(nn.Module, ABC):
    """A module that initialises its own parameters and constants.

    The constructor sets initial values for a module that is used alone. `LongPandaForConditionalGeneration` calls
    `reset_parameters` on every module, children first: for a new model, and after loading for whatever the checkpoint
    does not contain.
    """

    @abstractmethod
    def reset_parameters(self) -> None:
        """Initialise the module's own parameters and constants, except weights that transformers has loaded."""

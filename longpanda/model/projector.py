"""The projector from visual tokens to the language model's width (Video-Panda's mlp2x_gelu)."""

from torch import Tensor, nn


class Projector(nn.Module):
    """Visual tokens [N, C] to embeddings [N, D]: linear, exact GELU, linear."""

    def __init__(self, visual_width: int, model_width: int) -> None:
        super().__init__()
        self.input = nn.Linear(visual_width, model_width)
        self.activation = nn.GELU()
        self.output = nn.Linear(model_width, model_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Project tokens [..., C] to [..., D], in the dtype of the weights.

        In a float16 model the tokens before the projector are float32, and an index may store yet another dtype.
        """
        if self.input.weight.is_floating_point():  # quantised layers convert their inputs themselves
            tokens = tokens.to(self.input.weight.dtype)
        projected: Tensor = self.output(self.activation(self.input(tokens)))
        return projected

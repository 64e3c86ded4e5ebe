"""From visual tokens to the language model's width: linear, exact GELU, linear (Video-Panda's mlp2x_gelu)."""

from torch import Tensor, nn


class Projector(nn.Module):
    """Visual tokens [N, C] to embeddings [N, D]."""

    def __init__(self, visual_width: int, model_width: int) -> None:
        super().__init__()
        self.input = nn.Linear(visual_width, model_width)
        self.activation = nn.GELU()
        self.output = nn.Linear(model_width, model_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Project tokens [..., C] to [..., D], in the number format of the weights.

        Of a model in float16 what comes before the projector is float32; an index may hold yet another format.
        """
        if self.input.weight.is_floating_point():  # quantised layers know what they take
            tokens = tokens.to(self.input.weight.dtype)
        projected: Tensor = self.output(self.activation(self.input(tokens)))
        return projected

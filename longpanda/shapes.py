"""Array types with shapes for signatures, from jaxtyping; without it, they stand for plain array types.

The letters: B batch, T frames of a clip, F frames of all clips, t frames of a window, H W pixels, h w patches,
N visual tokens, L sequence, C visual width, D model width.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, UInt8
    except ImportError:

        class _Unshaped:
            """Makes `Float[Tensor, "F C"]` mean `Tensor` without jaxtyping, which only tests need."""

            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = UInt8 = _Unshaped

__all__ = ["Bool", "Float", "Int", "UInt8"]

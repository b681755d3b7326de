"""The width of the vectors into which LLVM turns the loops of a kernel."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic


def _type_widest_vectors(context: Any) -> Any:
    """Let LLVM use vectors of 512 bits in the function that calls this, on processors that have them.

    LLVM prefers 256 bits on Intel's processors, because the first ones with wider vectors then ran at a lower clock.
    Color and blur take a sixth less time on later ones. Other processors ignore the attribute.
    """
    return types.void(), _emit_widest_vectors


def _emit_widest_vectors(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    # The set refuses attributes that llvmlite does not know, although LLVM accepts any text.
    set.add(builder.function.attributes, '"prefer-vector-width"="512"')
    return context.get_dummy_value()


# Any, since compiled code calls it without the context.
use_widest_vectors: Any = intrinsic(_type_widest_vectors)

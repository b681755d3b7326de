"""The parameters that the operations of a view drew, as text."""

from __future__ import annotations

from torch import Tensor

from sslreg.contracts import Params
from sslreg.views import MASK

#: Larger tensors are fields, whose numbers tell a reader nothing.
_MOST = 8

#: Integers from here on are seeds, whose digits are shortened.
_LARGE = 10**9


def format_params(params: dict[str, Params], row: int) -> list[str]:
    """Format a line for each operation that drew something: ``gaussian_blur: sigma 1.05``.

    Args:
        params: The parameters of a view by operation, as in `Batch.params`.
        row: The row of the sample.
    """
    return [f"{name}: {_format_operation(values, row)}" for name, values in params.items() if values]


def _format_operation(values: Params, row: int) -> str:
    if MASK in values and not values[MASK][row]:
        return "not applied"
    parts = [f"{name} {_format_values(value[row])}" for name, value in values.items() if name != MASK]
    return ", ".join(parts) or "applied"


def _format_values(values: Tensor) -> str:
    if values.numel() > _MOST:
        return f"of {values.numel()} numbers"
    texts = [_format_number(number) for number in values.flatten().tolist()]
    return f"({', '.join(texts)})" if values.ndim else texts[0]


def _format_number(number: float) -> str:
    if isinstance(number, int) and abs(number) < _LARGE:
        return str(number)
    return f"{number + 0.0:.3g}"  # adding zero turns -0 into 0

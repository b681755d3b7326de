"""What the operations of a view drew, in words."""

from __future__ import annotations

from torch import Tensor

from sslreg.contracts import Params
from sslreg.views import MASK

#: Values of more numbers than this are fields, of no use to a reader.
_MOST = 8

#: Integers from here on are seeds, of which nobody reads every digit.
_LARGE = 10**9


def drawn_lines(params: dict[str, Params], row: int) -> list[str]:
    """A line for each operation that drew something, for one sample: ``gaussian_blur: sigma 1.05``.

    params: of a view, as `Batch.params` has them.
    """
    return [f"{name}: {_said(values, row)}" for name, values in params.items() if values]


def _said(values: Params, row: int) -> str:
    if MASK in values and not values[MASK][row]:
        return "not applied"
    parts = [f"{name} {_numbers(value[row])}" for name, value in values.items() if name != MASK]
    return ", ".join(parts) or "applied"


def _numbers(value: Tensor) -> str:
    if value.numel() > _MOST:
        return f"of {value.numel()} numbers"
    texts = [_number(number) for number in value.flatten().tolist()]
    return f"({', '.join(texts)})" if value.ndim else texts[0]


def _number(number: float) -> str:
    if isinstance(number, int) and abs(number) < _LARGE:
        return str(number)
    return f"{number + 0.0:.3g}"  # adding zero makes a negative one positive

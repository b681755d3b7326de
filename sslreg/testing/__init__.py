"""The conformance kit: tests of whether a plugin's components keep their contracts.

``from sslreg.testing import conformance`` and one line test everything that a distribution registers.
`temporary_components` registers components for the duration of a test. Needs pytest.
"""

from pkgutil import iter_modules

import pytest

# Before the checks are imported, so that a failing check shows the values that it compared.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from sslreg.testing import conformance  # noqa: E402 - see above
from sslreg.testing.temporary_components import temporary_components  # noqa: E402

__all__ = ["conformance", "temporary_components"]

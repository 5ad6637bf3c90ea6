"""The fault table: what goes wrong on a host, and what provision does about it."""

import pytest

# They assert on behalf of the tests: pytest shows what differs only where it is told.
pytest.register_assert_rewrite(f"{__name__}.bed", f"{__name__}.picture")

"""Whether the tests of this folder ran on PostgreSQL, too."""

import pytest

from tests.store import databases


def test_on_postgresql_too() -> None:
    if databases.server() is None:
        pytest.skip(
            "PostgreSQL does not answer: nothing was tested on it (TEST_DATABASE_URL says where it is)"
        )

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.world import World, world


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[World]:
    """A bot that is up, between a local Slack and a service that a scenario tells what to do."""
    async with world(tmp_path) as it, it.running():
        yield it

"""What a process takes over from a dead one, while its own dispatcher is at work already."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from bot.runs.admission import Admission
from bot.runs.board import Board
from bot.runs.floor import Floor
from bot.runs.recovery import Recovery
from bot.runs.runner import Workshop
from bot.store.records import Run
from tests.runs.test_handover import waiting_run


class Elsewhere:
    """A store that has one run, a queue in which nothing is in its way, and a floor on which it is started meanwhile."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.going_on: set[str] = set()
        self.woken = asyncio.Event()

    async def these(self, run_ids: Any) -> list[Run]:
        assert self.run.id in run_ids
        return [self.run]

    async def stands(self, run: Run) -> tuple[Run | None, int | None]:
        self.going_on.add(run.id)
        return run, None

    def wake(self) -> None:
        self.woken.set()


def recovery(board: Board, others: Elsewhere) -> Recovery:
    workshop = SimpleNamespace(board=board, store=SimpleNamespace(queue=others))
    admission = SimpleNamespace(queue=others)
    return Recovery(cast(Workshop, workshop), cast(Admission, admission), cast(Floor, others.going_on))


async def test_a_run_that_was_started_while_its_place_was_looked_up_is_not_shown_as_waiting() -> None:
    async with waiting_run() as (_, board, run):
        others = Elsewhere(run)
        await recovery(board, others).adopt([run.id])
        assert others.woken.is_set()
        assert board.waiting() == []

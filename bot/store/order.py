"""The order in which a conversation's waiting runs start, and how one of them is put first.

A run waits by its ``rank``. The one that is put first takes the foremost rank of its conversation's waiting runs, and
each that it passes the next one's: other conversations don't notice. Their turns move along in the same way, so that
what runs first comes first in what later ones are told of the past.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select, update

from bot.core.run import RunState
from bot.store.locks import hold_conversation_of
from bot.store.records import Run
from bot.store.rows import RUN, all_runs, one_run
from bot.store.tables import runs, turns


@dataclass(frozen=True, slots=True)
class PutFirst:
    """A waiting run is its conversation's next; ``running`` is the run that it still waits for, if any."""

    running: Run | None


def waiting(conversation: int | ColumnElement[int]) -> Select[*tuple[object, ...]]:
    """Selects the conversation's queued runs in order."""
    return RUN.where(runs.c.conversation == conversation, runs.c.state == RunState.QUEUED).order_by(
        runs.c.rank, runs.c.seq
    )


def put_first(connection: Connection, run_id: str, note: str) -> PutFirst | None:
    """Let a queued run be its conversation's next, with ``note`` on it alone; ``None`` where it isn't queued.

    That is a decision: nothing is held there any more.
    """
    hold_conversation_of(connection, run_id)
    asked = one_run(connection, RUN.where(runs.c.id == run_id))
    if asked is None:
        return None
    if not move_first(connection, asked.conversation, run_id):
        return None
    of_line = update(runs).where(runs.c.conversation == asked.conversation, runs.c.state == RunState.QUEUED)
    connection.execute(of_line.where(runs.c.id != run_id).values(held=False, note=""))
    connection.execute(of_line.where(runs.c.id == run_id).values(held=False, note=note))
    running = RUN.where(runs.c.conversation == asked.conversation, runs.c.state == RunState.RUNNING)
    return PutFirst(one_run(connection, running))


def move_first(connection: Connection, conversation: int, run_id: str) -> bool:
    """Let a run be the first that waits in its conversation, which is held; false where it doesn't wait."""
    line = all_runs(connection, waiting(conversation))
    first = next((run for run in line if run.id == run_id), None)
    if first is None:
        return False
    _reorder(connection, line, [first, *(run for run in line if run is not first)])
    return True


def _reorder(connection: Connection, line: list[Run], wanted: list[Run]) -> None:
    """Hand the ranks and the turns of ``line`` out again, in the order ``wanted``."""
    if line == wanted:
        return
    ranks = _ranks(connection, line)
    connection.execute(
        update(runs).where(runs.c.id == bindparam("of")).values(rank=bindparam("to")),
        [{"of": run.id, "to": rank} for run, rank in zip(wanted, ranks, strict=True)],
    )
    alone = _turns_of_one(connection, line)
    _move_turns(connection, [run for run in wanted if run.turn in alone])


def _ranks(connection: Connection, line: list[Run]) -> list[int]:
    found = select(runs.c.rank).where(
        runs.c.conversation == line[0].conversation, runs.c.state == RunState.QUEUED
    )
    return sorted(connection.execute(found).scalars())


def _turns_of_one(connection: Connection, line: list[Run]) -> set[int]:
    """The turns of which there was no earlier attempt: one that is tried again keeps its place in the past."""
    counted = (
        select(runs.c.turn)
        .where(runs.c.conversation == line[0].conversation, runs.c.turn.in_([run.turn for run in line]))
        .group_by(runs.c.turn)
        .having(func.count() == 1)
    )
    return set(connection.execute(counted).scalars())


def _move_turns(connection: Connection, wanted: list[Run]) -> None:
    """Hand these runs' turns, with what was asked in them, out again in their order."""
    if not wanted:
        return
    ordinals = sorted(run.turn for run in wanted)
    here = turns.c.conversation == wanted[0].conversation
    said = select(turns.c.ordinal, turns.c.prompt).where(here, turns.c.ordinal.in_(ordinals))
    prompts = {turn.ordinal: turn.prompt for turn in connection.execute(said)}
    moved = [
        {"of": run.id, "to": ordinal, "prompt_": prompts[run.turn]}
        for run, ordinal in zip(wanted, ordinals, strict=True)
    ]
    connection.execute(update(runs).where(runs.c.id == bindparam("of")).values(turn=bindparam("to")), moved)
    connection.execute(
        update(turns).where(here, turns.c.ordinal == bindparam("to")).values(prompt=bindparam("prompt_")),
        moved,
    )

"""Jobs of procrastinate's that stand for runs: handed out in one transaction with the runs' own rows.

A job only says that a run may start now. Few of them wait at a time, so that what is next is decided when there is room,
and not by how the queue looked before: a workspace with a thousand waiting runs holds up no other one.
"""

from collections.abc import Collection

from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from sqlalchemy import Connection, bindparam, text

from bot.store import dialect, dispatching

QUEUE = "runs"
"""The one queue of ours."""

TASK = "run"
"""What its jobs are called; each has the argument ``run``."""

DEAD = 15.0
"""Seconds without a heartbeat after which a worker of procrastinate's counts as dead."""

_BACKLOG = 12  # jobs that wait for a process with room, at most
_ENOUGH = 4  # jobs that wait: with more of them none are added, since choosing eight costs hardly more than choosing one
_URGENT = 1_000  # added to the priority of what comes before all others

_WAITING = text(
    "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = :queue AND status = 'todo'"
).bindparams(queue=QUEUE)

# Handing out is one after another, by this number that nothing else uses.
_HANDING_OUT = 0x626F75

# A worker that died with a job leaves it as it is.
_REMOVE_DEAD = text(
    "DELETE FROM procrastinate_jobs AS job WHERE job.status <> 'todo' AND NOT EXISTS (SELECT 1 FROM"
    " procrastinate_workers AS worker WHERE worker.id = job.worker_id AND worker.last_heartbeat >"
    " clock_timestamp() - make_interval(secs => :silent))"
).bindparams(silent=DEAD)
_EXISTING = text("SELECT id, status = 'todo' AS waits FROM procrastinate_jobs WHERE id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)

# It has no connection of its own: each call is given one.
_MANAGER = JobManager(SyncPsycopgConnector())


def enough_wait(connection: Connection) -> bool:
    """Whether so many jobs wait that none would be added; a look without a lock, as after every start."""
    return int(connection.execute(_WAITING).scalar_one()) > _ENOUGH


def hand_out(
    connection: Connection,
    per_workspace: int | None,
    busy: Collection[int] = (),
    before_all: Collection[int] = (),
) -> int:
    """Make jobs for the runs that come next (see dispatching.py); returns how many.

    Runs whose job was lost with the process that had fetched it are handed out again.
    """
    dialect.alone(connection, _HANDING_OUT)
    connection.execute(_REMOVE_DEAD)
    handed = dispatching.handed_out(connection)
    existing: dict[int, bool] = {}
    if handed:
        rows = connection.execute(_EXISTING, {"ids": [job for _, job in handed]})
        existing = {row.id: row.waits for row in rows}
    dispatching.take_back(connection, [(run, job) for run, job in handed if job not in existing])
    backlog = sum(existing.values())
    if backlog > _ENOUGH and not before_all:
        return 0
    room = _BACKLOG - backlog
    found = dispatching.next_ones(
        connection, max(room, 1), per_workspace=per_workspace, busy=busy, before_all=before_all
    )
    jobs = [_job(one, urgent=one.run.conversation in before_all) for one in found]
    if jobs:
        made = _MANAGER.batch_defer_jobs(jobs, connection=connection.connection.driver_connection)
        ids = [job.id for job in made if job.id is not None]
        dispatching.hand_out(connection, {one.run.id: id_ for one, id_ in zip(found, ids, strict=True)})
    return len(jobs)


def _job(one: dispatching.Next, *, urgent: bool) -> Job:
    return Job(
        id=None,
        queue=QUEUE,
        task_name=TASK,
        lock=None,
        queueing_lock=None,
        priority=(_URGENT if urgent else 0) - one.share,
        task_kwargs={"run": one.run.id},
    )

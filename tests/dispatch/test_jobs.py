"""What is handed out, and to whom it goes: in turns of the workspaces, within their limits, and never twice."""

from importlib import resources

from bot.core.run import RunState
from bot.dispatch.jobs import hand_out
from bot.store.records import Run
from bot.store.store import Store
from tests.store.databases import Schema
from tests.store.requests import NOW, asked, reply, taken

BACKLOG = 12


async def handed_out(store: Store, per_workspace: int | None = None, before_all: tuple[int, ...] = ()) -> int:
    return await store.transact(lambda connection: hand_out(connection, per_workspace, before_all=before_all))


def jobs(schema: Schema) -> list[str]:
    """The runs of the jobs that wait, in the order in which they are fetched."""
    rows = schema.rows(
        "SELECT args->>'run' FROM procrastinate_jobs WHERE status = 'todo' ORDER BY priority DESC, id"
    )
    return [run for (run,) in rows]


async def started(store: Store, schema: Schema, run: Run) -> bool:
    """Whether the run starts by the job that it was handed out with, which is then over."""
    [(job,)] = schema.rows("SELECT job FROM runs WHERE id = %s", [run.id])
    schema.rows("DELETE FROM procrastinate_jobs WHERE id = %s", [job])
    return await store.dispatching.start_next(run.id, "me", NOW, job=job) is not None


async def test_what_is_next_is_handed_out_once(store: Store, schema: Schema) -> None:
    first, second = await taken(store), await taken(store)
    waits = await reply(store, first)
    await taken(store, ready=False)
    assert await handed_out(store) == 2
    assert jobs(schema) == [first.id, second.id]
    assert await handed_out(store) == 0
    assert await started(store, schema, first)
    assert await handed_out(store) == 0  # the reply waits for the run before it
    await store.runs.end(first.id, RunState.DONE, NOW)
    assert await handed_out(store) == 1
    assert jobs(schema) == [second.id, waits.id]


async def test_workspaces_take_turns_however_much_one_asks(store: Store, schema: Schema) -> None:
    many = [await taken(store) for _ in range(30)]
    assert await handed_out(store) == BACKLOG  # the others are chosen when there is room
    late = [await taken(store, asked(workspace="T2")) for _ in range(3)]
    for run in many[:BACKLOG]:
        assert await started(store, schema, run)
    assert await handed_out(store) == BACKLOG
    assert jobs(schema) == [*(run.id for run in late), *(run.id for run in many[BACKLOG : BACKLOG + 9])]


async def test_a_workspace_has_no_more_under_way_than_it_may(store: Store, schema: Schema) -> None:
    mine = [await taken(store) for _ in range(4)]
    other = await taken(store, asked(workspace="T2"))
    assert await handed_out(store, per_workspace=2) == 3
    assert set(jobs(schema)) == {mine[0].id, mine[1].id, other.id}
    assert await started(store, schema, mine[0])
    assert await started(store, schema, mine[1])
    assert await handed_out(store, per_workspace=2) == 0
    await store.runs.end(mine[0].id, RunState.DONE, NOW)
    assert await handed_out(store, per_workspace=2) == 1
    assert jobs(schema) == [other.id, mine[2].id]


async def test_a_reply_for_which_a_run_was_stopped_comes_before_all(store: Store, schema: Schema) -> None:
    for _ in range(3):
        await taken(store)
    late = await taken(store, asked(workspace="T2"))
    urgent = await taken(store)
    await handed_out(store, before_all=(urgent.conversation,))
    assert jobs(schema)[:2] == [urgent.id, late.id]


async def test_a_run_whose_job_was_lost_is_handed_out_again(store: Store, schema: Schema) -> None:
    vanished, fetched, living = [await taken(store) for _ in range(3)]
    assert await handed_out(store) == 3
    old = dict(schema.rows("SELECT id, job FROM runs"))
    schema.rows("DELETE FROM procrastinate_jobs WHERE id = %s", [old[vanished.id]])
    for silent, run in (("1 minute", fetched), ("1 second", living)):
        schema.rows(
            "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES"
            f" (now() - interval '{silent}') RETURNING id)"
            " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM worker) WHERE id = %s",
            [old[run.id]],
        )
    assert await handed_out(store) == 2
    assert set(jobs(schema)) == {vanished.id, fetched.id}
    # Who had fetched the lost job was only slow, and comes back with it.
    assert await store.dispatching.start_next(fetched.id, "slow", NOW, job=old[fetched.id]) is None
    assert await started(store, schema, fetched)
    assert not await started(store, schema, fetched)


async def test_a_reply_that_another_one_was_put_before_waits_again(store: Store, schema: Schema) -> None:
    first = await taken(store)
    assert await handed_out(store) == 1
    second = await reply(store, first)
    await store.runs.put_first(second.id, "")
    assert not await started(store, schema, first)
    assert await handed_out(store) == 1
    assert jobs(schema) == [second.id]


async def test_a_dropped_run_is_not_started(store: Store, schema: Schema) -> None:
    run = await taken(store)
    await handed_out(store)
    assert await store.runs.drop(run.id, NOW, "")
    assert not await started(store, schema, run)


def test_the_migrations_make_the_schema_that_the_library_needs() -> None:
    """Where this fails, a newer procrastinate brings a migration of its own, which needs a revision of ours."""
    scripts = resources.files("procrastinate.sql").joinpath("migrations").iterdir()
    assert max(script.name for script in scripts if script.name.endswith(".sql")) == (
        "03.04.00_50_post_add_retry_failed_job_procedure.sql"
    )

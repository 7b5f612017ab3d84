"""Every query that an event causes finds its rows by an index."""

import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event

from bot.core.run import RunState
from bot.model import Invocation
from bot.store import dispatching
from bot.store.records import Run, UserSettings
from bot.store.store import Store
from bot.store.tables import metadata
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, parallel, reply, running, taken


@contextmanager
def _statements() -> Iterator[list[tuple[str, Any]]]:
    """The SQL that is executed meanwhile, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        seen.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_no_query_walks_through_a_table(store: Store, database: SomeDatabase) -> None:
    owner = await Store.open(database.url, owner="me", patience=database.patience)
    await owner.workers.join("host", "worker")
    with _statements() as statements:
        await _a_days_work(store)
        await _a_dispatchers_work(store)
        await _a_keepers_work(owner)
    await owner.close()
    seen = {
        sql: parameters
        for sql, parameters in statements
        if not sql.startswith(("BEGIN", "PRAGMA", "SAVEPOINT", "SET LOCAL"))
    }
    assert len(seen) > 40
    walks = _postgres_walks if database.url.startswith("postgresql") else _sqlite_walks
    assert walks(database, seen) == {}


def test_all_that_the_store_can_be_asked_is_asked_here(store: Store) -> None:
    here = Path(__file__).read_text()
    subjects = {name: it for name, it in vars(store).items() if type(it).__module__.startswith("bot.store.")}
    asked = [
        f"store.{subject}.{name}("
        for subject, it in subjects.items()
        for name, method in vars(type(it)).items()
        if not (subject.startswith("_") or name.startswith("_")) and inspect.isfunction(method)
    ]
    assert len(asked) > 50
    assert [one for one in asked if one not in here and one not in _NO_QUERIES] == []


# They wait, and call what is asked here.
_NO_QUERIES = {"store.output.run(", "store.output.room("}

_SCANS_OF_WHAT_WAS_FOUND = ("SCAN CONSTANT ROW", "SCAN (subquery", "SCAN anon_")
_FEW = ("workers", "live")  # tables with a row for each process, or for each workspace that it edits in


def _sqlite_walks(database: SomeDatabase, seen: dict[str, Any]) -> dict[str, Any]:
    """The plans that walk through a table, by their statements."""
    found = {}
    with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"))) as connection:
        for sql, parameters in seen.items():
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            steps = [
                detail
                for *_, detail in plan
                if not detail.startswith((*_SCANS_OF_WHAT_WAS_FOUND, *(f"SCAN {table}" for table in _FEW)))
            ]
            if any(step.startswith("SCAN") for step in steps):
                found[sql] = steps
    return found


def _postgres_walks(database: SomeDatabase, seen: dict[str, Any]) -> dict[str, Any]:
    """The same for PostgreSQL, which plans by what is in the tables: much that ended, and is too young to be swept."""
    found = {}
    with psycopg.connect(database.url) as connection:
        connection.execute(_OLD_RUNS)
        for sql, parameters in seen.items():
            [[plan]] = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters).fetchall()
            nodes = [node for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") not in _FEW]
            scans = [node for node in nodes if "Scan" in node["Node Type"]]
            if any(node["Node Type"] not in _LOOKUPS and "Index Cond" not in node for node in scans):
                found[sql] = plan
        connection.rollback()
    return found


async def test_who_waits_is_not_compared_with_all_who_wait(store: Store, database: SomeDatabase) -> None:
    """Where a server knows its tables from a time in which nothing waited, as it mostly does."""
    if not database.url.startswith("postgresql"):
        pytest.skip("only a server plans by what it knows of the rows")
    with psycopg.connect(database.url) as connection:
        connection.execute(_OLD_RUNS)
        connection.execute(_WAITING)
        with _statements() as statements:
            await store.dispatching.next_ones(10, per_workspace=5)
            await store.queue.standings()
        for sql, parameters in statements:
            [[plan]] = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters).fetchall()
            looked_at = sum(
                (node["Actual Rows"] + sum(node.get(f"Rows Removed by {by}", 0) for by in _REMOVED))
                * node["Actual Loops"]
                for node in _nodes(plan[0]["Plan"])
            )
            assert looked_at < 40 * _WAIT
        connection.rollback()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


# Scans of what another node has found.
_LOOKUPS = {"Bitmap Heap Scan", "Subquery Scan", "Values Scan", "CTE Scan", "Tid Scan"}

_MANY = 10_000
_YOUNG = NOW + 2e9
_OLD_RUNS = f"""
    INSERT INTO claims SELECT 'old-' || n, {_YOUNG} + n FROM generate_series(1, {_MANY}) n;
    INSERT INTO conversations (id, workspace, channel, thread_ts)
        SELECT 1000 + n, 'T' || n % 50, 'C' || n % 500, n::text FROM generate_series(1, {_MANY}) n;
    INSERT INTO turns (conversation, ordinal, prompt)
        SELECT 1000 + n, 1, 'x' FROM generate_series(1, {_MANY}) n;
    INSERT INTO runs (seq, id, workspace, channel, conversation, turn, requester, invocation, state, in_thread,
                      attempt, ready, request_ts, created_at, started_at, ended_at, settled, owner)
        SELECT 1000 + n, 'old-' || n, 'T' || n % 50, 'C' || n % 500, 1000 + n, 1, 'U' || n % 300, '{{}}', 'done',
               false, 1, true, n::text, {NOW}, {NOW}, {_YOUNG} + n, true, n % 99
        FROM generate_series(1, {_MANY}) n;
    INSERT INTO tasks (id, run, position, name, state)
        SELECT 1000 + n, 'old-' || n, 0, 'task', 'done' FROM generate_series(1, {_MANY}) n;
    INSERT INTO chunks (task, position, size, dropped, data)
        SELECT 1000 + n, 0, 1, 0, 'x' FROM generate_series(1, {_MANY}) n;
    INSERT INTO orders (id, worker, kind, payload, created_at)
        SELECT 1000 + n, 'w-' || n, 'stop', '{{}}', {NOW} FROM generate_series(1, {_MANY}) n;
    INSERT INTO channels (workspace, channel, changed_by, changed_at)
        SELECT 'T' || n % 50, 'D' || n, 'U', {NOW} FROM generate_series(1, {_MANY}) n;
    INSERT INTO users (workspace, "user", first_seen, changed_at)
        SELECT 'T' || n % 50, 'V' || n, {NOW}, {NOW} FROM generate_series(1, {_MANY}) n;
    ANALYZE {", ".join(metadata.tables)}
"""

_WAIT = 300
_REMOVED = ("Filter", "Join Filter", "Index Recheck")
_WAITING = f"""
    INSERT INTO conversations (id, workspace, channel, thread_ts)
        SELECT 100000 + n, 'T' || n % 5, 'N' || n, n::text FROM generate_series(1, {_WAIT}) n;
    INSERT INTO turns (conversation, ordinal, prompt)
        SELECT 100000 + n, 1, 'x' FROM generate_series(1, {_WAIT}) n;
    INSERT INTO runs (seq, id, workspace, channel, conversation, turn, requester, invocation, state, in_thread,
                      attempt, ready, rank, created_at)
        SELECT 100000 + n, 'new-' || n, 'T' || n % 5, 'N' || n, 100000 + n, 1, 'U', '{{}}', 'queued',
               false, 1, true, 100000 + n, {NOW}
        FROM generate_series(1, {_WAIT}) n
"""


async def _a_dispatchers_work(store: Store) -> None:
    going, waits = await running(store), await taken(store)
    await store.dispatching.next_ones(10, per_workspace=5, busy=[going.conversation])
    await store.dispatching.under_way()
    await store.transact(_handing_out)
    assert await store.dispatching.start_next(waits.id, "me", NOW, per_workspace=5)
    await store.workers.join("here", "worker")
    await store.orders.put([store.owner], "stop", {"run": going.id}, NOW)
    await store.orders.done([order.id for order in await store.orders.of(store.owner)])
    await store.workers.leave()


def _handing_out(connection: Connection) -> None:
    run = dispatching.next_ones(connection, 1)[0].run
    dispatching.hand_out(connection, {run.id: 1})
    dispatching.take_back(connection, dispatching.handed_out(connection))


async def _a_keepers_work(store: Store) -> None:
    """What every process asks every few seconds."""
    await store.workers.beat()
    others = await store.workers.others()
    await store.live.tell({"T1": 2})
    await store.live.of([other.id for other in others])
    await store.workers.orphaned()
    await store.workers.take_over("gone", NOW, "It died.", None)
    run = await running(store)
    await store.runs.start((await taken(store)).id, "me", NOW)
    await store.runs.end(run.id, RunState.DONE, NOW, own=True)
    await store.ends.mine([run.id])
    await store.ends.outcome(run.id)
    await store.ends.count(run.id, 1)
    await store.ends.unsettled(NOW)
    await store.ends.settle(run.id)


async def _a_days_work(store: Store) -> None:
    """One of everything that the store can be asked."""
    first = await running(store, asked(invocation=parallel("web", "api"), request_ts="1.1"))
    await store.runs.posted(first.id, "1.5", "1.5")
    await store.claims.claim("event-1", NOW)
    await store.runs.take(asked(thread_ts="1.5"), "event-2", NOW)
    await store.runs.take_as_set(("T1", "U1", "C1"), lambda _own, _repo: asked(), "event-3", NOW)
    await store.runs.recall("T1", "U1", "event-3", NOW, withdraw=True)
    await taken(store, asked(conversation=first.conversation, turn=1))
    waiting = await reply(store, first)
    await store.runs.rewrite(waiting.id, Invocation("other"), None)
    another = await reply(store, first)
    await store.runs.set_ready(another.id)
    await store.runs.put_first(another.id, "")
    await store.runs.drop(another.id, NOW, "")
    await store.runs.get(first.id)
    await store.runs.find("T1", first.id)
    await store.runs.at_request("T1", "C1", "1.1")
    await store.runs.newest_attempt(first.conversation, 1)
    await store.runs.last_in(first.conversation)
    await store.runs.usage(waiting, NOW)
    await store.runs.recent_repos("T1", "U1", 10)
    await store.runs.running_in(first.conversation)
    await store.runs.waiting_in(first.conversation)
    await store.runs.add_task(first.id, "extra")
    await store.queue.listing(None)
    await store.queue.listing("T1")
    await store.queue.counts()
    await store.queue.unended("T1")
    await store.queue.these([first.id, waiting.id])
    await store.queue.standings([first.conversation])
    await store.queue.place(waiting)
    await store.queue.stands(await taken(store))
    await store.conversations.opening("T1", "C1")
    await _a_conversations_work(store, first)
    await store.runs.latest_of("T1", "U1", 10)
    await store.runs.asked_again(first)
    [web, *_] = await store.runs.tasks(first.id)
    await store.runs.task_posted(web.id, "2.2")
    await store.ends.uploaded(web.id, "F1")
    store.output.append(web.id, "hello")
    await store.output.flush()
    await store.output.size(web.id)
    await store.output.tail(web.id, 10)
    await store.output.dropped(web.id)
    assert [piece async for piece in store.output.read(web.id)] == [b"hello"]
    await store.runs.drop_waiting(first.conversation, NOW, "")
    await store.runs.end(first.id, RunState.DONE, NOW, answer="done")
    await store.sweep(NOW + 1e9, 1.0)


async def _a_conversations_work(store: Store, first: Run) -> None:
    """What is looked up and stored where people talk."""
    await store.conversations.get(first.conversation)
    await store.conversations.at("T1", "C1", "1.5")
    await store.conversations.set_prompt(first.conversation, 1, "more")
    await store.conversations.name_upstream_thread(first.conversation, "thread-1")
    await store.conversations.set_muted(first.conversation, False)
    await store.conversations.history(first.conversation, 9)
    await store.conversations.task_history(first.conversation, "web", 9)
    await store.conversations.task_names(first.conversation)
    await store.channels.set_repo("T1", "C1", "acme/api", "U1", NOW)
    await store.channels.repo("T1", "C1")
    await store.users.save("T1", "U1", UserSettings(), NOW)
    await store.users.settings("T1", "U1")
    await store.users.settings_in("T1", "U1", "C1")

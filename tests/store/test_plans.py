"""Every query that an event causes finds its rows by an index."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from bot.core.run import RunState
from bot.model import Invocation
from bot.store.records import UserSettings
from bot.store.store import Store
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


async def test_no_query_walks_through_a_table(store: Store, file: Path) -> None:
    with _statements() as statements:
        await _a_days_work(store)
    seen = {sql: parameters for sql, parameters in statements if not sql.startswith(("BEGIN", "PRAGMA"))}
    assert len(seen) > 40
    with closing(sqlite3.connect(file)) as connection:
        for sql, parameters in seen.items():
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            steps = [detail for *_, detail in plan if detail != "SCAN CONSTANT ROW"]
            assert not [step for step in steps if step.startswith("SCAN")], (sql, steps)


async def _a_days_work(store: Store) -> None:
    """One of everything that the store can be asked."""
    first = await running(store, asked(invocation=parallel("web", "api"), request_ts="1.1"))
    await store.runs.posted(first.id, "1.5", "1.5")
    await store.claims.claim("event-1", NOW)
    await store.runs.take(asked(thread_ts="1.5"), "event-2", NOW)
    await taken(store, asked(conversation=first.conversation, turn=1))
    waiting = await reply(store, first)
    await store.runs.rewrite(waiting.id, Invocation("other"), None)
    await store.runs.find("T1", first.id)
    await store.runs.at_request("T1", "C1", "1.1")
    await store.runs.newest_attempt(first.conversation, 1)
    await store.runs.last_in(first.conversation)
    await store.runs.recent_repos("T1", "U1", 10)
    await store.runs.running_in(first.conversation)
    await store.runs.waiting_in(first.conversation)
    await store.runs.add_task(first.id, "extra")
    await store.queue.next_ready(10)
    await store.queue.unprepared()
    await store.queue.orphans("other")
    await store.queue.listing(None)
    await store.queue.listing("T1")
    await store.queue.place(waiting)
    await store.queue.place(await taken(store))
    await store.conversations.get(first.conversation)
    await store.conversations.at("T1", "C1", "1.5")
    await store.conversations.set_muted(first.conversation, False)
    await store.conversations.history(first.conversation, 9)
    await store.conversations.task_history(first.conversation, "web", 9)
    await store.conversations.task_names(first.conversation)
    await store.channels.set_repo("T1", "C1", "acme/api", "U1", NOW)
    await store.channels.repo("T1", "C1")
    await store.users.save("T1", "U1", UserSettings(), NOW)
    await store.users.settings("T1", "U1")
    await store.runs.latest_of("T1", "U1", 10)
    await store.runs.asked_again(first)
    [web, *_] = await store.runs.tasks(first.id)
    await store.runs.task_posted(web.id, "2.2")
    store.output.append(web.id, "hello")
    await store.output.flush()
    await store.output.size(web.id)
    await store.output.tail(web.id, 10)
    assert [piece async for piece in store.output.read(web.id)] == [b"hello"]
    await store.runs.drop_waiting(first.conversation, NOW, "")
    await store.runs.end(first.id, RunState.DONE, NOW, answer="done")
    await store.sweep(NOW + 1e9, 1.0)

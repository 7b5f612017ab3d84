"""Lists among a statement's parameters: a connection need not know a text for each of their lengths."""

from typing import Any

from sqlalchemy import Engine, event

from bot.store.lists import few_lengths
from bot.store.store import Store
from tests.store.requests import taken


def test_the_values_stay_and_their_number_is_a_power_of_two() -> None:
    assert few_lengths([]) == []
    for number in range(1, 200):
        values = range(number)
        padded = few_lengths(values)
        assert set(padded) == set(values)
        assert len(padded) in {1, 2, 4, 8, 16, 32, 64, 128, 256}
        assert len(padded) < 2 * number


async def test_with_more_and_more_runs_the_same_few_statements_are_executed(store: Store) -> None:
    first = await taken(store)
    seen: set[str] = set()

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.add(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for number in range(1, 101, 2):
            some = range(1000, 1000 + number)
            [found] = await store.dispatching.next_ones(1, busy=some, before_all=some)
            assert found.run.id == first.id
            assert await store.dispatching.next_ones(1, busy=[*some, first.conversation]) == []
            await store.ends.mine([str(one) for one in some])
            await store.queue.these([str(one) for one in some])
            for one in some:
                store.output.append(one, "hello")
            await store.output.flush()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(seen) < 50

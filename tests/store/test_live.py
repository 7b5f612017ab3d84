"""How many messages each process edits; both kinds of databases."""

from bot.store.store import Store
from tests.store.databases import SomeDatabase


async def test_processes_know_of_each_other_s_messages(database: SomeDatabase) -> None:
    stores = [await Store.open(database.url, owner=name, patience=database.patience) for name in "abc"]
    a, b, c = stores
    for store in stores:
        await store.workers.join("host", "worker")
    await a.live.tell({"T1": 3, "T2": 1})
    await b.live.tell({"T1": 2})
    assert await c.live.of(["a", "b"]) == {"T1": 5, "T2": 1}
    assert await c.live.of(["b", "nobody"]) == {"T1": 2}
    assert await c.live.of([]) == {}
    await a.live.tell({"T2": 4})
    assert await b.live.of(["a"]) == {"T2": 4}
    await b.workers.leave()
    await a.live.tell({})
    assert database.rows("SELECT * FROM live") == [], (
        "what nobody stands for any more goes with the next word"
    )
    for store in stores:
        await store.close()

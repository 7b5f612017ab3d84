"""Orders: in order, for one process, until they are done; none for those who have gone."""

from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW


async def test_an_order_is_there_until_it_is_done(database: SomeDatabase) -> None:
    me = await Store.open(database.url, owner="me", patience=database.patience)
    other = await Store.open(database.url, owner="other", patience=database.patience)
    await me.workers.join("here", "web")
    await other.workers.join("there", "worker")
    for number in range(3):
        await me.orders.put(["other", "gone"], "stop", {"run": f"r-{number}", "by": "<@U1> ✓"}, NOW)
    assert await me.orders.of("me") == await me.orders.of("gone") == []
    told = await other.orders.of("other")
    assert [order.kind for order in told] == ["stop"] * 3
    assert told[0].values == {"run": "r-0", "by": "<@U1> ✓"}
    await other.orders.done([told[0].id])
    await other.orders.done([])
    assert [order.values["run"] for order in await other.orders.of("other")] == ["r-1", "r-2"]
    await other.workers.leave()
    assert await me.orders.of("other") == []
    await me.orders.put([], "stop", {}, NOW)
    for store in (me, other):
        await store.close()

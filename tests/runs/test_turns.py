"""How streams share the event loop."""

import asyncio
from collections.abc import Awaitable, Callable

from bot.runs.turns import Turns


async def rounds_of(work: Callable[[], Awaitable[object]]) -> int:
    """In how many rounds of the event loop ``work`` was done."""
    task = asyncio.ensure_future(work())
    rounds = 0
    while not task.done():
        await asyncio.sleep(0)
        rounds += 1
    return rounds


async def test_a_share_is_done_within_one_round() -> None:
    turns = Turns(share=100)

    async def stream() -> None:
        for _ in range(10):
            await turns.take(10)

    assert await rounds_of(stream) == 1


async def test_a_flood_gives_every_round_its_pause() -> None:
    turns = Turns(share=100)

    async def stream() -> None:
        for _ in range(20):
            await turns.take(100)

    assert await rounds_of(stream) >= 20


async def test_many_streams_together_do_no_more_than_one() -> None:
    turns = Turns(share=100)
    done = [0]

    async def stream() -> None:
        for _ in range(5):
            await turns.take(10)
            done[-1] += 10

    streams = [asyncio.create_task(stream()) for _ in range(100)]
    while not all(stream.done() for stream in streams):
        await asyncio.sleep(0)
        done.append(0)
    assert sum(done) == 5_000
    assert max(done) <= 200  # what was left of one share, and the next
    assert len(done) < 100  # and the rounds are used


async def test_turns_come_in_the_order_of_asking() -> None:
    turns = Turns(share=1)
    order: list[str] = []

    async def stream(name: str) -> None:
        await turns.take(1)
        order.append(name)

    await asyncio.gather(*map(stream, "abcdefg"))
    assert "".join(order) == "abcdefg"


async def test_who_is_cancelled_while_waiting_holds_nobody_up() -> None:
    turns = Turns(share=1)
    first, gone, last = (asyncio.create_task(turns.take(work)) for work in (1, 1_000_000, 1))
    await turns.take(1)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait_for(asyncio.gather(first, last), 1)
    assert gone.cancelled()


async def test_what_is_larger_than_a_share_is_done_all_the_same() -> None:
    turns = Turns(share=10)
    await asyncio.wait_for(turns.take(1_000), 1)
    await asyncio.wait_for(turns.take(1_000), 1)

"""What follows acknowledgements lets requests go first, though not for ever."""

import asyncio

import pytest

from bot.runs.precedence import PATIENCE, Precedence
from tests.support.vtime import virtual_time


@virtual_time
async def test_without_requests_nobody_waits() -> None:
    await Precedence().lull()

    assert asyncio.get_running_loop().time() == 0


@virtual_time
async def test_work_waits_until_the_last_request_is_acknowledged() -> None:
    precedence = Precedence()
    done: list[str] = []

    async def acknowledge(seconds: float) -> None:
        with precedence.request():
            await asyncio.sleep(seconds)
            done.append("acknowledged")

    async def work() -> None:
        await precedence.lull()
        done.append("worked")

    await asyncio.gather(acknowledge(0.02), acknowledge(0.04), work())

    assert done == ["acknowledged", "acknowledged", "worked"]


@virtual_time
async def test_a_request_that_failed_holds_up_nothing() -> None:
    precedence = Precedence()

    with pytest.raises(ValueError, match="unreadable"), precedence.request():
        raise ValueError("unreadable")
    await precedence.lull()

    assert asyncio.get_running_loop().time() == 0


@virtual_time
async def test_while_requests_keep_coming_work_goes_on_all_the_same() -> None:
    precedence = Precedence()

    with precedence.request():
        await asyncio.gather(*(precedence.lull() for _ in range(20)))

    assert asyncio.get_running_loop().time() == PATIENCE


async def test_each_round_of_the_loop_has_one_piece_of_work() -> None:
    precedence = Precedence()
    rounds = 0
    worked_in: list[int] = []

    async def work() -> None:
        await precedence.lull()
        worked_in.append(rounds)

    works = asyncio.gather(*(work() for _ in range(5)))
    while not works.done():
        await asyncio.sleep(0)
        rounds += 1

    assert len(set(worked_in)) == 5

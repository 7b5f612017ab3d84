"""What people set for themselves, and their own runs."""

from bot.core.run import RunState
from bot.model import Model, Options
from bot.store.records import UserSettings
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, reply, running, taken

MINE = UserSettings(Options("acme/web", "dev", Model.HAIKU), notify=False)


async def test_who_has_set_nothing_has_no_options_and_is_notified(store: Store) -> None:
    assert await store.users.settings("T1", "U1") == UserSettings(Options(), notify=True)


async def test_settings_are_one_persons_in_one_workspace(store: Store) -> None:
    await store.users.save("T1", "U1", MINE, NOW)
    assert await store.users.settings("T1", "U1") == MINE
    assert await store.users.settings("T1", "U2") == UserSettings()
    assert await store.users.settings("T2", "U1") == UserSettings()


async def test_saving_again_replaces_all_of_it_but_not_the_first_time(
    store: Store, database: SomeDatabase
) -> None:
    await store.users.save("T1", "U1", MINE, NOW)
    await store.users.save("T1", "U1", UserSettings(Options(branch="main")), NOW + 5)
    assert await store.users.settings("T1", "U1") == UserSettings(Options(branch="main"))
    assert database.rows("SELECT first_seen, changed_at FROM users") == [(NOW, NOW + 5)]


async def test_a_model_that_is_not_offered_any_more_counts_as_none(
    store: Store, database: SomeDatabase
) -> None:
    await store.users.save("T1", "U1", MINE, NOW)
    database.rows("UPDATE users SET model = 'opus'")
    assert (await store.users.settings("T1", "U1")).options == Options("acme/web", "dev")


async def test_the_latest_runs_of_a_person_are_their_ended_ones_newest_first(store: Store) -> None:
    ended = [await running(store) for _ in range(3)]
    for run in reversed(ended):
        await store.runs.end(run.id, RunState.DONE, NOW)
    await taken(store)
    await running(store, asked(requester="U2"))
    foreign = await running(store, asked(workspace="T2"))
    await store.runs.end(foreign.id, RunState.DONE, NOW)
    latest = await store.runs.latest_of("T1", "U1", 10)
    assert [run.id for run in latest] == [run.id for run in reversed(ended)]
    assert len(await store.runs.latest_of("T1", "U1", 2)) == 2


async def test_who_asked_again_asked_later_in_the_same_conversation(store: Store) -> None:
    first = await running(store)
    await taken(store)
    await reply(store, first, requester="U2")
    assert not await store.runs.asked_again(first)
    later = await reply(store, first)
    assert await store.runs.asked_again(first)
    assert not await store.runs.asked_again(later)
    await store.runs.end(first.id, RunState.DONE, NOW)
    await store.runs.end(later.id, RunState.STOPPED, NOW)
    assert await store.runs.asked_again(first)


async def test_a_requests_defaults_are_read_at_once(store: Store) -> None:
    assert await store.users.settings_in("T1", "U1", "C1") == (UserSettings(), None)
    await store.users.save("T1", "U1", MINE, NOW)
    await store.channels.set_repo("T1", "C1", "acme/api", "U2", NOW)
    assert await store.users.settings_in("T1", "U1", "C1") == (MINE, "acme/api")
    assert await store.users.settings_in("T1", "U2", "C2") == (UserSettings(), None)

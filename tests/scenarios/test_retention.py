"""What the bot forgets by itself."""

from pathlib import Path

from tests.scenarios.test_takeover import DAY, play, stage
from tests.support.cloudcoding import Say


async def test_runs_are_forgotten_once_they_are_older_than_they_may_be(tmp_path: Path) -> None:
    async with stage(tmp_path, RETENTION_DAYS="2") as on:
        it = on.it
        async with it.running():
            for text in ("old", "young"):
                await it.shows(await play(it, Say("Done."), text=text), "Done")
                await on.settled()
        old, young = on.column("id")
        for run, days in ((old, 2.1), (young, 1.9)):
            on.database.rows("UPDATE runs SET ended_at = ended_at - %s WHERE id = %s", [days * DAY, run])
        async with it.running():
            await on.until(lambda: on.column("id") == [young])
            await it.code(f"retry {old}")
            await it.told("ann", f"There is no run `{old}`")
            it.serve(Say("Done again."))
            await it.code(f"retry {young}")
            await it.says(await it.root(1), "Done again.")

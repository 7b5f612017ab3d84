"""What it costs to start a run where processes share a PostgreSQL database: ``python -m tests.bench.dispatching``.

A thousand requests of several workspaces wait, all of one workspace before those of the next, when two workers start;
the service answers at once. Everything is on one machine, Slack and the service too. Measured are

- how long it takes to start a run, from the first start to the last one, both workers together;
- its parts: the processor time of the workers (who also carry the runs out meanwhile), of the process that showed the
  runs until then, and of the database; and how many transactions that makes;
- whether workspaces take turns: which start is the last of each, and which it would be in perfect turns.

A worker has room for all runs: what Slack allows doesn't hold up the next start. The server is the one of
TEST_DATABASE_URL, else one on this machine's usual port; without one nothing is measured.
"""

import argparse
import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bot.simulator.slack import LocalSlack
from bot.simulator.slack.model import User
from bot.store.migrate import migrate
from tests.bench import report, stage
from tests.store.databases import server

WORKERS = 2
SHARES = {"T1": 60, "T2": 25, "T3": 10, "T4": 4, "T5": 1}  # percent of the runs, in the order of the requests
RUNS_IN_A_CHANNEL = 4  # what Slack lets pass at once
PATIENCE = 300.0
LOOK = 0.25  # seconds between two looks at the table


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; times in ms of one run. ``order`` has the workspaces in the order of the starts."""

    runs: int
    start: float
    workers_cpu: float
    web_cpu: float
    database_cpu: float
    commits: float
    order: tuple[str, ...]

    @property
    def last(self) -> dict[str, int]:
        """Which start, from 1, is each workspace's last."""
        return {workspace: number for number, workspace in enumerate(self.order, 1)}

    @property
    def perfect(self) -> dict[str, int]:
        """The same in perfect turns."""
        counts = Counter(self.order)
        return {one: sum(min(other, counts[one]) for other in counts.values()) for one in counts}


@contextlib.contextmanager
def database(of: str) -> Iterator[str]:
    """The address of an empty database on that server, dropped at the end."""
    name = sql.Identifier(f"bot_bench_{secrets.token_hex(4)}")
    with psycopg.connect(of, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield make_url(of).set(database=name.as_string().strip('"')).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@dataclass(frozen=True, slots=True)
class Table:
    """The runs, as an outsider sees them, and what the server knows of itself."""

    connection: psycopg.Connection[tuple[Any, ...]]

    def count(self, where: sql.SQL) -> int:
        """How many runs are so."""
        return int(self._number(sql.SQL("SELECT count(*) FROM runs WHERE {}").format(where)))

    async def until(self, where: sql.SQL, count: int) -> None:
        """Return once so many runs are so."""
        async with asyncio.timeout(PATIENCE):
            while self.count(where) != count:  # noqa: ASYNC110  it is in other processes
                await asyncio.sleep(LOOK)

    def commits(self) -> int:
        """Transactions of this database so far."""
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        return int(self._number(sql.SQL(query)))

    def cpu(self) -> float:
        """Seconds of processor time of the server's processes for this database, where they are on this machine."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        return cpu_of([pid for (pid,) in self.connection.execute(query)])

    def order(self) -> tuple[str, ...]:
        """The runs' workspaces, in the order of the starts."""
        return tuple(
            workspace
            for (workspace,) in self.connection.execute("SELECT workspace FROM runs ORDER BY started_at")
        )

    def seconds(self) -> float:
        """From the first start to the last."""
        return float(self._number(sql.SQL("SELECT max(started_at) - min(started_at) FROM runs")))

    def _number(self, query: sql.SQL | sql.Composed) -> Any:
        row = self.connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of processor time of these processes, as far as they are on this machine."""
    found = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            found += times.user + times.system
    return found


def person(workspace: str) -> str:
    """Who asks there."""
    return f"U0{workspace}"


async def ask(bot: stage.BotProcess, slack: LocalSlack, runs: int) -> None:
    """Ask for so many runs, workspace by workspace."""
    channels = stage.add_channels(slack, runs // RUNS_IN_A_CHANNEL + 1)
    sender, number = stage.Sender(bot.session), 0
    for workspace, share in SHARES.items():
        who = person(workspace)
        slack.workspace.users[who] = User(who, "ann", "Ann Archer", workspace)
        for _ in range(runs * share // 100):
            channel = channels[number // RUNS_IN_A_CHANNEL]
            if not await sender.command(bot.port, "say done", channel, workspace, who):
                raise RuntimeError(f"run {number} was not acknowledged")
            number += 1


@contextlib.asynccontextmanager
async def workers(environment: Mapping[str, str]) -> AsyncIterator[list[stage.Child]]:
    """So many, which are started at the same time."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(stage.child(["bot", "worker"], environment))
            for _ in range(WORKERS)
        ]


async def measure(runs: int, url: str) -> Figures:
    """Let so many runs wait, and the workers start them."""
    await migrate(url)
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        slack = LocalSlack(signing_secret=stage.SECRET, bot_token=stage.TOKEN, limits=None)
        await stack.enter_async_context(slack)
        service = await stack.enter_async_context(stage.serving("tests.bench.service"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        settings = {"DATABASE_URL": url, "MAX_CONCURRENT_RUNS": str(runs), "MAX_QUEUED_RUNS": str(runs)}
        given = stage.environment(slack.api_url, service["url"], **settings)
        web = await stack.enter_async_context(
            stage.bot(
                slack.api_url, service["url"], directory, session, None, EMBEDDED_WORKER="false", **settings
            )
        )
        table = Table(stack.enter_context(psycopg.connect(url, autocommit=True)))
        await ask(web, slack, runs)
        await table.until(sql.SQL("state = 'queued' AND NOT ready"), 0)
        runs = table.count(sql.SQL("ready"))  # a busy machine may have taken fewer than were asked for
        web_cpu, database_cpu, commits = web.process.cpu, table.cpu(), table.commits()
        working = await stack.enter_async_context(workers(given))
        for worker in working:
            await stage.started(worker)
        ready = cpu_of([worker.pid for worker in working])
        await table.until(sql.SQL("state <> 'queued'"), runs)
        await table.until(sql.SQL("state IN ('queued', 'running')"), 0)
        spent = cpu_of([worker.pid for worker in working]) - ready
        web_cpu, database_cpu = web.process.cpu - web_cpu, table.cpu() - database_cpu
        if table.count(sql.SQL("state = 'done'")) != runs:
            raise RuntimeError("not all runs are done")
        await asyncio.sleep(1)  # the server's own counters come a little later
        return Figures(
            runs=runs,
            start=table.seconds() / runs * 1000,
            workers_cpu=spent / runs * 1000,
            web_cpu=web_cpu / runs * 1000,
            database_cpu=database_cpu / runs * 1000,
            commits=(table.commits() - commits) / runs,
            order=table.order(),
        )


def show(figures: Figures) -> None:
    """The tables."""
    report.table(
        f"{figures.runs} runs that wait, {WORKERS} workers (ms of one run)",
        ["", "start", "CPU of the workers", "of the web process", "of the database", "transactions"],
        [
            (
                "PostgreSQL",
                figures.start,
                figures.workers_cpu,
                figures.web_cpu,
                figures.database_cpu,
                figures.commits,
            )
        ],
    )
    counts, last, perfect = Counter(figures.order), figures.last, figures.perfect
    report.table(
        "turns: which start is the workspace's last one",
        ["workspace", "runs", "last start", "in perfect turns"],
        [(one, counts[one], last[one], perfect[one]) for one in sorted(counts)],
    )


def draw(path: Path, figures: Figures) -> None:
    """How many runs of each workspace have started, start by start."""
    with report.figure(path) as (panel,):
        for workspace, colour in zip(sorted(set(figures.order)), report.PALETTE, strict=False):
            at = [number for number, one in enumerate(figures.order, 1) if one == workspace]
            panel.step([0, *at], range(len(at) + 1), where="post", color=colour, label=workspace)
        panel.set(
            title="runs that have started, by workspace", xlabel="starts", xlim=(0, None), ylim=(0, None)
        )
        panel.legend()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000, help="how many wait (default: 1000)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    arguments = parser.parse_args()
    on = server()
    if on is None:
        sys.stdout.write("dispatching: not measured, no PostgreSQL server answers (TEST_DATABASE_URL)\n")
        return
    with database(on) as url:
        figures = asyncio.run(measure(arguments.runs, url))
    show(figures)
    if arguments.json:
        found = {name: value for name, value in asdict(figures).items() if name != "order"}
        report.write_json(arguments.json, {**found, "last": figures.last, "perfect": figures.perfect})
    if arguments.png:
        draw(arguments.png, figures)


if __name__ == "__main__":
    main()

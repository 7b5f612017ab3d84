"""How fresh Slack's picture is, in real time: ``python -m tests.bench.end_to_end [--tasks 1 4 16] [--seconds 60]``.

Each trace has a bot of its own, a process as in production, between a service that plays the trace and a local Slack
with the documented rate limits; all go on side by side, since none of them has much to do. What was shown when is read
from the local Slack's message history afterwards, by the markers in the printed lines.

- *age*: of the oldest byte that a task's message doesn't show, over the time and all tasks;
- *roll-up*: the same for the root message, which has each task's last line;
- *last byte*: from a task's last byte to its message showing it for good;
- *end*: from the end of the stream to the message's final state.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import aiohttp

from bot.simulator.cloudcoding import CloudCodingServer, Invocation, Stream
from bot.simulator.slack import LocalSlack, Message
from bot.simulator.slack.flatten import flatten
from bot.simulator.slack.limits import Limits
from bot.simulator.slack.model import Version
from tests.bench import report, stage
from tests.bench.metrics import Show, freshness, quantile
from tests.bench.traces import Trace, markers, mixed, steady, text_of

CHANNEL = "C0TEAM"
SHAPES = {"steady": steady, "mixed": mixed}
WIND_UP = 60.0  # seconds for the last edits
FINAL = ("Done", "Failed", "Stopped", "Interrupted")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with one trace; seconds, but for the counts."""

    trace: str
    tasks: int
    age_mean: float
    age_p95: float
    roll_up_p95: float | None
    last_byte_p95: float | None
    end_p95: float | None
    right: int
    edits: int
    posts: int
    limited: int


@dataclass(slots=True)
class Player:
    """Plays a trace as one run, and remembers when each line really left; times are Unix seconds."""

    trace: Trace
    written: list[float] = field(default_factory=list)
    ended: float = 0.0

    async def play(self, invocation: Invocation, stream: Stream) -> None:
        """A responder."""
        names = [task.task_name for task in invocation.parallel_tasks]
        begun = time.time()
        for chunk in self.trace.chunks:
            await asyncio.sleep(max(0.0, begun + chunk.at - time.time()))
            self.written.append(time.time())
            await stream.stdout(text_of(chunk), names[chunk.task] if names else None)
        self.ended = time.time()

    @property
    def played(self) -> Trace:
        """The trace as it was."""
        chunks = zip(self.trace.chunks, self.written, strict=True)
        return replace(self.trace, chunks=tuple(replace(chunk, at=at) for chunk, at in chunks))


def request(tasks: int) -> str:
    """The command's text for so many tasks."""
    if tasks == 1:
        return "print the trace"
    return "\n".join(["parallel", *(f"t{task:02d}: print the trace" for task in range(tasks))])


def shown(version: Version) -> str:
    """What a reader saw."""
    return flatten(version.blocks) if version.blocks else version.text


def shows(messages: Sequence[Message]) -> list[Show]:
    """What these messages showed of the tasks that they ever showed."""
    found = []
    for message in messages:
        versions = [(version.at, markers(shown(version))) for version in message.versions]
        tasks = {task for _, seen in versions for task in seen}
        found += [Show(at, task, seen.get(task, -1)) for at, seen in versions for task in tasks]
    return sorted(found, key=lambda show: show.at)


def end_of(message: Message) -> float | None:
    """When it showed its final state; ``None`` where it never did."""
    for version in message.versions:
        if any(f" {state} " in f" {shown(version)} " for state in FINAL):
            return version.at
    return None


def figures(player: Player, slack: LocalSlack) -> Figures:
    """What can be read from the history."""
    trace = player.played
    root = next(message for message in slack.messages(CHANNEL) if message.bot_id)
    thread = [message for message in slack.messages(CHANNEL, root.ts) if message.bot_id]
    of_tasks = [message for message in thread if shows([message])]
    fresh = freshness(trace, shows(of_tasks))
    ends = [end - player.ended for message in (root, *of_tasks) if (end := end_of(message)) is not None]
    return Figures(
        trace=trace.name.split()[0],
        tasks=trace.tasks,
        age_mean=fresh.mean,
        age_p95=fresh.p95,
        roll_up_p95=freshness(trace, shows([root])).p95 if trace.tasks > 1 else None,
        last_byte_p95=fresh.final_p95,
        end_p95=quantile(ends, 0.95) if len(ends) == trace.tasks + 1 else None,
        right=fresh.right,
        edits=slack.counts["chat.update"],
        posts=slack.counts["chat.postMessage"],
        limited=slack.limited.total(),
    )


async def measure(trace: Trace, session: aiohttp.ClientSession) -> Figures:
    """One trace, from the command to the last edit."""
    player = Player(trace)
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        slack = await stack.enter_async_context(
            LocalSlack(signing_secret=stage.SECRET, bot_token=stage.TOKEN, limits=Limits())
        )
        service = await stack.enter_async_context(CloudCodingServer(player.play, api_key=stage.API_KEY))
        bot = await stack.enter_async_context(stage.bot(slack.api_url, service.url, directory, session))
        slack.bot_url = f"http://127.0.0.1:{bot.port}/slack/events"
        await slack.command("ann", CHANNEL, "/code", request(trace.tasks))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(trace.seconds + WIND_UP):
                await slack.wait_for(lambda: player.ended, trace.seconds + WIND_UP)
                await bot.running(0, WIND_UP)
        return figures(player, slack)


async def measure_all(tasks: Sequence[int], shapes: Sequence[str], seconds: float) -> list[Figures]:
    """All traces, side by side."""
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        measuring = [
            group.create_task(measure(SHAPES[shape](count, seconds=seconds), session))
            for shape in shapes
            for count in tasks
        ]
    return [one.result() for one in measuring]


def show(found: Sequence[Figures]) -> None:
    """The table."""
    report.table(
        "in real time, with Slack's documented limits (seconds)",
        [
            "trace",
            "tasks",
            "age",
            "p95",
            "roll-up p95",
            "last byte p95",
            "end p95",
            "right",
            "edits",
            "posts",
            "429s",
        ],
        [
            (
                one.trace,
                one.tasks,
                one.age_mean,
                one.age_p95,
                report.number(one.roll_up_p95),
                report.number(one.last_byte_p95),
                report.number(one.end_p95),
                f"{one.right}/{one.tasks}",
                one.edits,
                one.posts,
                one.limited,
            )
            for one in found
        ],
    )


def draw(path: Path, found: Sequence[Figures]) -> None:
    """The age by the number of tasks."""
    shapes = list(dict.fromkeys(one.trace for one in found))
    with report.figure(path, len(shapes), size=(8, 3.2)) as panels:
        for panel, shape in zip(panels, shapes, strict=True):
            of_shape = [one for one in found if one.trace == shape]
            places = range(len(of_shape))
            panel.bar(
                [place - 0.2 for place in places],
                [one.age_mean for one in of_shape],
                0.4,
                color=report.PALETTE[0],
                label="mean age of a task's message",
            )
            panel.bar(
                [place + 0.2 for place in places],
                [one.roll_up_p95 or 0 for one in of_shape],
                0.4,
                color=report.PALETTE[1],
                label="p95 of the roll-up",
            )
            panel.set(title=f"{shape}, seconds", xlabel="tasks")
            panel.set_xticks(places, [str(one.tasks) for one in of_shape])
            panel.margins(y=0.35)  # for the legend
            panel.legend()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 4, 16], help="how many (default: 1 4 16)")
    parser.add_argument("--shapes", choices=SHAPES, nargs="+", default=[*SHAPES], help="of the traces")
    parser.add_argument("--seconds", type=float, default=60.0, help="that a trace takes (default: 60)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    arguments = parser.parse_args()
    found = asyncio.run(measure_all(arguments.tasks, arguments.shapes, arguments.seconds))
    show(found)
    if arguments.json:
        report.write_json(
            arguments.json, {"seconds": arguments.seconds, "traces": [asdict(one) for one in found]}
        )
    if arguments.png:
        draw(arguments.png, found)


if __name__ == "__main__":
    main()

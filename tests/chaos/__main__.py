"""``python -m tests.chaos --rounds N --seed S [--database sqlite|postgres] [--workers N]``: rounds of random faults.

Each round is made from ``SEED:NUMBER`` alone, so that one that failed is played again by ``--seed S --first NUMBER
--rounds 1``. One line is printed for each, then a summary; the exit status is 1 if anything did not hold.
"""

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.judge import Wrong
from tests.chaos.plan import FAULTS, JOBS
from tests.chaos.rounds import Outcome, Setup, play


def main(argv: Sequence[str] | None = None) -> int:
    """Play the rounds; returns the exit status."""
    given = _parser().parse_args(argv)
    seed = given.seed if given.seed is not None else secrets.token_hex(4)
    setup = Setup(
        given.database, given.roles or ("serve",) * given.workers, given.jobs, frozenset(given.without)
    )
    what = f"--rounds {given.rounds} --seed {seed} --first {given.first} --database {given.database}"
    without = f" --without {','.join(given.without)}" if given.without else ""
    _say(f"{what} --roles {','.join(setup.roles)} --jobs {setup.jobs}{without}")
    numbers = range(given.first, given.first + given.rounds)
    return asyncio.run(_main(setup, seed, numbers, given.together, given.keep))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Rounds of random faults.")
    parser.add_argument("--rounds", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--seed", help="any word; a random one by default")
    parser.add_argument("--first", type=int, default=1, help="the number of the first round (default 1)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve and execute (default 1)")
    parser.add_argument("--roles", type=_listed, help="instead of --workers, such as web,worker,worker")
    parser.add_argument("--without", type=_listed, default=(), help=f"leave out some of {', '.join(FAULTS)}")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"runs in each round (default {JOBS})")
    parser.add_argument("--together", type=int, default=1, help="rounds played at once (default 1)")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the logs and the database of rounds that went wrong"
    )
    return parser


async def _main(setup: Setup, seed: str, numbers: range, together: int, keep: Path | None) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, task.cancel
    )  # so that nothing is left running
    places = asyncio.Semaphore(together)

    async def one(number: int) -> Outcome:
        async with places:
            with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
                outcome = await play(setup, f"{seed}:{number}", Path(folder))
                if outcome.verdict.complaints and keep is not None:
                    shutil.copytree(folder, keep / f"{seed}-{number}", dirs_exist_ok=True)
            _report(outcome)
            return outcome

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in numbers]
    outcomes = [task.result() for task in tasks]
    _summary(outcomes)
    return 1 if any(outcome.verdict.complaints for outcome in outcomes) else 0


def _report(outcome: Outcome) -> None:
    verdict = outcome.verdict
    states = ", ".join(f"{number} {state}" for state, number in sorted(verdict.states.items()))
    faults = "; ".join(map(str, outcome.plan.faults))
    found = _counted(verdict.counts) or "all well"
    _say(
        f"{outcome.seed}  {found}  ({states}; right after {outcome.settled:.1f} s; {outcome.seconds:.0f} s)  [{faults}]"
    )
    for kind, words in verdict.complaints:
        _say(f"    {kind}: {words}")
    if outcome.tails:
        _say(outcome.tails)


def _summary(outcomes: Sequence[Outcome]) -> None:
    counts: Counter[Wrong] = sum((outcome.verdict.counts for outcome in outcomes), Counter())
    runs = sum(outcome.verdict.states.total() for outcome in outcomes)
    bad = len([outcome for outcome in outcomes if outcome.verdict.complaints])
    _say(f"\n{len(outcomes)} rounds, {runs} runs; {bad} rounds in which something did not hold")
    for kind in Wrong:
        _say(f"  {kind.value}: {counts[kind]}")
    doubtful = sum(outcome.verdict.doubtful for outcome in outcomes)
    _say(f"  requests given back in doubt, and not stored: {doubtful}")
    _times("recovery notices", [outcome.verdict.recoveries for outcome in outcomes])
    troubled = [outcome.verdict.troubled_recoveries for outcome in outcomes]
    _times("recovery notices while something else was wrong", troubled)
    _times("stops, told to the run's own process", [outcome.verdict.stops for outcome in outcomes])
    _times("stops, told to another process", [outcome.verdict.far_stops for outcome in outcomes])
    _times("all messages right after", [[outcome.settled] for outcome in outcomes])


def _times(what: str, of: Sequence[Sequence[float]]) -> None:
    """p50, p95 and the longest of some times."""
    times = sorted(time for some in of for time in some)
    if not times:
        _say(f"  {what}: none")
        return
    half, most = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
    _say(f"  {what}: p50 {half:.2f} s, p95 {most:.2f} s, max {times[-1]:.2f} s ({len(times)})")


def _counted(counts: Counter[Wrong]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in counts.items())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

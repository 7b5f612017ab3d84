"""How fresh live messages are at Slack's limits: ``python -m tests.bench.staleness [--json FILE] [--png FILE]``.

The bot's editor and scheduler, the real code, edit the messages of 1 to 50 tasks on virtual time, against a Slack
with 50 edits a minute, a burst of 10 and a post a second in each channel. Beside them, on the same traces: an edit at
most every second for each message, an edit for each chunk, a round robin that knows the rate, and what no scheduler
can be below. Then the same on other seeds, with budgets that aren't as documented, with a roll-up, and for two runs
that share a workspace. Ages are in seconds; see :mod:`tests.bench.metrics`. It takes about a minute on two cores.
"""

import argparse
import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import structlog

from bot.core.budget import Budget
from bot.core.schedule import rollup_part
from tests.bench.bounds import lower_bound
from tests.bench.fakeslack import EDITS, POSTS, BudgetAt, halving, steadily
from tests.bench.playing import OURS, Outcome, Played, play
from tests.bench.policies import NAIVE
from tests.bench.report import number, table, write_json
from tests.bench.staleness_picture import draw
from tests.bench.traces import SHAPES, Trace, mixed, steady

PROCESSES = 2
GIVEN = [(shape, tasks) for shape in ("steady", "mixed") for tasks in (1, 4, 16, 50)]
OTHERS = [("bursty", 4), ("bursty", 16), ("big", 4)]
QUICK = [("steady", 4), ("mixed", 4)]
FIRST_SEED = 1001
ALL_CHUNKS = "every chunk"  # a flood of refusals, which takes long to play to many tasks
MOST_FOR_ALL_CHUNKS = 16
BUDGETS: dict[str, BudgetAt] = {
    "50, as documented": steadily(EDITS),
    "20, burst 10": steadily(Budget(20 / 60, 10)),
    "20, burst 1": steadily(Budget(20 / 60, 1)),
    "5, burst 2": steadily(Budget(5 / 60, 2)),
    "50, burst 3": steadily(Budget(50 / 60, 3)),
    "50, burst 1": steadily(Budget(50 / 60, 1)),
    "50, half after 60 s": halving(EDITS, 60),
    "100, burst 20": steadily(Budget(100 / 60, 20)),
}
PARTS = (0.0, 0.15, 0.25, 0.35, 0.45, 0.55)

Row = list[object]
Traced = tuple[str, int, int | None]  # a shape, how many tasks, and a seed where it isn't the shape's own


def made(traced: Traced) -> Trace:
    shape, tasks, seed = traced
    make = SHAPES[shape]
    return make(tasks) if seed is None else make(tasks, seed)


def bound(traced: Traced) -> float:
    return lower_bound(made(traced), EDITS, POSTS)


def outcome(traced: Traced, policy: str) -> Outcome:
    return play(Played(made(traced), policy))


def on_budget(name: str, load: str, tasks: int, seconds: float) -> Outcome:
    make = steady if load == "steady" else mixed
    return play(Played(make(tasks, FIRST_SEED, seconds=seconds), edits=BUDGETS[name]))


def with_rollup(traced: Traced, part: float | None) -> Outcome:
    """``None``: the part that the scheduler gives by itself; 0: no roll-up."""
    part_for = None if part is None else lambda _: part
    return play(Played(made(traced), rollup=part != 0, part_for=part_for))


def beside_a_crowd(seed: int, seconds: float) -> Outcome:
    """Twenty tasks of one run, and the only one of another: the last of a steady trace."""
    trace = steady(21, seed, seconds=seconds)
    return play(Played(trace, owner=lambda task: "lone" if task == 20 else "crowd"))


def quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class Bench:
    """Plays in several processes; each method prints a table and returns its figures for the JSON file."""

    def __init__(self, pool: ProcessPoolExecutor, seeds: int, *, quick: bool) -> None:
        self._pool = pool
        self._cases = QUICK if quick else [*GIVEN, *OTHERS]
        self._parts = PARTS[::3] if quick else PARTS
        self._budget_seconds, self._crowd_seconds = (70, 30) if quick else (300, 120)
        self._seeds = range(FIRST_SEED, FIRST_SEED + seeds)

    def policies(self) -> dict[str, Any]:
        """All policies on one trace of each kind, without a roll-up."""
        cases: list[Traced] = [(shape, tasks, None) for shape, tasks in self._cases]
        bounds = [self._pool.submit(bound, case) for case in cases]
        plays = {
            (case, policy): self._pool.submit(outcome, case, policy)
            for case in cases
            for policy in (OURS, *NAIVE)
            if policy != ALL_CHUNKS or case[1] <= MOST_FOR_ALL_CHUNKS
        }
        rows: list[Row] = []
        found: dict[str, Any] = {}
        for case, lowest in zip(cases, bounds, strict=True):
            name = f"{case[0]} {case[1]}"
            found[name] = {"bound": lowest.result()}
            row: Row = [name, lowest.result()]
            for policy in (OURS, *NAIVE):
                played = plays.get((case, policy))
                if played is None:
                    row.append("")
                    continue
                result = played.result()
                found[name][policy] = figures(result)
                row.append(cell(result, brief=policy != OURS))
            rows.append(row)
        table(
            "Mean age without a roll-up; of ours also p95 · last byte to final state, p95 · ends that are right · 429s",
            ["trace, tasks", "bound", OURS, *NAIVE],
            rows,
        )
        return found

    def seeds(self) -> dict[str, Any]:
        """Ours on other seeds, as multiples of the bound."""
        rows: list[Row] = []
        found: dict[str, Any] = {}
        for shape, tasks in self._cases:
            cases: list[Traced] = [(shape, tasks, seed) for seed in self._seeds]
            bounds = list(self._pool.map(bound, cases))
            results = list(self._pool.map(outcome, cases, [OURS] * len(cases)))
            means = [result.tasks.mean for result in results]
            finals = [result.tasks.final_p95 or 0.0 for result in results]
            right = sum(result.tasks.right for result in results)
            refused = sum(result.refused for result in results)
            name = f"{shape} {tasks}"
            found[name] = {"means": means, "bounds": bounds, "final_p95": finals, "refused": refused}
            rows.append(
                [
                    name,
                    f"{min(means):.2f} … {max(means):.2f}",
                    mean(means),
                    mean(means) / max(mean(bounds), 1e-9),
                    max(finals),
                    f"{right}/{tasks * len(cases)}",
                    refused,
                ]
            )
        columns = [
            "trace, tasks",
            "mean age",
            "of all",
            "times the bound",
            "final p95, worst",
            "right",
            "429s",
        ]
        table(f"Ours on {len(self._seeds)} other seeds", columns, rows)
        return found

    def budgets(self) -> dict[str, Any]:
        """What Slack grants isn't what is believed."""
        plays = {
            (name, load, tasks): self._pool.submit(on_budget, name, load, tasks, self._budget_seconds)
            for name in BUDGETS
            for load, tasks in (("steady", 4), ("mixed", 16))
        }
        rows: list[Row] = []
        found: dict[str, Any] = {}
        for (name, load, tasks), played in plays.items():
            result = played.result()
            edits = " ".join(str(count) for count in result.per_minute[: self._budget_seconds // 60])
            found[f"{name}; {load} {tasks}"] = {**figures(result), "edits_per_minute": result.per_minute}
            ends = f"{result.tasks.right}/{tasks}"
            rows.append(
                [name, f"{load} {tasks}", result.refused, result.worst_minute, result.early, edits, ends]
            )
        columns = ["edits a minute", "load", "429s", "in a minute", "early", "edits in each minute", "right"]
        table(f"Budgets that the bot doesn't know, {self._budget_seconds} s", columns, rows)
        return found

    def rollups(self) -> dict[str, Any]:
        """The roll-up's part of the edits: what it gives and what it takes."""
        cases: list[Traced] = [(shape, tasks, None) for shape, tasks in self._cases if tasks > 1]
        plays = {
            (case, part): self._pool.submit(with_rollup, case, part)
            for case in cases
            for part in (*self._parts, None)
        }
        rows: list[Row] = []
        found: dict[str, Any] = {}
        for (case, part), played in plays.items():
            result, alone = played.result(), plays[case, 0.0].result().tasks.mean
            chosen = part is None
            taken = rollup_part(case[1]) if part is None else part
            root = result.root
            found.setdefault(f"{case[0]} {case[1]}", []).append(
                {
                    "part": taken,
                    "chosen": chosen,
                    "tasks": asdict(result.tasks),
                    "root": asdict(root) if root else None,
                    "refused": result.refused,
                }
            )
            rows.append(
                [
                    f"{case[0]} {case[1]}",
                    f"{taken:.2f}{' ←' if chosen else ''}",
                    number(root.mean if root else None),
                    number(root.p95 if root else None),
                    result.tasks.mean,
                    result.tasks.mean / alone,
                    number(result.tasks.final_p95),
                    result.refused,
                ]
            )
        columns = [
            "trace, tasks",
            "part",
            "line: mean",
            "p95",
            "tasks: mean",
            "times without",
            "final p95",
            "429s",
        ]
        table("Each task's last line in the root; ← is what the bot takes", columns, rows)
        return found

    def fairness(self) -> dict[str, Any]:
        """A run of twenty tasks beside a run of one."""
        seconds = [self._crowd_seconds] * len(self._seeds)
        results = list(self._pool.map(beside_a_crowd, self._seeds, seconds))
        lone = [result.means[-1] for result in results]
        crowd = [mean(result.means[:-1]) for result in results]
        rows: list[Row] = [["the lone one", mean(lone), max(lone)], ["the twenty", mean(crowd), max(crowd)]]
        table("Two runs in one workspace, steady: mean age", ["run", "mean", "of the worst seed"], rows)
        return {"lone": lone, "crowd": crowd}


def figures(result: Outcome) -> dict[str, Any]:
    return {
        **asdict(result.tasks),
        "refused": result.refused,
        "refused_in_worst_minute": result.worst_minute,
        "refused_early": result.early,
    }


def cell(result: Outcome, *, brief: bool) -> str:
    tasks = result.tasks
    ends = f"{tasks.right}/{tasks.tasks}"
    if brief:
        return f"{tasks.mean:.2f}  {ends}  {result.refused}"
    return f"{tasks.mean:.2f}  {tasks.p95:.1f}  {number(tasks.final_p95)}  {ends}  {result.refused}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--png", type=Path, help="draw them to this file")
    parser.add_argument("--seeds", type=int, default=3, help="other seeds of each trace (default: 3)")
    parser.add_argument("--quick", action="store_true", help="four tasks only, and shorter")
    arguments = parser.parse_args(argv)
    with ProcessPoolExecutor(PROCESSES, initializer=quiet) as pool:
        bench = Bench(pool, arguments.seeds, quick=arguments.quick)
        policies = bench.policies()
        found = {"policies": policies, "seeds": bench.seeds(), "budgets": bench.budgets()}
        found |= {"rollup": bench.rollups(), "fairness": bench.fairness()}
    if arguments.json:
        write_json(arguments.json, found)
    if arguments.png:
        draw(arguments.png, policies, found["rollup"])


if __name__ == "__main__":
    main()

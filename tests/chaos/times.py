"""How long it took until people were told, and until a stream that was stopped was over."""

from collections.abc import Iterator

from bot.simulator.slack import Message
from tests.chaos.evidence import Evidence

DEATHS = frozenset({"killed", "insisted"})


def recoveries(evidence: Evidence, *, recovers_at_start: bool) -> Iterator[tuple[float, bool]]:
    """Seconds until the messages of a killed process's runs said so, and whether anything else was wrong meanwhile."""
    processes = {process.name: process for process in evidence.bots.processes}
    messages = {message.ts: message for message, _ in evidence.messages}
    for run in evidence.rows:
        owner = processes.get(evidence.owners.get(run.id, ""))
        message = messages.get(run.status_ts or "")
        if run.state != "interrupted" or owner is None or message is None:
            continue
        since = next((done.at for done in owner.history if done.what in DEATHS), None)
        if since is not None and recovers_at_start:
            ups = (process.at("up") or 0.0 for process in processes.values())
            since = min((up for up in ups if up > since), default=None)
        said = _said(message, "Interrupted")
        if since is not None and said is not None and said > since:
            yield said - since, _troubled(evidence, since, said)


def _troubled(evidence: Evidence, begin: float, end: float) -> bool:
    """Whether anything else was out of order between these two."""
    slack = {"limited", "broken", "hangs", "forgets"}
    return any(
        out.end > begin and out.begin < end and (out.what in slack | {"database"} or out.begin > begin)
        for out in evidence.outages
    ) or any(out.what == "freeze" and out.begin < begin < out.end for out in evidence.outages)


def _said(message: Message, word: str) -> float | None:
    """When a message first showed that state."""
    return next((version.at for version in message.versions if version.text.startswith(word)), None)


def stops(evidence: Evidence) -> Iterator[tuple[bool, float]]:
    """How long each stream went on after somebody had stopped it, and whether another process was told than its own.

    Only where the processes and the database could have spoken to each other meanwhile.
    """
    for asked in evidence.asked:
        run = evidence.runs.get(asked.job.key)
        performance = next(iter(evidence.agent.of(asked.job.key)), None)
        if run is None or run.state != "stopped" or performance is None or performance.gone is None:
            continue
        for press in [press for press in asked.stops if press.taken][:1]:
            told = next(
                (
                    p.process
                    for p in evidence.bots.door.passages
                    if p.at >= press.began and run.id in p.interaction
                ),
                None,
            )
            if any(
                outage.what in {"freeze", "database"}
                and outage.begin < performance.gone
                and outage.end > press.at
                for outage in evidence.outages
            ):
                continue  # who is frozen hears nothing
            if performance.gone > press.at and performance.complete is None:
                yield told != evidence.owners.get(run.id), performance.gone - press.at

"""What ``/metrics`` shows; README lists it."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from bot import __version__
from bot.meter import Meter, Spread
from bot.web.census import Census


class _MeterCollector(Collector):
    """Reads the meter when it is asked, so that counting costs nothing else."""

    def __init__(self, meter: Meter, census: Census) -> None:
        self._meter = meter
        self._census = census

    def collect(self) -> Iterator[Metric]:
        meter = self._meter
        runs = GaugeMetricFamily(
            "bot_runs", "Runs that wait and that go on, in all processes", labels=["state"]
        )
        for state, count in self._census.counts.items():
            runs.add_metric([state.value], count)
        yield runs
        yield _counter("bot_runs_ended", "Runs that have ended", meter.ended, "state")
        yield _histogram("bot_run_wait_seconds", "From a run's being taken on to its start", meter.waited)
        calls = CounterMetricFamily(
            "bot_edits", "Calls that show something in Slack", labels=["call", "outcome"]
        )
        for labels, count in meter.calls.items():
            calls.add_metric(labels, count)
        yield calls
        yield _histogram("bot_edit_seconds", "How long such a call took", meter.call)
        yield _histogram(
            "bot_staleness_seconds", "How old the oldest unseen output was when it was shown", meter.staleness
        )
        yield _counter("bot_events", "Events of the service", meter.events, "type")
        yield _counter("bot_upstream_answers", "The service's answers to requests", meter.answers, "status")
        yield _histogram("bot_upstream_seconds", "From a request to its answer's headers", meter.answer)
        duplicates = CounterMetricFamily(
            "bot_claims_refused", "Requests that Slack delivered again, and that were handled already"
        )
        duplicates.add_metric([], meter.duplicates)
        yield duplicates
        yield _histograms(
            "bot_database_seconds", "How long transactions took, with their wait", meter.database, "kind"
        )
        failures = CounterMetricFamily("bot_database_failures", "Transactions that came to nothing")
        failures.add_metric([], meter.database_failures)
        yield failures
        yield _histogram(
            "bot_loop_lag_seconds", "How late the event loop was at its heartbeat", meter.loop_lag
        )


def _counter(name: str, says: str, counts: Mapping[str, int], label: str) -> Metric:
    family = CounterMetricFamily(name, says, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _histogram(name: str, says: str, spread: Spread) -> Metric:
    family = HistogramMetricFamily(name, says)
    family.add_metric([], _buckets(spread), spread.total)
    return family


def _histograms(name: str, says: str, spreads: Mapping[str, Spread], label: str) -> Metric:
    family = HistogramMetricFamily(name, says, labels=[label])
    for value, spread in spreads.items():
        family.add_metric([value], _buckets(spread), spread.total)
    return family


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    counted, buckets = 0, []
    for bound, count in zip((*map(str, spread.bounds), "+Inf"), spread.counts, strict=True):
        counted += count
        buckets.append((bound, float(counted)))
    return buckets


def make_registry(meter: Meter, census: Census, running: Callable[[], int]) -> CollectorRegistry:
    """A registry of its own, so that two bots in one process (as in tests) don't share figures."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_MeterCollector(meter, census))
    Gauge("bot_runs_running", "Runs that are going on in this process", registry=registry).set_function(
        running
    )
    Info("bot_build", "The bot's version", registry=registry).info({"version": __version__})
    return registry

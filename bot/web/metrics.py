"""What ``/metrics`` shows."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bot import __version__
from bot.meter import Meter, Spread


class _MeterCollector(Collector):
    """Reads the meter when it is asked, so that counting costs nothing else."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        meter = self._meter
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
    counted, buckets = 0, []
    for bound, count in zip((*map(str, spread.bounds), "+Inf"), spread.counts, strict=True):
        counted += count
        buckets.append((bound, float(counted)))
    family.add_metric([], buckets, spread.total)
    return family


def make_registry(meter: Meter, running: Callable[[], int]) -> CollectorRegistry:
    """A registry of its own, so that two bots in one process (as in tests) don't share figures."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_MeterCollector(meter))
    Gauge("bot_runs_running", "Runs that are going on in this process", registry=registry).set_function(
        running
    )
    Info("bot_build", "The bot's version", registry=registry).info({"version": __version__})
    return registry

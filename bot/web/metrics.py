"""What ``/metrics`` shows."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector

from bot import __version__


def make_registry(running: Callable[[], int]) -> CollectorRegistry:
    """A registry of its own, so that two bots in one process (as in tests) don't share figures."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Gauge("bot_runs_running", "Runs that are going on in this process", registry=registry).set_function(
        running
    )
    Info("bot_build", "The bot's version", registry=registry).info({"version": __version__})
    return registry

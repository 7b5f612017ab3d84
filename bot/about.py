"""What the bot knows of itself, from its package."""

from importlib.metadata import PackageNotFoundError, metadata

PACKAGE = "slack-coding-bot"
LABELS = ("documentation", "readme", "homepage", "repository", "source")  # of addresses, the best first


def readme(package: str = PACKAGE) -> str | None:
    """The address at which people can read on, where the package names one; it isn't one where it isn't installed."""
    try:
        named = metadata(package).get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    pairs = (entry.split(",", 1) for entry in named if "," in entry)
    addresses = {label.strip().lower(): address.strip() for label, address in pairs}
    return next((addresses[label] for label in LABELS if label in addresses), None)

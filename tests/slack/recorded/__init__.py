"""Slack's traffic as it is on the wire, with ids of the local workspace and texts of our own.

``messages.json`` and ``events.json`` hold events by a name of ours: the inner part where it is all that is special, or
the whole ``event_callback``. ``interactions.json`` holds payloads of buttons, forms, menus and shortcuts.
Nothing in these three asks the bot for anything. ``requests.json`` does: messages that are each a prompt, and
``commands.json``: the form fields of slash commands. ``odd.json`` is what Slack never sent, but a proxy, a replay or
a new feature of Slack's might.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_HERE = Path(__file__).parent
_serial = itertools.count(1)


def read(name: str) -> dict[str, Json]:
    """One of the files, by the names of its payloads."""
    found: dict[str, Json] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def envelope(event: Any, **outer: Any) -> Json:
    """The outer part of an event, each with an id of its own."""
    number = next(_serial)
    return {
        "token": "tR3vKq0ZbXyW1mNsPa7Lc2Fd",
        "team_id": "T0LOCAL",
        "context_team_id": "T0LOCAL",
        "context_enterprise_id": None,
        "api_app_id": "A0CODE",
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev0REC{number:06d}",
        "event_time": 1782234671 + number,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": "T0LOCAL",
                "user_id": "U0CODE",
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-recorded{number}",
        **outer,
    }


def events(*names: str) -> Iterator[tuple[str, Json]]:
    """The events of some files in their envelopes, by name."""
    for name in names:
        for what, recorded in read(name).items():
            yield what, envelope(**recorded) if "event" in recorded else envelope(recorded)

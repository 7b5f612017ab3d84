"""The manifest asks Slack for what the bot uses: nothing is missing, and nothing more is asked for.

What is used is read from the sources: the Web API's methods that are called, and the events that a listener acts on.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.deliveries import BotIdentity, Ignored
from bot.slack.listeners import shortcuts
from bot.slack.payloads import parse_event
from bot.words import labels
from tests.support.cloudcoding import Out, Say
from tests.support.plain_yaml import read
from tests.support.world import world

ROOT = Path(__file__).parents[1]
MANIFEST: Any = read((ROOT / "manifest.yml").read_text())
SCOPES = MANIFEST["oauth_config"]["scopes"]["bot"]
EVENTS = MANIFEST["settings"]["event_subscriptions"]["bot_events"]

# Slack's reference: which methods and which events need which scope of a bot token.
METHOD_SCOPES: dict[str, set[str]] = {
    "apps.connections.open": set(),  # by the app-level token, which has a scope of its own
    "auth.test": set(),
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write", "chat:write.public"},  # the second for channels that the bot isn't in
    "chat.update": {"chat:write"},
    "conversations.history": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "conversations.join": {"channels:join"},
    "conversations.replies": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "files.info": {"files:read"},
    "reactions.add": {"reactions:write"},
    "reactions.remove": {"reactions:write"},
    "users.info": {"users:read"},
    "views.open": set(),
    "views.publish": set(),
    "views.update": set(),
}
EVENT_SCOPES: dict[str, set[str]] = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
    "tokens_revoked": set(),
    "user_change": {"users:read"},
}
ERRORS = {"file_deleted"}  # what a method answers, in the same word as an event
# For apps that are declared as agents, which operators decide on: the manifest only speaks of them.
OPTIONAL = {
    *("agents.sessions.setStatus", "assistant.threads.setSuggestedPrompts", "assistant:write"),
    *("agent_session_stopped", "assistant_thread_started"),
}
# What Slack sends for an event of each subscription, as far as it matters whether the bot knows it.
MESSAGE = {"type": "message", "channel": "C1", "user": "U1", "text": "hello", "ts": "1.1"}
SAMPLES: dict[str, dict[str, Any]] = {
    "app_home_opened": {"type": "app_home_opened", "user": "U1", "tab": "home"},
    "app_mention": {**MESSAGE, "type": "app_mention"},
    "app_uninstalled": {"type": "app_uninstalled"},
    "message.channels": {**MESSAGE, "channel_type": "channel"},
    "message.groups": {**MESSAGE, "channel_type": "group"},
    "message.im": {**MESSAGE, "channel_type": "im"},
    "message.mpim": {**MESSAGE, "channel_type": "mpim"},
    "tokens_revoked": {"type": "tokens_revoked", "tokens": {"bot": ["U9"]}},
    "user_change": {"type": "user_change", "user": {"id": "U1"}},
}
# Further events that a bot may subscribe to; the sources name none of them.
OTHERS = {
    *("agent_session_stopped", "app_rate_limited", "assistant_thread_started", "channel_archive"),
    *("channel_deleted", "channel_id_changed", "channel_left", "channel_rename", "channel_unarchive"),
    *("emoji_changed", "file_deleted", "file_shared", "group_archive", "group_deleted", "group_left"),
    *("link_shared", "member_joined_channel", "member_left_channel", "message_metadata_posted", "pin_added"),
    *("reaction_added", "reaction_removed", "team_access_revoked", "team_join", "user_profile_changed"),
}


def trees(*paths: str) -> Iterator[ast.AST]:
    """Every node of these files, or of all in these folders, below ``bot``."""
    for path in paths:
        place = ROOT / "bot" / path
        for file in sorted(place.rglob("*.py")) if place.is_dir() else (place,):
            yield from ast.walk(ast.parse(file.read_text()))


def strings(*paths: str) -> set[str]:
    constants = (node.value for node in trees(*paths) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def methods_used() -> set[str]:
    """Slack's methods that are named in the Slack edge, and those called by the SDK's names for them."""
    sdk = {name: name.replace("_", ".") for name in dir(AsyncWebClient) if re.match(r"[a-z]+_", name)}
    named = strings("slack", "app.py") & set(sdk.values())
    called = {node.attr for node in trees("slack", "app.py") if isinstance(node, ast.Attribute)}
    return named | {sdk[name] for name in called & (set(sdk) - {"api_call"})}


def events_used() -> set[str]:
    """The subscriptions whose events become a value that some listener matches."""
    patterns = (node.cls for node in trees("slack/listeners") if isinstance(node, ast.MatchClass))
    matched = {pattern.id for pattern in patterns if isinstance(pattern, ast.Name)}
    body = {"team_id": "T1", "event_id": "Ev1"}
    made = {name: parse_event({**body, "event": event}, BotIdentity("U9")) for name, event in SAMPLES.items()}
    assert not any(isinstance(value, Ignored) for value in made.values())
    return {name for name, value in made.items() if type(value).__name__ in matched}


def test_what_agents_need_is_mentioned_but_not_asked_for() -> None:
    manifest = (ROOT / "manifest.yml").read_text()
    assert "agents.sessions.setStatus" in methods_used()
    assert "assistant:write" in manifest
    assert "agent_session_stopped" in manifest
    assert not OPTIONAL & {*SCOPES, *EVENTS}


def shortcuts_taken() -> set[str]:
    """The callback ids that the listener is registered for."""
    app = MagicMock()
    shortcuts.register(app, MagicMock())
    return {call.args[0] for call in app.shortcut.call_args_list}


def test_the_tables_know_every_method_and_every_event_that_the_sources_name() -> None:
    assert methods_used() <= METHOD_SCOPES.keys() | OPTIONAL
    subscribed = {name for name in strings("slack") if name in SAMPLES or name in OTHERS} - ERRORS
    assert subscribed <= SAMPLES.keys() | OPTIONAL
    assert SAMPLES.keys() == EVENT_SCOPES.keys()


def test_exactly_the_events_that_are_acted_on_are_subscribed_to() -> None:
    assert sorted(EVENTS) == sorted(events_used())


def test_exactly_the_scopes_that_are_used_are_asked_for() -> None:
    downloads = "Bearer " in strings("slack")  # files are fetched from their addresses with the token
    needed = {"commands", *(["files:read"] if downloads else [])}.union(
        *(METHOD_SCOPES[method] for method in methods_used() - OPTIONAL),
        *(EVENT_SCOPES[event] for event in EVENTS),
    )
    assert sorted(SCOPES) == sorted(needed)


def test_the_slash_command_is_the_one_that_the_bot_speaks_of() -> None:
    assert [command["command"] for command in MANIFEST["features"]["slash_commands"]] == [labels.COMMAND]
    assert MANIFEST["features"]["bot_user"]["display_name"] == "Code"


def test_buttons_forms_and_direct_messages_work() -> None:
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    app_home = MANIFEST["features"]["app_home"]
    assert app_home["messages_tab_enabled"] is True
    assert app_home["messages_tab_read_only_enabled"] is False
    assert app_home["home_tab_enabled"] is ("app_home_opened" in EVENTS)


def test_shortcuts_are_those_that_a_listener_takes() -> None:
    offered = {shortcut["callback_id"]: shortcut for shortcut in MANIFEST["features"]["shortcuts"]}
    assert offered.keys() == shortcuts_taken()
    assert {shortcut["type"] for shortcut in offered.values()} <= {"global", "message"}
    readme = (ROOT / "README.md").read_text()
    assert not [shortcut["name"] for shortcut in offered.values() if f"*{shortcut['name']}*" not in readme]


def test_all_addresses_are_the_endpoint_and_the_comment_counts_the_lines_to_change() -> None:
    settings = MANIFEST["settings"]
    interactivity = settings["interactivity"]
    addresses = [
        settings["event_subscriptions"]["request_url"],
        interactivity["request_url"],
        *(command["url"] for command in MANIFEST["features"]["slash_commands"]),
    ]
    if "external_select" in strings("slack"):  # a menu whose entries Slack asks the bot for
        addresses.append(interactivity["message_menu_options_url"])
    else:
        assert "message_menu_options_url" not in interactivity
    assert set(addresses) == {"https://YOUR-APP.example.com/slack/events"}
    assert settings["socket_mode_enabled"] is True
    assert f"change {len(addresses) + 1} lines" in (ROOT / "manifest.yml").read_text()


async def test_the_bot_does_its_work_with_these_scopes_and_events_alone(tmp_path: Path) -> None:
    # Of mistakes, of mentions in threads, and of posts of which nobody knows whether Slack has them.
    others = {"chat.postEphemeral", "conversations.replies", "conversations.history", "files.info"}
    needing = {name for name, scopes in METHOD_SCOPES.items() if scopes} - others
    async with world(tmp_path) as bot:
        bot.slack.access.scopes = frozenset(SCOPES)
        async with bot.running():
            bot.serve(Out("".join(f"line {number}\n" for number in range(200))), Say("It was a race."))
            await bot.code("fix the login")
            root = await bot.root()
            await bot.says(root, "It was a race.")
            bot.serve(Say("Added."))
            reply = await bot.slack.say("ben", "#team", "now add tests", thread_ts=root.ts)
            await bot.says(root, "Added.")
            await bot.slack.wait_for(lambda: reply.reactions.get("white_check_mark"))
            await bot.slack.wait_for(lambda: needing <= {call.method for call in bot.slack.calls})
    assert not [call for call in bot.slack.calls if call.error == "missing_scope"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "a: 1",
        "a: [b]",
        "a:\n\tb: c",
        "a:\n   b: c",
        "a:\n    b: c",
        "a: b\n  c: d",
        "a: b\na: c",
        "a:",
        "a: yes",
        "a: True",
        "a: b: c",
        "a: &b c",
        "a: 'b'",
        'a: "b\\n"',
        'a: "b" c',
        "- a",
        "a:\n  - b\n  c: d",
        "A: b",
        "a: |\n  b",
    ],
)
def test_the_manifests_reader_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match=r"line \d+: |nothing in it"):
        read(text)


def test_the_manifests_reader_reads_the_rest() -> None:
    text = '# a comment\na: b # another\nc:\n  - d:e\n  - f: true\n    g: "h # i: j"\n\nk:\n  l: false\n'
    assert read(text) == {"a": "b", "c": ["d:e", {"f": True, "g": "h # i: j"}], "k": {"l": False}}

"""Output that would like to be more than text, and secrets wherever they may come from."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from bot.simulator.slack import Message
from tests.support.cloudcoding import API_KEY, Event, Fail, Out, Raw, Say, Wait
from tests.support.world import GITHUB_TOKEN, World

HOSTILE = [
    "```js\nlet a = `1`\n```",
    "<!channel> <!here> <@U0ANN> <#C0TEAM> <https://evil.example|click>",
    "&lt;b&gt; &amp; &amp;lt;",
    "*bold* _it_ ~no~ `code` > quote :tada: https://plain.example",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b[1;4mx",
    "nul\x00bell\x07",
    "漢字 👩‍👩‍👧 e\u0301 \u202eevil\u202c zero\u200bwidth \ufeffbom",
    "z" * 10_000,
    "tabs\tand\x0bfeeds\x0c",
]


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, "mrkdwn" if name == "text" and value.get("type") == "mrkdwn" else name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


def sent(bot: World) -> list[dict[str, Any]]:
    return [call.args for call in bot.slack.calls if call.method in {"chat.postMessage", "chat.update"}]


async def test_hostile_output_stays_text(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("\n".join(HOSTILE) + "\n"), Wait(go_on), Out("SECOND\n"))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "Running", "feeds")
    go_on.set()
    await bot.says(
        root, "Done", "SECOND", "```js", "<!channel>", "&lt;b&gt; &amp; &amp;lt;", "*bold*", "漢字 👩‍👩‍👧"
    )
    words = {word for line in HOSTILE for word in line.split() if len(word) > 3 and word.isascii()} - {
        "<@U0ANN>"
    }
    for args in sent(bot):
        assert not [word for word in words if word in args["text"]]
        assert not [
            word
            for word in words
            for key, text in strings(args["blocks"])
            if key == "mrkdwn" and word in text
        ]
        assert not re.search("[\x00-\x08\x1b\u202e\ufeff]", json.dumps(args["blocks"], ensure_ascii=False))
    assert not [call for call in bot.slack.calls if call.error and call.method.startswith("chat.")]


def pre(message: Message) -> str:
    found = [
        e for b in message.blocks for e in b.get("elements", []) if e["type"] == "rich_text_preformatted"
    ]
    return "".join(piece["text"] for e in found for piece in e["elements"])


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("".join(f"\r{n:3}% done" for n in range(101)), "100% done"),
        ("a\nb\nc\x1b[2A\rX\x1b[2B\n", "X\nb\nc"),
        ("gone\n\x1b[2J\x1b[Hnew\n", "new"),
        ("before\n\x1b[?1049hvim\n\x1b[?1049lafter\n", "before\nafter"),
        ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x07\n", "link"),
        ("&" * 2_400 + "\n", "&"),
        ("one\\ud83d two\\udc00\n", "one\ufffd two\ufffd"),
    ],
)
async def test_output_is_shown_as_a_terminal_would(bot: World, raw: str, shown: str) -> None:
    encoded = json.dumps(raw).replace("\\\\u", "\\u")
    bot.serve(Raw(f'event: custom\ndata: {{"stdout": {encoded}}}\n\n'.encode()))
    await bot.code("go")
    root = await bot.root()
    task = await bot.says(root, "Done", shown[:20])
    if len(shown) > 1:
        assert pre(task) == shown


async def test_many_ampersands_that_do_not_fit_are_in_the_log(bot: World) -> None:
    lines = "".join(f"{n} " + "&" * 70 + "\n" for n in range(28))
    bot.serve(Out(lines))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "Done", "earlier line")
    (log,) = await bot.slack.wait_for(lambda: [file for file in bot.slack.files if file.completed])
    assert log.content == lines.encode()


def everything(bot: World) -> str:
    """All that ever left the bot for Slack, and all that the workspace shows."""
    calls = "\n".join(
        json.dumps(call.args, ensure_ascii=False, default=str)
        for call in bot.slack.calls
        if call.method != "auth.test"
    )
    files = "\n".join((file.content or b"").decode(errors="replace") + file.name for file in bot.slack.files)
    alone = "\n".join(
        json.dumps([e.text, e.blocks], ensure_ascii=False)
        for user in ("ann", "ben", "guest")
        for channel in ("#team", "#open", "#hidden")
        for e in bot.slack.ephemerals(user, channel)
    )
    return f"{calls}\n{files}\n{alone}\n{bot.slack.transcript()}"


def leaks(shown: str, secret: str, piece: int = 12) -> list[str]:
    return [
        secret[at : at + piece] for at in range(len(secret) - piece + 1) if secret[at : at + piece] in shown
    ]


PAT = "github_pat_" + "".join(f"{n:02}Ab" for n in range(18))


async def test_secrets_do_not_show_wherever_they_are_cut(bot: World) -> None:
    half = len(GITHUB_TOKEN) // 2
    lines = "".join(f"line {n} {GITHUB_TOKEN} {quote(GITHUB_TOKEN, safe='')}\n" for n in range(60))
    bot.serve(
        Out(f"x={GITHUB_TOKEN[:half]}", "a"),
        Out("between\n", "b"),
        Out(PAT[:20], "b"),
        Out(f"{GITHUB_TOKEN[half:]}\n", "a"),
        Out(f"{PAT[20:]}\n", "b"),
        Out(f"odd {PAT}", f"task-{PAT}"),
        Out(lines, "a"),
        Fail("b", f"push to https://x:{GITHUB_TOKEN}@github.com failed"),
        Say(f"Used {GITHUB_TOKEN} and {API_KEY}, {quote(API_KEY)}.", task="a"),
        Event("custom", {"push": f"pushed with {PAT}"}),
        Fail(None, "e" * 290 + PAT),
    )
    await bot.code(
        f"branch=b-{PAT} dir=d/{PAT} parallel\na: use {PAT}\nb: {GITHUB_TOKEN}\n{PAT[:40]}: its name"
    )
    root = await bot.root()
    await bot.shows(root, "Failed", "[redacted]")
    await bot.slack.wait_for(lambda: [file for file in bot.slack.files if file.completed])
    await bot.says(root, "[redacted] and [redacted]")
    shown = everything(bot)
    for secret in (GITHUB_TOKEN, PAT, API_KEY):
        assert not leaks(shown, secret, min(12, len(secret)))
    assert bot.body()["branch"] == f"b-{PAT}"


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("#team", f"repo={'o' * 30}/x/{PAT} do it"),
        ("#team", f"parallel\na: one\nthe second line is {PAT} as you see"),
        ("#team", f"branch=..{PAT} x"),
        ("#team", f"retry {PAT}"),
        ("#hidden", f"use {PAT} " + "x" * 7_900 + " " + PAT),
    ],
)
async def test_answers_to_one_person_do_not_quote_secrets(bot: World, channel: str, text: str) -> None:
    if text.startswith("retry"):
        bot.serve(Out("x\n"))
    await bot.code(text, channel=channel)
    if text.startswith("retry"):
        await bot.shows(await bot.root(), "Done")
    else:
        await bot.slack.wait_for(lambda: bot.slack.ephemerals("ann", channel))
    assert not leaks(everything(bot), PAT)


@pytest.mark.parametrize("status", [400, 401, 422, 429])
async def test_the_services_own_words_do_not_show_secrets(bot: World, status: int) -> None:
    for _ in range(4):
        bot.cloud.fail_next(
            status, body={"detail": f"{'e' * 270} key {API_KEY} {PAT} refused"}, retry_after=100
        )
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Failed")
    shown = everything(bot)
    assert not leaks(shown, API_KEY, 6)
    assert not leaks(shown, PAT)


async def test_text_that_slack_escaped_reaches_the_service_decoded_once(bot: World) -> None:
    bot.serve(Out("x\n"))
    await bot.code("explain &lt;b&gt; and <b> & co, “smart” `a=b` repo=x")
    await bot.told("ann", "repo=x")
    await bot.code(
        "branch=“dev” explain &lt;b&gt; and <b> & co, “smart” see <#C0TEAM> @ben https://a.example/?b=1&c=2 [x]"
    )
    root = await bot.root()
    await bot.shows(root, "Done", "explain &lt;b&gt; and <b> & co, “smart” see")
    content = bot.body()["messages"][0]["content"]
    assert content.startswith("explain &lt;b&gt; and <b> & co, “smart” see"), content
    assert "https://a.example/?b=1&c=2 [x]" in content
    assert bot.body()["branch"] == "dev"


async def test_what_was_typed_is_given_back_as_typed(bot: World) -> None:
    await bot.code("compare a < b && c > d `now`", channel="#hidden")
    answer = await bot.told("ann", "I'm not in this channel", "#hidden")
    assert "compare a &lt; b &amp;&amp; c &gt; d" in answer.text

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.slacktext import plain, without_mention
from bot.core.text import escape


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt; is typed as such", "&lt; is typed as such"),  # decoded once
        ("<https://github.com/acme/web>", "https://github.com/acme/web"),
        ("<https://x.y/?a=1&amp;b=2>", "https://x.y/?a=1&b=2"),
        ("<https://x.y/docs|the docs>", "https://x.y/docs"),
        ("<http://acme.web|acme.web>", "acme.web"),
        ("<http://Acme.web/|Acme.web>", "Acme.web"),
        ("<https://x.y/a?b&amp;c|https://x.y/a?b&amp;c>", "https://x.y/a?b&c"),
        ("<mailto:ann@acme.com|ann@acme.com>", "ann@acme.com"),
        ("<mailto:ann@acme.com|Ann>", "mailto:ann@acme.com"),
        ("<tel:5551234|555-1234>", "555-1234"),
        ("<@U123|ann> and <@W9>", "@ann and @W9"),
        ("<#C1|general> <#C2|> <#C3>", "#general #C2 #C3"),
        ("<!here> <!channel|channel> <!everyone|@everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@crew> <!subteam^S2>", "@crew @S2"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
        ("vector<int> <div> <!DOCTYPE html> <@Override>", "vector<int> <div> <!DOCTYPE html> <@Override>"),
        ("", ""),
    ],
)
def test_plain_is_what_the_user_typed(raw: str, meant: str) -> None:
    assert plain(raw) == meant


@given(st.text())
def test_escaping_and_reading_again_changes_nothing(text: str) -> None:
    assert plain(escape(text)) == text


@given(st.text(alphabet="<>@#!|&;ltamphereU1C:/^ \n"))
def test_any_text_is_read_and_keeps_its_lines(raw: str) -> None:
    assert plain(raw).count("\n") == raw.count("\n")


@pytest.mark.parametrize(
    ("raw", "rest"),
    [
        ("<@UBOT> fix it", "fix it"),
        ("  <@UBOT|code>: fix it", "fix it"),
        ("<@UBOT>, fix it", "fix it"),
        ("<@UBOT>", ""),
        ("<@UBOT>\nparallel\na: x", "\nparallel\na: x"),
        ("hey <@UBOT> fix it", "hey fix it"),
        ("hey <@UBOT>, fix it", "hey, fix it"),
        ("fix it <@UBOT>", "fix it"),
        ("fix it\n<@UBOT> please", "fix it\nplease"),
        ("<@UBOT> ask <@UBOT> and <@U2>", "ask <@UBOT> and <@U2>"),
        ("ask <@UBOTTOM>", "ask <@UBOTTOM>"),
    ],
)
def test_the_first_mention_of_the_bot_goes(raw: str, rest: str) -> None:
    assert without_mention(raw, "UBOT") == rest

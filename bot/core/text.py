"""Text from outside, made fit to be shown: cleaned, shortened, escaped.

Two kinds of text are kept apart everywhere. *Plain* text is what someone wrote or printed; *mrkdwn* is Slack's
markup, in which ``&``, ``<`` and ``>`` from outside must be escaped.
"""

import re

ELLIPSIS = "…"

_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Control characters but tab and newline, byte order marks, and the marks that turn the reading direction of what
# follows: they could make a name or a prompt rewrite the words around it. Plain RTL letters and marks stay.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Cutting mrkdwn inside one of these would turn markup into text or text into markup.
_ATOM = re.compile(r"&(?:amp|lt|gt);|<[^<>\n]*>|```|.", re.DOTALL)


def clean(text: str) -> str:
    r"""Plain text without what can't be seen: line breaks are ``\n``, lone surrogates ``U+FFFD``."""
    return _LONE_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", _LINE_BREAKS.sub("\n", text)))


def shorten(text: str, limit: int) -> str:
    """Plain text of at most ``limit`` characters, with ``…`` where its end was cut off."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def shorten_middle(text: str, limit: int) -> str:
    """The same for text whose end says as much as its beginning: ``start … end``."""
    if len(text) <= limit:
        return text
    room = limit - len(f" {ELLIPSIS} ")
    if room < 2:  # noqa: PLR2004  a character for each end
        return shorten(text, limit)
    tail = room // 2
    return f"{text[: room - tail].rstrip()} {ELLIPSIS} {text[-tail:].lstrip()}"


def one_line(text: str, limit: int) -> str:
    """Plain text on a single line of at most ``limit`` characters, each run of white space a single space."""
    return shorten(" ".join(clean(text).split()), limit)


def escape(text: str) -> str:
    """Plain text for mrkdwn and for Slack's ``text``: no mention and no link can come out of it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(mrkdwn: str) -> str:
    """The characters that mrkdwn's three entities stand for."""
    return mrkdwn.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def file_name(name: str, ending: str, limit: int = 60) -> str:
    """A file's name made from any text: letters, digits, ``.``, ``_`` and ``-``, and never hidden or a path."""
    kept = re.sub(r"[^\w.-]+", "_", name)[:limit].strip("._-")
    return f"{kept or 'task'}{ending}"


def inert(text: str, limit: int = 140) -> str:
    """Plain text as part of a sentence in mrkdwn, on one line: nothing in it opens a code span, mention or link."""
    return escape(one_line(text, limit).replace("`", "'"))


def code(text: str, limit: int = 200) -> str:
    """Plain text as an inline code span of mrkdwn, on one line, at most ``limit`` characters before escaping."""
    shown = inert(text, limit)
    return f"`{shown}`" if shown else "(nothing)"


def code_block(text: str, limit: int = 8_000) -> str:
    """Plain text as a code block of mrkdwn, with its lines as they were."""
    shown = shorten(clean(text).strip("\n"), limit).replace("```", "'''")
    return f"```\n{escape(shown)}\n```" if shown.strip() else "(nothing)"


def shorten_mrkdwn(text: str, limit: int) -> str:
    """Mrkdwn of at most ``limit`` characters that ends in ``…`` where it was cut, with its code spans closed."""
    if len(text) <= limit:
        return text
    head = _take(text, limit - len(f"{ELLIPSIS}\n```")).rstrip()
    if head.count("```") % 2:
        return f"{head}{ELLIPSIS}\n```"
    return f"{head}{ELLIPSIS}" + "`" * (head.replace("```", "").count("`") % 2)


def split_mrkdwn(text: str, limit: int) -> list[str]:
    """Mrkdwn in pieces of at most ``limit`` characters, cut between lines where it can be; none is blank.

    A code block that is cut is closed in one piece and opened again in the next.
    """
    pieces = []
    rest = text
    while len(rest) > limit:
        head = _take(rest, limit - len("\n```"))
        if (line_end := head.rfind("\n") + 1) > limit // 2:  # else the pieces would not grow shorter
            head = head[:line_end]
        rest = rest[len(head) :]
        if head.count("```") % 2:
            head, rest = f"{head.rstrip()}\n```", f"```\n{rest}"
        pieces.append(head)
    return [piece.strip("\n") for piece in (*pieces, rest) if piece.replace("```", "").strip()]


def _take(text: str, limit: int) -> str:
    """The longest beginning within ``limit`` that cuts no entity, mention, link or fence."""
    end = 0
    for atom in _ATOM.finditer(text):
        if atom.end() > limit:
            break
        end = atom.end()
    return text[:end] or text[:limit]

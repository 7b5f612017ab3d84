"""The well-known shapes of tokens, written so that a stream can be searched for them.

A shape is a sequence of steps, ``(class, least, most)``: so many characters of that class. Patterns built from it:

- ``OPENINGS`` are how tokens begin; most texts have none of them, and need no other look.
- ``START`` finds the first three characters fast; ordinary text has few of them.
- ``COMPLETE`` finds whole tokens, for texts in which nearly everything looks like the beginning of one.
- ``TOKEN`` matches there as soon as a token has its least length; ``REST`` is how each kind goes on.
- ``UNFINISHED`` finds what could still become a token when the text ends in the middle of it, which ``re``
  cannot say by itself.

They stay linear because every step is bounded and never contains what the next step begins with. No two shapes
match at one place (except that both JWT shapes begin alike and then differ in a dot), so that it makes no
difference how much of the text has arrived when the decision is made.
"""

import re
from dataclasses import dataclass

Step = tuple[str, int, int]

_ALNUM = "[A-Za-z0-9]"
_WORD = "[A-Za-z0-9_]"
_SLUG = "[A-Za-z0-9_-]"
_DOTTED = "[A-Za-z0-9_.-]"
_PATH = "[A-Za-z0-9_/-]"
_BASE64 = "[A-Za-z0-9+/=]"

# A JWT's header is rarely longer. What goes on longer without its dot is still JSON in base64, such as the
# Docker credentials of a Kubernetes secret, and is masked too.
_JWT_HEADER = 256


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of token.

    ``lead`` is what stays visible before the secret begins; ``body`` the secret up to its least length, in steps
    without alternatives; ``rest`` the class of the characters that it goes on with, however many.
    """

    name: str
    body: tuple[Step, ...]
    rest: str
    lead: tuple[Step, ...] = ()


def _literal(text: str, *, any_case: bool = False) -> tuple[Step, ...]:
    """Steps for exactly this text."""
    cased = [
        f"[{char.upper()}{char.lower()}]" if any_case and char.isalpha() else re.escape(char) for char in text
    ]
    return tuple((char, 1, 1) for char in cased)


def _assigned(*words: str) -> tuple[Step, ...]:
    """Steps for ``words`` with or without ``_`` between them, and ``=``, ``: "``, ``":"``, ``>`` after them."""
    name: tuple[Step, ...] = _literal(words[0], any_case=True)
    for word in words[1:]:
        name += (("_", 0, 1), *_literal(word, any_case=True))
    return (*name, (r"[\"'\\]", 0, 2), ("[ \t]", 0, 8), ("[:=>]", 1, 1), ("[ \t]", 0, 8), (r"[\"'\\]", 0, 2))


def _characters(*sequences: tuple[Step, ...]) -> frozenset[str]:
    """Those of all the steps; no class has any beyond ASCII."""
    one = re.compile("|".join(sorted({cls for steps in sequences for cls, _, _ in steps})))
    return frozenset(filter(one.match, map(chr, range(128))))


def _many(characters: str, count: int) -> Step:
    return (characters, count, count)


_FEW, _SHORTEST_OPENING = 4, 3  # characters of a class; of an opening

SHAPES = (
    Shape(
        "slack", (*_literal("xox"), _many("[abeoprs]", 1), *_literal("-"), _many("[A-Za-z0-9-]", 10)), _SLUG
    ),
    Shape("slack_rotated", (*_literal("xoxe."), _many(_DOTTED, 10)), _DOTTED),
    Shape("slack_app", (*_literal("xapp-"), _many("[A-Za-z0-9-]", 10)), _SLUG),
    Shape("slack_workflow", (*_literal("xwfp-"), _many("[A-Za-z0-9-]", 10)), _SLUG),
    Shape("slack_webhook", (_many(_PATH, 16),), _PATH, lead=_literal("hooks.slack.com/")),
    Shape("github", (*_literal("gh"), _many("[pour]", 1), *_literal("_"), _many(_WORD, 16)), _WORD),
    Shape("github_server", (*_literal("ghs_"), _many(_WORD, 16)), _DOTTED),
    Shape("github_pat", (*_literal("github_pat_"), _many(_WORD, 16)), _WORD),
    Shape("gitlab", (*_literal("glpat-"), _many(_SLUG, 16)), _DOTTED),
    Shape(
        "aws_key",
        (_many("A", 1), _many("[KS]", 1), _many("I", 1), _many("A", 1), _many("[A-Z0-9]", 16)),
        _ALNUM,
    ),
    Shape("aws_secret", (_many("[A-Za-z0-9/+]", 20),), _BASE64, lead=_assigned("secret", "access", "key")),
    Shape("aws_session", (_many("[A-Za-z0-9/+]", 20),), _BASE64, lead=_assigned("session", "token")),
    Shape("anthropic", (*_literal("sk-ant-"), _many(_SLUG, 16)), _SLUG),
    Shape("openai", (*_literal("sk-"), _many(_ALNUM, 20)), _SLUG),
    Shape("openai_project", (*_literal("sk-proj-"), _many(_SLUG, 16)), _SLUG),
    Shape("openai_service", (*_literal("sk-svcacct-"), _many(_SLUG, 16)), _SLUG),
    Shape("openai_admin", (*_literal("sk-admin-"), _many(_SLUG, 16)), _SLUG),
    Shape("openrouter", (*_literal("sk-or-v"), _many(_SLUG, 16)), _SLUG),
    Shape("stripe", (_many("[sr]", 1), *_literal("k_live_"), _many(_ALNUM, 16)), _WORD),
    Shape("stripe_test", (_many("[sr]", 1), *_literal("k_test_"), _many(_ALNUM, 16)), _WORD),
    Shape("npm", (*_literal("npm_"), _many(_ALNUM, 30)), _WORD),
    Shape("pypi", (*_literal("pypi-AgEI"), _many(_SLUG, 16)), _SLUG),
    Shape("google", (*_literal("AIza"), _many(_SLUG, 30)), _SLUG),
    Shape("jwt", (*_literal("eyJ"), (_SLUG, 8, _JWT_HEADER - 1), *_literal("."), _many(_SLUG, 8)), _DOTTED),
    Shape("json_base64", (*_literal("eyJ"), _many(_SLUG, _JWT_HEADER)), r"[A-Za-z0-9_.+/=-]"),
    # A PEM block in base64, as in a kubeconfig; a certificate would go on with "D".
    Shape("pem_base64", (*_literal("LS0tLS1CRUdJTiB"), _many("[A-CE-Z]", 1), _many(_BASE64, 16)), _BASE64),
)


def _finished(steps: tuple[Step, ...]) -> str:
    return "".join(cls if most == 1 == least else f"{cls}{{{least},{most}}}" for cls, least, most in steps)


def _unfinished(steps: tuple[Step, ...]) -> str:
    """A pattern for a text that ends before the last of ``steps`` is complete."""
    cls, least, _most = steps[-1]
    pattern = rf"{cls}{{0,{least - 1}}}\Z"
    for cls, least, most in reversed(steps[:-1]):
        pattern = (
            rf"{cls}(?:\Z|{pattern})"
            if most == 1 == least
            else rf"(?:{cls}{{0,{most}}}\Z|{cls}{{{least},{most}}}{pattern})"
        )
    return pattern


def _openings(steps: tuple[Step, ...]) -> set[str]:
    """How what matches ``steps`` can begin, in lower case: at least three characters, and all that hardly vary."""
    found = {""}
    for cls, least, most in steps:
        chars = {char.lower() for char in _characters(((cls, 1, 1),))}
        if not most == 1 == least or len(chars) > (_FEW if len(min(found)) < _SHORTEST_OPENING else 1):
            break
        found = {opening + char for opening in found for char in chars}
    return found


_ALL = set[str]().union(*(_openings(shape.lead + shape.body) for shape in SHAPES))
OPENINGS = tuple(sorted(one for one in _ALL if not any(one.startswith(other) for other in _ALL - {one})))
"""Every token begins with one of them, in upper or lower case."""
LONGEST_OPENING = max(map(len, OPENINGS))
START = re.compile("|".join(sorted({_finished((shape.lead + shape.body)[:3]) for shape in SHAPES})))
# Whether a token may begin here, as far as a look at the characters just before can tell: what ends an escape is a
# letter after something else, or a digit.
_MAYBE_WORD = r"(?:(?<![A-Za-z0-9])|(?<=[a-z])(?=[A-Z])|(?<=[^A-Za-z][A-Za-z])|(?<=[\x1b -/][0-9])|(?<=%..)|(?<=\\u....))"
_ANY = "|".join(_finished(shape.lead + shape.body) for shape in SHAPES)
COMPLETE = re.compile(f"{_MAYBE_WORD}(?={START.pattern})(?:{_ANY})")
"""Where ``TOKEN`` matches and may begin. Slower than ``START`` on ordinary text, and many times as fast where nearly
every character begins what might be a token."""

TOKEN = re.compile(
    "|".join(
        f"(?P<{shape.name}>{_finished(shape.lead)}(?P<{shape.name}_body>{_finished(shape.body)}))"
        for shape in SHAPES
    )
)
UNFINISHED = re.compile("|".join(_unfinished(shape.lead + shape.body) for shape in SHAPES))
"""Only what ends with a character of ``WITHIN`` can be that."""
WITHIN = _characters(*(shape.lead + shape.body for shape in SHAPES))
REST = {shape.name: re.compile(f"{shape.rest}*") for shape in SHAPES}
LONGEST_UNFINISHED = max(sum(most for _, _, most in shape.lead + shape.body) for shape in SHAPES)

_KEY_LABEL = ("[A-Z0-9 ]", 0, 48)
_KEY_BEGIN = (*_literal("-----BEGIN "), _KEY_LABEL, _many("-", 5))
_KEY_END = (*_literal("-----END "), _KEY_LABEL, _many("-", 5))
KEY_BEGIN = re.compile(_finished(_KEY_BEGIN))
KEY_END = re.compile(_finished(_KEY_END))
KEY_EDGE_UNFINISHED = re.compile(f"{_unfinished(_KEY_BEGIN)}|{_unfinished(_KEY_END)}")
KEY_EDGE_WITHIN = _characters(_KEY_BEGIN, _KEY_END)
KEY_EDGE_MOST = sum(most for _, _, most in _KEY_BEGIN)

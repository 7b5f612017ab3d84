r"""The grammar of terminal output: which characters are controls, and where each control sequence ends.

::

    output   = (run | control)*
    run      = printable characters
    control  = C0 | sequence                                  C0: \n \r \b \t …, all but ESC
    sequence = ESC [ parameters intermediates final           CSI; controls in the middle are carried out
             | ESC intermediates final
             | ESC (] | P | X | ^ | _) characters end         OSC, DCS, SOS, PM, APC: titles, links, images

C1 controls (U+0080 to U+009F) are turned into two characters first. A sequence ends early, without
effect, where another ESC, CAN, SUB or a character that can't belong to it follows. So that an unfinished one can't
swallow the output that comes after it, a sequence is given up after 255 characters, and a string at the end of its
line or after 64 Ki characters.
"""

# ruff: noqa: FURB136  these run for every few bytes, and min() and max() take three times as long

import re

ESC, RESET = "\x1b", "\x1bc"
LONGEST_CHUNK = 65_536  # characters for ``Settler`` at once; no string is longer, so that each ends within a chunk or goes on

_IN_CSI = "\\x00-\\x17\\x19\\x1c-?\\x7f"
_IN_STRING = "[^\\x07\\n\\x18\\x1a\\x1b]"
_LARGEST_NUMBER = 9999
_MODES = "hl"  # the finals of sequences of which each number counts
_MOST_NUMBERS = 30  # as in xterm; further ones are ignored

_C1 = re.compile("[\x80-\x9f]")
_STRING_END = re.compile("[\\x07\\n\\x18\\x1a\\x1b]")
_CAN = "\x18"
_EATEN_STRING_END = "\x07\x18\x1a"  # the others also mean something of their own

_SEQUENCE = f"(?:\\[[{_IN_CSI}]{{0,255}}[@-~]?|[ -/]{{0,255}}[0-~]?)"
_CONTROL = f"(?:\x1b{_SEQUENCE}|[\\x00-\\x1a\\x1c-\\x1f\\x7f])"

# Both start with a plain character set, so that the regex engine skips runs fast. Of few controls, since what a
# match means is remembered.
_CONTROLS = re.compile(f"([\\x00-\\x1f\\x7f](?:(?<=\x1b){_SEQUENCE}|){_CONTROL}{{0,3}}+)")
_C0_CONTROLS = re.compile("([\\x00-\\x1f\\x7f]{1,4}+)")  # the same where there is no ESC

_UNFINISHED = re.compile(f"\x1b(?:\\[[{_IN_CSI}]{{0,255}}|[ -/]{{0,255}})\\Z")
_UNFINISHED_STRING = re.compile(f"\x1b[\\]PX^_]{_IN_STRING}{{0,{LONGEST_CHUNK}}}\\Z")
# Colours; the cursor's look, synchronised output, pasting; what another ESC breaks off; strings, and their ends.
_WITHOUT_EFFECT = re.compile(
    "\x1b(?:\\[(?:[0-;]{0,255}+m|\\?2(?:5|004|026)[hl]|[ -?]{0,255}+(?=\x1b))|[ -/]{0,255}+(?=\x1b)|\\\\"
    f"|[\\]PX^_]{_IN_STRING}{{0,{LONGEST_CHUNK}}}(?:[\\x07\\x18\\x1a]|(?=[\\n\x1b])))"
)
_INTERRUPTED_CSI = re.compile("\x1b\\[[ -?]{0,255}[\\x00-\\x17\\x19\\x1c-\\x1f\\x7f]")
_ANY_CSI = re.compile(f"\x1b\\[([{_IN_CSI}]{{0,255}})([@-~]?)")
_C0, _NOT_C0 = re.compile("[\\x00-\\x1f\\x7f]+"), re.compile("[^\\x00-\\x1f\\x7f]+")
_ERASE_RIGHT = "\x1b[K"
_FORWARD = re.compile("\n[^\r\b]+")
_EACH_CONTROL = re.compile(_CONTROL)
# Its private marker, the first numbers, further ones, intermediates and final; without what follows a number after a colon.
# Nothing is given back once it matched: digits could be divided in too many ways before it is seen that there is no end.
_CSI = re.compile("\x1b\\[([<-?]?+)([0-9]*+)[0-9:]*+(?:;([0-9]*+)[0-9:]*+)?+((?:;[0-9:]*+)*+)([ -/]*+[@-~])")


def split(settled: str) -> list[str]:
    """What ``Settler`` gives as run, controls, run, controls, …, run."""
    return (_CONTROLS if ESC in settled else _C0_CONTROLS).split(settled)


Numbers = tuple[int, ...]
Command = tuple[str, Numbers]
r"""What a control asks for: its name and its numbers.

The name is a C0 control itself (``\n``), ``ESC`` and what follows it, or a CSI sequence's private marker,
intermediates and final letter (``A``, ``?h``, ``!p``). The numbers are its parameters, missing ones as 0, at
least two; of more only those of a mode matter.
"""

_NONE = (0, 0)


def commands(controls: str) -> list[Command]:
    """What the controls between two runs mean, in order, without what was broken off."""
    found: list[Command] = []
    for control in _EACH_CONTROL.findall(controls):
        command = csi_command(control)
        if command:
            found.append(command)
        elif control[1:2] != "[":
            found.append((control, _NONE))
    return found


def csi_command(control: str) -> Command | None:
    """A CSI sequence without controls in its middle; of its numbers the first two, and all of a mode's."""
    match = _CSI.fullmatch(control)
    if not match:
        return None
    private, first, second, more, final = match.groups()
    if more and final in _MODES:
        parameters = control[2 + len(private) : -1].split(";", _MOST_NUMBERS)[:_MOST_NUMBERS]
        return private + final, (*[_number(number.partition(":")[0]) for number in parameters], 0)
    return private + final, (_number(first), _number(second), 0)


def _number(text: str | None) -> int:
    number = int(text) if text else 0
    return number if number < _LARGEST_NUMBER else _LARGEST_NUMBER


def in_seven_bits(text: str) -> str:
    """``text`` with each C1 control as ESC and a letter."""
    place = 0
    while control := _C1.search(text, place):
        text = text.replace(control[0], ESC + chr(ord(control[0]) - 0x40))
        place = control.start()
    return text


def without_idle_erasing(settled: str) -> str:
    """``settled`` for a screen on which every line begins as a blank row, without the erasing to the right of its text.

    Compilers and the like send one after each colour. Nothing changes where there are other sequences.
    """
    if settled.count(ESC) != settled.count(_ERASE_RIGHT):
        return settled
    return _FORWARD.sub(lambda lines: lines[0].replace(_ERASE_RIGHT, ""), settled.replace("\r\n", "\n"))


def _interrupting_first(match: re.Match[str]) -> str:
    """A CSI sequence after the controls in its middle; only these where it has no end."""
    inside, final = match.groups()
    return _NOT_C0.sub("", inside) + (f"\x1b[{_C0.sub('', inside)}{final}" if final else "")


class Settler:
    """Makes chunks that may be cut anywhere into text that ends between sequences.

    What has no effect on the text on the screen (colours, titles, links, images) is left out on the way.
    """

    def __init__(self) -> None:
        self._held = ""  # the beginning of a sequence, at most 257 characters
        self._string_room: int | None = None  # within a string: how much longer it may get

    def settle(self, chunk: str) -> str:
        """The text that can be carried out now: runs and whole controls, for ``split``."""
        if self._string_room is not None:
            chunk = self._after_string(chunk, self._string_room)
        text = self._held + chunk
        self._held = ""
        last = text.rfind(ESC)
        if last < 0:
            return text
        kept_back = ""
        if _UNFINISHED.match(text, last):
            self._held = kept_back = text[last:]
        elif _UNFINISHED_STRING.match(text, last):
            kept_back = text[last:]
            self._string_room = LONGEST_CHUNK - (len(kept_back) - 2)
        bare = _WITHOUT_EFFECT.sub("", text).removesuffix(kept_back)
        if ESC in bare and _INTERRUPTED_CSI.search(bare):
            # It may end at a sequence that was left out, and must not go on with the text after that.
            return _ANY_CSI.sub(_interrupting_first, _WITHOUT_EFFECT.sub(_CAN, text).removesuffix(kept_back))
        return bare

    def _after_string(self, chunk: str, room: int) -> str:
        end = _STRING_END.search(chunk, 0, room)
        length = end.start() if end else min(len(chunk), room)
        if not end and length == len(chunk):
            self._string_room = room - length
            return ""
        self._string_room = None
        return chunk[length + 1 :] if chunk[length] in _EATEN_STRING_END else chunk[length:]

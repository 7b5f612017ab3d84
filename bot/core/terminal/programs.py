"""What to do for the controls that stand between two runs of text: the actions of ``controls``, as few as give the same."""

import re

from bot.core.terminal.ansi import Numbers, commands, csi_command
from bot.core.terminal.controls import (
    ACTIONS,
    ADDITIVE,
    CUMULATIVE,
    Action,
    carriage_return,
    clear_line,
    erase_in_line,
    to_column,
)
from bot.core.terminal.screen import Screen

_FEW_DIGITS = 4  # a number of so many isn't too large
# Characters of a sequence with one number, and with others, as they usually are, and of several controls.
_ONE, _ANY, _SEVERAL = 5, 9, 40
# Longer ones are remembered while there is room, and never make room: they are too many to come again. A few megabytes.
_MOST_REMEMBERED, _MOST_UNUSUAL = 12_000, 10_000
_AFTER_COLON = re.compile(":[0-9:]*")  # it doesn't count

Step = tuple[Action, Numbers]
Program = tuple[Action, Numbers, list[Step]]
"""The first step, and further ones: hardly ever there, and a loop over one step would take longer than most steps."""


def nothing(_screen: Screen, _: Numbers) -> None:
    """What bells, charsets, queries and the like do here."""


def program(controls: str) -> Program:
    """What to do for controls between two runs (see ``ansi.split``)."""
    steps = [(ACTIONS[name], numbers) for name, numbers in commands(controls) if name in ACTIONS]
    if not steps:
        return nothing, (), []
    if len(steps) > 1:
        steps = _joined(steps)
    return *steps[0], steps[1:]


def _joined(steps: list[Step]) -> list[Step]:
    joined = steps[:1]
    for step in steps[1:]:
        act, numbers = step
        last, before = joined[-1]
        if act is last and act in ADDITIVE:
            joined[-1] = act, ((before[0] or 1) + (numbers[0] or 1), 0)
        elif act is erase_in_line and numbers[0] in {0, 2} and _to_start(last, before):
            joined[-1] = clear_line, numbers
        elif step != joined[-1] or act in CUMULATIVE:
            joined.append(step)
    return joined


def _to_start(act: Action, numbers: Numbers) -> bool:
    return act is carriage_return or (act is to_column and numbers[0] <= 1)


class _Programs(dict[str, Program]):
    """``program`` of all short matches, remembered within a bound."""

    def __missing__(self, controls: str) -> Program:
        digits = controls[2:-1]
        if ":" in digits:
            digits = _AFTER_COLON.sub("", digits)
        usual = _ANY
        if digits.isdigit() and len(digits) <= _FEW_DIGITS:  # one sequence with a number
            usual = _ONE
            act = ACTIONS.get(controls[-1], nothing)
            found: Program = act, (int(digits), 0, 0), []
        elif command := csi_command(controls):
            found = ACTIONS.get(command[0], nothing), command[1], []
        else:
            found = program(controls)
            usual = _SEVERAL
        if len(controls) <= (_SEVERAL if len(self) < _MOST_UNUSUAL else usual):
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[controls] = found
        return found


PROGRAMS = _Programs()

"""What to do for the controls that stand between two runs of text: the actions of ``controls``, as few as give the same."""

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

_MOST_REMEMBERED, _LONGEST_REMEMBERED = 12_000, 40  # a few megabytes at most
_FEW_DIGITS = 4  # a number of so many isn't too large
# Sequences longer than this many characters are so many that remembering them all takes longer than reading them again.
_USUAL, _MOST_UNUSUAL = 8, 1_000

Program = list[tuple[Action, Numbers]]


def program(controls: str) -> Program:
    """What to do for a match of ``CONTROLS`` in ``ansi``. Bells, charsets, queries and the like do nothing here."""
    steps = [(ACTIONS[name], numbers) for name, numbers in commands(controls) if name in ACTIONS]
    return steps if len(steps) < 2 else _joined(steps)  # noqa: PLR2004  only several can be joined


def _joined(steps: Program) -> Program:
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
        if digits.isdigit() and len(digits) <= _FEW_DIGITS:  # one sequence with a number
            act = ACTIONS.get(controls[-1])
            steps: Program = [(act, (int(digits), 0, 0))] if act else []
        elif command := csi_command(controls):
            act = ACTIONS.get(command[0])
            steps = [(act, command[1])] if act else []
        else:
            steps = program(controls)
        if len(controls) <= _USUAL or (len(self) < _MOST_UNUSUAL and len(controls) <= _LONGEST_REMEMBERED):
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[controls] = steps
        return steps


PROGRAMS = _Programs()

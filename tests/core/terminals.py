"""Small terminals for tests."""

from bot.core.terminal import Terminal


def shown(output: str, columns: int = 20, rows: int = 5) -> list[str]:
    """The rows on a small screen after some output, without the blank ones at its end."""
    terminal = Terminal(columns, rows)
    terminal.feed(output)
    screen = terminal.screen()
    assert len(screen) == rows
    while screen and not screen[-1]:
        screen.pop()
    return screen


def fed(output: str, columns: int = 100, rows: int = 40) -> Terminal:
    terminal = Terminal(columns, rows)
    terminal.feed(output)
    return terminal

"""Whether a process may believe what it believes: that it still owns its runs, and that others are dead.

Every process says in the database that it lives, and takes over from one that was silent for ``DEAD`` seconds. Whoever
was frozen for a while, or could not reach the database, sees a world that has not heard of it, or of anybody.
"""

BEAT = 5.0
"""Seconds between two signs of life."""

DEAD = 15.0
"""Seconds of silence after which a process counts as dead."""

_LATE = DEAD - BEAT  # seconds after its time at which a sign of life may come too late


class Lease:
    """What the signs of life of one process tell it; ``now`` is in seconds that never go back.

    Each attempt is ``begun`` and then ``failed`` or ``beaten``.
    """

    def __init__(self, now: float) -> None:
        self.due = now
        self._frozen = False
        self._unbroken: float | None = None  # since when all signs of life went through

    def doubtful(self, now: float) -> bool:
        """Whether this process was frozen so long that others may have taken its runs over.

        Then it sends nothing about them, until it has said that it lives and has looked which ones are still its own.
        That the database is away is no reason for doubt: nobody else can take anything over either.
        """
        return self._frozen or now > self.due + _LATE

    def may_judge(self, now: float) -> bool:
        """Whether it can be told by their silence that others are dead: this one has heard all that there was to hear."""
        return not self.doubtful(now) and self._unbroken is not None and now - self._unbroken >= DEAD

    def begin(self, now: float) -> None:
        """A sign of life is about to be given."""
        if self.doubtful(now):
            self._frozen = True
            self._unbroken = None

    def fail(self, now: float) -> None:
        """It did not get through."""
        self.due = now + BEAT
        self._unbroken = None

    def succeed(self, begun: float, now: float) -> None:
        """It got through, and what this process owns was looked at; it was ``begun`` then."""
        self.due = begun + BEAT
        if now - begun > _LATE:
            return  # frozen in its middle, and so perhaps after it
        self._frozen = False
        if self._unbroken is None:
            self._unbroken = now

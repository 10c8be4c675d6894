"""A primary and its standby."""

from __future__ import annotations

from harness.postgres import PostgresServer


class Pair:
    """A primary and a standby that change places."""

    def __init__(self, is_synchronous: bool = True):
        self.is_synchronous = is_synchronous
        self.primary = PostgresServer().make()
        self.standby = PostgresServer()
        self.servers = [self.primary, self.standby]

    def attach_standby(self, through: int | None = None) -> None:
        """Makes the standby of a copy of the primary."""
        self.standby.copy(self.primary, through)
        if self.is_synchronous:
            self.primary.require_standby()

    def fail_over(self, is_crash: bool) -> None:
        """Ends the primary and promotes the standby; the old primary stays down."""
        old, new = self.primary, self.standby
        old.kill() if is_crash else old.stop()
        new.promote()
        self.primary, self.standby = new, old

    def close(self) -> None:
        for server in self.servers:
            server.kill()

"""A real SMTP server with the mails that it took, and msmtp, which hands them to it as Keybearer's `mail-command`."""

from __future__ import annotations

import email
import email.policy
import re
import threading
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller

from harness.ports import free_port
from harness.waiting import eventually

MSMTP = Path("/usr/bin/msmtp")
SENDER = "keys@yourapp.example"


class Mailbox:
    """Everybody's mails. It can be stopped and started again on the same port."""

    def __init__(self, directory: Path):
        self.port = free_port()
        self._lock = threading.Lock()
        self._received: list[tuple[str, bytes]] = []
        self._controller: Controller | None = None
        self._configuration = directory / "msmtprc"
        self._configuration.write_text(
            f"account default\nhost 127.0.0.1\nport {self.port}\nfrom {SENDER}\nauth off\ntls off\ntimeout 5\n")

    @property
    def settings(self) -> list[str]:
        """What the server needs to send here."""
        return ["--mail-command", f"{MSMTP} -C {self._configuration}", "--mail-from", SENDER]

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
        self._controller = None

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 (the library's name)
        with self._lock:
            self._received += [(recipient, envelope.content) for recipient in envelope.rcpt_tos]
        return "250 OK"

    def raw(self) -> list[tuple[str, bytes]]:
        """Each recipient of SMTP, with the bytes that came."""
        with self._lock:
            return list(self._received)

    def mails(self, to: str, subject: str = "") -> list[EmailMessage]:
        """Those to an address whose subject contains a text."""
        parsed = [
            email.message_from_bytes(content, policy=email.policy.default)
            for recipient, content in self.raw() if recipient == to
        ]
        return [mail for mail in parsed if subject in mail["Subject"]]

    def wait(self, to: str, subject: str = "", count: int = 1) -> EmailMessage:
        """The newest one, as soon as there are so many."""
        def found() -> EmailMessage | None:
            mails = self.mails(to, subject)
            return mails[-1] if len(mails) >= count else None

        return eventually(found, f"mail {count} to {to} with {subject!r}; there are {[m['Subject'] for m in self.mails(to)]}")


def body(mail: EmailMessage) -> str:
    """What it says."""
    return mail.get_content()


def link(mail: EmailMessage) -> str:
    """The path and query of its link with a code."""
    found = re.search(r"https?://\S+\?code=\S+", body(mail))
    assert found, body(mail)
    url = urlsplit(found[0])
    return f"{url.path}?{url.query}"


def code(mail: EmailMessage) -> str:
    """The code of its link."""
    return link(mail).partition("?code=")[2]

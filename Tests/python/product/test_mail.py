"""Mails by a real mail program (msmtp) into a real SMTP server (aiosmtpd): sign-up, reset, invitation, notices, hostile
names, and an SMTP server that is away for a while."""

from __future__ import annotations

import base64
import hmac
import json
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.accounts import Person
from harness.command_line import CommandLine
from harness.dashboard_client import COOKIE, DashboardClient
from harness.http_client import Response
from harness.keybearer import KeybearerServer
from harness.mailbox import MSMTP, SENDER, Mailbox, body, code, link
from harness.programs import missing
from harness.waiting import eventually

PASSWORD = "a long enough secret"


class Browser:
    """A browser that keeps its cookies."""

    def __init__(self, server: KeybearerServer, user_agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"):
        self.client = DashboardClient(server.origin, {"User-Agent": user_agent})
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Response:
        return self._keep(self.client.request("GET", path, self._headers()))

    def post(self, path: str, **form: str) -> Response:
        return self._keep(self.client.post(path, form, None, **self._headers()))

    def _headers(self) -> dict[str, str]:
        if not self.cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _keep(self, response: Response) -> Response:
        for name, value in response.headers:
            if name.lower() == "set-cookie":
                pair, _, _ = value.partition(";")
                name, _, value = pair.partition("=")
                self.cookies[name] = value
        return response

    def forget_session(self) -> None:
        self.cookies.pop(COOKIE, None)

    def sign_up(self, email: str, name: str = "Ada") -> None:
        assert self.post("/sign-up", name=name, email=email, password=PASSWORD).status == 303

    def sign_in(self, email: str, password: str = PASSWORD) -> Response:
        return self.post("/sign-in", email=email, password=password)

    @property
    def workspace(self) -> str:
        return re.search(r"/workspaces/(ws_\w+)", self.get("/").value("location") or "")[1]


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    assert not (problem := missing(MSMTP)), problem
    mailbox = Mailbox(tmp_path)
    mailbox.start()
    yield mailbox
    mailbox.stop()


@pytest.fixture
def server(database: str, tmp_path: Path, mailbox: Mailbox) -> Iterator[KeybearerServer]:
    commands = CommandLine(database, tmp_path / "keybearer.keys")
    commands.create_database()
    server = KeybearerServer(commands, tmp_path / "log.jsonl", [*mailbox.settings, "--product-name", "Acmé"])
    server.settings += ["--public-url", server.origin]
    commands.store += [*mailbox.settings, "--public-url", server.origin, "--product-name", "Acmé"]
    server.serve_arguments = lambda port=None: [  # the settings are among the commands' already
        commands.binary, "serve", *commands.store, "--address", f"127.0.0.1:{port or server.port}", "--log-format", "json"]
    server.start()
    yield server
    server.stop()
    for recipient, _ in mailbox.raw():
        assert recipient not in server.log, "the log names nobody"
    assert "kbm_" not in server.log


def verified(server: KeybearerServer, mailbox: Mailbox, email: str, name: str = "Ada") -> Browser:
    """Somebody who signed up and verified the address."""
    browser = Browser(server)
    browser.sign_up(email, name)
    mail = mailbox.wait(email, "Verify your e-mail address")
    assert browser.post("/account/email/confirm", code=code(mail)).status == 200
    return browser


def one_time_password(secret: str) -> str:
    """RFC 6238 at this moment."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def turn_on_second_factor(browser: Browser) -> tuple[str, list[str]]:
    """An authenticator app for the account: its secret, and the recovery codes."""
    secret = re.search(r'name="secret" value="([A-Z2-7]+)"', browser.get("/account/second-factor").text)[1]
    response = browser.post("/account/second-factor", secret=secret, code=one_time_password(secret))
    return secret, re.findall(r"[a-km-np-z2-9]{4}(?:-[a-km-np-z2-9]{4}){3}", response.text)


def test_a_sign_up_is_verified_by_the_mail_that_arrives(server: KeybearerServer, mailbox: Mailbox) -> None:
    browser = Browser(server)
    browser.sign_up("ada@example.com")
    mail = mailbox.wait("ada@example.com")
    assert mail["Subject"] == "Acmé: Verify your e-mail address"
    assert mail["From"].addresses[0].addr_spec == SENDER and mail["From"].addresses[0].display_name == "Acmé"
    assert mail["To"].addresses[0].addr_spec == "ada@example.com"
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"].endswith("@yourapp.example>")
    assert mail.get_content_type() == "text/plain" and mail.get_content_charset() == "utf-8"
    assert "not verified" in browser.get("/account").text
    stranger = Browser(server)
    # A mail scanner looks twice; nothing happens.
    for _ in range(2):
        assert stranger.get(link(mail)).status == 200
    assert "not verified" in browser.get("/account").text
    assert "Sign in to verify" in stranger.get(link(mail)).text
    assert "is verified" not in stranger.post("/verify-email", code=code(mail)).text
    assert "not verified" in browser.get("/account").text, "the mail alone is not enough"
    assert "is verified" in browser.post("/account/email/confirm", code=code(mail)).text
    assert "not verified" not in browser.get("/account").text
    assert server.commands.show("ada@example.com")["emailVerified"] is True
    # The operator's commands show it, without what it said.
    listed = server.commands.json("mail", "list")
    assert [(entry["kind"], entry["state"], entry["to"]) for entry in listed] == [
        ("verify-email", "sent", "ada@example.com")]
    assert code(mail) not in json.dumps(listed)
    assert "outbox: 0 mails wait" in server.commands.run("doctor")


def test_a_forgotten_password_is_reset(server: KeybearerServer, mailbox: Mailbox) -> None:
    browser = verified(server, mailbox, "ada@example.com")
    forgetful = Browser(server)
    assert "/forgot-password" in forgetful.get("/sign-in").text
    assert forgetful.post("/forgot-password", email="ada@example.com").status == 200
    assert forgetful.post("/forgot-password", email="nobody@example.com").status == 200
    mail = mailbox.wait("ada@example.com", "Reset your password")
    assert forgetful.get(link(mail)).status == 200
    assert forgetful.post("/reset-password", code=code(mail), password="another long secret").status == 303
    assert browser.get("/account").status == 303, "other sessions have ended"
    assert forgetful.sign_in("ada@example.com").status == 401
    assert forgetful.sign_in("ada@example.com", "another long secret").status == 303
    assert forgetful.post("/reset-password", code=code(mail), password="a third long secret").status == 410
    mailbox.wait("ada@example.com", "Your password was changed")
    states = {entry["to"]: entry["state"] for entry in server.commands.json("mail", "list")}
    assert states["nobody@example.com"] == "void" and not mailbox.mails("nobody@example.com")


def test_a_reset_is_never_around_two_step_sign_in(server: KeybearerServer, mailbox: Mailbox) -> None:
    browser = verified(server, mailbox, "ada@example.com")
    _, recovery_codes = turn_on_second_factor(browser)
    mailbox.wait("ada@example.com", "Two-step sign-in was turned on")
    forgetful = Browser(server)
    forgetful.post("/forgot-password", email="ada@example.com")
    mail = mailbox.wait("ada@example.com", "Reset your password")
    assert 'id="otp"' in forgetful.get(link(mail)).text
    for wrong in ["", "000000"]:
        response = forgetful.post("/reset-password", code=code(mail), password="another long secret", otp=wrong)
        assert response.status == 422 and "otp-error" in response.text
    done = forgetful.post("/reset-password", code=code(mail), password="another long secret", otp=recovery_codes[0])
    assert done.status == 303
    signed_in = forgetful.sign_in("ada@example.com", "another long secret")
    assert signed_in.status == 303 and signed_in.value("location").startswith("/sign-in/code")


def test_an_invitation_arrives_by_mail(server: KeybearerServer, mailbox: Mailbox) -> None:
    owner = verified(server, mailbox, "ada@example.com")
    workspace = owner.workspace
    page = owner.post(f"/workspaces/{workspace}/invitations", email="Grace@Example.com", role="member")
    assert page.status == 200 and "invite-link" in page.text, "the link is there for copying too"
    mail = mailbox.wait("grace@example.com", "You are invited to a workspace")
    assert "Ada (ada@example.com) invites you" in body(mail)
    guest = verified(server, mailbox, "grace@example.com", "Grace")
    assert "Join as grace@example.com" in guest.get(link(mail)).text
    assert guest.post("/invitations/accept", code=code(mail)).status == 303
    members = owner.get(f"/workspaces/{workspace}/team").text
    assert "grace@example.com" in members


def test_notices(server: KeybearerServer, mailbox: Mailbox) -> None:
    browser = verified(server, mailbox, "ada@example.com")
    workspace = browser.workspace
    server.commands.run("workspace", "set-plan", workspace, "pro")
    other = Browser(server, "Mozilla/5.0 (Macintosh) Version/18.0 Safari/605.1")
    assert other.sign_in("ada@example.com").status == 303
    mail = mailbox.wait("ada@example.com", "New sign-in to your account")
    assert "Browser: Safari on Mac" in body(mail) and "From: 127.0.0.1" in body(mail)
    other.forget_session()
    assert other.sign_in("ada@example.com").status == 303
    assert other.post(f"/workspaces/{workspace}/api-webhooks/reveal").status == 200
    mailbox.wait("ada@example.com", "Your API key was shown on a new device")
    assert other.post(f"/workspaces/{workspace}/api-webhooks/reveal").status == 200
    server.commands.run("key", "regenerate", "ada@example.com")
    mailbox.wait("ada@example.com", "Your API key was regenerated")
    # In the order of the outbox: what was told once before was not told again.
    assert len(mailbox.mails("ada@example.com", "New sign-in")) == 1
    assert len(mailbox.mails("ada@example.com", "shown on a new device")) == 1


def test_a_rate_limit_is_warned_of(server: KeybearerServer, mailbox: Mailbox) -> None:
    browser = verified(server, mailbox, "ada@example.com")
    server.commands.create_plan("small", 50)
    server.commands.run("workspace", "set-plan", browser.workspace, "small")
    key = server.commands.key_of("ada@example.com")
    client = DashboardClient(server.origin)
    statuses = []
    for _ in range(60):
        statuses.append(client.call_api(key).status)
        if len(statuses) == 45:
            mailbox.wait("ada@example.com", "80 % of your hourly limit is used")
    assert statuses.count(200) == 50 and statuses.count(429) == 10
    mailbox.wait("ada@example.com", "Your hourly limit is reached")
    assert len(mailbox.mails("ada@example.com", "hourly limit")) == 2


HOSTILE = [
    "https://evil.example/login", "=?UTF-8?B?QmNjOiBldmVAZXhhbXBsZS5jb20=?=", "\u202eelpmaxe.live",
    'Ada, "x" <eve@evil.example>', "{{link}} {{{link}}}", "Ω" * 150, ".", "-t eve@evil.example",
]
HEADERS = [
    "auto-submitted", "content-transfer-encoding", "content-type", "date", "from", "message-id", "mime-version",
    "subject", "to",
]


def test_names_and_user_agents_inject_nothing(server: KeybearerServer, mailbox: Mailbox) -> None:
    owner = verified(server, mailbox, "ada@example.com")
    workspace = owner.workspace
    guests = [f"grace{number}@example.com" for number in range(len(HOSTILE))]
    for number, (hostile, guest) in enumerate(zip(HOSTILE, guests, strict=True)):
        named = owner.post(f"/workspaces/{workspace}/rename", name=hostile)
        assert named.status in (303, 422)
        owner.post(f"/workspaces/{workspace}/invitations", email=guest, role="member")
        attacker = Browser(server, user_agent=hostile.encode("ascii", "ignore").decode() or "x")
        attacker.sign_in("ada@example.com")
        for mail in (mailbox.wait(guest), mailbox.wait("ada@example.com", "New sign-in", number + 1)):
            names = sorted(name.lower() for name in mail.keys())
            assert [name for name in names if name not in ("x-peer", "x-mailfrom", "x-rcptto")] == HEADERS
            assert len(mail["To"].addresses) == 1
            assert "evil.example" not in body(mail).replace("\u2024", "·")
            assert all(len(line) <= 998 for line in mail.as_bytes().splitlines())
    assert {recipient for recipient, _ in mailbox.raw()} == {"ada@example.com", *guests}


def test_a_mail_arrives_once_when_the_smtp_server_was_away(server: KeybearerServer, mailbox: Mailbox) -> None:
    verified(server, mailbox, "ada@example.com")
    mailbox.stop()
    server.commands.run("key", "regenerate", "ada@example.com")

    def entry() -> dict:
        return next(mail for mail in server.commands.json("mail", "list") if mail["kind"] == "key-regenerated")

    eventually(lambda: entry()["attempts"] == 1, "the mail was tried")
    failed = entry()
    assert failed["state"] == "waiting" and "status" in failed["problem"] and "ada@example.com" not in failed["problem"]
    warned = server.commands.attempt("doctor")
    assert "1 mails wait, 1 of them failed before" in warned.stdout
    assert server.commands.attempt("mail", "test", "ada@example.com").returncode == 69
    mailbox.start()
    server.commands.run("mail", "retry", failed["id"])
    mailbox.wait("ada@example.com", "Your API key was regenerated")
    eventually(lambda: entry()["state"] == "sent", "it is sent")
    server.commands.run("mail", "test", "ada@example.com")
    mailbox.wait("ada@example.com", "A test mail")
    assert len(mailbox.mails("ada@example.com", "regenerated")) == 1


def test_a_restart_loses_no_mail_and_sends_none_twice(server: KeybearerServer, mailbox: Mailbox) -> None:
    verified(server, mailbox, "ada@example.com")
    mailbox.stop()
    server.commands.run("key", "regenerate", "ada@example.com")
    server.kill()
    mailbox.start()
    server.start()
    for mail in server.commands.json("mail", "list"):
        if mail["state"] == "waiting":
            server.commands.attempt("mail", "retry", mail["id"])
    mailbox.wait("ada@example.com", "Your API key was regenerated")
    eventually(
        lambda: all(mail["state"] == "sent" for mail in server.commands.json("mail", "list")), "all are sent")
    assert len(mailbox.mails("ada@example.com", "regenerated")) == 1


def test_a_deleted_person_leaves_no_mail(server: KeybearerServer, mailbox: Mailbox) -> None:
    verified(server, mailbox, "ada@example.com")
    export = json.loads(server.commands.run("user", "export", "ada@example.com"))
    assert [mail["kind"] for mail in export["mails"]] == ["verify-email"]
    server.commands.run("user", "delete", "ada@example.com", "--yes")
    assert server.commands.json("mail", "list") == []

"""What every whole-system test starts from: one shared server with a pool of empty mailboxes."""

import atexit
import email.header
import itertools
import shutil
import subprocess
import unittest

import congthu
import wire

DOMAIN = "thu.test"
POOL = 120  # mailboxes made at once; each test takes fresh ones
_shared = None


def shared():
    """The server that most tests use; started at the first call, ended with the process."""
    global _shared
    if _shared is None:
        server = congthu.Congthu()
        atexit.register(server.close)
        server.start()
        server.add_domain(DOMAIN)
        addresses = [f"can-bo-{i:02}@{DOMAIN}" for i in range(POOL)]
        server.add_mailboxes(addresses)
        server.pool = iter(addresses)
        _shared = server
    return _shared


class Case(unittest.TestCase):
    """A test with the shared server as `self.server`."""

    maxDiff = 2000
    numbers = itertools.count(1)

    @classmethod
    def setUpClass(cls):
        cls.server = shared()

    def mailbox(self):
        """An address nobody else uses."""
        return next(self.server.pool)

    def tool(self, name):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        self.assertIsNotNone(path, f"{name} is not installed; tests/run installs it")
        return path

    def execute(self, *arguments, timeout=60, **options):
        return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=timeout, **options)

    def message(self, subject="Công văn", body="Kính gửi Ủy ban nhân dân tỉnh.\r\n", to=None, sender="van-thu@other.test"):
        """A well-formed message in UTF-8; its Message-ID tells it from all others."""
        number = next(self.numbers)
        encoded = email.header.Header(subject, "utf-8").encode()
        return (f"From: <{sender}>\r\nTo: <{to or 'ai-do@thu.test'}>\r\nSubject: {encoded}\r\n"
                f"Message-ID: <e2e-{number}@other.test>\r\nDate: Mon, 02 Jun 2025 08:00:00 +0700\r\nMIME-Version: 1.0\r\n"
                f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}").encode()

    def deliver(self, message, *recipients, sender="van-thu@other.test", server=None, options=" BODY=8BITMIME"):
        """By plain SMTP; fails unless it is acknowledged."""
        smtp = (server or self.server).smtp()
        smtp.hello()
        accepted, replies = smtp.envelope(sender, recipients, options)
        self.assertEqual(len(accepted), len(recipients), [str(r) for r in replies])
        (final,) = smtp.data(message, len(accepted))
        self.assertEqual(final.code, 250, str(final))
        smtp.quit()

    def stored(self, user, folder="INBOX", server=None):
        """The bytes of all messages, in UID order, as IMAP gives them."""
        imap = (server or self.server).imap(user)
        _, _, exists = imap.select(folder, examine=True)
        bodies = []
        if exists:
            rows = [i for _, i in imap.must("UID FETCH 1:* (UID BODY.PEEK[])").fetched()]
            bodies = [r["BODY[]"] for r in sorted(rows, key=lambda r: int(r["UID"]))]
        imap.logout()
        self.assertEqual(len(bodies), exists)
        return bodies

    def assert_same(self, stored, sent):
        """`stored` is `sent` behind trace headers and nothing else."""
        front = wire.trace_and_rest(stored, sent)
        self.assertIsNotNone(front, f"stored {stored[:400]!r}… is not {sent[:400]!r}… behind trace headers")
        return front

"""Hostile MIME is stored, readable and harmless. CONGTHU_HOSTILE_MB sets how much is fed (1024 for the full run)."""

import os
import time
import unittest

import case
import congthu
import hostile
import wire

MEGABYTES = int(os.environ.get("CONGTHU_HOSTILE_MB", "24"))
GROWTH_MAX_KB = 256 * 1024  # of resident memory over everything fed; what is kept for good would exceed it in the full run
SECONDS_MAX = 20.0  # for one message, stored and read in every way


class Hostile(case.Case):
    def read_every_way(self, imap, uid, sent):
        answer = imap.must(f"UID FETCH {uid} (FLAGS ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[1.1.1.1.HEADER] "
                           f"BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.100>)")
        items = next(i for _, i in answer.fetched() if "BODY[]" in i)
        self.assertTrue(items["BODY[]"] == sent, "other bytes came back")
        self.assertEqual(int(items["RFC822.SIZE"]), len(sent))
        self.assertIsNotNone(items["ENVELOPE"])
        self.assertIsNotNone(items["BODYSTRUCTURE"])
        imap.must(f"UID SEARCH UID {uid} OR SUBJECT khong BODY khong")

    def feed(self, imap, name, message):
        began = time.monotonic()
        answer = imap.append("INBOX", message)
        self.assertTrue(answer.ok, f"{name}: {answer}")
        imap.must("NOOP")
        self.read_every_way(imap, int(answer.code("APPENDUID").split()[1]), message)
        self.assertLess(time.monotonic() - began, SECONDS_MAX, name)

    def test_bombs_by_append(self):
        imap = self.server.imap(self.mailbox())
        imap.select("INBOX")
        for name, message in hostile.bombs():
            with self.subTest(name=name):
                self.feed(imap, name, message)
        imap.logout()

    def test_bombs_by_smtp(self):
        user = self.mailbox()
        smtp = self.server.smtp()
        smtp.hello()
        taken = []
        for name, message in hostile.bombs(0.3):
            if b"\r" in message.replace(b"\r\n", b"") or b"\n" in message.replace(b"\r\n", b"") or not message.endswith(b"\r\n"):
                continue
            smtp.envelope("a@other.test", [user])
            try:
                (final,) = smtp.data(message, 1)
            except wire.Lost:
                self.fail(f"{name}: the connection was lost")
            self.assertIn(final.code // 100, (2, 5), f"{name}: {final}")
            if final.ok:
                taken.append(message)
            smtp.expect("NOOP", 250)
        smtp.quit()
        self.assertGreater(len(taken), 10)
        for one, sent in zip(self.stored(user), taken, strict=True):
            self.assert_same(one, sent)

    def test_much_hostile_mime_leaves_no_growth(self):
        user = self.server.add_mailbox(f"chiu-dung@{case.DOMAIN}", quota="4GB")
        imap = self.server.imap(user)
        imap.select("INBOX")
        source = hostile.mutants(1)
        fed, before = 0, None
        while fed < MEGABYTES << 20:
            name, message = next(source)
            self.feed(imap, name, message)
            fed += len(message)
            if before is None and fed > 4 << 20:
                before = self.server.rss_kb()
        growth = self.server.rss_kb() - before
        print(f"hostile MIME: {fed >> 20} MB fed, resident memory grew by {growth // 1024} MB")
        self.assertLess(growth, GROWTH_MAX_KB)
        imap.logout()


if __name__ == "__main__":
    unittest.main()

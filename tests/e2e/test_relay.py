"""Another mail server delivers to us: a real Postfix over TLS, until its queue is empty."""

import re
import time
import unittest

import case
import peers

QUEUE_TIMEOUT = 60.0  # seconds for Postfix to hand everything over


class Relay(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postfix = peers.Postfix(cls.server.ports["smtp"])
        cls.addClassCleanup(cls.postfix.close)
        cls.postfix.start()

    def empty(self):
        deadline = time.monotonic() + QUEUE_TIMEOUT
        while self.postfix.queued():
            if time.monotonic() > deadline:
                self.fail(f"queue not empty: {self.postfix.queued()}\n{self.postfix.log()[-3000:]}")
            time.sleep(0.1)

    def inject(self, message, *recipients, sender="van-thu@other.test", options=" BODY=8BITMIME"):
        smtp = case.wire.Smtp("127.0.0.1", self.postfix.port)
        smtp.hello()
        accepted, replies = smtp.envelope(sender, recipients, options)
        self.assertEqual(len(accepted), len(recipients), [str(r) for r in replies])
        (final,) = smtp.data(message, len(accepted))
        self.assertTrue(final.ok, str(final))
        smtp.quit()

    def test_the_queue_empties_over_tls(self):
        users = [self.mailbox() for _ in range(3)]
        messages = [self.message(subject=f"Chuyển tiếp {i}", body="Nội dung\r\n.\r\n..chấm\r\n" * (1 + 400 * i)) for i in range(30)]
        before = len(self.postfix.log())
        for i, message in enumerate(messages):
            self.inject(message, *users[: 1 + i % 3])
        self.empty()
        log = self.postfix.log()[before:]
        self.assertRegex(log, r"(Trusted|Untrusted|Verified|Anonymous) TLS connection established to 127\.0\.0\.1")
        self.assertEqual(len(re.findall(r"status=sent", log)), sum(1 + i % 3 for i in range(30)), log[-3000:])
        for k, user in enumerate(users):
            want = {self.identity(m): m for i, m in enumerate(messages) if i % 3 >= k}
            stored = self.stored(user)
            self.assertEqual(len(stored), len(want))
            for one in stored:
                self.assert_same(one, want[self.identity(one)])

    def identity(self, message):
        return re.search(rb"Message-ID: <([^>]+)>", message).group(1)

    def test_an_unknown_recipient_bounces_at_once(self):
        user = self.mailbox()
        self.inject(self.message(), "khong-co@thu.test", sender=user)
        self.empty()
        (bounce,) = self.stored(user)
        self.assertTrue(bounce.startswith(b"Return-Path: <>\r\n"))
        self.assertIn(b"Status: 5.1.1", bounce)

    def test_an_international_sender_is_relayed(self):
        user = self.mailbox()
        self.inject(self.message(), user, sender="văn-thư@other.test", options=" SMTPUTF8 BODY=8BITMIME")
        self.empty()
        self.assertEqual(len(self.stored(user)), 1, self.postfix.log()[-2000:])


if __name__ == "__main__":
    unittest.main()

"""Two provinces, each with a server and a database of its own: mail goes from one to the other, and comes back when it cannot."""

import re
import time
import unittest

import case
import congthu

HERE, THERE = "gui.test", "nhan.test"
PATIENCE = 30  # seconds until what was sent must have come


class Outbound(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.there = congthu.Congthu(hostname="mail.nhan.test")
        cls.addClassCleanup(cls.there.close)
        cls.there.start()
        cls.there.add_domain(THERE)
        cls.reader = cls.there.add_mailbox(f"ai@{THERE}")
        cls.server = congthu.Congthu(extra=f'[outbound]\nsmart_host = "127.0.0.1:{cls.there.ports["smtp"]}"\n')
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(HERE)
        cls.user = cls.server.add_mailbox(f"an@{HERE}")

    def submit(self, *recipients):
        done = self.execute(
            self.tool("swaks"), "--server", f"127.0.0.1:{self.server.ports['submission']}", "--tls", "--auth", "PLAIN",
            "--auth-user", self.user, "--auth-password", congthu.PASSWORD, "--from", self.user, "--to", ",".join(recipients))
        self.assertEqual(done.returncode, 0, done.stdout)

    def await_stored(self, user, count, server):
        end = time.monotonic() + PATIENCE
        while len(found := self.stored(user, server=server)) < count and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(len(found), count, self.server.must("queue", "destinations") + self.server.must("queue", "list"))
        return found

    def test_mail_goes_out_and_what_nobody_wants_is_told_of(self):
        self.submit(self.reader, self.user)
        (own,) = self.await_stored(self.user, 1, self.server)
        (one,) = self.await_stored(self.reader, 1, self.there)
        self.assertRegex(one, rb"(?s)^Return-Path: <an@gui\.test>\r\nReceived: from mail\.demo\.test .*?with ESMTPS ")
        self.assertIn(b"ESMTPSA", own)
        self.submit(f"khong-co@{THERE}")
        _, report = self.await_stored(self.user, 2, self.server)
        self.assertIn(b"multipart/report", report)
        self.assertRegex(report, rb"(?s)Final-Recipient: rfc822;\s*khong-co@nhan\.test\r\nAction: failed\r\nStatus: 5\.1\.1")
        self.assertEqual(self.server.must("queue", "list", "--json").strip(), "[]")

    def test_strangers_are_not_relayed_for(self):
        smtp = self.server.smtp()
        smtp.hello()
        self.assertEqual(smtp.ask("MAIL FROM:<la@khac.test>").code, 250)
        for recipient in (self.reader, f"ai%{THERE}@{HERE}", f'"ai@{THERE}"@{HERE}', f"ai@[127.0.0.1]"):
            self.assertEqual(smtp.ask(f"RCPT TO:<{recipient}>").code // 100, 5, recipient)
        smtp.quit()

    def bring(self, smtp, sender, recipient):
        accepted, _ = smtp.envelope(sender, [recipient])
        (final,) = smtp.data(self.message(), len(accepted))
        self.assertTrue(final.ok, str(final))

    def test_forwarded_mail_goes_under_a_path_of_ours_and_what_comes_back_goes_on(self):
        forwarding = self.server.add_mailbox(f"chuyen@{HERE}")
        reader = self.there.add_mailbox(f"dich@{THERE}")
        self.server.must("policy", "set", HERE, "sending.forward_outside=true", "--reason", "thử")
        self.server.must("forward", "set", forwarding, reader, "--no-copy")
        smtp = self.server.smtp()
        smtp.hello()
        end = time.monotonic() + PATIENCE
        self.bring(smtp, "la@xa.test", forwarding)
        stayed = 1
        while len(self.stored(forwarding, server=self.server)) == stayed and time.monotonic() < end:
            # The server looks for what a command has changed every few seconds; until then mail stays.
            time.sleep(0.5)
            stayed += 1
            self.bring(smtp, "la@xa.test", forwarding)
        (one,) = self.await_stored(reader, 1, self.there)
        path = re.match(rb"Return-Path: <(SRS0=[^>]+=xa\.test=la@gui\.test)>\r\n", one)
        self.assertTrue(path, one[:200])
        path = path.group(1).decode()
        for sender, recipient, code in (
            ("", path, 250), ("", path.lower(), 250), ("ai@nhan.test", path, 550), ("", path.replace("=la@", "=khac@"), 550),
        ):
            self.assertEqual(smtp.ask(f"MAIL FROM:<{sender}>").code, 250)
            self.assertEqual(smtp.ask(f"RCPT TO:<{recipient}>").code, code, (sender, recipient))
            self.assertEqual(smtp.ask("RSET").code, 250)
        self.bring(smtp, "", path)
        smtp.quit()
        self.assertIn('"la@xa.test"', self.server.must("trace", "--to", "la@xa.test", "--json"))


if __name__ == "__main__":
    unittest.main()

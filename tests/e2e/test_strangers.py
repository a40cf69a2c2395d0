"""Who brings mail: lists of addresses that a real name server answers for, and first contacts, with clients at addresses of their own."""

import concurrent.futures
import time
import unittest

import case
import congthu
import internet

PATIENCE = 60  # seconds until the server acts by a changed policy
LISTED, STRANGER, NEIGHBOUR, ELSEWHERE = "203.0.113.4", "203.0.113.9", "203.0.113.200", "192.0.2.9"
DOMAIN = "gui.test"
ANSWER_MAX = 5  # seconds that a list may take


def backwards(address):
    return ".".join(reversed(address.split(".")))


class Strangers(case.Case):
    @classmethod
    def setUpClass(cls):
        network = internet.Network()
        cls.addClassCleanup(network.close)
        for address in (LISTED, STRANGER, NEIGHBOUR, ELSEWHERE):
            network.add(address)
        authority, cls.names = internet.Authority(), internet.Names()
        cls.addClassCleanup(authority.close)
        cls.addClassCleanup(cls.names.close)
        cls.server = internet.Province(1, DOMAIN, authority, [])
        cls.addClassCleanup(cls.server.close)
        cls.server.prepare()
        addresses = [f"can-bo-{number}@{DOMAIN}" for number in range(20)]
        cls.server.add_mailboxes(addresses)
        cls.server.pool = iter(addresses)
        cls.server.publish(cls.names)
        for name, answer in (
                (f"{backwards(LISTED)}.bl.test", "127.0.0.4"), ("2.0.0.127.bl.test", "127.0.0.2"),
                # It refuses to be asked, as lists do that are asked too often.
                (f"{backwards(LISTED)}.refuses.test", "127.255.255.254"), ("2.0.0.127.refuses.test", "127.255.255.254"),
                # It has ended, and has everybody on it.
                (f"{backwards(LISTED)}.ended.test", "127.0.0.2"), ("2.0.0.127.ended.test", "127.0.0.2"),
                ("1.0.0.127.ended.test", "127.0.0.2")):
            cls.names.put(name, "A", answer)
        cls.names.put("proved.test", "TXT", "v=spf1 ip4:203.0.113.0/24 -all")
        cls.names.leave_unanswered("dead.test")
        cls.names.publish()

    def setUp(self):
        self.user = self.mailbox()

    # ------------------------------------------------------------ steps

    def rule(self, *settings):
        self.server.must("policy", "set", DOMAIN, *settings, "--reason", "CV 15/STTTT")

    def bring(self, sender, source, to=None):
        """The reply after the end of data."""
        smtp = self.server.smtp(source=source)
        try:
            smtp.hello("mail.elsewhere.test")
            accepted, replies = smtp.envelope(sender, [to or self.user])
            self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
            (final,) = smtp.data(self.message(sender=sender or "a@elsewhere.test"), 1)
            return final
        finally:
            smtp.close()

    def until(self, code, sender, source):
        """Brings mail until it is answered so: the server looks for a changed policy every few seconds."""
        end = time.monotonic() + PATIENCE
        while (reply := self.bring(sender, source)).code != code:
            self.assertLess(time.monotonic(), end, reply)
            time.sleep(0.2)
        return reply

    def swaks(self, source, port, *arguments, sender, to):
        return self.execute(
            self.tool("swaks"), "--server", f"{self.server.host}:{port}", "--local-interface", source, "--ehlo", "mail.elsewhere.test",
            "--from", sender, "--to", to, "--header", "Subject: thư", "--body", "Kính gửi", *arguments)

    def rows(self):
        return int(self.server.sql("select count(*) from first_contacts"))

    def wait_minutes(self, minutes):
        """For the table: as if it had been written so long ago."""
        self.server.sql(f"update first_contacts set first_at = first_at - interval '{minutes} minutes'")

    # ------------------------------------------------------------ lists

    def test_lists(self):
        self.addCleanup(self.rule, "inbound.lists=")
        self.until(250, "a@elsewhere.test", LISTED)  # no list is asked unless policy names it
        # What no list says counts for nothing, whatever it is to lead to; what one says, as policy says.
        self.rule("inbound.lists=refuses.test=reject,ended.test=reject,bl.test/2-3=reject,bl.test/4=junk")
        end = time.monotonic() + PATIENCE
        while not (junk := self.stored(self.user, "Junk")):
            self.assertLess(time.monotonic(), end)
            self.assertEqual(self.bring("a@elsewhere.test", LISTED).code, 250)
        self.assertIn(b"\r\nX-Congthu-Connection: listed=bl.test (127.0.0.4)\r\n", junk[0])
        self.assertEqual(self.bring("a@elsewhere.test", STRANGER).code, 250)
        self.assertNotIn(b"X-Congthu-Connection", self.stored(self.user)[-1])
        said = self.server.run("check").stdout
        self.assertIn("the list bl.test answers", said)
        for broken in ("refuses.test", "ended.test"):
            self.assertIn(f"the list {broken} does not answer as lists do", said)
        self.rule("inbound.lists=bl.test=reject")
        reply = self.until(550, "a@elsewhere.test", LISTED)
        self.assertEqual(reply.text, "5.7.1 Your server's address is blocked by bl.test; ask there to be taken off")
        self.assertEqual(self.bring("a@elsewhere.test", STRANGER).code, 250)
        self.assertIn("a@elsewhere.test", self.server.must("trace", "--status", "listed"))
        # Whoever logs in from there is one of us.
        done = self.swaks(LISTED, self.server.ports["submission"], "--tls", "--auth", "PLAIN", "--auth-user", self.user,
                          "--auth-password", congthu.PASSWORD, sender=self.user, to=self.server.user)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_dead_list_keeps_nobody_waiting_for_long(self):
        self.addCleanup(self.rule, "inbound.lists=")
        self.rule("inbound.lists=dead.test=reject,bl.test=reject")
        self.until(550, "a@elsewhere.test", LISTED)

        def timed(_):
            began = time.monotonic()
            self.assertEqual(self.bring("a@elsewhere.test", STRANGER).code, 250)
            return time.monotonic() - began

        with concurrent.futures.ThreadPoolExecutor(6) as several:
            took = list(several.map(timed, range(6)))
        self.assertLess(max(took), ANSWER_MAX + 3, took)
        self.assertLess(timed(0), ANSWER_MAX - 1, "it is not asked any more")
        self.assertIn("is not asked for a while", self.server.log_path.read_text())

    # ------------------------------------------------------------ first contacts

    def test_first_contacts(self):
        self.addCleanup(self.rule, "inbound.greylist=off")
        self.assertEqual(self.bring("a@elsewhere.test", STRANGER).code, 250, "nobody waits unless policy says so")
        self.assertEqual(self.rows(), 0)
        self.rule("inbound.greylist=5")
        reply = self.until(451, "a@elsewhere.test", STRANGER)
        self.assertRegex(reply.text, r"^4\.7\.1 .*greylisting")
        self.wait_minutes(4)
        done = self.swaks(NEIGHBOUR, 25, sender="b@elsewhere.test", to=self.user)
        self.assertRegex(done.stdout, r"(?m)^<\*\* 451 4\.7\.1 ", "too early")
        self.assertIn("b@elsewhere.test", self.server.must("trace", "--status", "greylisted"))
        self.wait_minutes(1)
        # By another server of the same network.
        done = self.swaks(NEIGHBOUR, 25, sender="b@elsewhere.test", to=self.user)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.bring("a@elsewhere.test", STRANGER, to=self.server.user).code, 250, "he is known to everybody here")
        for sender, source in (("a@elsewhere.test", ELSEWHERE), ("a@another.test", STRANGER), ("", ELSEWHERE)):
            self.assertEqual(self.bring(sender, source).code, 451, (sender, source))

        # Who never waits.
        kept = self.rows()
        self.assertEqual(self.bring("a@proved.test", STRANGER).code, 250, "SPF shows that he is the sender")
        self.assertEqual(self.bring("ai@khac.test", ELSEWHERE).code, 451)
        for to in ("ai@khac.test", self.server.user):
            done = self.swaks(ELSEWHERE, self.server.ports["submission"], "--tls", "--auth", "PLAIN", "--auth-user", self.user,
                              "--auth-password", congthu.PASSWORD, sender=self.user, to=to)
            self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.bring("ai@khac.test", ELSEWHERE).code, 250, "the mailbox has written to him")
        self.assertEqual(self.rows(), kept + 1, "of the one that waited")
        reply = self.bring("ai@khac.test", ELSEWHERE, to=self.server.user)
        self.assertEqual(reply.code, 451, "and by nobody else's does a stranger find out to whom the province writes")


if __name__ == "__main__":
    unittest.main()

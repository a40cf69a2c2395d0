"""Mail that would go round, or come back to who never sent it: two provinces that forward to each other, reports that cannot be delivered,
reports of reports, and senders that somebody else has named. In the end nothing waits, and each is told of what he wrote and of nothing else.
"""

import re
import time
import unittest

import case
import congthu
import internet
import sieve
import sinks
import wire

PATIENCE = 90  # seconds
STRANGER = internet.address_of(4)
HOPS_MAX = 100  # RFC 5321 6.3
ROUNDS_MAX = 3  # times that a message comes here and still goes on to the outside
AWAY = 'require "vacation"; vacation %s :subject "Vắng mặt" "Tôi nghỉ phép.";'
BOTH = ':addresses ["chuyen-vang@gui.test", "chuyen-vang@nhan.test"]'  # he is known by either


class Loops(case.Case):
    @classmethod
    def setUpClass(cls):
        names, cls.here, cls.there = internet.two_provinces(cls)
        for province in (cls.here, cls.there):
            province.must("policy", "set", province.domain, "sending.forward_outside=true", "--reason", "QĐ 1/QĐ-UBND")
        cls.sink = sinks.Sink(STRANGER)
        cls.addClassCleanup(cls.sink.close)
        # Strangers: one whose domain names his server, one whose domain does not say, and one whose mail nobody takes.
        for domain, spf, mx in (("ro.test", "-all", STRANGER), ("mo-ho.test", "~all", STRANGER), ("tu-choi.test", "-all", cls.there.host)):
            names.put(domain, "MX", f"10 mail.{domain}.")
            names.put(f"mail.{domain}", "A", mx)
            names.put(domain, "TXT", f"v=spf1 ip4:{STRANGER if spf == '-all' else internet.address_of(3)} {spf}")
        names.publish()
        for province in (cls.here, cls.there):
            # An answer has no sender whom SPF could show.
            province.must("dkim", "rotate", province.domain)
        cls.make_mailboxes()

    @classmethod
    def make_mailboxes(cls):
        """With where their mail goes on; a server reads that when it begins."""
        made = lambda province, *locals: [province.add_mailbox(f"{local}@{province.domain}") for local in locals]
        cls.copying, cls.passing, cls.failing, cls.plain = made(cls.here, "giu", "chuyen", "hong", "thuong")
        copying, passing = made(cls.there, "giu", "chuyen")
        for one, other, more in ((cls.copying, copying, ()), (cls.passing, passing, ("--no-copy",))):
            cls.here.must("forward", "set", one, other, *more)
            cls.there.must("forward", "set", other, one, *more)
        cls.here.must("forward", "set", cls.failing, "khong-co@nhan.test", "--no-copy")
        cls.group = "nhom@gui.test"
        cls.here.must("group", "add", cls.group, "--name", "Nhóm", "--senders", "everybody")
        cls.here.must("group", "add-member", cls.group, cls.failing, cls.plain)
        cls.away, cls.passing_away, cls.absent = made(cls.here, "vang", "chuyen-vang", "di-vang")
        cls.away_there, passing_away = made(cls.there, "vang", "chuyen-vang")
        cls.here.must("forward", "set", cls.passing_away, passing_away)
        cls.there.must("forward", "set", passing_away, cls.passing_away)
        for province in (cls.here, cls.there):
            for local, known_by in (("vang", ""), ("chuyen-vang", BOTH)):
                sieve.follow(province, f"{local}@{province.domain}", AWAY % known_by)
        sieve.follow(cls.here, cls.absent, AWAY % "")
        for province in (cls.here, cls.there):
            province.stop()
            province.start()

    def setUp(self):
        self.sink.messages.clear()

    # ------------------------------------------------------------ steps

    def bring(self, sender, recipient, header=b""):
        """What the stranger is told at the end of the message."""
        smtp = wire.Smtp(self.here.host, 25, source=STRANGER)
        self.addCleanup(smtp.close)
        smtp.hello("mail.ro.test")
        accepted, replies = smtp.envelope(sender, [recipient], " BODY=8BITMIME")
        self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
        (reply,) = smtp.data(header + self.message(sender=sender or "daemon@ro.test", to=recipient), 1)
        return reply

    def take(self, *arguments, **options):
        reply = self.bring(*arguments, **options)
        self.assertEqual(reply.code, 250, reply)
        self.settle()

    def settle(self):
        """Until nothing waits anywhere; mail is in one queue before it is out of the other."""
        end, quiet = time.monotonic() + PATIENCE, 0
        while quiet < 3:
            waits = [province.sql("select count(*) from queue_messages") for province in (self.here, self.there)]
            quiet = quiet + 1 if waits == ["0", "0"] else 0
            self.assertLess(time.monotonic(), end, f"{waits}\n{self.here.must('queue', 'list')}\n{self.there.must('queue', 'list')}")
            time.sleep(0.1)

    def copies(self, province, address):
        """What came of the strangers' mail, without what the system itself writes."""
        return [octets for octets in self.stored(address, server=province) if b"@other.test>" in octets.partition(b"\r\n\r\n")[0]]

    def reports(self):
        """To whom strangers' server got one."""
        for _, _, octets in self.sink.messages:
            self.assertIn(b"report-type=\"delivery-status\"", octets)
        return [recipient for _, recipient, _ in self.sink.messages]

    def sends_nothing(self, what):
        self.assertEqual(self.reports(), [], what)
        self.assertEqual(self.stored(self.here.user, server=self.here), [], what)

    # ------------------------------------------------------------ round and round

    def test_two_systems_that_forward_to_each_other(self):
        for address, copies in ((self.copying, (ROUNDS_MAX + 1, ROUNDS_MAX)), (self.passing, (1, 0))):
            self.take("ai@ro.test", address)
            there = address.replace("gui.test", "nhan.test")
            found = len(self.copies(self.here, address)), len(self.copies(self.there, there))
            self.assertEqual(found, copies, "it stays where it has come too often, in few copies")
            last = self.copies(self.here, address)[-1]
            self.assertEqual(len(re.findall(rb"(?m)^Received: ", last)), 2 * ROUNDS_MAX + 1)
            self.sends_nothing("nobody is told that it went round")

    def test_a_message_of_too_many_hops_is_refused(self):
        hop = b"Received: from a.test by b.test; Mon, 02 Jun 2025 08:00:00 +0700\r\n"
        self.assertEqual(self.bring("ai@ro.test", self.plain, header=hop * (HOPS_MAX - 1)).code, 250)
        reply = self.bring("ai@ro.test", self.plain, header=hop * (HOPS_MAX + 1))
        self.assertEqual((reply.code, reply.text[:5]), (554, "5.4.6"), reply)

    # ------------------------------------------------------------ answers that answer each other

    def answers(self, octets):
        """Those of the rules here and there, among messages."""
        return [one for one in map(sieve.read, octets) if one["Subject"] == "Vắng mặt"]

    def test_two_who_are_away_on_two_systems(self):
        smtp = self.here.smtp("submission")
        smtp.hello()
        smtp.start_tls()
        smtp.hello()
        smtp.expect(f"AUTH PLAIN {sieve.plain(self.away, congthu.PASSWORD)}", 235)
        for _ in range(2):
            smtp.envelope(self.away, [self.away_there], "")
            self.assertEqual(smtp.data(self.message(to=self.away_there, sender=self.away), 1)[0].code, 250)
            self.settle()
        smtp.quit()
        here, there = self.stored(self.away, server=self.here), self.stored(self.away_there, server=self.there)
        self.assertEqual((len(here), len(there)), (1, 2), "one answer, and the two messages")
        self.assertEqual(len(self.answers(here)), 1)
        self.sends_nothing("nobody else is written to")

    def test_who_is_away_where_mail_goes_round(self):
        self.take("lan@ro.test", self.passing_away)
        found = [len(self.copies(self.here, self.passing_away)), len(self.copies(self.there, self.passing_away.replace("gui", "nhan")))]
        self.assertEqual(found, [ROUNDS_MAX + 1, ROUNDS_MAX])
        answers = self.answers(octets for _, _, octets in self.sink.messages)
        self.assertEqual(len(answers), len(self.sink.messages), "answers and nothing else")
        self.assertIn(len(answers), (1, 2), "each system once at most, however often it came")

    def test_a_program_that_answers_all_that_it_gets(self):
        """It has heard nothing of RFC 3834: it writes from its own address, and does not say that it is automatic."""
        self.take("may@ro.test", self.absent)
        taken = 0
        while taken < len(self.sink.messages):
            self.assertLess(taken, 5, "it does not end")
            to = sieve.read(self.sink.messages[taken][2])["From"].addresses[0].addr_spec
            taken += 1
            self.take("may@ro.test", to)
        self.assertEqual((taken, len(self.answers(octets for _, _, octets in self.sink.messages))), (1, 1))

    # ------------------------------------------------------------ reports

    def test_who_is_shown_to_have_written_it_is_told_once(self):
        self.take("ai@ro.test", self.failing)
        self.assertEqual(self.reports(), ["ai@ro.test"])
        self.assertNotIn(b"nhan.test", self.sink.messages[0][2], "not where it was forwarded")

    def test_who_was_only_named_is_not(self):
        self.take("ai@mo-ho.test", self.failing)
        self.sends_nothing("his domain does not say that he wrote it")

    def test_a_report_of_a_report_is_not_written(self):
        # What nobody takes that has no sender; to somebody who forwards, and to a group of which one does.
        for address in (self.failing, self.group):
            self.take("", address)
            self.sends_nothing("it has no sender")
        # A report that its reader's own server refuses.
        self.take("ai@tu-choi.test", self.failing)
        self.sends_nothing("the report ends here")
        refused = self.here.sql("select count(*) from events where kind = 'bounced' and 'ai@tu-choi.test' = any (recipients)")
        self.assertEqual(refused, "1")

    def test_whom_nobody_here_is_known_as_is_refused_at_the_door(self):
        """Nothing is taken that could come back."""
        smtp = wire.Smtp(self.here.host, 25, source=STRANGER)
        self.addCleanup(smtp.close)
        smtp.hello("mail.ro.test")
        for sender in ("ai@ro.test", "ai@mo-ho.test", ""):
            accepted, replies = smtp.envelope(sender, ["khong-co@gui.test", "ai@ro.test"])
            self.assertEqual((accepted, [reply.code for reply in replies]), ([], [550, 550]))
            smtp.expect("RSET", 250)
        self.settle()
        self.sends_nothing("nothing was taken")


if __name__ == "__main__":
    unittest.main()

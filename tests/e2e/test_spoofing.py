"""Who may be written as whom: every place of a message that names a sender, by everybody who may try it, over SMTP.

At submission: the addresses that somebody has, may send as, may send on behalf of, may only read, and those of others, in the envelope and
in each field. From outside: what a stranger may put into From of a domain of ours, in every writing that a mail program may show. The table
of the cells, with the tests of them that are elsewhere, is in docs/operations/authentication.md.
"""

import base64
import unittest

import case
import congthu
import names
import wire

DOMAIN = "thu.test"
OUTSIDE = "ai@khac.test"
OK, NO, UNSIGNED = "ok", "not yours", "needs Sender"

# What somebody is to an address: (in the envelope, alone in From, in From with himself in Sender, in Sender, in Resent-From and Resent-Sender)
MATRIX = {
    "own": (OK, OK, OK, OK, OK),
    "tag": (OK, OK, OK, OK, OK),
    "alias": (OK, OK, OK, OK, OK),
    "send-as": (OK, OK, OK, OK, OK),
    "on-behalf": (OK, UNSIGNED, OK, NO, NO),
    "reader": (NO, NO, NO, NO, NO),
    "group": (NO, NO, NO, NO, NO),
    "colleague": (NO, NO, NO, NO, NO),
    "nobody": (NO, NO, NO, NO, NO),
    "outside": (NO, NO, NO, NO, NO),
    "below": (NO, NO, NO, NO, NO),
}

ME = b"an@thu.test"
BOSS = b"binh@thu.test"
# A header as it comes, and whether it goes; what a mail program shows of it is never another one's address alone.
HEADERS = {
    "folded in front of the address": (b"From: An\r\n <" + ME + b">\r\n", True),
    "several of one's own": (b"From: " + ME + b", an+x@thu.test\r\n", True),
    "group": (b"From: Phong: " + ME + b";\r\n", False),
    "group of nobody": (b"From: Phong:;\r\n", False),
    "group in Sender": (b"From: " + ME + b"\r\nSender: Phong: " + ME + b";\r\n", False),
    "two From": (b"From: " + ME + b"\r\nFrom: " + ME + b"\r\n", False),
    "another's From behind": (b"From: " + ME + b"\r\nFrom: " + BOSS + b"\r\n", False),
    "another's From in front": (b"From: " + BOSS + b"\r\nFrom: " + ME + b"\r\n", False),
    "another beside": (b"From: " + ME + b", " + BOSS + b"\r\n", False),
    "two Sender": (b"From: " + ME + b"\r\nSender: " + ME + b"\r\nSender: " + ME + b"\r\n", False),
    "folded in the address": (b"From: an@\r\n thu.test\r\n", False),
    "folded name, another's address": (b"From: An\r\n <" + BOSS + b">\r\n", False),
    "a line of white space in the field": (b"From: " + ME + b"\r\n \r\n <" + BOSS + b">\r\n", False),
    "another's behind the bracket": (b"From: <" + ME + b"> " + BOSS + b"\r\n", False),
    "another's in front of the bracket": (b"From: " + BOSS + b" <" + ME + b">\r\n", False),
    "route": (b"From: <@thu.test:" + ME + b">\r\n", False),
    "comment with an address": (b"From: " + ME + b" (" + BOSS + b")\r\n", False),
    "space before the colon": (b"From : " + ME + b"\r\n", False),
    "tab in the name": (b"From: " + ME + b"\r\nFr\tom: " + BOSS + b"\r\n", False),
    "NUL in the address": (b"From: " + ME + b"\0" + BOSS + b"\r\n", False),
    "none": (b"Subject: x\r\n", False),
    "empty": (b"From:\r\n", False),
    "behind an empty line": (b"\r\nFrom: " + ME + b"\r\n", False),
    "line of a mailbox file": (b"From " + BOSS + b" Mon Jun  2 08:00:00 2025\r\nFrom: " + ME + b"\r\n", False),
    "in other letters": (b"fRoM: " + BOSS + b"\r\n", False),
    "begins with a continuation": (b" <" + BOSS + b">\r\nFrom: " + ME + b"\r\n", False),
}
# Line ends that are none: one program sees a field there, another does not.
BARE = {
    "bare CR": b"Subject: x\rFrom: " + BOSS + b"\r\nFrom: " + ME + b"\r\n",
    "bare LF": b"Subject: x\nFrom: " + BOSS + b"\r\nFrom: " + ME + b"\r\n",
    "CR CR LF": b"Subject: x\r\r\nFrom: " + ME + b"\r\n",
    "bare LF ends the header": b"Subject: x\n\nFrom: " + BOSS + b"\r\nFrom: " + ME + b"\r\n",
}
# Of a command: nothing of it comes into a message or a report as a line of its own.
COMMANDS = [
    ("MAIL FROM:<an@thu.test> ENVID=x+0D+0ABcc:+20an@thu.test", 501),
    ("MAIL FROM:<an@thu.test> ENVID=x\x0bBcc", 501),
    ("MAIL FROM:<an\x01@thu.test>", 501),
    ('MAIL FROM:<"an\\\x0d"@thu.test>', 500),
]
RECIPIENTS = [
    "RCPT TO:<binh@thu.test> ORCPT=rfc822;x+0D+0ABcc:+20y@khac.test",
    "RCPT TO:<binh@thu.test\x01>",
    "RCPT TO:<binh@thu.test>\x0bNOTIFY=NEVER",
]


class Session(wire.Smtp):
    """Somebody who has logged in."""

    def __init__(self, server, user):
        super().__init__(server.host, server.ports["submissions"], tls=True)
        self.hello()
        self.expect("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{congthu.PASSWORD}".encode()).decode(), 235)


class Submission(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu()
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(DOMAIN)
        cls.me, cls.boss = cls.server.add_mailbox(ME.decode()), cls.server.add_mailbox(BOSS.decode())
        cls.server.must("alias", "add", f"tuong@{DOMAIN}", cls.me)
        for name, rights in (("vanthu", "send-as"), ("phong", "send-on-behalf"), ("kho", "read,write,manage")):
            cls.server.add_mailbox(f"{name}@{DOMAIN}", kind="organisation")
            cls.server.must("delegate", "grant", f"{name}@{DOMAIN}", cls.me, "--rights", rights, "--document", "15/UQ")
        cls.server.must("group", "add", f"nhom@{DOMAIN}", "--name", "Nhóm")
        cls.server.must("group", "add-member", f"nhom@{DOMAIN}", cls.me)
        cls.addresses = {
            "own": cls.me, "tag": f"an+viec@{DOMAIN}", "alias": f"tuong@{DOMAIN}", "send-as": f"vanthu@{DOMAIN}", "on-behalf": f"phong@{DOMAIN}",
            "reader": f"kho@{DOMAIN}", "group": f"nhom@{DOMAIN}", "colleague": cls.boss, "nobody": f"khong-co@{DOMAIN}", "outside": OUTSIDE,
            "below": f"an@so.{DOMAIN}"}

    def setUp(self):
        self.smtp = Session(self.server, self.me)
        self.addCleanup(lambda: self.smtp and self.smtp.close())

    def answer(self, header, sender=None):
        """What is said of a message with this header: of its sender, else at its end."""
        if self.smtp is None:
            self.smtp = Session(self.server, self.me)
        try:
            accepted, replies = self.smtp.envelope(self.me if sender is None else sender, [self.boss], "")
        except wire.Refused as refusal:
            return refusal.reply
        self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
        try:
            (reply,) = self.smtp.data(header + b"Message-ID: <1@thu.test>\r\n\r\nx\r\n", 1)
        finally:
            if not self.alive():
                self.smtp = None
        return reply

    def alive(self):
        try:
            return self.smtp.ask("RSET").code == 250
        except wire.Lost:
            return False

    @staticmethod
    def verdict(reply):
        if reply.code == 250:
            return OK
        if reply.code == 550 and reply.text.startswith("5.7.1 "):
            return UNSIGNED if "Sender" in reply.text else NO
        return str(reply)

    def test_the_matrix(self):
        self.assertEqual(self.addresses.keys(), MATRIX.keys())
        me, found, taken, before = self.me.encode(), {}, 0, len(self.stored(self.boss))
        for what, address in self.addresses.items():
            at = address.encode()
            cells = [self.answer(b"From: " + me + b"\r\n", sender=address)]
            cells += [self.answer(header) for header in (
                b"From: Ai do <" + at + b">\r\n", b"From: " + at + b"\r\nSender: " + me + b"\r\n", b"From: " + me + b"\r\nSender: " + at + b"\r\n",
                b"From: " + me + b"\r\nResent-From: " + at + b"\r\n", b"From: " + me + b"\r\nResent-Sender: " + at + b"\r\n")]
            envelope, alone, signed, sender, *resent = map(self.verdict, cells)
            self.assertEqual(resent[0], resent[1], what)
            found[what] = (envelope, alone, signed, sender, resent[0])
            taken += sum(cell.code == 250 for cell in cells)
            # Where an answer is to go is no claim of who wrote, and may be anywhere.
            self.assertEqual(self.answer(b"From: " + me + b"\r\nReply-To: " + at + b"\r\n").code, 250)
            taken += 1
        self.assertEqual(found, MATRIX)
        # By the null sender, too, which is for receipts, it says who wrote it.
        self.assertEqual(self.verdict(self.answer(b"From: " + me + b"\r\n", sender="")), OK)
        self.assertEqual(self.verdict(self.answer(b"From: " + self.boss.encode() + b"\r\n", sender="")), NO)
        self.assertEqual(len(self.stored(self.boss)) - before, taken + 1)

    def test_a_header_has_one_reading_or_none(self):
        before, gone = len(self.stored(self.boss)), 0
        for name, (header, goes) in HEADERS.items():
            with self.subTest(name):
                reply = self.answer(header)
                gone += reply.code == 250
                self.assertEqual(reply.code == 250, goes, reply)
                self.assertTrue(goes or reply.code == 550, reply)
        for name, header in BARE.items():
            with self.subTest(name):
                self.assertIn(self.answer(header).code, (550, 554, 500, 521))
        self.assertEqual(len(self.stored(self.boss)) - before, gone)

    def test_commands_bring_no_line_into_a_message(self):
        for command, code in COMMANDS:
            with self.subTest(command):
                try:
                    self.assertEqual(self.smtp.ask(command).code // 100, code // 100)
                except wire.Lost:
                    pass
                self.smtp.close()
                self.smtp = Session(self.server, self.me)
        for command in RECIPIENTS:
            with self.subTest(command):
                self.smtp.expect(f"MAIL FROM:<{self.me}>", 250)
                self.assertEqual(self.smtp.ask(command).code // 100, 5)
                self.smtp.expect("RSET", 250)


class Stranger(case.Case):
    """What comes to port 25 in the name of a domain of ours."""

    @classmethod
    def setUpClass(cls):
        cls.names = names.Names({
            ("khac.test", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"], ("demo.test", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"], ("trong.test", "TXT"): []})
        cls.addClassCleanup(cls.names.close)
        cls.server = congthu.Congthu(checked=True, extra=f'[dns]\nservers = ["127.0.0.1:{cls.names.port}"]\n')
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        for domain in ("demo.test", "trong.test"):
            cls.server.add_domain(domain)
        cls.reader, cls.other = cls.server.add_mailbox("doc@demo.test"), cls.server.add_mailbox("an@trong.test")
        cls.server.must("alias", "add", "bi-danh@demo.test", cls.reader)
        cls.server.must("group", "add", "nhom@demo.test", "--name", "Nhóm")

    def bring(self, header, sender=OUTSIDE):
        smtp = self.server.smtp()
        self.addCleanup(smtp.close)
        smtp.hello()
        accepted, replies = smtp.envelope(sender, [self.reader], "")
        self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
        (reply,) = smtp.data(header + b"\r\nx\r\n", 1)
        return reply

    def place(self, header, sender=OUTSIDE):
        """"refused", or the folder in which it lies."""
        before = {folder: len(self.stored(self.reader, folder)) for folder in ("INBOX", "Junk")}
        reply = self.bring(header, sender)
        if reply.code != 250:
            self.assertEqual((reply.code, reply.text[:6]), (550, "5.7.26"), reply)
            return "refused"
        (grown,) = [folder for folder, count in before.items() if len(self.stored(self.reader, folder)) > count]
        return grown

    def test_nobody_outside_writes_as_one_of_us(self):
        """Whoever it is of ours, whatever the envelope says, however it is written."""
        for address in ("doc@demo.test", "an@trong.test", "bi-danh@demo.test", "nhom@demo.test", "khong-co@demo.test", "doc+x@demo.test", "postmaster@demo.test"):
            for sender in (OUTSIDE, address, ""):
                with self.subTest(address=address, sender=sender):
                    self.assertEqual(self.place(b"From: <" + address.encode() + b">\r\n", sender), "refused")
        for header in (
            b"From: doc@DEMO.Test\r\n", b"From: doc@demo.test.\r\n", b"From: \"ai@khac.test\" <doc@demo.test>\r\n", b"From: \"doc\"@demo.test\r\n",
            b"From: ai@khac.test, doc@demo.test\r\n", b"From: doc@demo.test, ai@khac.test\r\n", b"From: ai@khac.test\r\nFrom: doc@demo.test\r\n",
            b"From: doc@demo.test\r\nFrom: ai@khac.test\r\n", b"From: Phong: doc@demo.test;\r\n", b"From: Phong: ai@khac.test, doc@demo.test;\r\n",
            b"From:\r\n doc@demo.test\r\n", b"From: An\r\n\t<doc@demo.test>\r\n", b"From : doc@demo.test\r\n", b"FROM: doc@demo.test\r\n",
            b"From: <@khac.test:doc@demo.test>\r\n", b"From: doc@demo.test (An)\r\n", b"From: (An) doc@demo.test\r\n", b"From: =?utf-8?q?An?= <doc@demo.test>\r\n",
            b"From: <doc@demo.test>\r\nSender: <ai@khac.test>\r\n", b"X: y\r\nnonsense\r\nFrom: doc@demo.test\r\n",
            b"From: ai@khac.test\r\nnonsense\r\nFrom: doc@demo.test\r\n",
        ):
            with self.subTest(header):
                self.assertEqual(self.place(header), "refused")

    def test_what_names_no_author_is_not_shown_among_mail(self):
        for header in (
            b"Sender: doc@demo.test\r\n", b"Reply-To: doc@demo.test\r\n", b"From:\r\nSender: doc@demo.test\r\n", b"From: doc\r\n", b"From: Giam doc\r\n",
            b"From: =?utf-8?q?doc=40demo=2Etest?=\r\n", b"From: <>\r\n", b"From: Phong:;\r\n", b"From: ai@khac.test\r\nFrom: ba@khac.test\r\n",
        ):
            with self.subTest(header):
                self.assertEqual(self.place(header), "Junk")

    def test_other_places_are_no_claim_of_who_wrote(self):
        """Replies may go anywhere, and lists and calendars put themselves into Sender; the author is another one, and shown."""
        for field in (b"Sender", b"Reply-To", b"Resent-From", b"Resent-Sender", b"Return-Path", b"X-Sender"):
            with self.subTest(field):
                self.assertEqual(self.place(b"From: ai@khac.test\r\n" + field + b": doc@demo.test\r\n"), "INBOX")

    def test_a_name_is_no_address_of_ours(self):
        """Programs show the name; by policy it goes into Junk, where it says why."""
        for name in (b'"doc@demo.test"', b"Giam doc doc@demo.test", b'"Giam doc <an@trong.test>"', b"=?utf-8?q?doc=40demo=2Etest?=", b'"ai@khac.test, doc@DEMO.test"'):
            with self.subTest(name):
                self.assertEqual(self.place(b"From: " + name + b" <ai@khac.test>\r\n"), "Junk")
                self.assertIn(b"x-own-name=fail header.from=", self.stored(self.reader, "Junk")[-1])
        self.assertEqual(self.place(b"From: ai@khac.test (doc@demo.test)\r\n"), "Junk")
        for name in (b'"ai@khac.test"', b"Giam doc", b'"doc@so.demo.test"'):
            with self.subTest(name):
                self.assertEqual(self.place(b"From: " + name + b" <ai@khac.test>\r\n"), "INBOX")

    def test_an_envelope_of_ours_from_outside(self):
        """A domain that has said by SPF where its mail comes from; of one that has not, nobody can know, and nobody here is ever told of it."""
        self.assertEqual(self.place(b"From: ai@khac.test\r\n", "doc@demo.test"), "Junk")
        self.assertEqual(self.place(b"From: ai@khac.test\r\n", "an@trong.test"), "INBOX")
        self.assertEqual(self.stored(self.other), [])

    def test_bare_line_ends_bring_no_author(self):
        for header in (b"X: y\rFrom: doc@demo.test\r\nFrom: ai@khac.test\r\n", b"X: y\nFrom: doc@demo.test\r\nFrom: ai@khac.test\r\n"):
            self.assertIn(self.bring(header).code, (550, 554, 500, 521))


if __name__ == "__main__":
    unittest.main()

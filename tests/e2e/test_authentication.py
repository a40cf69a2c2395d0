"""Whose mail it is: what strangers bring, with keys and policies that a name server of the test publishes."""

import base64
import json
import subprocess
import sys
import time
import unittest

import case
import congthu
sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts it, whichever python3 comes first
import dkim
import names

HOST = "127.0.0.1"


def message(author, subject="thư", body="Kính gửi,\r\nxin chào.\r\n"):
    return (f"From: <{author}>\r\nTo: <an@demo.test>\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 08:00:00 +0700\r\n"
            f"Message-ID: <{subject}@x>\r\n\r\n{body}").encode()


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


class Authentication(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.key = openssl("genrsa", "-traditional", "2048")
        public = base64.b64encode(openssl("rsa", "-pubout", "-outform", "DER", stdin=cls.key)).decode()
        cls.names = names.Names({
            ("owner.test", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
            ("_dmarc.owner.test", "TXT"): ["v=DMARC1; p=reject"],
            ("s._domainkey.owner.test", "TXT"): [f"v=DKIM1; k=rsa; p={public}"],
            ("here.test", "TXT"): [f"v=spf1 ip4:{HOST} -all"],
            ("_dmarc.here.test", "TXT"): ["v=DMARC1; p=reject"],
            ("spf.test", "TXT"): ["v=spf1 -all"],
            ("_dmarc.test", "TXT"): [],
        })
        cls.addClassCleanup(cls.names.close)
        cls.server = congthu.Congthu(checked=True, extra=f'[dns]\nservers = ["127.0.0.1:{cls.names.port}"]\n')
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain("demo.test")
        addresses = [f"can-bo-{number}@demo.test" for number in range(20)]
        cls.server.add_mailboxes(addresses)
        cls.server.pool = iter(addresses)

    def setUp(self):
        self.user = self.mailbox()

    def bring(self, sender, octets):
        """The reply after the end of data."""
        smtp = self.server.smtp()
        self.addCleanup(smtp.close)
        smtp.hello()
        accepted, replies = smtp.envelope(sender, [self.user])
        self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
        (final,) = smtp.data(octets, 1)
        return final

    def signed(self, octets):
        return dkim.sign(octets, b"s", b"owner.test", self.key, include_headers=[b"From", b"To", b"Subject"]) + octets

    def test_what_dkimpy_signs_is_the_domains_own(self):
        reply = self.bring("a@elsewhere.test", self.signed(message("a@owner.test")))
        self.assertEqual(reply.code, 250, reply)
        (stored,) = self.stored(self.user)
        self.assertIn(b"\tdkim=pass header.d=owner.test header.s=s;\r\n\tdmarc=pass (p=reject) header.from=owner.test\r\n", stored)
        shown = self.server.must("trace", "--to", self.user)
        self.assertIn("shown by spf=none (elsewhere.test) dkim=pass (owner.test) dmarc=pass (owner.test, p=reject)", shown)

    def test_what_a_domain_disowns_is_refused(self):
        changed = self.signed(message("a@owner.test")).replace("xin chào".encode(), b"xin tien")
        for octets in (message("a@owner.test"), changed):
            reply = self.bring("a@owner.test", octets)
            self.assertEqual((reply.code, reply.text[:6]), (550, "5.7.26"), reply)
        self.assertEqual(self.stored(self.user), [])
        self.assertIn("refused", self.server.must("trace", "--from", "a@owner.test"))

    def test_spf_of_this_host_passes_and_another_domains_fails_into_junk(self):
        self.assertEqual(self.bring("a@here.test", message("a@here.test")).code, 250)
        self.assertIn(b"spf=pass smtp.mailfrom=here.test", self.stored(self.user)[0])
        self.assertEqual(self.bring("a@spf.test", message("a@spf.test")).code, 250)
        self.assertEqual(len(self.stored(self.user)), 1)
        (junk,) = self.stored(self.user, "Junk")
        self.assertIn(b"spf=fail smtp.mailfrom=spf.test", junk)

    def test_nobody_outside_is_one_of_us(self):
        reply = self.bring("a@here.test", message("giam-doc@demo.test"))
        self.assertEqual((reply.code, reply.text[:6]), (550, "5.7.26"), reply)

    def test_forged_results_are_removed(self):
        forged = b"Authentication-Results: mail.demo.test; dmarc=pass header.from=bank.test\r\n"
        self.assertEqual(self.bring("a@here.test", forged + message("a@here.test")).code, 250)
        (stored,) = self.stored(self.user)
        self.assertNotIn(b"bank.test", stored)

    def test_name_servers_that_do_not_answer_put_mail_off(self):
        self.names.broken.add("_dmarc.broken.test")
        self.addCleanup(self.names.broken.discard, "_dmarc.broken.test")
        reply = self.bring("a@broken.test", message("a@broken.test"))
        self.assertEqual((reply.code, reply.text[:6]), (451, "4.7.26"), reply)
        self.assertEqual(self.stored(self.user), [])


class Signatures(case.Case):
    """What leaves, as another server gets it and other programs verify it."""

    @classmethod
    def setUpClass(cls):
        cls.names = names.Names({
            ("gui.test", "MX"): ["10 mail.gui.test"],
            # Of whom nobody shows, a copy would stay.
            ("stranger.test", "TXT"): [f"v=spf1 ip4:{HOST} -all"],
        })
        cls.addClassCleanup(cls.names.close)
        cls.there = congthu.Congthu(hostname="mail.nhan.test")
        cls.addClassCleanup(cls.there.close)
        cls.there.start()
        cls.there.add_domain("nhan.test")
        cls.reader = cls.there.add_mailbox("ai@nhan.test")
        relay = f'[outbound]\nsmart_host = "127.0.0.1:{cls.there.ports["smtp"]}"\n'
        cls.server = congthu.Congthu(
            hostname="mail.gui.test", checked=True, extra=f'[dns]\nservers = ["127.0.0.1:{cls.names.port}"]\n' + relay)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain("gui.test")
        cls.user = cls.server.add_mailbox("an@gui.test")

    def came(self, count):
        """The messages that are there, once there are so many."""
        end = time.monotonic() + 30
        while len(found := self.stored(self.reader, server=self.there)) < count and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(len(found), count)
        return found

    def test_what_we_sign_dkimpy_verifies_and_what_goes_on_is_sealed(self):
        made = json.loads(self.server.must("dkim", "add", "gui.test", "--json"))
        self.assertEqual({key["algorithm"] for key in made}, {"rsa-sha256", "ed25519-sha256"})
        self.assertNotEqual(self.server.run("dkim", "rotate", "gui.test").returncode, 0, "nobody finds the keys")
        printed = self.server.must("dkim", "dns", "gui.test").splitlines()
        for key in made:
            self.assertTrue(any(line.startswith(f"{key['name']}. TXT ( ") for line in printed), printed)
        self.assertIn('_dmarc.gui.test. TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@gui.test"', printed)
        self.assertIn('_smtp._tls.gui.test. TXT "v=TLSRPTv1; rua=mailto:postmaster@gui.test"', printed)
        for key in made:
            self.names.records[(key["name"], "TXT")] = [key["record"]]
        self.server.must("dkim", "rotate", "gui.test")
        checked = self.server.run("check").stdout
        self.assertIn("is published", checked)
        # Its mail leaves by another server: whose addresses an SPF record is to name, is not ours to say.
        self.assertRegex(checked, r"(?m)^warning +dns +gui.test has no SPF record; publish the one that lets 127.0.0.1 send, the smart_host")
        self.assertNotIn("ip4:", checked)
        self.assertRegex(checked, r"(?m)^ok +outbound +127.0.0.1:[0-9]+ \(smart_host\) answers")
        body = "Kính gửi,\r\n\r\nhàng  hai dấu cách \r\n\r\n\r\n"
        done = self.execute(
            self.tool("swaks"), "--server", f"127.0.0.1:{self.server.ports['submission']}", "--tls", "--auth", "PLAIN",
            "--auth-user", self.user, "--auth-password", congthu.PASSWORD, "--from", self.user, "--to", self.reader,
            "--header", "Subject: Công  văn", "--body", body)
        self.assertEqual(done.returncode, 0, done.stdout)
        (stored,) = self.came(1)
        self.assertEqual(stored.count(b"DKIM-Signature:"), 2)
        verifier = dkim.DKIM(stored)
        for index in range(2):
            self.assertTrue(verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: self.names.txt(name)), index)
        changed = dkim.DKIM(stored.replace(b"Subject:", b"Subject: x", 1))
        self.assertFalse(changed.verify(dnsfunc=lambda name, timeout=5: self.names.txt(name)))
        self.a_strangers_mail_goes_on_under_a_seal()

    def a_strangers_mail_goes_on_under_a_seal(self):
        self.server.must("policy", "set", "gui.test", "sending.forward_outside=true", "--reason", "QĐ 1/QĐ-UBND")
        self.server.must("forward", "set", self.user, self.reader, "--no-copy")
        smtp = self.server.smtp()
        self.addCleanup(smtp.close)
        smtp.hello()
        stayed, end = -1, time.monotonic() + 30
        # The server looks for what a command has changed every few seconds; until then mail stays.
        while (lies := len(self.stored(self.user, server=self.server))) > stayed and time.monotonic() < end:
            stayed = lies
            time.sleep(0.5)
            smtp.envelope("a@stranger.test", [self.user])
            (reply,) = smtp.data(message("a@stranger.test"), 1)
            self.assertEqual(reply.code, 250, reply)
        stored = self.came(2)[1]
        self.assertNotIn(b"DKIM-Signature:", stored)
        self.assertIn(b"ARC-Authentication-Results: i=1; mail.gui.test;", stored)
        verified, sets, why = dkim.arc_verify(stored, dnsfunc=lambda name, timeout=5: self.names.txt(name))
        self.assertEqual((verified, len(sets)), (dkim.CV_Pass, 1), why)
        self.assertEqual(sets[0]["as-domain"], b"gui.test")
        for ours, theirs in ((b"xin ch", b"xin tr"), (b"i=1; mail.gui.test", b"i=1; mail.gui.tesu")):
            changed = stored.replace(ours, theirs, 1)
            verified = dkim.arc_verify(changed, dnsfunc=lambda name, timeout=5: self.names.txt(name))
            self.assertEqual(verified[0], dkim.CV_Fail, theirs)


if __name__ == "__main__":
    unittest.main()

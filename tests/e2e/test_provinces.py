"""Two provinces and a domain that Postfix, opendkim and opendmarc serve: mail in every direction by MX, over verified TLS, and shown
to be its sender's by the tools of the other side."""

import re
import subprocess
import sys
import time
import unittest

import case
import congthu
import internet

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts them, whichever python3 comes first
import dkim
import dns.resolver

PATIENCE = 60  # seconds until what was sent must have come
STRANGER = internet.address_of(4)  # nobody's


class Provinces(case.Case):
    @classmethod
    def setUpClass(cls):
        network = internet.Network()
        cls.addClassCleanup(network.close)
        authority, names = internet.Authority(), internet.Names()
        cls.addClassCleanup(authority.close)
        cls.addClassCleanup(names.close)
        # In sai.test's name its host cannot prove anything: the certificate is another domain's.
        domains = ["gui.test", "nhan.test", "khac.test", "sai.test"]
        cls.here = internet.Province(1, "gui.test", authority, domains)
        cls.addClassCleanup(cls.here.close)
        cls.there = internet.Province(2, "nhan.test", authority, domains)
        cls.addClassCleanup(cls.there.close)
        cls.others = internet.Others(3, "khac.test", authority, names)
        cls.addClassCleanup(cls.others.close)
        internet.publish_domain(names, cls.others.domain, cls.others.host)
        names.put("sai.test", "MX", "10 mail.khac.test.")
        for province in (cls.here, cls.there):
            province.prepare()
            province.publish(names)
        names.publish()
        for province in (cls.here, cls.there):
            province.must("dkim", "rotate", province.domain)
        cls.others.start()
        cls.theirs = "bao@khac.test"

    # ------------------------------------------------------------ sending

    def swaks(self, server, port, *arguments, subject, sender, to):
        return self.execute(
            self.tool("swaks"), "--server", f"{server}:{port}", "--from", sender, "--to", to, "--header", f"Subject: {subject}", "--body",
            "Kính gửi,\r\n\r\nhàng  hai dấu cách \r\n.chấm\r\n", *arguments)

    def submit(self, province, to, subject):
        done = self.swaks(province.host, province.ports["submission"], "--tls", "--auth", "PLAIN", "--auth-user", province.user, "--auth-password",
                          congthu.PASSWORD, subject=subject, sender=province.user, to=to)
        self.assertEqual(done.returncode, 0, done.stdout)

    def post(self, to, subject):
        """A user of the others."""
        done = self.swaks(self.others.host, 25, "--local-interface", self.others.host, subject=subject, sender=self.theirs, to=to)
        self.assertEqual(done.returncode, 0, done.stdout)

    def came(self, stored, subject):
        """The message of that subject."""
        end = time.monotonic() + PATIENCE
        while True:
            found = [one for one in stored() if re.search(rb"(?m)^Subject: %s\r?$" % subject.encode(), one)]
            if found or time.monotonic() > end:
                self.assertEqual(len(found), 1, self.here.must("queue", "destinations") + self.there.must("queue", "destinations") + self.others.log()[-4000:])
                return found[0]
            time.sleep(0.1)

    def in_province(self, province, subject):
        return self.came(lambda: self.stored(province.user, server=province), subject)

    # ------------------------------------------------------------ what was found out

    def assert_shown_by_ours(self, message, domain):
        head = message.partition(b"\r\n\r\n")[0].decode()
        for word in (f"spf=pass smtp.mailfrom={domain}", f"dkim=pass header.d={domain}", f"dmarc=pass (p=reject) header.from={domain}"):
            self.assertIn(word, head)
        self.assertRegex(head, r"(?s)Received: from .*?with ESMTPS ")

    def assert_shown_by_theirs(self, message, domain):
        head = message.partition(b"\n\n")[0].decode()
        results = " ".join(re.findall(r"(?ms)^Authentication-Results: mail\.khac\.test;.*?(?=^\S|\Z)", head))
        self.assertRegex(results, rf"dkim=pass .*header\.d={re.escape(domain)}")
        self.assertRegex(results, rf"spf=pass .*smtp\.mailfrom=\S*{re.escape(domain)}")
        self.assertRegex(results, rf"dmarc=pass .*header\.from={re.escape(domain)}")

    def assert_verified_by_dkimpy(self, message, count):
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [internet.NAME_SERVER]

        def text(name, timeout=5):
            (answer,) = resolver.resolve(name.decode() if isinstance(name, bytes) else name, "TXT")
            return b"".join(answer.strings)

        verifier = dkim.DKIM(message)
        self.assertEqual(message.count(b"DKIM-Signature:"), count)
        for index in range(count):
            self.assertTrue(verifier.verify(idx=index, dnsfunc=text), index)

    def assert_verified_by_opendkim(self, message):
        """Its library asks the machine's name servers, which are ours for whoever is started so."""
        def verified(octets):
            done = subprocess.run([*self.others.before, self.tool("opendkim-testmsg")], input=octets, capture_output=True, timeout=60)
            return done.returncode == 0, done.stderr

        self.assertTrue(*verified(message))
        self.assertFalse(*verified(message.replace(b"hai d", b"mot d", 1)))

    # ------------------------------------------------------------ journeys

    def test_province_to_province_and_back(self):
        for sender, receiver in ((self.here, self.there), (self.there, self.here)):
            subject = f"tinh-{sender.domain}"
            self.submit(sender, receiver.user, subject)
            message = self.in_province(receiver, subject)
            self.assert_shown_by_ours(message, sender.domain)
            self.assert_verified_by_dkimpy(message, 2)
            self.assert_verified_by_opendkim(message)

    def test_provinces_to_others(self):
        for sender in (self.here, self.there):
            subject = f"ngoai-{sender.domain}"
            self.submit(sender, self.theirs, subject)
            message = self.came(self.others.stored, subject)
            self.assert_shown_by_theirs(message, sender.domain)
            self.assert_verified_by_dkimpy(message.replace(b"\n", b"\r\n"), 2)
            self.assert_verified_by_opendkim(message.replace(b"\n", b"\r\n"))
            self.assertRegex(self.others.log(), rf"TLS connection established from {re.escape(sender.hostname)}\[{re.escape(sender.host)}\]: TLSv1\.3")

    def test_others_to_provinces(self):
        for receiver in (self.here, self.there):
            subject = f"den-{receiver.domain}"
            self.post(receiver.user, subject)
            message = self.in_province(receiver, subject)
            self.assert_shown_by_ours(message, self.others.domain)
            self.assert_verified_by_dkimpy(message, 1)
            self.assertRegex(self.others.log(), rf"Verified TLS connection established to {re.escape(receiver.hostname)}\[{re.escape(receiver.host)}\]:25: TLSv1\.3")

    def test_nobody_speaks_for_another(self):
        for server, sender, to in ((self.others.host, "giam-doc@gui.test", self.theirs), (self.here.host, self.theirs, self.here.user),
                                   (self.there.host, "giam-doc@gui.test", self.there.user)):
            done = self.swaks(server, 25, "--local-interface", STRANGER, subject="gia-mao", sender=sender, to=to)
            self.assertRegex(done.stdout, r"(?m)^<\*\* 550 5\.7\.", f"{sender} to {to}")
        for stored in (self.others.stored(), self.stored(self.here.user, server=self.here), self.stored(self.there.user, server=self.there)):
            self.assertFalse([one for one in stored if b"Subject: gia-mao" in one])

    def test_what_cannot_prove_its_name_gets_nothing(self):
        self.submit(self.here, "ai@sai.test", "sai")
        end = time.monotonic() + PATIENCE
        while not (waiting := [row for row in self.here.json("queue", "destinations") if row["failures"]]) and time.monotonic() < end:
            time.sleep(0.1)
        (row,) = waiting
        self.assertEqual(row["name"], "sai.test")
        self.assertIn("4.7.5", row["answer"])
        self.assertFalse([one for one in self.others.stored() if b"Subject: sai" in one])

    def test_a_refusal_there_is_told_here(self):
        self.post("khong-co@gui.test", "tra-lai")
        message = self.came(self.others.stored, "Undelivered Mail Returned to Sender")
        self.assertRegex(message, rb"(?m)^Status: 5\.1\.1$")


if __name__ == "__main__":
    unittest.main()

"""A province that sends to domains with an MTA-STS policy whose servers do not keep it: the mail waits, and a day later each domain is
told what was seen, by mail and over HTTPS, although its TLS is as it was."""

import email
import email.policy
import gzip
import json
import sys
import time
import unittest

import case
import congthu
import internet
import sinks

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts them, whichever python3 comes first
import dkim
import dns.resolver

WRONG, STRIPPED, GOOD = "sai.test", "tuoc.test", "dung.test"
PATIENCE = 90  # seconds: what is counted is written every half minute
POLICY = "version: STSv1\nmode: enforce\nmx: mail.{}\nmax_age: 86400\n"


class TlsReports(case.Case):
    @classmethod
    def setUpClass(cls):
        network = internet.Network()
        cls.addClassCleanup(network.close)
        authority, names = internet.Authority(), internet.Names()
        cls.addClassCleanup(authority.close)
        cls.addClassCleanup(names.close)
        cls.here = internet.Province(1, "gui.test", authority, [])
        cls.addClassCleanup(cls.here.close)
        cls.here.prepare()
        cls.here.publish(names)
        # Somebody shows another's certificate; somebody on the way takes the offer of TLS away.
        cls.wrong = cls.sink(2, authority.sign("mail.khac.test"))
        cls.stripped = cls.sink(3)
        cls.good = cls.sink(4, authority.sign(f"mail.{GOOD}"))
        hosts = [f"mta-sts.{domain}" for domain in (WRONG, STRIPPED)] + [f"bao.{STRIPPED}"]
        documents = {(f"mta-sts.{domain}", "/.well-known/mta-sts.txt"): POLICY.format(domain) for domain in (WRONG, STRIPPED)}
        cls.web = sinks.Web(internet.address_of(4), authority.sign(*hosts), documents)
        cls.addClassCleanup(cls.web.close)
        for number, domain in ((2, WRONG), (3, STRIPPED), (4, GOOD)):
            names.put(domain, "MX", f"10 mail.{domain}.")
            names.put(f"mail.{domain}", "A", internet.address_of(number))
        for domain in (WRONG, STRIPPED):
            names.put(f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1;")
        for host in hosts:
            names.put(host, "A", internet.address_of(4))
        names.put(f"_smtp._tls.{WRONG}", "TXT", f"v=TLSRPTv1; rua=mailto:tls@{WRONG}")
        names.put(f"_smtp._tls.{STRIPPED}", "TXT", f"v=TLSRPTv1; rua=mailto:tls@{STRIPPED},https://bao.{STRIPPED}/v1/tls")
        names.publish()
        cls.here.must("dkim", "rotate", cls.here.domain)

    @classmethod
    def sink(cls, number, certified=None):
        sink = sinks.Sink(internet.address_of(number), certified)
        cls.addClassCleanup(sink.close)
        return sink

    # ------------------------------------------------------------ steps

    def submit(self, to):
        done = self.execute(
            self.tool("swaks"), "--server", f"{self.here.host}:{self.here.ports['submission']}", "--tls", "--auth", "PLAIN", "--auth-user",
            self.here.user, "--auth-password", congthu.PASSWORD, "--from", self.here.user, "--to", to)
        self.assertEqual(done.returncode, 0, done.stdout)

    def until(self, what, is_there):
        end = time.monotonic() + PATIENCE
        while not is_there():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.here.must('queue', 'destinations')}\n{self.here.log_tail()}")
            time.sleep(0.2)

    def waiting(self, domain):
        """The number of the one message for it."""
        (row,) = json.loads(self.here.must("queue", "list", "--domain", domain, "--json"))
        return row["queue_id"]

    def sessions(self, domain):
        """Those that are written already: {result: sessions}, `ok` for those that were as they should be."""
        rows = self.here.sql(f"select coalesce(result, 'ok'), sessions from tls_counts where domain = '{domain}'")
        return {result: int(number) for result, number in (line.split("|") for line in rows.splitlines())}

    def yesterday(self):
        """What was counted was so the day before yesterday."""
        self.here.sql("insert into tls_days (day, domain, rows) select day - 2, domain, rows from tls_days;"
                      "update tls_counts set day = day - 2; delete from tls_days where day > current_date - 2")

    # ------------------------------------------------------------ what a report says

    def assert_signed(self, message):
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [internet.NAME_SERVER]

        def text(name, timeout=5):
            (answer,) = resolver.resolve(name.decode() if isinstance(name, bytes) else name, "TXT")
            return b"".join(answer.strings)

        # One by the RSA key and one by the Ed25519 key; whoever knows only one of these kinds believes that one.
        signatures = [value for name, value in dkim.rfc822_parse(message)[0] if name.lower() == b"dkim-signature"]
        self.assertEqual(sorted(value.partition(b"a=")[2].partition(b";")[0] for value in signatures), [b"ed25519-sha256", b"rsa-sha256"])
        for nth, value in enumerate(signatures):
            self.assertTrue(dkim.DKIM(message).verify(idx=nth, dnsfunc=text), value)
            self.assertIn(b"TLS-Report-Submitter", value)

    def in_mail(self, octets, domain):
        self.assert_signed(octets)
        message = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual((message.get_content_type(), message.get_param("report-type")), ("multipart/report", "tlsrpt"))
        self.assertEqual((message["TLS-Report-Domain"], message["TLS-Report-Submitter"]), (domain, "gui.test"))
        self.assertTrue(message["Subject"].startswith(f"Report Domain: {domain} Submitter: gui.test Report-ID: <"))
        _, part = message.iter_parts()
        self.assertEqual(part.get_content_type(), "application/tlsrpt+gzip")
        self.assertRegex(part.get_filename(), rf"^gui\.test!{domain}!\d+!\d+\.json\.gz$")
        return json.loads(gzip.decompress(part.get_content()))

    def assert_told(self, report, domain, number, result, count):
        self.assertEqual((report["organization-name"], report["contact-info"]), ("gui.test", "tlsrpt-noreply@gui.test"))
        (results,) = report["policies"]
        self.assertEqual(results["policy"], {
            "policy-type": "sts", "policy-domain": domain, "mx-host": [f"mail.{domain}"],
            "policy-string": ["version: STSv1", "mode: enforce", f"mx: mail.{domain}", "max_age: 86400"]})
        self.assertEqual(results["summary"], {"total-successful-session-count": 0, "total-failure-session-count": count})
        self.assertEqual(results["failure-details"], [{
            "result-type": result, "sending-mta-ip": self.here.host, "receiving-mx-hostname": f"mail.{domain}",
            "receiving-ip": internet.address_of(number), "failed-session-count": count}])

    def test_domains_are_told_how_their_policy_was_not_kept(self):
        for domain in (WRONG, STRIPPED, GOOD):
            self.submit(f"an@{domain}")
        self.until("it comes", lambda: self.good.messages)
        self.until("it is tried", lambda: "4.7.5" in (seen := self.here.must("queue", "destinations")) and "4.7.10" in seen)
        # Once more to one of them, and no more to the other.
        self.here.must("queue", "hold", self.waiting(STRIPPED))
        self.here.must("queue", "retry", self.waiting(WRONG))
        self.until("it is written", lambda: self.sessions(WRONG) == {"certificate-host-mismatch": 2}
                   and self.sessions(STRIPPED) == {"starttls-not-supported": 1} and self.sessions(GOOD) == {"ok": 1})
        self.assertEqual((self.wrong.messages, self.stripped.messages), ([], []), "a policy is kept")
        self.yesterday()
        self.assertEqual(self.here.must("job", "run", "tls-reports").strip(), "2 sent, 1 wanted by nobody, 0 later, 0 days forgotten")
        self.until("reports come", lambda: self.wrong.messages and self.stripped.messages)
        (is_tls, recipient, octets), = self.wrong.messages
        self.assertEqual((is_tls, recipient), (True, f"tls@{WRONG}"))
        self.assert_told(self.in_mail(octets, WRONG), WRONG, 2, "certificate-host-mismatch", 2)
        (is_tls, recipient, octets), = self.stripped.messages
        self.assertEqual((is_tls, recipient), (False, f"tls@{STRIPPED}"))
        report = self.in_mail(octets, STRIPPED)
        self.assert_told(report, STRIPPED, 3, "starttls-not-supported", 1)
        (host, path, kind, body), = self.web.posted
        self.assertEqual((host, path, kind), (f"bao.{STRIPPED}", "/v1/tls", "application/tlsrpt+gzip"))
        self.assertEqual(json.loads(gzip.decompress(body)), report)
        # Nothing more is told, of that day or of bringing the reports.
        self.assertEqual(self.here.must("job", "run", "tls-reports").strip(), "0 sent, 0 wanted by nobody, 0 later, 0 days forgotten")
        self.assertEqual(self.here.sql("select count(*) from tls_days where ended_at is null"), "0")


if __name__ == "__main__":
    unittest.main()

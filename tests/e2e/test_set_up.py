"""What mail programs read to set themselves up, and that it is true: they log in where it says."""

import ssl
import unittest
import urllib.error
import urllib.request
import xml.etree.ElementTree as xml

import case
import congthu
import wire

OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


class SetUp(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.context = ssl.create_default_context(cafile=str(cls.server.certificate))

    def ask(self, path, body=None, host=None, plain=False):
        """(status, content type, body)"""
        scheme, port = ("http", "http") if plain else ("https", "https")
        url = f"{scheme}://127.0.0.1:{self.server.ports[port]}{path}"
        request = urllib.request.Request(url, data=body, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, context=None if plain else self.context, timeout=30) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, "", error.read().decode()

    def log_in(self, port):
        imap = wire.Imap("127.0.0.1", port)
        reply = imap.command("LOGIN", self.mailbox(), congthu.PASSWORD)
        self.assertEqual(reply.status, "OK", reply.text)
        imap.logout()

    def test_thunderbird_finds_the_ports(self):
        for path, plain in [("/mail/config-v1.1.xml?emailaddress=an%40thu.test", False), ("/.well-known/autoconfig/mail/config-v1.1.xml", True)]:
            status, kind, body = self.ask(path, plain=plain)
            self.assertEqual((status, kind), (200, "text/xml; charset=utf-8"))
            provider = xml.fromstring(body).find("emailProvider")
            incoming = {s.findtext("socketType"): int(s.findtext("port")) for s in provider.findall("incomingServer")}
            outgoing = {s.findtext("socketType"): int(s.findtext("port")) for s in provider.findall("outgoingServer")}
            ports = self.server.ports
            self.assertEqual(incoming, {"SSL": ports["imaps"], "STARTTLS": ports["imap"]})
            self.assertEqual(outgoing, {"SSL": ports["submissions"], "STARTTLS": ports["submission"]})
            self.assertEqual({s.findtext("hostname") for s in provider.iter("incomingServer")}, {self.server.hostname})
            self.log_in(incoming["SSL"])

    def test_outlook_finds_the_ports(self):
        question = f"<Autodiscover><Request><EMailAddress>an@{case.DOMAIN}</EMailAddress></Request></Autodiscover>".encode()
        status, kind, body = self.ask("/Autodiscover/Autodiscover.xml", question)
        self.assertEqual((status, kind), (200, "text/xml; charset=utf-8"))
        found = {p.findtext(f"{OUTLOOK}Type"): p for p in xml.fromstring(body).iter(f"{OUTLOOK}Protocol")}
        self.assertEqual(int(found["SMTP"].findtext(f"{OUTLOOK}Port")), self.server.ports["submissions"])
        self.assertEqual(found["IMAP"].findtext(f"{OUTLOOK}LoginName"), f"an@{case.DOMAIN}")
        self.log_in(int(found["IMAP"].findtext(f"{OUTLOOK}Port")))

    def test_what_is_no_question_tells_nothing(self):
        self.assertIn("<ErrorCode>600", self.ask("/autodiscover/autodiscover.xml", b"<a>" * 1000)[2])
        try:
            self.assertEqual(self.ask("/autodiscover/autodiscover.xml", b"x" * 100_000)[0], 413)
        except (urllib.error.URLError, ConnectionError):
            pass  # the answer came and the connection was closed while the rest was on its way
        self.assertEqual(self.ask("/autodiscover/autodiscover.xml")[0], 405)
        self.assertEqual(self.ask("/autodiscover/other.xml", b"x")[0], 404)

    def test_without_a_policy_none_is_told(self):
        self.assertEqual(self.ask("/.well-known/mta-sts.txt", host=f"mta-sts.{case.DOMAIN}")[0], 404)


class Policy(unittest.TestCase):
    def test_a_policy_is_told_and_looked_at(self):
        server = congthu.Congthu(extra='[mta_sts]\nmode = "testing"\n[dns]\nservers = ["127.0.0.1:9"]\n')
        self.addCleanup(server.close)
        server.start()
        server.add_domain(case.DOMAIN)
        context = ssl.create_default_context(cafile=str(server.certificate))
        request = urllib.request.Request(f"https://127.0.0.1:{server.ports['https']}/.well-known/mta-sts.txt",
                                         headers={"Host": f"mta-sts.{case.DOMAIN}"})
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
            policy = answer.read()
        self.assertEqual(policy, b"version: STSv1\r\nmode: testing\r\nmx: mail.demo.test\r\nmax_age: 604800\r\n")
        told = server.run("check").stdout
        self.assertIn(f"MTA-STS of {case.DOMAIN}", told)


if __name__ == "__main__":
    unittest.main()

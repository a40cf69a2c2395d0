"""TLS: nothing said before it counts after it, no password without it, certificates change while we serve."""

import base64
import socket
import ssl
import time
import unittest

import case
import congthu
import wire

RELOAD_TIMEOUT = 30.0  # seconds


class Injection(case.Case):
    """Commands glued to STARTTLS are the attacker's, not the client's."""

    def test_smtp_forgets_what_came_with_starttls(self):
        for port in ("smtp", "submission"):
            for injected in (b"NOOP\r\n", b"EHLO ke.gian\r\nMAIL FROM:<ke-gian@other.test>\r\n", b"X" * 5000 + b"\r\n", b"NOO"):
                with self.subTest(port=port, injected=injected[:12]):
                    smtp = self.server.smtp(port)
                    smtp.hello()
                    smtp.raw(b"STARTTLS\r\n" + injected)
                    reply = smtp.reply()
                    if reply.code != 220:  # refusing is right too
                        self.assertEqual(reply.code // 100, 5)
                        continue
                    try:
                        smtp.stream.buffer.clear()
                        smtp.stream.start_tls()
                        first = smtp.ask("EHLO client.test")
                    except wire.Lost:
                        continue  # so is closing
                    self.assertGreater(len(first.lines), 3, f"an injected command was answered: {first}")
                    self.assertEqual(smtp.ask("RCPT TO:<can-bo-00@thu.test>").code, 503)
                    smtp.quit()

    def test_smtp_forgets_the_transaction(self):
        smtp = self.server.smtp()
        smtp.hello()
        smtp.envelope("a@other.test", [self.mailbox()])
        reply = smtp.ask("STARTTLS")
        if reply.code != 220:  # refusing it inside a transaction is right too
            self.assertEqual(reply.code, 503)
            smtp.expect("RSET", 250)
            smtp.expect("STARTTLS", 220)
        smtp.stream.start_tls()
        self.assertEqual(smtp.ask("DATA").code, 503)
        smtp.quit()

    def test_imap_forgets_what_came_with_starttls(self):
        for injected in (b"x1 NOOP\r\n", b"x1 CAPABILITY\r\nx2 LOGIN a b\r\n", b"x1 LOGIN {5+}\r\n", b"x"):
            with self.subTest(injected=injected):
                imap = wire.Imap("127.0.0.1", self.server.ports["imap"], tls=None)
                imap.stream.send(b"s STARTTLS\r\n" + injected)
                line = imap.stream.line()
                if not line.startswith(b"s OK"):
                    self.assertRegex(line, rb"^(s (NO|BAD)|\* BYE)")
                    continue
                try:
                    imap.stream.buffer.clear()
                    imap.stream.start_tls()
                    imap.stream.send(b"t1 NOOP\r\n")
                    first = imap.stream.line()
                except wire.Lost:
                    continue
                self.assertTrue(first.startswith(b"t1 OK"), first)
                imap.close()


class Passwords(case.Case):
    def test_imap_takes_no_password_in_the_clear(self):
        imap = wire.Imap("127.0.0.1", self.server.ports["imap"], tls=None)
        capabilities = self.capabilities(imap)
        self.assertIn(b"LOGINDISABLED", capabilities)
        self.assertIn(b"STARTTLS", capabilities)
        self.assertFalse({c for c in capabilities if c.startswith(b"AUTH=")})
        answer = imap.command("LOGIN can-bo-00@thu.test", wire.quoted(congthu.PASSWORD))
        self.assertEqual(answer.status, "NO")
        secret = base64.b64encode(f"\0can-bo-00@thu.test\0{congthu.PASSWORD}".encode()).decode()
        self.assertIn(imap.command("AUTHENTICATE PLAIN", secret).status, ("NO", "BAD"))
        imap.must("STARTTLS")
        imap.stream.start_tls()
        capabilities = self.capabilities(imap)
        self.assertNotIn(b"LOGINDISABLED", capabilities)
        self.assertIn(b"AUTH=PLAIN", capabilities)
        self.assertEqual(imap.command("AUTHENTICATE PLAIN", secret).status, "OK")
        imap.logout()

    def capabilities(self, imap):
        answer = imap.must("CAPABILITY")
        return next(set(item[1:]) for item in answer.untagged if item[0] == b"CAPABILITY")

    def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(self):
        texts = set()
        for user in ("can-bo-00@thu.test", "khong-co@thu.test"):
            imap = wire.Imap("127.0.0.1", self.server.ports["imaps"])
            answer = imap.command("LOGIN", user, "sai")
            self.assertEqual(answer.status, "NO")
            self.assertIn("AUTHENTICATIONFAILED", answer.text)
            texts.add(answer.text)
            imap.close()
        self.assertEqual(len(texts), 1)

    def test_a_literal_before_login_is_small(self):
        imap = wire.Imap("127.0.0.1", self.server.ports["imaps"])
        imap.stream.send(b"a LOGIN {100000000}\r\n")
        line = imap.stream.line()
        self.assertRegex(line, rb"^(a (BAD|NO)|\* BYE)")
        imap.close()

    def test_old_tls_is_refused(self):
        context = wire.trusting_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises(wire.Lost):
            wire.Imap("127.0.0.1", self.server.ports["imaps"], context=context)


class Certificates(unittest.TestCase):
    def setUp(self):
        self.server = congthu.Congthu()
        self.addCleanup(self.server.close)
        self.server.start()

    def presented(self, name, starttls=False):
        if starttls:
            smtp = self.server.smtp(name)
            smtp.hello()
            smtp.start_tls()
            return smtp.stream.socket.getpeercert(True)
        raw = socket.create_connection(("127.0.0.1", self.server.ports[name]), timeout=30)
        with wire.trusting_context().wrap_socket(raw) as tls:
            return tls.getpeercert(True)

    def test_sighup_reloads_the_certificate_and_keeps_connections(self):
        before = ssl.PEM_cert_to_DER_cert(self.server.certificate.read_text())
        self.assertEqual(self.presented("imaps"), before)
        old = wire.Imap("127.0.0.1", self.server.ports["imaps"])
        congthu.make_certificate(self.server.directory, "moi")
        after = ssl.PEM_cert_to_DER_cert(self.server.certificate.read_text())
        self.assertNotEqual(before, after)
        self.server.reload()
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while self.presented("imaps") != after:
            self.assertLess(time.monotonic(), deadline, self.server.log_tail())
        self.assertEqual(self.presented("smtp", starttls=True), after)
        self.assertEqual(self.presented("submission", starttls=True), after)
        old.must("NOOP")
        old.logout()
        # Rubbish is refused and the good one stays.
        self.server.certificate.write_text("hong\n")
        self.server.reload()
        self.server.must("domain", "add", "sau-reload.test", "--profile", congthu.PROFILE)
        self.assertEqual(self.presented("imaps"), after)
        self.assertTrue(self.server.running())


if __name__ == "__main__":
    unittest.main()

"""Users send: authentication only under TLS, and only as themselves. swaks is the client."""

import base64
import unittest

import case
import congthu
import wire


class Submission(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user, cls.other = next(cls.server.pool), next(cls.server.pool)

    def swaks(self, *arguments, port="submission", user=None, to=None, sender=None, password=congthu.PASSWORD):
        user = user or self.user
        tls = "--tls-on-connect" if port == "submissions" else "--tls"
        return self.execute(
            self.tool("swaks"), "--server", f"127.0.0.1:{self.server.ports[port]}", tls, "--to", to or self.other,
            "--from", sender or user, "--auth-user", user, "--auth-password", password, *arguments)

    def test_587_with_starttls_and_465_with_implicit_tls(self):
        reader = self.mailbox()
        for port, mechanism in [("submission", "PLAIN"), ("submission", "LOGIN"), ("submissions", "PLAIN"), ("submissions", "LOGIN")]:
            done = self.swaks("--auth", mechanism, port=port, to=reader)
            self.assertEqual(done.returncode, 0, done.stdout)
        stored = self.stored(reader)
        self.assertEqual(len(stored), 4)
        for one in stored:
            self.assertRegex(one, rb"(?s)^Return-Path: <.*?>\r\nReceived: .*?with ESMTPSA")

    def test_a_wrong_password_is_refused(self):
        for user in (self.user, "khong-co@thu.test"):
            done = self.swaks("--auth", "PLAIN", user=user, password="sai-mat-khau")
            self.assertEqual(done.returncode, 28, done.stdout)
            self.assertIn("535 5.7.8", done.stdout)

    def test_passwords_are_not_taken_in_the_clear(self):
        smtp = self.server.smtp("submission")
        smtp.hello()
        self.assertNotIn("AUTH", smtp.extensions)
        secret = base64.b64encode(f"\0{self.user}\0{congthu.PASSWORD}".encode()).decode()
        reply = smtp.ask(f"AUTH PLAIN {secret}")
        self.assertEqual((reply.code, reply.text[:6]), (538, "5.7.11"))
        smtp.start_tls()
        smtp.hello()
        self.assertEqual(set(smtp.extensions["AUTH"].split()), {"PLAIN", "LOGIN"})
        self.assertEqual(smtp.ask(f"AUTH PLAIN {secret}").code, 235)
        self.assertEqual(smtp.ask(f"AUTH PLAIN {secret}").code, 503)
        smtp.quit()

    def test_nothing_is_sent_without_authentication(self):
        smtp = self.server.smtp("submissions")
        smtp.hello()
        reply = smtp.ask(f"MAIL FROM:<{self.user}>")
        self.assertEqual((reply.code, reply.text[:5]), (530, "5.7.0"))

    def test_a_strange_envelope_sender_is_refused(self):
        for sender in (self.other, "ai@khac.test"):
            done = self.swaks(sender=sender)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertRegex(done.stdout, r"(?m)^<.. 5\d\d 5\.7\.1 ")

    def test_a_strange_from_header_is_refused(self):
        done = self.swaks("--header", f"From: Lãnh đạo <{self.other}>")
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^<.. 550 5\.7\.1 ")
        self.assertIn(self.other, done.stdout)

    def test_the_null_sender_is_allowed_for_receipts(self):
        reader = self.mailbox()
        done = self.swaks("--header", f"From: <{self.user}>", sender="<>", to=reader)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(len(self.stored(reader)), 1)

    def test_a_second_identity_in_the_same_session_is_refused_one_by_one(self):
        smtp = self.server.smtp("submissions")
        smtp.hello()
        secret = base64.b64encode(f"\0{self.user}\0{congthu.PASSWORD}".encode()).decode()
        smtp.expect(f"AUTH PLAIN {secret}", 235)
        self.assertEqual(smtp.ask(f"MAIL FROM:<{self.other}>").code // 100, 5)
        self.assertEqual(smtp.ask(f"MAIL FROM:<{self.user}>").code, 250)
        smtp.quit()


if __name__ == "__main__":
    unittest.main()

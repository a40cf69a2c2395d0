"""The ports that begin in the clear, 143 and 587: programs that are told to use STARTTLS do, and none gives a password away before it."""

import imaplib
import smtplib
import ssl
import unittest

import congthu
import journey
import terminal
import test_thunderbird
import test_twoway
import thunderbird
import twoway


class StartTls(journey.Journey):
    def setUp(self):
        super().setUp()
        self.context = ssl.create_default_context(cafile=self.server.authority)
        self.texts = [self.message(subject=f"Công văn {n}", body=f"Nội dung {n}\r\n") for n in (1, 2)]

    def keep(self, one, name):
        """Nobody may have told the password before TLS."""
        super().keep(one, name)
        secure = set()
        for line in (journey.RECORDINGS / f"{name}.txt").read_text().splitlines():
            connection, _, words = line.lstrip("@").partition(" ")
            if line.startswith("@") and words == "starttls":
                secure.add(connection)
            told = any(secret in line for secret in ("<password>", "<plain>", "<plain_own>", "<password64>"))
            self.assertFalse(told and connection.rstrip("<>") not in secure, line)

    def waiting(self):
        """Mail that is there when the program comes."""
        for text in self.texts:
            self.deliver(text, self.user)

    def own(self, subject):
        return self.message(subject=subject, to=self.user, sender=self.user)

    def must(self, *command, code=0, **options):
        options = {"timeout": 180, **options}  # OfflineIMAP alone takes a minute where other work has the processors
        done = self.execute(*command, env={"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": "C.UTF-8"}, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def sent(self, count, submitted=True):
        """So many messages are in INBOX, and they came by submission under TLS."""
        stored = self.stored(self.user)
        self.assertEqual(len(stored), count)
        for one in stored if submitted else []:
            self.assertRegex(one, rb"(?s)^Return-Path: <.*?>\r\nReceived: .*?with (UTF8SMTP|ESMTP)SA")


class Imap(StartTls):
    def synchronizer(self, tool, text, *arguments):
        self.waiting()
        mail, state = self.scratch / "mail", self.scratch / "state"
        mail.mkdir()
        state.mkdir()
        config = self.scratch / "config"
        config.write_text(text.format(port=self.port, user=self.user, password=congthu.PASSWORD, near=mail, state=state, certificate=self.server.authority))
        config.chmod(0o600)
        self.must(self.tool(tool), "-c", config, *arguments)
        files = [twoway.canonical(p.read_bytes()) for part in ("cur", "new") for p in (mail / "INBOX" / part).iterdir()]
        self.assertEqual(sorted(len(f) for f in files), sorted(len(b.replace(b"\r\n", b"\n")) for b in self.stored(self.user)))

    def test_mbsync(self):
        self.port = self.record("starttls-mbsync", "imap")
        self.synchronizer("mbsync", test_twoway.MBSYNC.replace("SSLType IMAPS", "SSLType STARTTLS"), "-a")

    def test_offlineimap(self):
        self.port = self.record("starttls-offlineimap", "imap")
        self.synchronizer("offlineimap", test_twoway.OFFLINEIMAP.replace("ssl = yes", "ssl = no\nstarttls = yes"), "-o")

    def test_imaplib(self):
        self.waiting()
        client = imaplib.IMAP4("127.0.0.1", self.record("starttls-imaplib", "imap"))
        client.starttls(self.context)
        client.login(self.user, congthu.PASSWORD)
        self.assertEqual(client.select("INBOX"), ("OK", [b"2"]))
        self.assertEqual(client.uid("SEARCH", "SUBJECT", '"2"')[0], "OK")
        client.logout()

    def test_imapclient(self):
        self.assertIn("imapclient 3.", self.python("imapclient_journey.py", "starttls", port=self.record("starttls-imapclient", "imap")))

    def test_mail_imapclient(self):
        script = "use Mail::IMAPClient; my $i = Mail::IMAPClient->new(Server => '127.0.0.1', Port => $ARGV[0], User => $ARGV[1], " \
                 "Password => $ARGV[2], Starttls => [ SSL_ca_file => $ARGV[3] ]) or die $@; print $i->message_count('INBOX'); $i->logout;"
        self.waiting()
        port = self.record("starttls-mail-imapclient", "imap")
        self.assertEqual(self.must("/usr/bin/perl", "-e", script, port, self.user, congthu.PASSWORD, self.server.authority), "2")

    def test_curl(self):
        self.waiting()
        port = self.record("starttls-curl", "imap")
        command = [self.tool("curl"), "-sS", "--user", f"{self.user}:{congthu.PASSWORD}", "--cacert", self.server.authority]
        self.assertIn("* SEARCH 1 2", self.must(*command, "--ssl-reqd", f"imap://127.0.0.1:{port}/INBOX?ALL"))
        # RFC 3501 6.2.3: LOGINDISABLED is believed; curl does not log in where it may not.
        self.must(*command, f"imap://127.0.0.1:{port}/INBOX?ALL", code=67)

    def test_thunderbird(self):
        """All of it by STARTTLS: look, be told of new mail, send."""
        imap = self.server.imap(self.user)
        imap.must('CREATE "Thu"')
        imap.must('SUBSCRIBE "Thu"')
        imap.logout()
        self.waiting()
        self.bird = thunderbird.Thunderbird(self.scratch, self.user, self.record("starttls-thunderbird", "imap"),
                                            self.record("submission-thunderbird", "submission"), self.server.authority, starttls=True)
        self.addCleanup(self.bird.close)
        self.bird.start()

        def script(body, *arguments):
            return self.bird.remote.run(test_thunderbird.PRELUDE + body, *arguments)

        script(test_thunderbird.LOGIN, self.user, congthu.PASSWORD)
        self.assertEqual(script(test_thunderbird.FIRST_SYNC, "Thu", 2)["unread"], 2)
        self.assertEqual(script(test_thunderbird.SEND, self.user, "Kính trình", "Nội dung tờ trình\n"), 1)
        script('return await until("the message to ourselves", () => bySubject(inbox(), "Kính trình") && true);')
        self.bird.quit()
        self.sent(3, submitted=False)


class Submission(StartTls):
    def test_mutt(self):
        """mutt on both ports: it reads, and sends with a copy."""
        self.waiting()
        port, submission = self.record("starttls-mutt", "imap"), self.record("submission-mutt", "submission")
        config = self.scratch / "muttrc"
        config.write_text(f"""
set imap_user="{self.user}" imap_pass="{congthu.PASSWORD}" ssl_starttls=yes ssl_force_tls=yes
set folder="imap://127.0.0.1:{port}/" spoolfile="+INBOX" record="+Sent"
set smtp_url="smtp://{self.user.replace("@", "%40")}@127.0.0.1:{submission}/" smtp_pass="{congthu.PASSWORD}"
set ssl_ca_certificates_file="{self.server.authority}" certificate_file="{self.server.authority}"
set charset=utf-8 quit=yes copy=yes confirmappend=no confirmcreate=no move=no wait_key=no sleep_time=0
set realname="Cán bộ" from="{self.user}" editor="true" abort_unmodified=no abort_nosubject=no
""")
        mutt = terminal.Terminal([self.tool("mutt"), "-n", "-F", str(config)], {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": "C.UTF-8"})
        self.addCleanup(mutt.close)
        mutt.expect("Msgs:2")
        mutt.send("m")
        mutt.expect("To:")
        mutt.send(f"{self.user}\r")
        mutt.expect("Subject:")
        mutt.send("Kính gửi\r")
        mutt.expect("Compose|Send")
        mutt.send("y")
        mutt.expect("sent")
        mutt.send("q")
        self.assertEqual(mutt.end(), 0)
        self.sent(3, submitted=False)
        self.assertEqual(len(self.stored(self.user, "Sent")), 1)

    def test_swaks(self):
        port = self.record("submission-swaks", "submission")
        for mechanism in ("PLAIN", "LOGIN"):
            self.must(self.tool("swaks"), "--server", f"127.0.0.1:{port}", "--tls", "--auth", mechanism, "--auth-user", self.user,
                      "--auth-password", congthu.PASSWORD, "--from", self.user, "--to", self.user)
        self.sent(2)

    def test_msmtp(self):
        port = self.record("submission-msmtp", "submission")
        command = [self.tool("msmtp"), "--host=127.0.0.1", f"--port={port}", "--auth=on", f"--user={self.user}", "--tls=on",
                   f"--passwordeval=echo {congthu.PASSWORD}", f"--tls-trust-file={self.server.authority}", f"--from={self.user}", self.user]
        message = self.own("Tờ trình").decode()
        self.must(*command, "--tls-starttls=on", input=message)
        self.sent(1)
        # Without TLS it finds no AUTH, and ends with EX_UNAVAILABLE before it says who it is.
        self.must(*["--tls=off" if word == "--tls=on" else word for word in command], input=message, code=69)

    def test_curl(self):
        port = self.record("submission-curl", "submission")
        message = self.scratch / "message"
        message.write_bytes(self.own("Giấy mời"))
        self.must(self.tool("curl"), "-sS", "--ssl-reqd", "--user", f"{self.user}:{congthu.PASSWORD}", "--cacert", self.server.authority,
                  f"smtp://127.0.0.1:{port}", "--mail-from", self.user, "--mail-rcpt", self.user, "-T", message)
        self.sent(1)

    def test_smtplib(self):
        with smtplib.SMTP("127.0.0.1", self.record("submission-smtplib", "submission")) as smtp:
            with self.assertRaises(smtplib.SMTPNotSupportedError):  # no AUTH is offered before TLS
                smtp.login(self.user, congthu.PASSWORD)
            smtp.starttls(context=self.context)
            smtp.login(self.user, congthu.PASSWORD)
            smtp.sendmail(self.user, [self.user], self.own("Báo cáo"))
        self.sent(1)


if __name__ == "__main__":
    unittest.main()

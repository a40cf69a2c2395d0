"""Journeys of libraries and command-line clients: IMAPClient, aioimaplib, Mail::IMAPClient, curl, mutt."""

import unittest
import urllib.parse

import congthu
import journey
import mutf7
import terminal


class Libraries(journey.Journey):
    def test_imapclient(self):
        self.assertIn("imapclient 3.", self.python("imapclient_journey.py", port=self.record("imapclient-3.0.1")))

    def test_aioimaplib(self):
        self.assertIn("aioimaplib 2.", self.python("aioimaplib_journey.py", port=self.record("aioimaplib-2.0.1")))

    def test_mail_imapclient(self):
        done = self.execute("/usr/bin/perl", journey.HERE / "imapclient_journey.pl", self.record("mail-imapclient-3.43"), self.user,
                            congthu.PASSWORD, self.server.authority, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Mail::IMAPClient 3.", done.stdout)


class Curl(journey.Journey):
    def setUp(self):
        super().setUp()
        self.port = self.record("curl-7.88.1")

    def curl(self, path, *arguments, code=0):
        done = self.execute(self.tool("curl"), "-sS", "--user", f"{self.user}:{congthu.PASSWORD}", "--cacert", self.server.authority,
                            f"imaps://127.0.0.1:{self.port}/{path}", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def test_curl(self):
        message = self.scratch / "message"
        message.write_bytes(self.message(subject="Giấy mời", body="Kính mời dự họp\r\n" * 3))
        folder = mutf7.encode("Giấy mời & Thư")
        self.curl("", "-X", f'CREATE "{folder}"')
        self.curl(urllib.parse.quote(folder), "-T", message)
        self.curl("INBOX", "-T", message)
        self.assertIn(folder, self.curl(""))
        self.assertIn("* SEARCH 1", self.curl("INBOX?ALL"))
        self.assertEqual(self.curl("INBOX;UID=1"), message.read_bytes().decode().replace("\r\n", "\n"))
        self.assertEqual(self.curl("INBOX;MAILINDEX=1;SECTION=TEXT").count("Kính mời"), 3)
        self.assertIn("Message-ID", self.curl("INBOX;UID=1;SECTION=HEADER.FIELDS%20(MESSAGE-ID)"))
        self.assertIn("\\Flagged", self.curl("INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)"))
        self.assertIn("MESSAGES 1", self.curl("INBOX", "-X", "STATUS INBOX (MESSAGES)"))
        self.curl("INBOX", "-X", "UID MOVE 1 Archive")
        self.assertEqual(len(self.stored(self.user, "Archive")), 1)
        self.curl("INBOX;UID=1", code=78)


class Mutt(journey.Journey):
    """mutt with everything it can do switched on: CONDSTORE, QRESYNC, compression, a header cache."""

    def mutt(self, port):
        config = self.scratch / "muttrc"
        config.write_text(f"""
set imap_user="{self.user}" imap_pass="{congthu.PASSWORD}"
set folder="imaps://127.0.0.1:{port}/" spoolfile="+INBOX" postponed="+Drafts" record="+Sent" trash="+Trash"
set ssl_ca_certificates_file="{self.server.authority}" certificate_file="{self.server.authority}"
set imap_condstore=yes imap_qresync=yes imap_deflate=yes imap_idle=yes
set header_cache="{self.scratch}/cache" message_cachedir="{self.scratch}/bodies"
set charset=utf-8 quit=yes delete=yes copy=yes confirmappend=no confirmcreate=no move=no pager_stop=yes wait_key=no
set mail_check=1 timeout=1 imap_keepalive=60 realname="Cán bộ" from="{self.user}" edit_headers=no sleep_time=0
set smtp_url="smtps://{self.user.replace("@", "%40")}@127.0.0.1:{self.server.ports["submissions"]}/" smtp_pass="{congthu.PASSWORD}"
set editor="true" abort_unmodified=no abort_nosubject=no fast_reply=yes include=no
set sort=threads
""")
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": "C.UTF-8"}
        mutt = terminal.Terminal([self.tool("mutt"), "-n", "-F", str(config)], environment)
        self.addCleanup(mutt.close)
        return mutt

    def sees(self, mutt, pattern):
        """The whole screen is drawn anew: else mutt shows only what changed."""
        for _ in range(20):
            mutt.send("\x0c")
            if mutt.shows(pattern, 1.5):
                return
        self.fail(f"mutt did not show {pattern!r}: {mutt.shown[-1500:].decode(errors='replace')}")

    def test_mutt(self):
        port = self.record("mutt-2.2.12")
        for subject in ("Công văn 1", "Công văn 2", "Giấy mời họp"):
            self.deliver(self.message(subject=subject, body=f"Nội dung {subject}\r\n"), self.user)
        mutt = self.mutt(port)
        self.sees(mutt, "Msgs:3")
        mutt.send("l~s 'Giấy mời'\r")  # limit: mutt searches by itself
        mutt.expect("Giấy mời họp")
        mutt.send("lall\r")
        mutt.expect("Công văn 1")
        mutt.send("l=b 'Nội dung Công văn 2'\r")  # =b asks the server
        self.sees(mutt, "1/3|Msgs:1 ")
        mutt.send("lall\r")
        self.sees(mutt, "Msgs:3")
        mutt.send("=F")  # flag the first
        mutt.send("$")
        mutt.send("=s")
        mutt.expect("Save to mailbox")
        mutt.send("\x15=Archive\r")
        self.sees(mutt, "Msgs:3")
        mutt.send("$")
        self.sees(mutt, "Msgs:2")
        mutt.send("m")
        mutt.expect("To:")
        mutt.send(f"{self.user}\r")
        mutt.expect("Subject:")
        mutt.send("Kính gửi\r")
        mutt.expect("Compose|Send")
        mutt.send("y")
        mutt.expect("Mail sent|Message sent|sent")
        self.sees(mutt, "Msgs:3")
        mutt.send("c=Archive\r")
        self.sees(mutt, "Msgs:1")
        mutt.send("q")
        self.assertEqual(mutt.end(), 0)
        self.assertEqual(len(self.stored(self.user, "Archive")), 1)
        self.assertEqual(len(self.stored(self.user, "Sent")), 1)
        imap = self.server.imap(self.user)
        imap.select("INBOX")
        imap.append("INBOX", self.message(subject="Đến sau"))
        imap.must("UID STORE 2 +FLAGS (\\Answered)")
        imap.logout()
        mutt = self.mutt(port)  # the second time from its cache, with CONDSTORE or QRESYNC when we offer it
        self.sees(mutt, "Msgs:4")
        self.sees(mutt, "Đến sau")
        mutt.send("q")
        self.assertEqual(mutt.end(), 0)


if __name__ == "__main__":
    unittest.main()

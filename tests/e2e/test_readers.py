"""Mail is read: imaplib, curl, mbsync and mutt, over STARTTLS and implicit TLS."""

import datetime
import imaplib
import pathlib
import tempfile
import unittest

import case
import congthu
import terminal
import wire


class Readers(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = next(cls.server.pool)
        make = cls("message")
        cls.messages = [make.message(subject=f"Tờ trình số {i}", body=f"Nội dung {i}\r\n" + "x" * 70 * i + "\r\n") for i in range(5)]
        for message in cls.messages:
            make.deliver(message, cls.user)

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)

    def imaplib(self, implicit):
        if implicit:
            return imaplib.IMAP4_SSL("127.0.0.1", self.server.ports["imaps"], ssl_context=wire.trusting_context())
        client = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"])
        client.starttls(wire.trusting_context())
        return client

    def test_imaplib_over_both_kinds_of_tls(self):
        for implicit in (True, False):
            client = self.imaplib(implicit)
            client.login(self.user, congthu.PASSWORD)
            self.assertEqual(client.select("INBOX", readonly=True), ("OK", [b"5"]))
            status, data = client.uid("FETCH", "1:*", "(RFC822.SIZE BODY.PEEK[])")
            self.assertEqual(status, "OK")
            bodies = [part[1] for part in data if isinstance(part, tuple)]
            for one, sent in zip(bodies, self.messages, strict=True):
                self.assert_same(one, sent)
            status, found = client.search(None, "SUBJECT", '"Message-ID"')
            self.assertEqual((status, found), ("OK", [b""]))
            status, found = client.search(None, "HEADER", "Message-ID", "other.test")
            self.assertEqual((status, found), ("OK", [b"1 2 3 4 5"]))
            client.logout()

    def test_imaplib_changes_a_mailbox(self):
        user = self.mailbox()
        client = self.imaplib(True)
        client.login(user, congthu.PASSWORD)
        folder = '"D&AOE- &HsU-n"'  # "Dá ễn" in modified UTF-7
        self.assertEqual(client.create(folder)[0], "OK")
        self.assertIn(b"D&AOE- &HsU-n", b" ".join(client.list()[1]))
        when = datetime.datetime(2024, 2, 29, 23, 59, 58, tzinfo=datetime.timezone(datetime.timedelta(hours=7)))
        status, text = client.append(folder, "(\\Seen Rieng)", when, self.messages[0])
        self.assertEqual(status, "OK", text)
        client.select(folder)
        status, data = client.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
        self.assertIn(b'INTERNALDATE "29-Feb-2024 ', data[0][0] + data[1])
        self.assertEqual(data[0][1], self.messages[0])
        self.assertEqual(client.copy("1", "INBOX")[0], "OK")
        self.assertEqual(client.store("1", "+FLAGS", "\\Deleted")[0], "OK")
        self.assertEqual(client.expunge(), ("OK", [b"1"]))
        self.assertEqual(client.select("INBOX"), ("OK", [b"1"]))
        self.assertEqual(client.delete(folder)[0], "OK")
        client.logout()

    def test_default_folders_have_their_use(self):
        imap = self.server.imap(self.user)
        answer = imap.must('LIST "" "*"')
        uses = {item[3].decode(): {f.decode() for f in item[1]} for item in answer.untagged if item[0] == b"LIST"}
        for name in ("Drafts", "Sent", "Junk", "Trash", "Archive"):
            self.assertIn(f"\\{name}", uses[name])
        imap.logout()

    def test_curl_reads_imaps(self):
        base = f"imaps://127.0.0.1:{self.server.ports['imaps']}"
        credentials = ["--user", f"{self.user}:{congthu.PASSWORD}", "--cacert", self.server.certificate]
        got = self.scratch / "got"
        done = self.execute(self.tool("curl"), "-sS", *credentials, f"{base}/INBOX;UID=1", "-o", got)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same(got.read_bytes(), self.messages[0])
        done = self.execute(self.tool("curl"), "-sS", *credentials, f"{base}/INBOX", "-X", "STATUS INBOX (MESSAGES)")
        self.assertIn("MESSAGES 5", done.stdout)
        done = self.execute(self.tool("curl"), "-sS", "--user", f"{self.user}:sai", "--cacert", self.server.certificate, f"{base}/INBOX;UID=1")
        self.assertEqual(done.returncode, 67, done.stderr)

    def test_mbsync_fills_a_maildir_byte_for_byte(self):
        for kind, name in (("IMAPS", "imaps"), ("STARTTLS", "imap")):
            mail = self.scratch / kind
            mail.mkdir()
            config = self.scratch / f"mbsyncrc-{kind}"
            config.write_text(f"""
IMAPAccount a
Host 127.0.0.1
Port {self.server.ports[name]}
User {self.user}
Pass {congthu.PASSWORD}
SSLType {kind}
SystemCertificates no
CertificateFile {self.server.certificate}

IMAPStore far
Account a

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
Sync Pull
""")
            done = self.execute(self.tool("mbsync"), "-c", config, "-a")
            self.assertEqual(done.returncode, 0, done.stderr)
            files = [p.read_bytes() for d in ("cur", "new") for p in sorted((mail / "INBOX" / d).iterdir())]
            # A Maildir has LF lines; these messages have no bare CR or LF, so nothing is lost in comparing.
            got = {self.strip_tuid(f) for f in files}
            want = {body.replace(b"\r\n", b"\n") for body in self.stored(self.user)}
            self.assertEqual(got, want)
            self.assertTrue((mail / "Drafts").is_dir(), sorted(p.name for p in mail.iterdir()))

    def strip_tuid(self, file):
        """mbsync adds a header of its own for messages in transit."""
        return b"".join(line for line in file.splitlines(True) if not line.startswith(b"X-TUID:"))

    def test_mbsync_pushes_what_is_written_locally(self):
        user = self.mailbox()
        near = self.scratch / "near"
        for part in ("cur", "new", "tmp"):
            (near / "Drafts" / part).mkdir(parents=True)
        (near / "Drafts" / "new" / "1.thu").write_bytes(self.messages[0].replace(b"\r\n", b"\n"))
        config = self.scratch / "mbsyncrc"
        config.write_text(f"""
IMAPAccount a
Host 127.0.0.1
Port {self.server.ports["imaps"]}
User {user}
Pass {congthu.PASSWORD}
SSLType IMAPS
SystemCertificates no
CertificateFile {self.server.certificate}

IMAPStore far
Account a

MaildirStore near
Path {near}/
Inbox {near}/INBOX

Channel drafts
Far :far:Drafts
Near :near:Drafts
SyncState *
Sync All
""")
        done = self.execute(self.tool("mbsync"), "-c", config, "drafts")
        self.assertEqual(done.returncode, 0, done.stderr)
        (stored,) = self.stored(user, "Drafts")
        without = b"".join(line for line in stored.splitlines(True) if not line.startswith(b"X-TUID:"))
        self.assertEqual(without, self.messages[0])

    def mutt(self, user):
        config = self.scratch / "muttrc"
        config.write_text(f"""
set imap_user="{user}" imap_pass="{congthu.PASSWORD}"
set certificate_file="{self.server.certificate}"
set charset=utf-8 quit=yes delete=yes copy=no confirmappend=no confirmcreate=no move=no mbox_type=Maildir
set folder="{self.scratch}" pager_stop=yes wait_key=no mail_check=600
""")
        command = [self.tool("mutt"), "-n", "-F", str(config), "-f", f"imaps://127.0.0.1:{self.server.ports['imaps']}/INBOX"]
        mutt = terminal.Terminal(command, {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": "C.UTF-8"})
        self.addCleanup(mutt.close)
        return mutt

    def test_mutt_reads_saves_and_deletes(self):
        user = self.mailbox()
        for message in self.messages[:3]:
            self.deliver(message, user)
        target = self.scratch / "saved"
        mutt = self.mutt(user)
        mutt.expect("Msgs:3")
        mutt.send("=\r")
        mutt.expect("Nội dung 0")
        mutt.send("q")
        mutt.expect("Msgs:3")
        mutt.send("=C")
        mutt.expect("Copy to mailbox")
        mutt.send(f"\x15{target}\r")
        mutt.expect(r"saved\.\.\.")
        mutt.send("=d$")
        mutt.expect("kept|deleted")  # mutt redraws only what changed
        mutt.send("q")
        self.assertEqual(mutt.end(), 0)
        (saved,) = [p for d in ("new", "cur") for p in (target / d).iterdir()]
        lines = [line for line in saved.read_bytes().splitlines(True) if not line.startswith((b"Status:", b"Content-Length:", b"Lines:"))]
        self.assertTrue(b"".join(lines).endswith(self.messages[0].replace(b"\r\n", b"\n")), b"".join(lines)[:800])
        for one, sent in zip(self.stored(user), self.messages[1:3], strict=True):
            self.assert_same(one, sent)


if __name__ == "__main__":
    unittest.main()

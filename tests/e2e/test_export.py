"""A mailbox is exported before it is deleted: the archive is read back by another program, octet for octet."""

import csv
import hashlib
import io
import json
import stat
import unicodedata
import unittest
import zipfile

import case
import congthu
import mutf7

VIETNAMESE = "Công văn đến/Sở Nội vụ"
DECOMPOSED = unicodedata.normalize("NFD", "Tiếng Việt tổ hợp")
HOSTILE = "..\\..\\CON:<x>"
ATTACHMENT = bytes(range(256)) * 4000


class Export(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu()
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(case.DOMAIN)
        # The user that the server runs as may write here.
        cls.out = cls.server.directory / "luu-tru"
        cls.out.mkdir()
        cls.out.chmod(0o777)

    def refuse(self, *arguments):
        done = self.server.run(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr

    def fill(self, user):
        """What is put into each folder, by its name in NFC."""
        imap = self.server.imap(user)
        attached = (b"From: =?utf-8?q?Tr=E1=BA=A7n?= <tran@x.vn>\r\nSubject: =?utf-8?b?PWNtZCgp?=\r\nMIME-Version: 1.0\r\n"
                    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n")
        same = self.message(subject="Giấy mời họp")
        nfd = self.message(subject=unicodedata.normalize("NFD", "Dự thảo"), body=DECOMPOSED + "\r\n")
        folders = {
            "INBOX": [same, same, self.message(subject="../../../etc/passwd")],
            VIETNAMESE: [attached + ATTACHMENT.replace(b"\0", b"x")],
            DECOMPOSED: [nfd],
            HOSTILE: [self.message(subject="CON")],
            "..": [self.message(subject="..")],
        }
        for folder, messages in folders.items():
            if folder != "INBOX":
                imap.must("CREATE", '"' + mutf7.encode(folder).replace("\\", "\\\\") + '"')
            for message in messages:
                answer = imap.append(mutf7.encode(folder), message, ["\\Seen", "quan-trong"], "02-Jun-2025 08:00:00 +0700")
                self.assertTrue(answer.ok, str(answer))
        imap.logout()
        return {unicodedata.normalize("NFC", folder): messages for folder, messages in folders.items()}

    def check_archive(self, path, sent):
        with zipfile.ZipFile(path) as archive:
            self.assertIsNone(archive.testzip())
            names = archive.namelist()
            for name in names:
                parts = name.rstrip("/").split("/")
                self.assertFalse({"", ".", ".."} & set(parts) or "\\" in name or ":" in name, name)
                self.assertEqual(name, unicodedata.normalize("NFC", name))
            self.assertEqual(len({name.lower() for name in names}), len(names))
            text = archive.read("danh-muc.csv")
            self.assertTrue(text.startswith("\ufeff".encode()))
            rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), delimiter=";"))[1:]
            found = {}
            for folder, file, _, _, subject, flags, keywords, size, digest in rows:
                octets = archive.read(file)
                self.assertEqual((int(size), digest), (len(octets), hashlib.sha256(octets).hexdigest()), file)
                self.assertEqual((flags, keywords), ("Seen", "quan-trong"))
                self.assertFalse(subject.startswith("="), subject)
                found.setdefault(folder.removeprefix("'"), []).append(octets)
        self.assertEqual(found, sent)
        self.assertEqual(len([n for n in names if n.endswith(".eml")]), len(rows))

    def test_a_mailbox_goes_with_its_archive(self):
        user = self.server.add_mailbox(f"luu-tru@{case.DOMAIN}")
        sent = self.fill(user)
        path = self.out / "luu-tru.zip"
        self.assertIn("in use", self.refuse("mailbox", "export", user, "--out", str(path)))
        self.assertEqual(list(self.out.iterdir()), [])
        self.server.must("mailbox", "revoke", user, "--reason", "CV 3")
        told = self.refuse("mailbox", "confirm-deletion", user)
        self.assertIn(f"congthu mailbox export {user} --out", told)
        answer = json.loads(self.server.must("mailbox", "export", user, "--out", str(path), "--json"))
        self.assertEqual([p.name for p in self.out.iterdir()], ["luu-tru.zip"])
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(answer["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())
        self.assertEqual((answer["messages"], answer["octets"]), (7, path.stat().st_size))
        self.check_archive(path, sent)
        # Nothing is written over, and what failed is not on record.
        before = path.read_bytes()
        self.assertIn("already", self.refuse("mailbox", "export", user, "--out", str(path)))
        self.refuse("mailbox", "export", user, "--out", str(self.out / "khong-co" / "a.zip"))
        self.assertEqual(path.read_bytes(), before)
        shown = json.loads(self.server.must("mailbox", "show", user, "--json"))
        self.assertEqual(shown["life"]["export"]["sha256"], answer["sha256"])
        (audited,) = json.loads(self.server.must("audit", "list", "--action", "mailbox.export", "--json"))
        self.assertNotIn(str(self.out), json.dumps(audited))
        self.server.must("mailbox", "confirm-deletion", user)
        listed = self.server.must("mailbox", "deletion-list")
        self.assertIn("luu-tru.zip", listed)
        self.assertIn("backups may hold it until", listed)
        self.assertIn("backups may hold", self.server.must("mailbox", "delete", user, "--now", "--reason", "CV 3"))


if __name__ == "__main__":
    unittest.main()

"""mbsync and OfflineIMAP keep a mailbox and a Maildir alike in both directions; `tests/clients/run --full` does it with 5,000."""

import os
import pathlib
import shutil
import socket
import tempfile
import unittest

import case
import congthu
import mutf7
import twoway

MESSAGES = int(os.environ.get("CONGTHU_TWOWAY_MESSAGES", "300"))
ROUNDS = int(os.environ.get("CONGTHU_TWOWAY_ROUNDS", "3"))
SEED = int(os.environ.get("CONGTHU_TWOWAY_SEED", "2026"))
EDITED = 0.05  # of each folder's messages, of each kind of edit, per side and round
SYNC_SECONDS = 1800  # a run of OfflineIMAP over 5,000 messages, with room

MBSYNC = """
IMAPAccount a
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType IMAPS
SystemCertificates no
CertificateFile {certificate}

IMAPStore far
Account a

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
Sync All
CopyArrivalDate yes
SyncState {state}/
"""

OFFLINEIMAP = """
[general]
accounts = a
metadatadir = {state}
ui = quiet
maxsyncaccounts = 1

[Account a]
localrepository = near
remoterepository = far
utf8foldernames = yes

[Repository near]
type = Maildir
localfolders = {near}
sep = /

[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {certificate}
maxconnections = 1
"""


class TwoWay(case.Case):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)
        self.mail, self.state = self.scratch / "mail", self.scratch / "state"
        self.mail.mkdir()
        self.state.mkdir()
        self.user = self.mailbox()

    def configuration(self, text):
        path = self.scratch / "config"
        path.write_text(text.format(
            port=os.environ.get("CONGTHU_RECORDER_PORT", self.server.ports["imaps"]), user=self.user, password=congthu.PASSWORD,
            certificate=self.server.certificate, near=self.mail, state=self.state))
        path.chmod(0o600)
        return path

    def client(self, *command, locale="C.UTF-8"):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": locale}
        done = self.execute(*command, timeout=SYNC_SECONDS, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return done

    def journey(self, sync, encoded, forget):
        far = twoway.Far(self.server, self.user)
        self.addCleanup(far.imap.close)
        near = twoway.Near(self.mail, encoded, socket.gethostname())
        journey = twoway.Journey(far, near, sync, SEED, forget)
        journey.fill(MESSAGES)
        for number in range(ROUNDS):
            with self.subTest(round=number):
                journey.round(EDITED, renames=number > 0)

    def test_mbsync(self):
        config = self.configuration(MBSYNC)
        tool = self.tool("mbsync")

        def forget(folder):
            for path in self.state.iterdir():
                if path.name.startswith(":far:" + mutf7.encode(folder).replace("/", "!") + "_:near:"):
                    path.unlink()

        self.journey(lambda: self.client(tool, "-c", config, "-a"), True, forget)

    def test_offlineimap(self):
        config = self.configuration(OFFLINEIMAP)
        tool = self.tool("offlineimap")

        def forget(folder):
            shutil.rmtree(self.state)
            self.state.mkdir()

        self.journey(lambda: self.client(tool, "-c", config, "-o"), False, forget)


if __name__ == "__main__":
    unittest.main()

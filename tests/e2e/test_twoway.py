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
ROUNDS = int(os.environ.get("CONGTHU_TWOWAY_ROUNDS", "2"))
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
    messages = MESSAGES
    rounds = ROUNDS

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)
        self.mail, self.state = self.scratch / "mail", self.scratch / "state"
        self.mail.mkdir()
        self.state.mkdir()
        self.user = self.mailbox()

    def port(self):
        """Where the client connects; tests/clients puts a recorder there."""
        return self.server.ports["imaps"]

    def configuration(self, text):
        path = self.scratch / "config"
        path.write_text(text.format(
            port=self.port(), user=self.user, password=congthu.PASSWORD, near=self.mail, state=self.state,
            certificate=getattr(self.server, "authority", self.server.certificate)))
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
        journey.fill(self.messages)
        for number in range(self.rounds):
            journey.round(EDITED, renames=number > 0)
            print(f"round {number + 1}: {journey.letters.count} messages made, {len(journey.deleted)} deleted", flush=True)

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

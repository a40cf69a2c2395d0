"""Claws Mail: the first look at all folders, then new mail, by its own command line; the password is typed as a person does."""

import os
import subprocess
import time
import unittest

import congthu
import journey

WAIT_SECONDS = 60  # for a window, or for a number of messages to become right

ACCOUNT = """[Account: 1]
account_name=Thu
is_default=1
name=Nguyễn Văn Thư
address={user}
protocol=3
receive_server=127.0.0.1
smtp_server=127.0.0.1
user_id={user}
ssl_imap=1
set_imapport=1
imap_port={port}
receive_at_get_all=1
imap_subsonly=0
"""

FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
    <folder type="imap" name="Thu" account_id="1" collapsed="0" sort="0">
        <folderitem type="normal" name="Thu" path="">
            <folderitem type="inbox" name="INBOX" path="INBOX" />
            <folderitem type="outbox" name="Sent" path="Sent" />
            <folderitem type="draft" name="Drafts" path="Drafts" />
            <folderitem type="queue" name="Queue" path="Queue" />
            <folderitem type="trash" name="Trash" path="Trash" />
        </folderitem>
    </folder>
</folderlist>
"""


class Claws(journey.Journey):
    def prepare(self, port):
        """A profile with one account whose certificate somebody has accepted before."""
        profile = self.scratch / ".claws-mail"
        (profile / "certs").mkdir(parents=True)
        subprocess.run(["openssl", "x509", "-in", self.server.certificate, "-outform", "DER",
                        "-out", profile / "certs" / f"127.0.0.1.{port}.cert"], check=True)
        (profile / "clawsrc").write_text("[Common]\nskip_ssl_cert_check=1\n")
        (profile / "accountrc").write_text(ACCOUNT.format(user=self.user, port=port))
        (profile / "folderlist.xml").write_text(FOLDERS)

    def display(self):
        reader, writer = os.pipe()
        process = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
                                   pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        with os.fdopen(reader) as file:
            return ":" + file.readline().strip()

    def claws(self, *arguments):
        return self.execute("claws-mail", *arguments, env=self.environment)

    def until(self, what, look):
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if got := look():
                return got
            time.sleep(0.3)
        return self.fail(f"waited in vain for {what}")

    def window(self, name):
        found = self.execute("xdotool", "search", "--onlyvisible", "--name", name, env=self.environment)
        return found.stdout.split()[:1]

    def holds(self, count):
        """Does it count so many messages in INBOX?"""
        rows = [row.split() for row in self.claws("--status-full").stdout.splitlines()]
        return any(row[-1].endswith("/INBOX") and row[-2] == str(count) for row in rows if len(row) > 2)

    def test_claws(self):
        for number in range(3):
            self.deliver(self.message(subject=f"Công văn {number}"), self.user)
        self.prepare(self.record("claws-mail-4.1.1"))
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "DISPLAY": self.display(), "LC_ALL": "C.UTF-8",
                            "NO_AT_BRIDGE": "1", "XDG_RUNTIME_DIR": str(self.scratch)}
        with open(self.scratch / "log", "wb") as log:
            process = subprocess.Popen(["claws-mail", "--receive-all"], env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        (asked,) = self.until("the question for the password", lambda: self.window("Input password"))
        self.execute("xdotool", "windowfocus", "--sync", asked, env=self.environment)
        self.execute("xdotool", "type", congthu.PASSWORD, env=self.environment)
        self.execute("xdotool", "key", "Return", env=self.environment)
        self.until("three messages", lambda: self.holds(3))
        self.deliver(self.message(subject="Giấy mời"), self.user)
        self.claws("--receive-all")
        self.until("the fourth message", lambda: self.holds(4))
        self.claws("--quit")
        self.assertEqual(process.wait(WAIT_SECONDS), 0)


if __name__ == "__main__":
    unittest.main()

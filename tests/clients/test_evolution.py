"""Evolution's IMAP, without its windows: Camel, driven through evolution-data-server's bindings."""

import unittest

import congthu
import journey
import mutf7
import wire

FOLDER = "Công văn & Tờ trình/2026"


class Evolution(journey.Journey):
    def camel(self, port, number):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": "C.UTF-8", "GSETTINGS_BACKEND": "memory",
                       "XDG_RUNTIME_DIR": str(self.scratch), "GIO_USE_VFS": "local"}
        done = self.execute("/usr/bin/python3", journey.HERE / "evolution_journey.py", self.scratch, port, self.user, congthu.PASSWORD,
                            self.server.certificate, FOLDER, number, env=environment, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_evolution(self):
        imap = self.server.imap(self.user)
        imap.must("CREATE", wire.quoted(mutf7.encode(FOLDER)))
        for number, subject in enumerate(("Giấy mời họp 1", "Giấy mời họp 2", "Báo cáo")):
            self.deliver(self.message(subject=subject, body=f"Kính gửi đồng chí thứ {number + 1}\r\n"), self.user)
        port = self.record("evolution-3.46.4")
        self.camel(port, 1)
        self.assertEqual(len(self.stored(self.user, mutf7.encode(FOLDER))), 1)
        self.assertEqual(len(self.stored(self.user, "Sent")), 1)
        imap.select("INBOX")
        imap.must("UID STORE 1 +FLAGS (\\Answered)")
        imap.must("UID STORE 1 -FLAGS (\\Flagged)")
        imap.must("UID MOVE 3 Archive")
        imap.logout()
        self.deliver(self.message(subject="Đến sau"), self.user)
        self.camel(port, 2)
        self.assertEqual(len(self.stored(self.user)), 1)


if __name__ == "__main__":
    unittest.main()

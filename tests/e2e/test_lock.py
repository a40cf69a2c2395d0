"""A mailbox is locked while its owner is connected, on two processes with one database: the sessions end at once."""

import json
import base64
import pathlib
import threading
import time
import unittest

import case
import congthu
import wire

AT_ONCE = 1.0  # seconds; the slow look, which would find it too, comes every three


class Lock(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu()
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(case.DOMAIN)
        cls.second = congthu.Congthu(extra=cls.database())
        cls.addClassCleanup(cls.second.close)
        cls.second.start()

    @classmethod
    def database(cls):
        """The first one's embedded Postgres, as a configuration names one that somebody else runs."""
        found = next(cls.server.data_dir.glob("**/.s.PGSQL.5432"), None)
        if found is None:
            note = next(cls.server.data_dir.glob("**/socket-directory"))
            found = pathlib.Path(note.read_text()) / ".s.PGSQL.5432"
        url = "postgres://{}@localhost/congthu?host=" + str(found.parent)
        return f'[database]\nurl = "{url.format("congthu_server")}"\nowner_url = "{url.format("congthu_owner")}"\n'

    def idle(self, server, user):
        imap = server.imap(user)
        imap.select("INBOX")
        imap.stream.send(b"i IDLE\r\n")
        self.assertTrue(imap.stream.line().startswith(b"+"))
        return imap.stream

    def quiet(self, server, user):
        """Logged in, and between two commands."""
        return server.imap(user).stream

    def submission(self, server, user, said=()):
        smtp = server.smtp("submissions")
        smtp.hello()
        secret = base64.b64encode(f"\0{user}\0{congthu.PASSWORD}".encode()).decode()
        smtp.expect(f"AUTH PLAIN {secret}", 235)
        for line, code in said:
            smtp.expect(line, code)
        return smtp.stream

    def test_sessions_end_at_once_on_both_processes(self):
        user = self.server.add_mailbox(f"mot@{case.DOMAIN}")
        other = self.server.add_mailbox(f"hai@{case.DOMAIN}")
        data = [(f"MAIL FROM:<{user}>", 250), (f"RCPT TO:<{other}>", 250), ("DATA", 354)]
        streams = {}
        for name, server in (("first", self.server), ("second", self.second)):
            streams[name, "IDLE"] = self.idle(server, user), b"* BYE"
            streams[name, "IMAP"] = self.quiet(server, user), b"* BYE"
            streams[name, "submission"] = self.submission(server, user), b"421 4.7.0"
            streams[name, "DATA"] = self.submission(server, user, data), b"421 4.7.0"
        bystanders = [self.idle(server, other) for server in (self.server, self.second)]
        ended = {}

        def wait(key, stream, wanted):
            line = stream.line()
            heard = time.monotonic()
            try:
                while stream.line():
                    pass
            except wire.Lost:
                pass
            ended[key] = line, wanted, heard

        waiting = [threading.Thread(target=wait, args=(key, *value)) for key, value in streams.items()]
        for thread in waiting:
            thread.start()
        began = time.monotonic()
        told = self.server.must("mailbox", "lock", user, "--reason", "spam", "--evidence", "4.000 thư trong một giờ", "--json")
        locked = time.monotonic()
        for thread in waiting:
            thread.join(10)
        told = json.loads(told)
        self.assertEqual(told["evidence"], "4.000 thư trong một giờ")
        self.assertIn("console:", told["locked_by"])
        self.assertEqual(set(ended), set(streams), "some sessions went on")
        for key, (line, wanted, _) in ended.items():
            self.assertTrue(line.startswith(wanted), f"{key}: {line}")
        # The command ends after the commit, so what is measured from its end is the most that it can have been.
        late = {key: heard - locked for key, (_, _, heard) in ended.items()}
        print(f"\nlocked in {locked - began:.2f} s; the sessions' ends, against the end of the command: "
              + ", ".join(f"{'/'.join(key)} {seconds * 1000:+.0f} ms" for key, seconds in sorted(late.items())))
        self.assertLess(max(late.values()), AT_ONCE)
        self.assertEqual(self.server.imap(other).command("NOOP").status, "OK")
        for stream in bystanders:
            stream.send(b"DONE\r\n")
            self.assertIn(b"OK", stream.line())


if __name__ == "__main__":
    unittest.main()

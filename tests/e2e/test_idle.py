"""A client that waits is told: IDLE while mail arrives, flags change and messages go."""

import unittest

import case


class Idle(case.Case):
    def idle(self, imap):
        tag = imap.send("IDLE")
        self.assertTrue(imap.stream.line().startswith(b"+"))
        return tag

    def told(self, imap, token):
        """Reads until an untagged line with this word comes; the connection's time limit ends it."""
        while True:
            line = imap.stream.line()
            if token in line:
                return line

    def done(self, imap, tag):
        imap.stream.send(b"DONE\r\n")
        self.assertTrue(imap.finish(tag).ok)

    def test_everything_is_pushed(self):
        user = self.mailbox()
        waiting, acting = self.server.imap(user, timeout=20), self.server.imap(user)
        waiting.select("INBOX")
        tag = self.idle(waiting)
        self.deliver(self.message(), user)
        self.assertEqual(self.told(waiting, b"EXISTS"), b"* 1 EXISTS")
        acting.append("INBOX", self.message())
        self.assertEqual(self.told(waiting, b"EXISTS"), b"* 2 EXISTS")
        acting.select("INBOX")
        acting.must("STORE 2 +FLAGS (\\Flagged)")
        self.assertIn(b"\\Flagged", self.told(waiting, b"* 2 FETCH"))
        acting.must("STORE 1 +FLAGS.SILENT (\\Deleted)")
        acting.must("EXPUNGE")
        self.assertEqual(self.told(waiting, b"EXPUNGE"), b"* 1 EXPUNGE")
        self.done(waiting, tag)
        self.assertEqual(len(list(waiting.must("FETCH 1:* (UID)").fetched())), 1)
        waiting.logout()
        acting.logout()

    def test_many_wait_and_all_are_told(self):
        user = self.mailbox()
        clients = [self.server.imap(user, timeout=20) for _ in range(8)]
        tags = []
        for client in clients:
            client.select("INBOX")
            tags.append(self.idle(client))
        for i in range(1, 4):
            self.deliver(self.message(), user)
            for client in clients:
                self.told(client, b"* %d EXISTS" % i)
        for client, tag in zip(clients, tags):
            self.done(client, tag)
            client.logout()

    def test_another_folder_is_not_reported(self):
        user = self.mailbox()
        waiting, acting = self.server.imap(user, timeout=20), self.server.imap(user)
        waiting.select("Sent")
        tag = self.idle(waiting)
        self.deliver(self.message(), user)
        acting.append("Sent", self.message())
        self.assertEqual(self.told(waiting, b"EXISTS"), b"* 1 EXISTS")
        self.done(waiting, tag)
        self.assertEqual(waiting.select("Sent")[2], 1)
        waiting.logout()
        acting.logout()


if __name__ == "__main__":
    unittest.main()

"""Servers elsewhere that take half, hang up, answer slowly, answer rubbish or think better of it: what each got is counted."""

import base64
import time
import unittest

import case
import congthu
import remote

HERE = "gui.test"
EACH = 6  # messages to each domain
ROUNDS_MAX = 120
PATIENCE = 60  # seconds for what was begun to end

# domain: (what becomes of a message at first, how often)
MOODS = {
    "well.test": (remote.TAKE, 0),
    "half.test": (remote.LATER, 1),  # every other one
    "drops.test": (remote.DROP, 2),
    "mute.test": (remote.MUTE, 1),
    "garbage.test": (remote.GARBAGE, 1),
    "afterwards.test": (remote.AFTERWARDS, 1),
    "slow.test": (remote.SLOW, 1_000),
}


def number_of(address):
    return int(address.partition("@")[0].rpartition("-")[2])


def mood(address, tries):
    kind, times = MOODS[address.partition("@")[2]]
    if kind == remote.LATER and number_of(address) % 2:
        return remote.TAKE
    return kind if tries <= times else remote.TAKE


class Outages(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.remote = remote.Remote(mood, keep=4096)
        cls.addClassCleanup(cls.remote.close)
        cls.server = congthu.Congthu(extra=f'[outbound]\nsmart_host = "127.0.0.1:{cls.remote.port}"\n')
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(HERE)
        cls.user = cls.server.add_mailbox(f"an@{HERE}")

    def submit(self, *recipients):
        smtp = self.server.smtp("submission")
        smtp.hello()
        smtp.start_tls()
        smtp.hello()
        smtp.expect("AUTH PLAIN " + base64.b64encode(f"\0{self.user}\0{congthu.PASSWORD}".encode()).decode(), 235)
        for recipient in recipients:
            accepted, replies = smtp.envelope(self.user, [recipient], " BODY=8BITMIME")
            self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
            (final,) = smtp.data(self.message(sender=self.user, to=recipient, body=f"{'Kính gửi ' * 60}\r\nhết thư {recipient}\r\n"), 1)
            self.assertEqual(final.code, 250, str(final))
        smtp.quit()

    def rest(self):
        """Until nothing is being sent; how many messages wait."""
        end = time.monotonic() + PATIENCE
        while self.server.sql("select count(*) from queue_leases") != "0":
            self.assertLess(time.monotonic(), end, self.server.log_tail())
            time.sleep(0.02)
        return int(self.server.sql("select count(*) from queue_deliveries"))

    def test_each_is_taken_once_and_asked_no_more_often_than_it_wants(self):
        recipients = [f"a-{n}@{domain}" for n in range(EACH) for domain in MOODS]
        self.submit(*recipients)
        others = [to for to in recipients if not to.endswith("@slow.test")]
        nudges = []
        for at in range(ROUNDS_MAX):
            if not self.rest():
                break
            # The clock is moved for what waits; one more message has the queue looked at.
            self.server.sql("update queue_deliveries set due_at = now() where lease_id is null; update queue_destinations set next_at = now()")
            nudges.append(f"b-{at}@well.test")
            self.submit(nudges[-1])
        self.assertEqual(self.rest(), 0, self.server.must("queue", "list"))
        counted = self.remote.counted()
        self.assertEqual({to: times for to, times in counted.items() if times != 1}, {})
        self.assertEqual(set(counted), {*recipients, *nudges})
        for copy in self.remote.copies:
            self.assertTrue(copy.octets.endswith(f"hết thư {copy.recipients[0]}\r\n".encode()), "all of it, and no other's")
        for to in recipients:
            kind, times = MOODS[to.partition("@")[2]]
            refused = 0 if kind in (remote.TAKE, remote.SLOW) or kind == remote.LATER and number_of(to) % 2 else times
            self.assertEqual(self.remote.tries[to], refused + 1, to)
        # Who is slow slows himself.
        last = {to: copy.at for copy in self.remote.copies for to in copy.recipients}
        well = max(last[to] for to in others if to.endswith("@well.test"))
        self.assertLess(well, max(last[f"a-{n}@slow.test"] for n in range(EACH)))
        # Its sender is bothered with nothing of it, and each recipient has one event that says it has gone.
        self.assertEqual(self.stored(self.user), [])
        sent = self.server.sql("select count(*), sum(cardinality(recipients)) from events where kind = 'sent'")
        self.assertEqual(sent, "|".join([str(len(counted))] * 2))


if __name__ == "__main__":
    unittest.main()

"""Servers elsewhere that take half, hang up, answer slowly, answer rubbish or think better of it, or are gone for six hours: what each got
is counted."""

import base64
import collections
import re
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


class Sending(case.Case):
    """A server of which everything goes to one port."""

    @classmethod
    def begin(cls, port):
        cls.server = congthu.Congthu(extra=f'[outbound]\nsmart_host = "127.0.0.1:{port}"\n')
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(HERE)
        cls.user = cls.server.add_mailbox(f"an@{HERE}")

    def submit(self, *recipients, header=b""):
        smtp = self.server.smtp("submission")
        smtp.hello()
        smtp.start_tls()
        smtp.hello()
        smtp.expect("AUTH PLAIN " + base64.b64encode(f"\0{self.user}\0{congthu.PASSWORD}".encode()).decode(), 235)
        for recipient in recipients:
            accepted, replies = smtp.envelope(self.user, [recipient], " BODY=8BITMIME")
            self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
            message = self.message(sender=self.user, to=recipient, body=f"{'Kính gửi ' * 60}\r\nhết thư {recipient}\r\n")
            (final,) = smtp.data(header + message, 1)
            self.assertEqual(final.code, 250, str(final))
        smtp.quit()

    def rest(self):
        """Until nothing is being sent; how many messages wait."""
        end = time.monotonic() + PATIENCE
        while self.server.sql("select count(*) from queue_leases") != "0":
            self.assertLess(time.monotonic(), end, self.server.log_tail())
            time.sleep(0.02)
        return int(self.server.sql("select count(*) from queue_deliveries"))


class Outages(Sending):
    @classmethod
    def setUpClass(cls):
        cls.remote = remote.Remote(mood, keep=4096)
        cls.addClassCleanup(cls.remote.close)
        cls.begin(cls.remote.port)

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


class SixHours(Sending):
    """Nobody listens there; every half hour somebody writes one more message."""

    @classmethod
    def setUpClass(cls):
        (cls.port,) = congthu.free_ports(1)
        cls.begin(cls.port)

    def later(self, minutes):
        """The clock is moved: all that the queue knows of lies so much further back."""
        back = f"- interval '{minutes} minutes'"
        self.server.sql(
            f"update queue_messages set accepted_at = accepted_at {back};"
            f"update queue_deliveries set due_at = due_at {back}, give_up_at = give_up_at {back}, warn_at = warn_at {back};"
            f"update queue_destinations set next_at = next_at {back}, mail_at = mail_at {back}, answered_at = answered_at {back}, used_at = used_at {back}")

    def until(self, what, is_there):
        end = time.monotonic() + PATIENCE
        while not is_there():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.server.must('queue', 'destinations')}\n{self.server.log_tail()}")
            time.sleep(0.05)

    def failures(self):
        return int(self.server.sql("select failures from queue_destinations where name = 'xa.test'") or 0)

    def rests(self):
        """It was found to be down, and it is not its turn."""
        return self.failures() and self.server.sql("select next_at > now() from queue_destinations where name = 'xa.test'") == "t"

    def rest_left(self):
        """Seconds; less than none: it is over."""
        return float(self.server.sql("select extract(epoch from next_at - now()) from queue_destinations where name = 'xa.test'"))

    def warned(self):
        """Of whom the sender was told that he has it late, as often as he was."""
        found = [re.findall(rb"(?m)^Final-Recipient: rfc822;\s*(\S+)\r?\nAction: (\w+)", octets) for octets in self.stored(self.user)]
        return collections.Counter((to.decode(), action.decode()) for one in found for to, action in one)

    def test_what_waited_goes_once_and_what_somebody_wrote_to_few_goes_first(self):
        lists = [f"list-{n}@xa.test" for n in range(EACH)]
        people = [f"nguoi-{n}@xa.test" for n in range(EACH)]
        self.submit(*lists, header=b"List-Id: <tin.gui.test>\r\n")
        self.submit(*people)
        self.until("it is found to be down", self.rests)
        halves, dues = 12, []
        for half in range(halves):
            before = self.failures()
            self.later(30)
            left = self.rest_left()
            dues.append(left <= 0)
            self.submit(f"muon-{half}@xa.test")
            self.until("it is tried when its rest is over", lambda: left > 0 or self.failures() > before)
            self.until("it rests", self.rests)
            if left > 60:
                self.assertEqual(self.failures(), before, "who rests is left alone, whatever is written to him")
            self.assertLessEqual(self.rest_left(), 3600, "an hour at most")
        # From a minute to an hour, each twice as long as the one before: at first each half hour is one too many, in the end each other one.
        self.assertTrue(all(dues[:3]), dues)
        self.assertEqual(dues[8:].count(True), 2, dues)
        self.assertIn(self.failures(), range(8, 12), dues)
        late = [f"muon-{half}@xa.test" for half in range(halves)]
        overdue = {(to, "delayed"): 1 for to in lists + people + late[:halves - 8]}
        self.until("senders are told after four hours", lambda: self.warned().keys() >= overdue.keys())
        self.assertEqual(self.warned(), overdue, "of each once, and of nothing that is not late")

        there = remote.Remote(keep=4096, port=self.port)
        self.addCleanup(there.close)
        self.later(60)
        everybody = lists + people + late
        self.submit("cuoi@xa.test")
        self.assertTrue(there.wait_for(len(everybody) + 1, PATIENCE), self.server.must("queue", "destinations") + self.server.log_tail())
        self.assertEqual(self.rest(), 0, self.server.must("queue", "list"))
        self.assertEqual(there.counted(), {to: 1 for to in [*everybody, "cuoi@xa.test"]})
        for copy in there.copies:
            self.assertTrue(copy.octets.endswith(f"hết thư {copy.recipients[0]}\r\n".encode()), "all of it, and no other's")
        taken = [to for copy in there.copies for to in copy.recipients if to != "cuoi@xa.test"]
        self.assertEqual(taken[-len(lists):], lists, "what went to a list comes last, and the oldest first")
        self.assertEqual(set(taken[:-len(lists)]), {*people, *late})
        self.assertFalse([row for row in self.warned() if row[1] == "failed"])


if __name__ == "__main__":
    unittest.main()

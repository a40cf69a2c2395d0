"""Somebody has a password and sends 3,000 messages to strangers by ten connections, as fast as they are taken: how many get out, who is told,
and what becomes of his sessions and of what still waits."""

import base64
import collections
import email
import email.policy
import json
import threading
import time
import unittest

import case
import congthu
import remote
import wire

DOMAIN = "gui.test"
MESSAGES, BOTS = 3_000, 10
OUT_MAX = 100  # messages: what one hour of a person's mailbox lets through (limit.person, limit.strangers)
REFUSED_MAX = 200  # messages to strangers refused, behind which it is locked (limit.lock_after)
ATTACK_SECONDS_MAX = 300
PATIENCE = 30
LATE = 3  # of so many domains of strangers one takes nothing yet


def mood(recipient, tries):
    return remote.LATER if recipient.endswith("@la-0.test") else remote.TAKE


class Bot(threading.Thread):
    """One connection of the attacker's; he logs in again whenever it ends, until nobody lets him in."""

    def __init__(self, attack):
        super().__init__(daemon=True)
        self.attack, self.smtp = attack, None

    def run(self):
        for number in self.attack.numbers:
            self.attack.note(self.one(number))

    def one(self, number):
        """What became of a message: the code of the reply that decided."""
        try:
            if self.smtp is None:
                if self.attack.shut.is_set():
                    return "shut out"
                self.smtp = self.attack.case.submission(self.attack.user)
            recipient = f"nguoi-{number}@la-{number % LATE}.test"
            accepted, replies = self.smtp.envelope(self.attack.user, [recipient], " BODY=8BITMIME")
            if not accepted and replies[0].code == 421:
                return self.over(replies[0])
            if not accepted:
                return replies[0].code
            message = self.attack.case.message("Quà tặng", f"Bấm vào đây\r\n{'x' * 2000}\r\n", to=recipient, sender=self.attack.user)
            (reply,) = self.smtp.data(message, 1)
            return self.over(reply) if reply.code == 421 else reply.code
        except wire.Refused as refusal:
            return self.over(refusal.reply)
        except wire.Lost:
            return self.over(None)

    def over(self, reply):
        if self.smtp is None:
            # With the right password: whoever hears this has no way in.
            self.attack.shut.set()
            self.attack.why[f"{reply.code} {reply.text[:5]}" if reply else "closed"] += 1
            return "shut out"
        self.smtp.close()
        self.smtp = None
        return "ended"


class Attack:
    def __init__(self, test, user):
        self.case, self.user = test, user
        self.lock, self.shut = threading.Lock(), threading.Event()
        self.became, self.why = collections.Counter(), collections.Counter()
        self.numbers = iter(range(MESSAGES))  # each once, whichever of the threads asks

    def note(self, what):
        with self.lock:
            self.became[what] += 1


class StolenPassword(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.remote = remote.Remote(mood)
        cls.addClassCleanup(cls.remote.close)
        cls.server = congthu.Congthu(f'[outbound]\nsmart_host = "127.0.0.1:{cls.remote.port}"\n')
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(DOMAIN)
        cls.server.must("unit", "add", DOMAIN, "--name", "Sở Nội vụ", "--kind", "so", "--code", "sonoivu")
        cls.victim, cls.officer = cls.of_unit("an", "person"), cls.of_unit("sonoivu", "organisation")
        cls.colleague, cls.centre = cls.server.add_mailbox(f"binh@{DOMAIN}"), cls.server.add_mailbox(f"xulythurac@{DOMAIN}", kind="service")

    @classmethod
    def of_unit(cls, local, kind):
        address = f"{local}@{DOMAIN}"
        cls.server.must("mailbox", "add", address, "--name", f"Hộp {local}", "--class", kind, "--unit", "sonoivu", "--password-stdin",
                        "--no-password-change", stdin=congthu.PASSWORD + "\n")
        return address

    # ------------------------------------------------------------ steps

    def submission(self, user):
        smtp = self.server.smtp("submissions")
        smtp.hello()
        try:
            smtp.expect("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{congthu.PASSWORD}".encode()).decode(), 235)
        except wire.Refused:
            smtp.close()
            raise
        return smtp

    def idle(self, user):
        imap = self.server.imap(user)
        imap.select("INBOX")
        imap.stream.send(b"i IDLE\r\n")
        self.assertTrue(imap.stream.line().startswith(b"+"))
        return imap.stream

    def subjects(self, user):
        return [email.message_from_bytes(octets, policy=email.policy.default)["Subject"] for octets in self.stored(user)]

    def until(self, what, is_there):
        end = time.monotonic() + PATIENCE
        while not is_there():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.server.log_tail()}")
            time.sleep(0.05)

    def waiting(self):
        """Of the victim's mail, what waits: all of it, and what is held."""
        counts = self.server.sql("select count(*), count(*) filter (where held) from queue_deliveries join queue_messages using (message_id)"
                                 f" where sender = '{self.victim}'")
        return tuple(map(int, counts.split("|")))

    def reached(self):
        return sum(times for to, times in self.remote.counted().items() if to.startswith("nguoi-"))

    # ------------------------------------------------------------ the attack

    def test_little_gets_out_and_all_who_should_know_are_told(self):
        idle, quiet = self.idle(self.victim), self.submission(self.victim)
        attack = Attack(self, self.victim)
        bots = [Bot(attack) for _ in range(BOTS)]
        began = time.monotonic()
        for bot in bots:
            bot.start()
        for bot in bots:
            bot.join(ATTACK_SECONDS_MAX)
        took = time.monotonic() - began
        self.assertFalse([bot for bot in bots if bot.is_alive()], attack.became)
        became = attack.became
        self.assertEqual(sum(became.values()), MESSAGES)

        # Throttled, then locked: no more than so many were taken, and nobody is let in any more, with the right password.
        accepted = int(self.server.sql(f"select count(*) from events where kind = 'received' and sender = '{self.victim}'"))
        self.assertEqual((accepted, became[250]), (OUT_MAX, OUT_MAX), became)
        self.assertLessEqual(became[450] + became[451] + became[452], REFUSED_MAX + BOTS, became)
        self.assertEqual(became["shut out"] + became["ended"], MESSAGES - OUT_MAX - became[450] - became[451] - became[452], became)
        with self.assertRaises(wire.Refused):
            self.submission(self.victim)

        # What he had open has ended.
        heard = [idle.line()]  # before it, that the owner was told, too
        while not heard[-1].startswith(b"* BYE"):
            heard.append(idle.line())
        self.assertEqual(quiet.reply().code, 421)

        # Whoever looks after the unit, and the centre, have it in their mailboxes; nobody else.
        told = [f"Hộp thư {self.victim} tạm thời bị hạn chế gửi thư", f"Hộp thư {self.victim} đã bị tạm khóa"]
        for who in (self.officer, self.centre):
            self.until("they are told", lambda: len(self.subjects(who)) == len(told))
            self.assertEqual(self.subjects(who), told)
        self.assertEqual(self.subjects(self.colleague), [])

        # What has not gone yet stays, also when its time comes, while others' mail goes.
        self.until("what was begun has ended", lambda: self.server.sql("select count(*) from queue_leases") == "0")
        reached, (waits, held) = self.reached(), self.waiting()
        self.assertEqual((waits, held), (accepted - reached, accepted - reached))
        self.assertGreaterEqual(held, OUT_MAX // LATE)
        shown = json.loads(self.server.must("mailbox", "show", self.victim, "--json"))
        life = shown["life"]
        self.assertEqual((life["life"]["state"], life["life"]["reason"], life["kept_back"]), ("locked", "spam", held), shown)
        self.server.sql("update queue_deliveries set due_at = now() where lease_id is null; update queue_destinations set next_at = now()")
        smtp = self.submission(self.colleague)
        smtp.envelope(self.colleague, ["ban@la-1.test"])
        (reply,) = smtp.data(self.message(sender=self.colleague, to="ban@la-1.test"), 1)
        self.assertEqual(reply.code, 250, reply)
        self.until("a colleague's mail goes", lambda: self.remote.counted()["ban@la-1.test"] == 1)
        self.assertEqual((self.reached(), self.waiting()), (reached, (held, held)))
        print(f"\n{MESSAGES} messages to strangers by {BOTS} connections: {accepted} accepted (N), of which {reached} reached others and {held} are held; "
              f"{dict(became)}; locked and over in {took:.1f} s", end=" ", flush=True)


if __name__ == "__main__":
    unittest.main()

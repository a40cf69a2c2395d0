"""Malware and spam are stopped in both directions by the real clamd and rspamd; without them, policy holds. rspamd learns what users say."""

import base64
import concurrent.futures
import email
import email.policy
import http.client
import io
import itertools
import json
import re
import time
import unittest
import zipfile

import case
import congthu
import scanners
import wire

CONFIG = """[scan]
clamd = "{clamd}"
rspamd = "{rspamd}"
rspamd_learn = "{controller}"
rspamd_password_file = "{password}"
seconds = 20
at_once = 4
"""
BACK_SECONDS_MAX = 90.0
CROWD = 60  # messages at once while nobody scans
CROWD_SECONDS_MAX = 60.0  # a message waits for its turn and for its answer, 20 s each at most


def zipped(text):
    """A ZIP in a ZIP with this in it, as base64 lines."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hoa-don.com", text)
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hoa-don.zip", inner.getvalue())
    return base64.encodebytes(outer.getvalue()).decode().replace("\n", "\r\n")


class Filters(case.Case):
    files = itertools.count()  # so that no two messages are the same

    @classmethod
    def setUpClass(cls):
        cls.clamd, cls.rspamd = scanners.Scanner("clamd"), scanners.Scanner("rspamd")
        for scanner in (cls.clamd, cls.rspamd):
            cls.addClassCleanup(scanner.close)
            scanner.start()
        cls.password = password = cls.rspamd.directory / "password"
        password.write_text(scanners.PASSWORD + "\n")
        cls.rspamd.directory.chmod(0o755)
        cls.server = congthu.Congthu(CONFIG.format(
            clamd=cls.clamd.address, rspamd=cls.rspamd.address, controller=cls.rspamd.controller, password=password))
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(case.DOMAIN)
        cls.an, cls.binh, cls.thief = (f"{name}@{case.DOMAIN}" for name in ("an", "binh", "thief"))
        cls.server.add_mailboxes([cls.an, cls.binh, cls.thief])
        # One mailbox tries out for the others what becomes of such mail.
        cls.server.must("policy", "set", case.DOMAIN, "limit.spam=off", "--reason", "QĐ 1/QĐ-UBND")

    def setUp(self):
        for scanner in (self.clamd, self.rspamd):
            if scanner.process.poll() is not None:
                scanner.start()

    def with_file(self, text, sender):
        boundary = "==thu=="
        head, _, _ = self.message(to=self.binh, sender=sender).partition(b"Content-Type:")
        return head + (
            f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\nXem file.\r\n'
            f'--{boundary}\r\nContent-Type: application/zip; name="hoa-don-{next(self.files)}.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            f"{zipped(text)}\r\n--{boundary}--\r\n").encode()

    def answer(self, message, user=None, to=None):
        """What is said at the end of DATA, to a stranger or to a user."""
        if user is None:
            smtp = self.server.smtp()
            smtp.hello()
        else:
            smtp = self.server.smtp("submissions")
            smtp.hello()
            secret = base64.b64encode(f"\0{user}\0{congthu.PASSWORD}".encode()).decode()
            smtp.expect(f"AUTH PLAIN {secret}", 235)
        accepted, replies = smtp.envelope(user or "van-thu@other.test", [to or self.binh], "")
        self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
        (final,) = smtp.data(message, 1)
        smtp.quit()
        return final

    def both_ways(self, make):
        """The answers to a stranger and to a user."""
        return self.answer(make("van-thu@other.test")), self.answer(make(self.an), user=self.an)

    def policy(self, *settings):
        self.server.must("policy", "set", case.DOMAIN, *settings, "--reason", "QĐ 1/QĐ-UBND")

    def until(self, code, message, user=None):
        """The server looks at policies anew within seconds, and at scanners that were down."""
        deadline = time.monotonic() + BACK_SECONDS_MAX
        while (answer := self.answer(message(), user)).code != code:
            self.assertIn(answer.code, (250, 451), str(answer))
            self.assertLess(time.monotonic(), deadline, f"still {answer}")
            time.sleep(0.5)

    def assert_not_let_go(self, *command):
        refused = self.server.run(*command)
        self.assertNotEqual(refused.returncode, 0, refused.stdout)
        self.assertIn("could not be scanned", refused.stderr)

    def metric(self, pattern):
        connection = http.client.HTTPConnection(self.server.host, self.server.ports["http"], timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.search(rf"(?m)^{pattern} (\S+)$", text)
        return float(found.group(1)) if found else None

    def test_1_what_is_clean_goes_through_with_a_word_of_it(self):
        for answer in self.both_ways(lambda sender: self.with_file("Kính gửi", sender)):
            self.assertEqual(answer.code, 250, str(answer))
        for one in self.stored(self.binh):
            self.assertIn(b"\r\nX-Congthu-Scan: malware=clean spam=no", one)

    def test_1b_what_clamd_is_too_small_for_is_said(self):
        self.assertIn("clamd takes 100 MB at once", self.server.run("check").stdout)
        self.clamd.kill()
        self.clamd.allow("StreamMaxLength 1M")
        self.addCleanup(self.clamd.allow, "StreamMaxLength 100M")
        self.addCleanup(self.clamd.kill)
        self.clamd.start()
        self.assertIn("StreamMaxLength 100M in /etc/clamav/clamd.conf", self.server.run("check").stdout)
        large = self.message(body=("Kính gửi " * 6 + "\r\n") * 30_000, to=self.binh, sender="van-thu@other.test")
        self.assertGreater(len(large), 1 << 20)
        self.assertEqual(self.answer(large).code, 451)
        self.assertIn("StreamMaxLength in clamd.conf", self.server.log_path.read_text())

    def test_2_malware_in_an_archive_is_stopped_in_and_out(self):
        before = len(self.stored(self.binh))
        for answer in self.both_ways(lambda sender: self.with_file(scanners.EICAR, sender)):
            self.assertEqual((answer.code, answer.text[:5]), (554, "5.7.1"), str(answer))
            self.assertIn("Congthu.Eicar-Test", str(answer))
        self.assertEqual(len(self.stored(self.binh)), before)

    def test_2b_a_mailbox_that_goes_on_sending_malware_is_throttled_and_locked(self):
        again = self.with_file(scanners.EICAR, self.thief)
        for bad in (again, again, again, self.with_file(scanners.EICAR, self.thief)):
            self.assertEqual(self.answer(bad, user=self.thief).code, 554)
        (letter,) = self.stored(self.thief)
        subject = str(email.message_from_bytes(letter, policy=email.policy.default)["Subject"])
        self.assertEqual(subject, f"Hộp thư {self.thief} gửi thư có mã độc")
        sending = json.loads(self.server.must("--json", "mailbox", "sending", self.thief))
        self.assertEqual((sending["malware"], sending["suspect_percent"]), (2, 10))
        self.assertIsNotNone(sending["suspect_until"])
        for _ in range(3):
            self.assertEqual(self.answer(self.with_file(scanners.EICAR, self.thief), user=self.thief).code, 554)
        with self.assertRaises(wire.Refused):
            self.server.imap(self.thief)
        self.assertIn("malware", self.server.must("mailbox", "show", self.thief))

    def test_3_spam_is_stopped_in_and_out(self):
        before = len(self.stored(self.binh))
        spam = lambda sender: self.message(body=scanners.GTUBE + "\r\n", to=self.binh, sender=sender)
        for answer in self.both_ways(spam):
            self.assertEqual((answer.code, answer.text[:5]), (554, "5.7.1"), str(answer))
            self.assertIn("spam", str(answer))
        self.assertEqual(len(self.stored(self.binh)), before)

    def test_3b_spam_is_kept_apart_where_policy_says_so_and_comes_once_it_is_released(self):
        self.policy("filter.spam_in=quarantine")
        before = self.stored(self.binh)
        spam = self.message(body=scanners.GTUBE + "\r\n", to=self.binh, sender="van-thu@other.test")
        deadline = time.monotonic() + BACK_SECONDS_MAX
        while (answer := self.answer(spam)).code != 250:
            self.assertLess(time.monotonic(), deadline, f"still {answer}")
            time.sleep(0.5)
        self.assertEqual(len(self.stored(self.binh)) + len(self.stored(self.binh, "Junk")), len(before))
        (kept,) = json.loads(self.server.must("quarantine", "list", "--mailbox", self.binh, "--json"))
        self.assertEqual((kept["recipient"], kept["reason"]), (self.binh, "spam"))
        # What was answered 250 is there after a crash.
        self.server.kill()
        self.server.start()
        # A command asks clamd, too, at that moment.
        self.clamd.kill()
        self.assert_not_let_go("quarantine", "release", str(kept["id"]))
        self.clamd.start()
        said = self.server.must("quarantine", "release", str(kept["id"]), "--allow")
        self.assertIn("which this message was not", said)
        self.assertNotEqual(self.server.run("quarantine", "release", str(kept["id"])).returncode, 0)
        while len(stored := self.stored(self.binh)) == len(before):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.5)
        self.assertIn(scanners.GTUBE.encode(), stored[-1])
        self.assertEqual(self.server.must("quarantine", "list"), "")
        course = self.server.must("trace", "--to", self.binh, "--status", "released")
        self.assertIn("is quarantined", course)
        self.policy("filter.spam_in=reject")

    def test_3c_spam_that_is_sent_waits_for_an_administrator_where_policy_says_so(self):
        self.policy("filter.spam_out=quarantine")
        spam = self.message(body=scanners.GTUBE + "\r\n", to=self.binh, sender=self.an)
        deadline = time.monotonic() + BACK_SECONDS_MAX
        while (answer := self.answer(spam, user=self.an, to="ai@other.test")).code != 250:
            self.assertLess(time.monotonic(), deadline, f"still {answer}")
            time.sleep(0.5)
        (held,) = json.loads(self.server.must("queue", "list", "--state", "held-by-filter", "--json"))
        self.assertEqual(held["destination"], "other.test")
        self.assertIn("given up filter.quarantine_days after that", self.server.must("queue", "show", held["queue_id"]))
        self.clamd.kill()
        self.assert_not_let_go("queue", "release", held["queue_id"])
        self.assertEqual(len(json.loads(self.server.must("queue", "list", "--state", "held-by-filter", "--json"))), 1)
        self.clamd.start()
        # To a colleague it is kept apart; each is told by a letter of what is kept for him.
        before = self.stored(self.binh)
        self.assertEqual(self.answer(spam, user=self.an).code, 250)
        self.assertEqual(self.stored(self.binh), before)
        self.assertIn("1 letters sent", self.server.must("job", "run", "quarantine-letters"))
        self.assertIn(b"Auto-Submitted: auto-generated", self.stored(self.binh)[-1])
        self.server.must("queue", "expire", held["queue_id"])
        self.assertIn(b"Status: 5.4.7", self.stored(self.an)[-1])
        self.assertEqual(self.server.must("queue", "list"), "")
        self.policy("filter.spam_out=reject")

    def test_4_without_scanners_policy_holds_and_nothing_piles_up(self):
        self.clamd.kill()
        self.rspamd.kill()
        clean = lambda sender: self.message(to=self.binh, sender=sender)
        before = len(self.stored(self.binh))
        for answer in self.both_ways(clean):
            self.assertEqual((answer.code, answer.text[:5]), (451, "4.7.1"), str(answer))
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(20) as crowd:
            answers = list(crowd.map(lambda _: self.answer(clean("van-thu@other.test")), range(CROWD)))
        took = time.monotonic() - began
        self.assertEqual({answer.code for answer in answers}, {451})
        self.assertLess(took, CROWD_SECONDS_MAX)
        self.assertEqual(len(self.stored(self.binh)), before)
        self.assertEqual(self.metric(r'congthu_scanner_down\{scanner="clamd"\}'), 1)
        self.assertEqual(self.metric(r'congthu_message_memory_bytes'), 0)
        # Mail goes on, marked, where an administrator decides so.
        self.policy("filter.not_scanned_in=take", "filter.not_scanned_out=take")
        self.until(250, lambda: clean("van-thu@other.test"))
        self.until(250, lambda: clean(self.an), user=self.an)
        self.assertIn(b"X-Congthu-Scan: malware=unknown spam=unknown", self.stored(self.binh)[-1])
        self.policy("filter.not_scanned_in=later", "filter.not_scored_in=later")
        self.until(451, lambda: clean("van-thu@other.test"))
        # They come back, and are found again.
        self.clamd.start()
        self.rspamd.start()
        self.until(250, lambda: clean("van-thu@other.test"))
        self.assertIn(b"X-Congthu-Scan: malware=clean spam=no", self.stored(self.binh)[-1])
        self.assertEqual(self.metric(r'congthu_scanner_down\{scanner="clamd"\}'), 0)
        self.assertEqual(self.answer(self.with_file(scanners.EICAR, "van-thu@other.test")).code, 554)

    def put(self, user, source, target):
        """Moves the newest message."""
        imap = self.server.imap(user)
        imap.select(source)
        imap.must("MOVE * " + target)
        imap.logout()

    def teach(self):
        """What rspamd has learned once it was told all that waits; the server may be telling it at the moment."""
        deadline = time.monotonic() + BACK_SECONDS_MAX
        while (done := self.server.run("job", "run", "teach-filter")).returncode or " 0 wait" not in done.stdout:
            self.assertLess(time.monotonic(), deadline, done.stdout + done.stderr)
            time.sleep(0.5)
        return self.rspamd.learned()

    def test_5_rspamd_learns_what_users_move_and_report(self):
        words = "Khuyen mai dac biet chi hom nay, mua ngay keo het, giam gia tam muoi phan tram.\r\n" * 5
        letter = self.message(body=words, to=self.an)
        self.deliver(letter, self.an)
        # Its other password shows things and lets nobody teach.
        self.password.write_text(scanners.PASSWORD + "-xem\n")
        self.assertIn("rspamd does not let itself be taught", self.server.run("check").stdout)
        self.password.write_text(scanners.PASSWORD + "\n")
        self.assertIn("rspamd lets itself be taught", self.server.run("check").stdout)
        spam, ham = self.teach()
        self.put(self.an, "INBOX", "Junk")
        self.assertEqual(self.teach(), (spam + 1, ham))
        # The same again is known; and out of it, he was wrong.
        self.put(self.an, "Junk", "Trash")
        self.put(self.an, "Trash", "Junk")
        self.assertEqual(self.teach(), (spam + 1, ham))
        self.put(self.an, "Junk", "INBOX")
        self.assertEqual(self.teach()[1], ham + 1)
        spam, ham = self.teach()
        # Another one, as an attachment to the address for suspicious mail.
        self.server.add_mailbox(f"xulythurac@{case.DOMAIN}", kind="service")
        other = self.message(body=words.replace("mua", "ban"), to=self.an)
        head, _, _ = self.message(to=f"xulythurac@{case.DOMAIN}", sender=self.an).partition(b"Content-Type:")
        report = head + (b"Content-Type: multipart/mixed; boundary=thu\r\n\r\n--thu\r\n\r\nThu rac.\r\n--thu\r\n"
                         b"Content-Type: message/rfc822\r\n\r\n" + other + b"\r\n--thu--\r\n")
        self.assertEqual(self.answer(report, user=self.an, to=f"xulythurac@{case.DOMAIN}").code, 250)
        self.assertEqual(self.teach(), (spam + 1, ham))
        # It is known who said what of which; and reports that come into no mailbox are nothing to learn from.
        said = [line.split("\t")[1:] for line in self.server.must("trace", "lessons", self.an).splitlines()]
        number = re.search(rb"(?im)^Message-ID: (<\S+>)", letter)[1].decode()
        self.assertIn([self.an, self.an, "ham", "moved", "learned", number], said)
        self.assertEqual(len([line for line in said if line[3] == "reported" and line[2] == "spam"]), 1, said)
        self.assertNotIn("rspamd learns nothing", self.server.run("check").stdout)
        self.server.must("forward", "set", f"xulythurac@{case.DOMAIN}", self.binh, "--no-copy")
        self.assertIn("passes its mail on and keeps no copy: rspamd learns nothing", self.server.run("check").stdout)
        self.server.must("forward", "clear", f"xulythurac@{case.DOMAIN}")
        self.policy("contact.spam=nhom")
        self.server.must("group", "add", f"nhom@{case.DOMAIN}", "--name", "Nhóm")
        self.assertIn("is a group: rspamd learns nothing", self.server.run("check").stdout)
        self.policy("contact.spam=xulythurac")
        # Away: the move is done all the same, and what it said is not lost.
        self.deliver(self.message(body=words.replace("giam", "tang"), to=self.an), self.an)
        self.rspamd.kill()
        self.put(self.an, "INBOX", "Junk")
        done = self.server.must("job", "run", "teach-filter")
        self.assertIn("1 wait; the filter did not answer", done)
        # It comes back, and learns it once its time has come; that is made short here.
        self.rspamd.start()
        self.server.sql("update lessons set next_at = now() where next_at is not null")
        self.assertEqual(self.teach(), (spam + 2, ham))


if __name__ == "__main__":
    unittest.main()

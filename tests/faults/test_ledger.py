"""The judge must catch what it exists for: each test doctors a small ledger or an observation."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import ledger
from ledger import Seen


class Story:
    """A ledger written by hand."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.file = ledger.Ledger(self.directory.name, "w0")

    def deliver(self, token, users, result=None, **end):
        number = self.file.begin("deliver", token=token, sha="x", size=1, users=users)
        if result:
            self.file.done(number, result, **end)

    def append(self, token, uid=None, flags=(), folder="F"):
        number = self.file.begin("append", user="u", folder=folder, token=token, sha="x", size=1, flags=list(flags))
        if uid:
            self.file.done(number, "ok", uid=[1, uid])

    def act(self, op, uids, result=None, end=None, folder="F", **facts):
        number = self.file.begin(op, user="u", folder=folder, uv=1, uids=uids, **facts)
        if result:
            self.file.done(number, result, **(end or {}))

    def judge(self, *observed):
        return ledger.judge(ledger.replay(ledger.load(self.directory.name)), list(observed))


def seen(token, uid, folder="F", flags=(), content="", user="u"):
    return Seen(user, folder, 1, uid, frozenset(flags), token, content)


class Judge(unittest.TestCase):
    def setUp(self):
        self.story = Story()

    def tearDown(self):
        self.story.file.file.close()
        self.story.directory.cleanup()

    def good(self, *observed):
        self.assertEqual(self.story.judge(*observed), [])

    def bad(self, kind, *observed):
        found = self.story.judge(*observed)
        self.assertTrue(any(v.startswith(kind) for v in found), f"{kind} not among {found}")

    def test_an_acknowledged_delivery_is_there_once(self):
        self.story.deliver("t", ["u", "v"], "ok")
        both = [seen("t", 1, "INBOX"), seen("t", 9, "INBOX", user="v")]
        self.good(*both)
        self.bad("lost", both[0])
        self.bad("duplicate", *both, seen("t", 2, "INBOX"))
        self.bad("content", both[1], seen("t", 1, "INBOX", content="differs at byte 3"))
        self.bad("differs", both[1], seen("t", 1, "Drill"))
        self.bad("differs", both[1], seen("t", 1, "INBOX", ["\\Seen"]))

    def test_an_open_delivery_is_there_once_or_not_at_all(self):
        self.story.deliver("t", ["u"])
        self.good()
        self.good(seen("t", 1, "INBOX"))
        self.bad("duplicate", seen("t", 1, "INBOX"), seen("t", 2, "INBOX"))

    def test_lmtp_answers_for_each_recipient(self):
        self.story.deliver("t", ["u", "v"], "mixed", each={"u": "ok", "v": "refused"})
        self.good(seen("t", 1, "INBOX"))
        self.bad("lost", seen("t", 1, "INBOX", user="v"))

    def test_mail_nobody_sent_is_foreign(self):
        self.bad("foreign", seen("x", 1))
        self.bad("foreign", seen(None, 1))

    def test_an_append_keeps_number_and_flags(self):
        self.story.append("t", 5, ["\\Seen"])
        self.good(seen("t", 5, flags=["\\Seen"]))
        self.bad("differs", seen("t", 5))
        self.bad("differs", seen("t", 6, flags=["\\Seen"]))
        self.bad("lost")

    def test_an_open_append_may_be_missing(self):
        self.story.append("t")
        self.good()
        self.good(seen("t", 5))
        self.bad("duplicate", seen("t", 5), seen("t", 6))

    def test_numbers_are_never_reused(self):
        self.story.append("t", 5)
        self.story.act("expunge", [5], "ok")
        self.story.append("n", 5)
        self.bad("uid reused", seen("n", 5))

    def test_numbers_do_not_fall_below_uidnext(self):
        self.story.file.note("seen", user="u", folder="F", uv=1, next=10, uids=[])
        self.story.append("t", 7)
        self.bad("uid went back", seen("t", 7))

    def test_uidnext_never_falls(self):
        for following in (10, 9):
            self.story.file.note("seen", user="u", folder="F", uv=1, next=following, uids=[])
        self.bad("UIDNEXT went back")

    def test_an_observed_number_keeps_its_content(self):
        self.story.deliver("a", ["u"])
        self.story.deliver("b", ["u"], "ok")
        self.story.file.note("seen", user="u", folder="INBOX", uv=1, next=9, uids=[[3, "a"]])
        self.story.file.note("seen", user="u", folder="INBOX", uv=1, next=9, uids=[[3, "b"]])
        self.bad("uid reused", seen("b", 3, "INBOX"))

    def test_a_number_at_or_above_uidnext_is_wrong(self):
        self.story.deliver("a", ["u"], "ok")
        self.story.file.note("seen", user="u", folder="INBOX", uv=1, next=3, uids=[[3, "a"]])
        self.bad("uid 3 not below", seen("a", 3, "INBOX"))

    def test_flags(self):
        self.story.append("t", 5, ["a"])
        self.story.act("store", [5], "ok", mode="+", flags=["b"])
        self.good(seen("t", 5, flags=["a", "b"]))
        self.bad("differs", seen("t", 5, flags=["a"]))
        self.story.act("store", [5], "ok", mode="-", flags=["a"])
        self.good(seen("t", 5, flags=["b"]))
        self.story.act("store", [5], mode="=", flags=["c"])
        self.good(seen("t", 5, flags=["b"]))
        self.good(seen("t", 5, flags=["c"]))
        self.bad("differs", seen("t", 5, flags=["b", "c"]))

    def test_an_acknowledged_move_is_in_the_destination_only(self):
        self.story.append("t", 5, ["a"])
        self.story.act("move", [5], "ok", {"pairs": [[5, 8]], "uv": 1}, to="G")
        self.good(seen("t", 8, "G", ["a"]))
        self.bad("differs", seen("t", 5, "F", ["a"]))
        self.bad("duplicate", seen("t", 5, "F", ["a"]), seen("t", 8, "G", ["a"]))
        self.bad("lost")

    def test_an_open_move_is_never_both_and_never_neither(self):
        self.story.append("t", 5)
        self.story.act("move", [5], to="G")
        self.good(seen("t", 5))
        self.good(seen("t", 3, "G"))
        self.bad("duplicate", seen("t", 5), seen("t", 3, "G"))
        self.bad("lost")

    def test_copies(self):
        self.story.append("t", 5, ["a"])
        self.story.act("copy", [5], "ok", {"pairs": [[5, 8]], "uv": 1}, to="G")
        self.good(seen("t", 5, flags=["a"]), seen("t", 8, "G", ["a"]))
        self.bad("lost", seen("t", 5, flags=["a"]))
        self.story.act("expunge", [8], "ok", folder="G")
        self.good(seen("t", 5, flags=["a"]))
        self.story.act("copy", [5], to="G")
        self.good(seen("t", 5, flags=["a"]))
        self.good(seen("t", 5, flags=["a"]), seen("t", 9, "G", ["a"]))
        self.bad("differs", seen("t", 9, "G", ["a"]))

    def test_expunged_is_gone(self):
        self.story.append("t", 5)
        self.story.act("expunge", [5], "ok")
        self.good()
        self.bad("duplicate", seen("t", 5))

    def test_an_open_expunge_is_either(self):
        self.story.append("t", 5)
        self.story.act("expunge", [5])
        self.good()
        self.good(seen("t", 5))

    def test_a_found_delivery_can_no_longer_be_missing(self):
        self.story.deliver("t", ["u"])
        self.story.file.note("found", user="u", folder="INBOX", uv=1, uid=4, token="t")
        self.good(seen("t", 4, "INBOX"))
        self.bad("lost")
        self.story.file.note("found", user="u", folder="INBOX", uv=1, uid=5, token="t")
        self.bad("duplicate", seen("t", 4, "INBOX"), seen("t", 5, "INBOX"))

    def test_trouble_is_a_violation(self):
        self.story.file.note("trouble", what="550 unknown user")
        self.bad("trouble")


if __name__ == "__main__":
    unittest.main()

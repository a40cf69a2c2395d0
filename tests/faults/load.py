"""The crash drill's load: clients that write into the ledger what they are about to do and what came of it.

A worker owns the messages it changes (its own appends and copies, and of the delivered ones a share chosen by
token), so that its view of them is exact although folders are shared. It never touches a message again whose last operation got
no answer; see `ledger.py` for why.
"""

import random
import threading
import time
import zlib
from dataclasses import dataclass

import ledger as ledgers
import wire
from messages import compose

FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Forwarded", "viec-gap"]
SHARED_FOLDERS = ["INBOX", "Archive", "Drill"]
HELD_MAX = 150  # messages a worker keeps; beyond, it removes more than it adds
COPIES_MAX = 2  # of one token, so that open alternatives stay few
BATCH_MAX = 5  # messages one command changes
CONNECTION_OPERATIONS = 40  # then a worker reconnects, so that logins are under fire too
CLIENT_TIMEOUT = 120.0  # seconds
BARE = b" \x01\xff\rbare\nends"  # bytes that only APPEND may carry, and must keep; no NUL (RFC 9051 4.3)


class Control:
    """Lets the drill hold the workers, and lets workers say that a command has just been sent."""

    def __init__(self):
        self.stopping = False
        self.up = threading.Event()
        self.fired = threading.Event()
        self.condition = threading.Condition()
        self.paused = False
        self.idle = 0
        self.workers = 0

    def checkpoint(self):
        """Between two operations: blocks while the drill looks around; False at the end."""
        with self.condition:
            if self.paused:
                self.idle += 1
                self.condition.notify_all()
                self.condition.wait_for(lambda: not self.paused or self.stopping)
                self.idle -= 1
        while not self.stopping and not self.up.wait(0.2):
            if self.paused:
                return True
        return not self.stopping

    def pause(self, timeout):
        """Waits until every worker is between operations."""
        with self.condition:
            self.paused = True
            if not self.condition.wait_for(lambda: self.idle >= self.workers, timeout):
                raise RuntimeError(f"only {self.idle} of {self.workers} workers came to rest within {timeout} s")

    def resume(self):
        with self.condition:
            self.paused = False
            self.condition.notify_all()

    def stop(self):
        self.stopping = True
        self.resume()


class Worker(threading.Thread):
    """One client. `act` does one operation and may raise `Lost` or `Refused` at any point."""

    def __init__(self, name, server, control, directory, seed):
        super().__init__(name=name, daemon=True)
        self.server = server
        self.control = control
        self.random = random.Random(f"{seed}:{name}")
        self.ledger = ledgers.Ledger(directory, name)
        self.connection = None
        self.left = 0
        self.serial = 0
        self.failure = None
        control.workers += 1

    def run(self):
        try:
            while self.control.checkpoint():
                if not self.control.up.is_set():
                    continue
                try:
                    self.step()
                except wire.Lost:
                    self.drop()
                    time.sleep(0.02)
                except wire.Refused as refusal:
                    self.judge_refusal(refusal.reply)
                    self.drop()
                    time.sleep(0.1)
        except Exception as error:  # the drill reports it: a dead worker would make the drill look easy
            self.failure = error
            self.ledger.note("trouble", what=f"worker {self.name} died: {error!r}")
            raise
        finally:
            with self.control.condition:
                self.control.workers -= 1
                self.control.condition.notify_all()

    def step(self):
        if self.connection is None:
            self.connect()
            self.left = self.random.randrange(1, CONNECTION_OPERATIONS)
        self.act()
        self.left -= 1
        if self.left <= 0:
            self.leave()

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def leave(self):
        (self.connection.quit if isinstance(self.connection, wire.Smtp) else self.connection.logout)()
        self.connection = None

    def token(self, kind):
        self.serial += 1
        return f"{kind}-{self.name}-{self.serial}"


# ---------------------------------------------------------------- delivery


class Sender(Worker):
    """Delivers by SMTP or LMTP, to one or several, with DATA or BDAT."""

    def __init__(self, name, server, control, directory, seed, users, protocol):
        super().__init__(name, server, control, directory, seed)
        self.users = users
        self.protocol = protocol
        self.chunking = False

    def connect(self):
        self.connection = self.server.smtp(self.protocol, timeout=CLIENT_TIMEOUT)
        if self.connection.greeting.code != 220:
            raise wire.Refused(self.connection.greeting)
        self.connection.hello()
        if "STARTTLS" in self.connection.extensions and self.random.random() < 0.2:
            self.connection.start_tls()
            self.connection.hello()
        self.chunking = "CHUNKING" in self.connection.extensions

    def act(self):
        rng = self.random
        users = rng.sample(self.users, rng.choice([1, 1, len(self.users), rng.randrange(1, len(self.users) + 1)]))
        token = self.token("d")
        message = compose(rng, token, "van-thu@other.test", users[0])
        accepted, replies = self.connection.envelope("van-thu@other.test", users, " BODY=8BITMIME")
        for reply in replies:
            if not reply.ok:
                self.judge_refusal(reply)
        if not accepted:
            self.connection.expect("RSET", 250)
            return
        number = self.ledger.begin("deliver", token=token, sha=ledgers.digest(message), size=len(message), users=accepted)
        try:
            finals = self.transmit(message, len(accepted))
        except wire.Refused as refusal:
            self.ledger.done(number, "refused")
            raise refusal
        self.record(number, accepted, finals)

    def transmit(self, message, accepted):
        chunked = self.chunking and self.random.random() < 0.4
        self.control.fired.set()
        if chunked:
            return self.connection.bdat(message, accepted, self.random.choice([0, 0, 3000, 60_000]))
        return self.connection.data(message, accepted)

    def record(self, number, accepted, finals):
        each = ["ok" if f.ok else "refused" for f in finals]
        for final in finals:
            if not final.ok:
                self.judge_refusal(final)
        if len(set(each)) == 1:
            self.ledger.done(number, each[0])
        else:
            self.ledger.done(number, "mixed", each=dict(zip(accepted, each)))

    def judge_refusal(self, reply):
        """While Postgres is away 4xx is right; 5xx would bounce good mail and never is."""
        if isinstance(reply, wire.Reply) and 400 <= reply.code < 500:
            self.ledger.note("busy", what=f"{self.protocol} {reply.code}")
        else:
            self.ledger.note("trouble", what=f"{self.protocol}: {reply}")


# ---------------------------------------------------------------- IMAP


@dataclass
class Held:
    """A message a worker knows everything about."""

    folder: str
    validity: int
    uid: int
    token: str
    flags: frozenset


class Reader(Worker):
    """Appends, flags, copies, moves and expunges in one mailbox."""

    def __init__(self, name, server, control, directory, seed, user, password, share):
        super().__init__(name, server, control, directory, seed)
        self.user = user
        self.password = password
        self.share, self.shares = share
        self.held = []
        self.closed_tokens = set()
        self.copies = {}
        self.known = set()
        self.found_up_to = 0
        self.selected = None
        self.own_generation = 0
        self.own_ready = False

    @property
    def own(self):
        """A folder only this worker uses, where a plain EXPUNGE harms nobody."""
        return f"Own-{self.name}-{self.own_generation}"

    def connect(self):
        self.selected = None
        self.connection = self.server.imap(self.user, self.password, timeout=CLIENT_TIMEOUT)

    def judge_refusal(self, reply):
        # A NO may say that the database is away; BAD and wrong passwords are never right here.
        text = str(reply)
        if isinstance(reply, wire.Answer) and reply.status == "NO" and "UNAVAILABLE" in text:
            self.ledger.note("busy", what="imap NO [UNAVAILABLE]")
        else:
            self.ledger.note("trouble", what=f"imap: {text}")

    def act(self):
        rng = self.random
        if not self.own_ready:
            self.prepare_folders()
        full = len(self.held) > HELD_MAX
        action = rng.choices(
            [self.append, self.discover, self.store, self.copy, self.move, self.expunge],
            [15 if full else 30, 5 if full else 15, 20, 5 if full else 10, 15, 40 if full else 12])[0]
        action()

    def prepare_folders(self):
        for folder in ("Archive", "Drill", self.own):
            answer = self.connection.command("CREATE", wire.quoted(folder))
            if not answer.ok and "ALREADYEXISTS" not in str(answer) and "already exists" not in str(answer).lower():
                raise wire.Refused(answer)
        self.own_ready = True

    def select(self, folder):
        """Selects, or brings the selected folder up to date; its UIDVALIDITY."""
        if self.selected and self.selected[0] == folder:
            self.connection.must("NOOP")
        else:
            self.selected = None
            validity, _, _ = self.connection.select(folder)
            self.selected = (folder, validity)
        return self.selected[1]

    def attempt(self, number, items, *command):
        """Sends what the ledger announced. On anything but OK the items are let go for ever."""
        try:
            tag = self.connection.send(*command)
            self.control.fired.set()
            answer = self.connection.finish(tag)
            if not answer.ok:
                raise wire.Refused(answer)
            return answer
        except (wire.Lost, wire.Refused) as error:
            if isinstance(error, wire.Refused):
                self.ledger.done(number, "refused")
            self.let_go(items)
            raise

    def let_go(self, items):
        for item in items:
            self.closed_tokens.add(item.token)
            if item.folder == self.own:  # a plain EXPUNGE there might now take what must stay
                self.own_generation += 1
                self.own_ready = False
        gone = {id(i) for i in items}
        self.held = [i for i in self.held if id(i) not in gone and i.token not in self.closed_tokens]

    def append(self):
        rng = self.random
        folder = rng.choice([*SHARED_FOLDERS, self.own])
        flags = rng.sample(FLAGS, rng.randrange(0, 3))
        token = self.token("a")
        message = compose(rng, token, self.user, self.user)
        if self.server.keeps_bare and rng.random() < 0.2:
            message = message[:-2] + BARE
        number = self.ledger.begin("append", user=self.user, folder=folder, token=token, sha=ledgers.digest(message),
                                   size=len(message), flags=flags)
        arguments = ["APPEND", wire.quoted(folder)] + (["(" + " ".join(flags) + ")"] if flags else [])
        answer = self.attempt(number, [], *arguments, wire.Literal(message))
        validity, uid = (int(n) for n in answer.code("APPENDUID").split())
        self.ledger.done(number, "ok", uid=[validity, uid])
        self.hold(Held(folder, validity, uid, token, frozenset(flags)))

    def hold(self, item):
        self.held.append(item)
        self.known.add((item.folder, item.validity, item.uid))

    def discover(self):
        """Takes over this worker's share of what was delivered to the INBOX."""
        validity = self.select("INBOX")
        answer = self.connection.must("UID FETCH", f"{self.found_up_to + 1}:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Drill)])")
        fetched = [(int(items["UID"]), items) for _, items in answer.fetched() if "UID" in items]  # the rest: others' flags
        for uid, items in fetched:
            text = next((v for k, v in items.items() if k.startswith("BODY[")), b"") or b""
            token = text.partition(b":")[2].strip().decode("latin-1")
            mine = token.startswith("d-") and zlib.crc32(token.encode()) % self.shares == self.share
            if uid <= self.found_up_to or not mine or token in self.closed_tokens or ("INBOX", validity, uid) in self.known:
                continue
            self.ledger.note("found", user=self.user, folder="INBOX", uv=validity, uid=uid, token=token)
            self.hold(Held("INBOX", validity, uid, token, frozenset()))
        # Another session's message with a lower number cannot appear later: numbers are given in commit order.
        self.found_up_to = max([self.found_up_to, *(uid for uid, _ in fetched)])

    def choose(self, folder=None):
        """Up to a few held messages of one folder, which is then selected."""
        folders = sorted({i.folder for i in self.held})
        if not folders:
            return None, []
        folder = folder or self.random.choice(folders)
        here = [i for i in self.held if i.folder == folder]
        items = self.random.sample(here, min(len(here), self.random.randrange(1, BATCH_MAX + 1)))
        items.sort(key=lambda i: i.uid)
        return self.select(folder), items

    def begin(self, op, items, **facts):
        return self.ledger.begin(op, user=self.user, folder=items[0].folder, uv=items[0].validity,
                                 uids=[i.uid for i in items], **facts)

    def store(self, fixed=None, items=None):
        if items is None:
            _, items = self.choose()
        if not items:
            return
        rng = self.random
        mode, flags = fixed or (rng.choice("++-="), rng.sample(FLAGS, rng.randrange(1, 4)))
        number = self.begin("store", items, mode=mode, flags=flags)
        silent = ".SILENT" if rng.random() < 0.5 else ""
        item = {"+": "+FLAGS", "-": "-FLAGS", "=": "FLAGS"}[mode] + silent
        self.attempt(number, items, "UID STORE", numbers(items), item, "(" + " ".join(flags) + ")")
        self.ledger.done(number, "ok")
        change = frozenset(flags)
        for held in items:
            held.flags = {"+": held.flags | change, "-": held.flags - change, "=": change}[mode]

    def transfer(self, op, items, target):
        number = self.begin(op, items, to=target)
        answer = self.attempt(number, items, f"UID {op.upper()}", numbers(items), wire.quoted(target))
        code = answer.code("COPYUID")
        if not code:
            self.ledger.note("trouble", what=f"{op} answered OK without COPYUID: {answer}")
            self.let_go(items)
            return {}, 0
        validity, sources, targets = code.split()
        told = list(zip(wire.uid_set(sources), wire.uid_set(targets)))
        self.ledger.done(number, "ok", pairs=told, uv=int(validity))
        return dict(told), int(validity)

    def copy(self):
        _, items = self.choose()
        items = [i for i in items if self.copies.get(i.token, 0) < COPIES_MAX]
        if not items:
            return
        target = self.random.choice([*SHARED_FOLDERS, self.own])
        for item in items:
            self.copies[item.token] = self.copies.get(item.token, 0) + 1
        told, validity = self.transfer("copy", items, target)
        for item in items:
            if item.uid in told:
                self.hold(Held(target, validity, told[item.uid], item.token, item.flags))

    def move(self):
        _, items = self.choose()
        if not items:
            return
        target = self.random.choice([f for f in [*SHARED_FOLDERS, self.own] if f != items[0].folder])
        told, validity = self.transfer("move", items, target)
        for item in items:
            if item.uid in told:
                item.folder, item.validity, item.uid = target, validity, told[item.uid]
                self.known.add((target, validity, item.uid))

    def expunge(self):
        _, items = self.choose()
        if not items:
            return
        self.store(("+", ["\\Deleted"]), items)
        plainly = items[0].folder == self.own and self.random.random() < 0.5
        if plainly:
            items = [i for i in self.held if i.folder == self.own and "\\Deleted" in i.flags]
        number = self.begin("expunge", items)
        self.attempt(number, items, *(["EXPUNGE"] if plainly else ["UID EXPUNGE", numbers(items)]))
        self.ledger.done(number, "ok")
        gone = {id(i) for i in items}
        self.held = [i for i in self.held if id(i) not in gone]


def numbers(items):
    return ",".join(str(i.uid) for i in items)

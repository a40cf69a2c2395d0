"""Two-way synchronization under random edits: a mailbox on the server, a Maildir beside it, and whoever keeps them alike.

Each round edits both sides without telling either, lets the client run once, and compares: every folder has the same
messages, octet for octet, with the same flags; nothing that nobody deleted is gone; and a second run changes nothing, on
the server (UIDs, flags, mod-sequences) or on disk (names, inodes, times). The seed decides every edit.
"""

import base64
import collections
import dataclasses
import email.header
import os
import pathlib
import random
import re
import shutil

import mutf7
import wire

# Names that clients have stumbled over: non-ASCII, levels, `&`, blanks, an emoji beyond the BMP, one that looks encoded.
FOLDERS = [
    "INBOX",
    "Công văn đến",
    "Công văn đến/2026",
    "Công văn đến/2026/Quý IV",
    "Dự thảo",
    "Hợp đồng & Thanh toán",
    "Lúa 🌾 mùa vụ",
    "Họp  giao ban (thứ Hai)",
    "R&AOk-sum",
]
NEW_FOLDERS = ["Đơn thư #{n}", "Công văn đi/Số {n}", "Báo cáo & Tổng hợp {n}", "🚜 Nông nghiệp {n}"]
FLAGS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S"}  # server: Maildir
PIPELINE = 50  # commands that are sent before their replies are read
BODIES = 200  # messages fetched at once


@dataclasses.dataclass(frozen=True)
class Message:
    """What both sides must agree on."""

    text: bytes  # with LF lines and without the headers that clients add for themselves
    flags: str  # Maildir letters, sorted

    @property
    def key(self):
        found = re.search(rb"(?mi)^Message-ID: <([^>]*)>", self.text)
        return found.group(1).decode() if found else None


# mbsync marks messages in transit.
ADDED = re.compile(rb"(?mi)^X-TUID: .*\n")


def canonical(data):
    return ADDED.sub(b"", data.replace(b"\r\n", b"\n"))


class Letters:
    """Messages as an office gets them; each has a Message-ID of its own."""

    def __init__(self, dice):
        self.dice = dice
        self.count = 0

    def write(self):
        """One message with CRLF lines."""
        self.count += 1
        dice = self.dice
        subject = email.header.Header(f"V/v phối hợp số {self.count}/UBND-VX 📎", "utf-8").encode(linesep="\r\n")
        head = (f"From: =?utf-8?q?V=C4=83n_th=C6=B0?= <van-thu@other.test>\r\nTo: <can-bo@thu.test>\r\nSubject: {subject}\r\n"
                f"Message-ID: <so-{self.count}@other.test>\r\nDate: Mon, 02 Jun 2025 08:00:00 +0700\r\nMIME-Version: 1.0\r\n")
        body = dice.choice([self.plain, self.encoded, self.attached, self.long, self.unended, self.bodiless])
        return head.encode() + body()

    def plain(self):
        lines = "Kính gửi: Ủy ban nhân dân xã;\r\n.\r\nFrom đây trở đi.\r\n" * self.dice.randint(1, 20)
        return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + lines.encode()

    def encoded(self):
        packed = base64.encodebytes(self.dice.randbytes(self.dice.randint(1, 3000))).replace(b"\n", b"\r\n")
        return b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + packed

    def attached(self):
        edge = "=_%08x" % self.dice.getrandbits(32)
        packed = base64.encodebytes(self.dice.randbytes(1500)).decode().replace("\n", "\r\n")
        return (f'Content-Type: multipart/mixed;\r\n\tboundary="{edge}"\r\n\r\nMở đầu\r\n--{edge}\r\n'
                f"Content-Type: text/plain; charset=utf-8\r\n\r\nXem tệp kèm.\r\n--{edge}\r\n"
                f"Content-Type: application/pdf; name*=utf-8''C%C3%B4ng%20v%C4%83n.pdf\r\n"
                f"Content-Transfer-Encoding: base64\r\n\r\n{packed}--{edge}--\r\n").encode()

    def long(self):
        return b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + ("ấ" * 300).encode() + b"</p>\r\n" * 3

    def unended(self):
        return b"\r\nno line end at the end"

    def bodiless(self):
        return b"\r\n"


class Far:
    """The mailbox on the server, as a second client sees it."""

    def __init__(self, server, user):
        self.imap = server.imap(user)
        self.has_modseq = b"CONDSTORE" in plain_capabilities(self.imap)

    def folders(self):
        return sorted(mutf7.decode(name) for name in self.imap.folders())

    def select(self, folder):
        return self.imap.select(mutf7.encode(folder))

    def messages(self, folder):
        """{uid: Message}"""
        _, _, exists = self.select(folder)
        out = {}
        for first in range(1, exists + 1, BODIES):
            answer = self.imap.must(f"FETCH {first}:{min(first + BODIES - 1, exists)} (UID FLAGS BODY.PEEK[])")
            for _, row in answer.fetched():
                out[int(row["UID"])] = Message(canonical(row["BODY[]"]), letters(row["FLAGS"]))
        assert len(out) == exists, (folder, exists, len(out))
        return out

    def state(self):
        """Everything that changes when anything is changed."""
        out = {}
        for folder in self.folders():
            validity, following, exists = self.select(folder)
            rows = []
            if exists:
                rows = [(row["UID"], letters(row["FLAGS"]), row.get("MODSEQ", [b""])[0]) for _, row in
                        self.imap.must("FETCH 1:* (UID FLAGS MODSEQ)" if self.has_modseq else "FETCH 1:* (UID FLAGS)").fetched()]
            # The answer to SELECT has no HIGHESTMODSEQ for us: the numbers of what remains and UIDNEXT say nearly the same.
            out[folder] = validity, following, rows
        return out

    def run(self, commands):
        """Pipelines commands that all must succeed."""
        for start in range(0, len(commands), PIPELINE):
            tags = [self.imap.send(*command) for command in commands[start : start + PIPELINE]]
            for tag in tags:
                answer = self.imap.finish(tag)
                if not answer.ok:
                    raise wire.Refused(answer)

    def append(self, folder, texts):
        name = wire.quoted(mutf7.encode(folder))
        self.run([("APPEND", name, f"({' '.join(flags)})", wire.Literal(text)) for text, flags in texts])

    def create(self, folder):
        self.imap.must("CREATE", wire.quoted(mutf7.encode(folder)))

    def rename(self, old, new):
        self.imap.must("RENAME", wire.quoted(mutf7.encode(old)), wire.quoted(mutf7.encode(new)))

    def remove(self, folder):
        self.imap.must("DELETE", wire.quoted(mutf7.encode(folder)))

    # Edits of the folder's messages `uids`.

    def toggle(self, folder, uids, dice):
        self.select(folder)
        commands = []
        for uid in uids:
            sign, flag = dice.choice("+-"), dice.choice(sorted(FLAGS))
            commands.append((f"UID STORE {uid} {sign}FLAGS.SILENT ({flag})",))
        self.run(commands)

    def delete(self, folder, uids):
        self.select(folder)
        numbers = ",".join(map(str, uids))
        self.run([(f"UID STORE {numbers} +FLAGS.SILENT (\\Deleted)",), (f"UID EXPUNGE {numbers}",)])

    def move(self, folder, uids, target):
        self.select(folder)
        self.run([(f"UID MOVE {','.join(map(str, uids))}", wire.quoted(mutf7.encode(target)))])


def plain_capabilities(imap):
    return imap.must("CAPABILITY").untagged[0]


def letters(flags):
    return "".join(sorted(FLAGS[f.decode()] for f in flags if f.decode() in FLAGS))


class Near:
    """The Maildir. `encoded` says whether folder names stand on disk in modified UTF-7."""

    def __init__(self, root, encoded, host):
        self.root = pathlib.Path(root)
        self.encoded = encoded
        self.host = host
        self.count = 0

    def path(self, folder):
        return self.root / (mutf7.encode(folder) if self.encoded else folder)

    def folders(self):
        names = [str(p.parent.relative_to(self.root)) for p in self.root.glob("**/cur")]
        return sorted(mutf7.decode(name) if self.encoded else name for name in names)

    def files(self, folder):
        return sorted(p for part in ("cur", "new") for p in (self.path(folder) / part).iterdir())

    def messages(self, folder):
        """{path: Message}"""
        return {p: Message(canonical(p.read_bytes()), "".join(sorted(set(info(p)) - {"T"}))) for p in self.files(folder)}

    def state(self):
        """Name, inode, size and time of change of every message."""
        return {folder: [(p.name, *vital(p)) for p in self.files(folder)] for folder in self.folders()}

    def create(self, folder):
        """With the folders above it, as the server does."""
        above = folder.rpartition("/")[0]
        if above and not (self.path(above) / "cur").exists():
            self.create(above)
        for part in ("cur", "new", "tmp"):
            (self.path(folder) / part).mkdir(parents=True)

    def remove(self, folder):
        """The folder alone: those below it stay."""
        path = self.path(folder)
        for child in list(path.iterdir()):
            if child.is_file():
                child.unlink()
            elif child.name in ("cur", "new", "tmp"):
                shutil.rmtree(child)
        if not any(path.iterdir()):
            path.rmdir()

    def append(self, folder, texts):
        for text, flags in texts:
            self.put(folder, text.replace(b"\r\n", b"\n"), letters([f.encode() for f in flags]))

    def put(self, folder, data, flags):
        self.count += 1
        name = f"1750000000.{os.getpid()}_{self.count}.{self.host}"
        (self.path(folder) / "tmp" / name).write_bytes(data)
        (self.path(folder) / "tmp" / name).rename(self.path(folder) / "cur" / f"{name}:2,{flags}")

    # Edits of the folder's messages `paths`.

    def toggle(self, folder, paths, dice):
        for path in paths:
            flags = set(info(path)) ^ {dice.choice(sorted(FLAGS.values()))}
            base = path.name.partition(":2,")[0]
            path.rename(self.path(folder) / "cur" / f"{base}:2,{''.join(sorted(flags))}")

    def delete(self, _folder, paths):
        for path in paths:
            path.unlink()

    def move(self, _folder, paths, target):
        for path in paths:
            self.put(target, path.read_bytes(), info(path))
            path.unlink()


def vital(path):
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def info(path):
    return path.name.partition(":2,")[2]


class Difference(AssertionError):
    """The two sides are not alike, or something is lost."""


class Journey:
    """Rounds of edits between `far` and `near`; `sync` runs the client once and fails by itself when it complains."""

    def __init__(self, far, near, sync, seed, forget=None):
        self.far = far
        self.near = near
        self.sync = sync
        self.dice = random.Random(seed)
        self.letters = Letters(self.dice)
        self.forget = forget or (lambda folder: None)  # removes what the client remembers of a folder that was renamed
        self.deleted = set()  # Message-IDs that somebody deleted
        self.new_folders = 0

    def fill(self, count):
        """`count` messages: three quarters wait on the server, the rest locally."""
        for folder in FOLDERS[1:]:
            self.far.create(folder)
        share = count * 3 // 4 // len(FOLDERS)
        for folder in FOLDERS:
            self.far.append(folder, self.mail(share))
        self.sync()
        rest = count - share * len(FOLDERS)
        for number, folder in enumerate(FOLDERS):
            self.near.append(folder, self.mail(rest // len(FOLDERS) + (number < rest % len(FOLDERS))))
        self.settle()

    def mail(self, count):
        return [(self.letters.write(), self.some_flags()) for _ in range(count)]

    def some_flags(self):
        return sorted(flag for flag in FLAGS if self.dice.random() < 0.25)

    def round(self, share, renames=True):
        """Edits `share` of every folder on both sides, then settles."""
        for side in (self.far, self.near):
            for folder in self.editable(side):
                self.edit(side, folder, share)
            self.grow(side, share)
        if renames:
            self.rename()
        self.settle()

    def editable(self, side):
        return [folder for folder in side.folders() if side.messages(folder)]

    def edit(self, side, folder, share):
        found = list(side.messages(folder).items())
        self.dice.shuffle(found)
        count = max(1, int(len(found) * share))
        flagged, gone, moved = found[:count], found[count : 2 * count], found[2 * count : 3 * count]
        if flagged:
            side.toggle(folder, [k for k, _ in flagged], self.dice)
        if gone:
            side.delete(folder, [k for k, _ in gone])
            self.deleted |= {m.key for _, m in gone}
        if moved:
            others = [f for f in side.folders() if f != folder]
            side.move(folder, [k for k, _ in moved], self.dice.choice(others))

    def grow(self, side, share):
        """New mail in two old folders and in a new one."""
        self.new_folders += 1
        new = self.dice.choice(NEW_FOLDERS).format(n=self.new_folders)
        old = self.dice.sample(side.folders(), 2)
        side.create(new)
        for folder in [new, *old]:
            side.append(folder, self.mail(max(1, int(self.letters.count * share / 4))))

    def rename(self):
        """A folder made by `grow` gets another name: neither client can tell a rename from a folder that went and one that
        came, so the folder goes on the other side and from the client's memory, and comes again under its new name."""
        known = [f for f in self.far.folders() if f in self.near.folders() and re.search(r"\d$", f) and f not in FOLDERS]
        if not known:
            return
        old = self.dice.choice(known)
        self.deleted |= {m.key for m in self.near.messages(old).values()} - {m.key for m in self.far.messages(old).values()}
        self.far.rename(old, old + " (đã đổi tên)")
        self.near.remove(old)
        self.forget(old)

    def settle(self):
        """One run makes both sides alike, a second one touches nothing."""
        self.sync()
        self.compare()
        before = self.far.state(), self.near.state()
        self.sync()
        after = self.far.state(), self.near.state()
        for name, old, new in zip(("server", "Maildir"), before, after):
            for folder in sorted(set(old) | set(new)):
                if old.get(folder) != new.get(folder):
                    raise Difference(f"a second run changed {folder!r} on the {name}: {changes(old.get(folder), new.get(folder))}")

    def compare(self):
        if self.far.folders() != self.near.folders():
            raise Difference(f"folders: only far {set(self.far.folders()) - set(self.near.folders())}, "
                             f"only near {set(self.near.folders()) - set(self.far.folders())}")
        alive = set()
        for folder in self.far.folders():
            far = collections.Counter(self.far.messages(folder).values())
            near = collections.Counter(self.near.messages(folder).values())
            if far != near:
                raise Difference(f"{folder}: only far {shown(far - near)}; only near {shown(near - far)}")
            alive |= {message.key for message in far}
        lost = {f"so-{n}@other.test" for n in range(1, self.letters.count + 1)} - alive - self.deleted
        if lost:
            raise Difference(f"lost: {sorted(lost)[:10]} ({len(lost)})")


def shown(counter):
    return [(m.key, m.flags, len(m.text), n) for m, n in list(counter.items())[:5]]


def changes(old, new):
    """What is new among two states, shortened."""
    old, new = str(old), str(new)
    at = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    return f"…{old[max(0, at - 80) : at + 80]}… became …{new[max(0, at - 80) : at + 80]}…"

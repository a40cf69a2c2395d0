"""Looks at everything the server holds, through IMAP, for the crash drill's judge.

Bytes are read once per (folder, UIDVALIDITY, UID) and again all at the end; flags, numbers and sums every time.
"""

import re

import ledger as ledgers
import wire

FETCH_BATCH = 50  # messages whose bytes are held in memory at once


class Observer:
    """Remembers which messages' bytes were already compared."""

    def __init__(self, server, users, password, ledger):
        self.server = server
        self.users = users
        self.password = password
        self.ledger = ledger
        self.checked = {}
        self.bodies_read = 0
        self.problems = []

    def look(self, contents, everything=False):
        """All `Seen` of all mailboxes; `contents` is what the ledger knows of each token."""
        if everything:
            self.checked.clear()
        self.problems = []
        seen = []
        for user in self.users:
            imap = self.server.imap(user, self.password)
            sizes = 0
            for folder in imap.folders():
                found, folder_bytes = self._folder(imap, user, folder, contents)
                seen += found
                sizes += folder_bytes
            self._quota(imap, user, sizes)
            imap.logout()
        return seen

    def _folder(self, imap, user, folder, contents):
        validity, following, exists = imap.select(folder, examine=True)
        if not exists:
            self.ledger.note("seen", user=user, folder=folder, uv=validity, next=following, uids=[])
            return [], 0
        rows = [items for _, items in imap.must("UID FETCH 1:* (UID FLAGS RFC822.SIZE)").fetched()]
        if len(rows) != exists:
            self.problems.append(f"trouble: {user} {folder}: EXISTS {exists}, FETCH gave {len(rows)}")
        sizes = {int(r["UID"]): int(r["RFC822.SIZE"]) for r in rows}
        unread = [uid for uid in sizes if (user, folder, validity, uid) not in self.checked]
        for start in range(0, len(unread), FETCH_BATCH):
            batch = unread[start : start + FETCH_BATCH]
            answer = imap.must("UID FETCH", ",".join(map(str, batch)), "(UID BODY.PEEK[])")
            for _, items in answer.fetched():
                uid = int(items["UID"])
                self.checked[user, folder, validity, uid] = inspect(items["BODY[]"], sizes.get(uid), contents)
                self.bodies_read += 1
        self.ledger.note("seen", user=user, folder=folder, uv=validity, next=following,
                         uids=[[uid, self.checked[user, folder, validity, uid][0]]
                               for uid in unread if (user, folder, validity, uid) in self.checked])
        seen = []
        for row in rows:
            uid = int(row["UID"])
            token, problem = self.checked.get((user, folder, validity, uid), (None, "its bytes were not given"))
            flags = frozenset(f.decode() for f in row["FLAGS"] if f != b"\\Recent")
            seen.append(ledgers.Seen(user, folder, validity, uid, flags, token, problem))
        return seen, sum(sizes.values())

    def _quota(self, imap, user, sizes):
        """The usage the server counts must be the sum of what is there (RFC 9208: units of 1024)."""
        answer = imap.command("GETQUOTAROOT INBOX")
        for item in answer.untagged if answer.ok else []:
            if item[0] == b"QUOTA" and b"STORAGE" in item[2]:
                used = int(item[2][item[2].index(b"STORAGE") + 1])
                if abs(used - sizes / 1024) >= 1:
                    self.problems.append(f"quota drift: {user}: says {used} KB, holds {sizes / 1024:.1f} KB")


def inspect(body, size, contents):
    """(token, what is wrong with the bytes)."""
    found = re.search(rb"(?m)^X-Drill: ([\w-]+)", body[:8192])
    token = found.group(1).decode() if found else None
    if size != len(body):
        return token, f"RFC822.SIZE {size}, but {len(body)} bytes"
    if token not in contents:
        return token, "" if token else "no token"
    digest, length, delivered = contents[token]
    front, message = body[: len(body) - length], body[len(body) - length :]
    if len(body) < length or ledgers.digest(message) != digest:
        return token, f"bytes differ ({len(body)} stored, {length} sent)"
    if front and (not delivered or wire.trace_and_rest(body, message) is None):
        return token, f"unexpected bytes in front: {front[:60]!r}"
    return token, ""

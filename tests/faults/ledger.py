"""The crash drill's ledger and the judge that reads it.

Each worker writes one file of JSON lines, fsynced before a command is sent and after its reply was read, so
that it outlives every process it speaks of. The judge replays the ledger into what every mailbox may hold and
compares that with what was observed. An operation without a reply leaves two allowed outcomes, never a third:

    deliver, append   none, or one identical copy
    store             flags as before, or as asked
    copy              the source alone, or the source and one copy
    move              the source, or the destination; never both, never neither
    expunge           there, or gone

Workers never touch a message again whose last operation is open, so alternatives do not multiply. The judge is
pure: files and observations in, violations out. `test_ledger.py` shows that it can fail.
"""

import hashlib
import itertools
import json
import os
import pathlib
import time
from collections import defaultdict
from dataclasses import dataclass, field

COMBINATIONS_MAX = 64  # open alternatives of one token that are tried; workers keep it at two or three


class Ledger:
    """One worker's file."""

    def __init__(self, directory, name):
        self.name = name
        self.count = 0
        self.file = open(pathlib.Path(directory) / f"{name}.jsonl", "ab", buffering=0)

    def begin(self, op, **facts):
        """Before a command is sent; the id that `done` takes."""
        self.count += 1
        number = f"{self.name}:{self.count}"
        self._write({"op": op, "id": number, **facts})
        return number

    def done(self, number, result, **facts):
        """After the reply was read: `ok`, or `refused` with the server's words."""
        self._write({"done": number, "result": result, **facts})

    def note(self, op, **facts):
        self._write({"op": op, **facts})

    def _write(self, record):
        record["at"] = time.monotonic_ns()
        self.file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        os.fsync(self.file.fileno())


def load(directory):
    """All records of a directory, in the order they were written."""
    records = []
    for path in sorted(pathlib.Path(directory).glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            records.append(json.loads(line))
    records.sort(key=lambda r: r["at"])
    return records


def digest(message):
    return hashlib.sha256(message).hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a copy is. `uid` None: nobody was told the number."""

    folder: str
    validity: int | None
    uid: int | None
    flags: frozenset

    def fits(self, seen):
        return (self.folder == seen.folder and self.flags == seen.flags
                and self.uid in (None, seen.uid) and self.validity in (None, seen.validity))

    def __str__(self):
        return f"{self.folder}/{self.uid or '?'}({' '.join(sorted(self.flags))})"


@dataclass
class Instance:
    """One copy of a message in one mailbox; each alternative is the places it then has."""

    user: str
    token: str
    alternatives: list
    delivered: bool = False
    bound: bool = False


@dataclass
class Replay:
    """What the ledger says."""

    instances: dict = field(default_factory=lambda: defaultdict(list))  # (user, token) -> [Instance]
    by_uid: dict = field(default_factory=dict)  # (user, folder, validity, uid) -> Instance
    owner_of: dict = field(default_factory=dict)  # (user, folder, validity, uid) -> token
    floors: dict = field(default_factory=dict)  # (user, folder, validity) -> [(at, uid next)]
    contents: dict = field(default_factory=dict)  # token -> (sha256, bytes, arrived by delivery)
    violations: list = field(default_factory=list)
    counts: dict = field(default_factory=lambda: defaultdict(int))
    refused: dict = field(default_factory=dict)  # token -> users of refused deliveries and appends
    partial: list = field(default_factory=list)


def replay(records):
    """Records in time order to what may be there."""
    out = Replay()
    ends = {r["done"]: r for r in records if "done" in r}
    for record in records:
        if "op" in record:
            APPLY[record["op"]](out, record, ends.get(record.get("id")))
    return out


def _outcome(out, record, end):
    """`ok`, `refused` or `open`, counted."""
    result = "open" if end is None else end["result"]
    out.counts[f"{record['op']}.{result}"] += 1
    return result


def _learn(out, user, folder, validity, uid, token, begun, known_new=True):
    """A number was told or seen: it belongs to this token for ever."""
    key = (user, folder, validity, uid)
    before = out.owner_of.setdefault(key, token)
    if before != token:
        out.violations.append(f"uid reused: {user} {folder} {validity}/{uid} was {before}, now {token}")
    elif known_new:
        for at, following in out.floors.get((user, folder, validity), ()):
            if at < begun and uid < following:
                out.violations.append(f"uid went back: {user} {folder} {validity}/{uid} after UIDNEXT {following}")
                break


def _deliver(out, record, end):
    out.contents[record["token"]] = (record["sha"], record["size"], True)
    result = _outcome(out, record, end)
    for user in record["users"]:
        one = result if result != "mixed" else end["each"][user]
        place = Place("INBOX", None, None, frozenset())
        alternatives = [[place]] if one == "ok" else [[], [place]]
        if one == "refused":
            out.refused.setdefault(record["token"], []).append(user)
        out.counts[f"copies.{one}"] += 1
        out.instances[user, record["token"]].append(Instance(user, record["token"], alternatives, delivered=True))


def _append(out, record, end):
    user, token = record["user"], record["token"]
    out.contents[token] = (record["sha"], record["size"], False)
    result = _outcome(out, record, end)
    validity, uid = end["uid"] if result == "ok" else (None, None)
    place = Place(record["folder"], validity, uid, frozenset(record["flags"]))
    instance = Instance(user, token, [[place]] if result == "ok" else [[], [place]], bound=True)
    if result == "refused":
        out.refused.setdefault(token, []).append(user)
    out.instances[user, token].append(instance)
    if uid is not None:
        _learn(out, user, record["folder"], validity, uid, token, record["at"])
        out.by_uid[user, record["folder"], validity, uid] = instance


def _found(out, record, _end):
    """A worker saw a delivered message: from here on it certainly exists, once."""
    user, token, folder = record["user"], record["token"], record["folder"]
    out.counts["found"] += 1
    _learn(out, user, folder, record["uv"], record["uid"], token, record["at"], known_new=False)
    free = [i for i in out.instances[user, token] if i.delivered and not i.bound]
    if not free:
        out.violations.append(f"duplicate or unknown: {user} {token} found again at {folder}/{record['uid']}")
        return
    free[0].bound = True
    free[0].alternatives = [[Place(folder, record["uv"], record["uid"], frozenset())]]
    out.by_uid[user, folder, record["uv"], record["uid"]] = free[0]


def _items(out, record):
    for uid in record["uids"]:
        key = (record["user"], record["folder"], record["uv"], uid)
        yield uid, key, out.by_uid[key]


def _store(out, record, end):
    result = _outcome(out, record, end)
    flags = frozenset(record["flags"])
    for _uid, _key, instance in _items(out, record):
        (place,) = instance.alternatives[0]
        now = {"+": place.flags | flags, "-": place.flags - flags, "=": flags}[record["mode"]]
        after = [Place(place.folder, place.validity, place.uid, frozenset(now))]
        instance.alternatives = [after] if result == "ok" else [[place], after]


def _copied(out, record, end):
    """uid in the source -> Place of the copy, as COPYUID told."""
    told = dict(end["pairs"]) if end and end["result"] == "ok" else {}
    for uid, _key, instance in _items(out, record):
        (place,) = instance.alternatives[0]
        new = told.get(uid)
        validity = end["uv"] if new else None
        if new:
            _learn(out, record["user"], record["to"], validity, new, instance.token, record["at"])
        yield instance, place, Place(record["to"], validity, new, place.flags)


def _copy(out, record, end):
    result = _outcome(out, record, end)
    for instance, _place, copy in list(_copied(out, record, end)):
        alternatives = [[copy]] if result == "ok" else [[], [copy]]
        new = Instance(instance.user, instance.token, alternatives, bound=True)
        out.instances[instance.user, instance.token].append(new)
        if copy.uid:
            out.by_uid[instance.user, copy.folder, copy.validity, copy.uid] = new


def _move(out, record, end):
    result = _outcome(out, record, end)
    for instance, place, moved in list(_copied(out, record, end)):
        instance.alternatives = [[moved]] if result == "ok" else [[place], [moved]]
        if moved.uid:
            out.by_uid[instance.user, moved.folder, moved.validity, moved.uid] = instance


def _expunge(out, record, end):
    result = _outcome(out, record, end)
    for _uid, _key, instance in _items(out, record):
        instance.alternatives = [[]] if result == "ok" else [list(instance.alternatives[0]), []]


def _seen(out, record, _end):
    """An observation of one folder: its UIDNEXT, and numbers not seen before."""
    key = (record["user"], record["folder"], record["uv"])
    floors = out.floors.setdefault(key, [])
    if floors and record["next"] < floors[-1][1]:
        out.violations.append(f"UIDNEXT went back: {key} {floors[-1][1]} to {record['next']}")
    floors.append((record["at"], record["next"]))
    for uid, token in record["uids"]:
        _learn(out, *key, uid, token, record["at"], known_new=False)
        if uid >= record["next"]:
            out.violations.append(f"uid {uid} not below UIDNEXT {record['next']}: {key}")


def _trouble(out, record, _end):
    """An answer that no crash excuses, such as a permanent refusal of what is right."""
    out.violations.append(f"trouble: {record['what']}")


def _busy(out, record, _end):
    out.counts[f"busy.{record['what']}"] += 1


APPLY = {"deliver": _deliver, "append": _append, "found": _found, "store": _store, "copy": _copy, "move": _move,
         "expunge": _expunge, "seen": _seen, "trouble": _trouble, "busy": _busy}


@dataclass(frozen=True)
class Seen:
    """One message as it was observed. `content` is empty when the bytes are right, else what is wrong."""

    user: str
    folder: str
    validity: int
    uid: int
    flags: frozenset
    token: str | None
    content: str = ""


def judge(out, observed):
    """All violations: those of the replay, and where the observations are none of the allowed outcomes."""
    violations = list(out.violations)
    places = defaultdict(list)
    for seen in observed:
        if seen.content:
            violations.append(f"content: {seen.user} {seen.folder}/{seen.uid} {seen.token}: {seen.content}")
        if (seen.user, seen.token) not in out.instances:
            violations.append(f"foreign: {seen.user} {seen.folder}/{seen.uid} has {seen.token}, which nobody sent there")
        places[seen.user, seen.token].append(seen)
    for key, instances in out.instances.items():
        wrong = _compare(key, instances, places.get(key, []))
        if wrong:
            violations.append(wrong)
    return violations


def _compare(key, instances, seen):
    combinations = itertools.islice(itertools.product(*(i.alternatives for i in instances)), COMBINATIONS_MAX)
    allowed = [[place for places in combination for place in places] for combination in combinations]
    if any(_matches(places, seen) for places in allowed):
        return None
    counts = [len(places) for places in allowed]
    kind = "lost" if len(seen) < min(counts) else "duplicate" if len(seen) > max(counts) else "differs"
    wanted = " | ".join("[" + ", ".join(map(str, places)) + "]" for places in allowed[:4])
    got = ", ".join(f"{s.folder}/{s.uid}({' '.join(sorted(s.flags))})" for s in seen)
    return f"{kind}: {key[0]} {key[1]}: allowed {wanted}, observed [{got}]"


def _matches(places, seen):
    """Is there a one-to-one assignment? Told numbers first, so that the open ones take what is left."""
    if len(places) != len(seen):
        return False
    if not places:
        return True
    first, *rest = sorted(places, key=lambda p: p.uid is None)
    return any(first.fits(s) and _matches(rest, seen[:i] + seen[i + 1 :]) for i, s in enumerate(seen))


def refused_but_there(out, observed):
    """Copies of what the server answered no to (temporarily): allowed, but a sender will send them again."""
    there = {(s.user, s.token) for s in observed}
    return sum((user, token) in there for token, users in out.refused.items() for user in users)

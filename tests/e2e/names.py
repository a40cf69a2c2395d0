"""A name server on loopback that says what a test wants the world to say: TXT, A, MX and PTR, over UDP."""

import socket
import struct
import threading

KINDS = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NXDOMAIN, SERVFAIL = 3, 2


def packed(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def data(kind, text):
    if kind == "A":
        return socket.inet_aton(text)
    if kind == "PTR":
        return packed(text)
    if kind == "MX":
        preference, host = text.split()
        return struct.pack("!H", int(preference)) + packed(host)
    octets = text.encode()
    parts = [octets[at:at + 255] for at in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(part)]) + part for part in parts)


class Names:
    """`records[(name, kind)]` is a list of texts; `broken` names get SERVFAIL. Both may be changed at any time."""

    def __init__(self, records=None):
        self.records = dict(records or {})
        self.broken = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.socket.close()

    def txt(self, name):
        """As dkimpy asks."""
        name = name.decode() if isinstance(name, bytes) else name
        found = self.records.get((name.rstrip(".").lower(), "TXT"))
        return found[0].encode() if found else None

    def _serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self._answer(question), peer)
            except OSError:
                return

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("ascii", "replace"))
            at += 1 + question[at]
        end = at + 5
        name, kind = ".".join(labels).lower(), struct.unpack("!H", question[at + 1:at + 3])[0]
        found = []
        for (owner, its_kind), texts in self.records.items():
            if owner == name and KINDS[its_kind] == kind:
                found += [data(its_kind, text) for text in texts]
        known = any(owner == name or owner.endswith("." + name) for owner, _ in self.records)
        code = SERVFAIL if name in self.broken else 0 if known else NXDOMAIN
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 0 if code else len(found), 0, 0)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(octets)) + octets for octets in found)
        return head + question[12:end] + (b"" if code else answers)

"""Messages made to hurt whoever reads them: bombs of depth, parts, parameters, headers, names and encodings.

Deterministic by seed; each is (name, bytes). All use CRLF and no NUL, so that APPEND must take every one.
"""

import random

CRLF = b"\r\n"
BASE = b"From: <ke-gian@other.test>\r\nTo: <ai@thu.test>\r\nMessage-ID: <x@other.test>\r\nMIME-Version: 1.0\r\n"


def bombs(scale=1.0):
    """The fixed forms, `scale` times as big as at first."""

    def n(count):
        return max(2, int(count * scale))

    yield "nested message/rfc822", (b"Content-Type: message/rfc822\r\n\r\n" * n(50_000)) + b"x\r\n"
    yield "nested multipart, one boundary", BASE + b"".join(
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' for _ in range(n(20_000)))
    yield "nested multipart, own boundaries", BASE + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(n(5_000)))
    yield "boundaries that are prefixes", BASE + b"".join(
        b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (b"a" * i, b"a" * i) for i in range(1, min(n(800), 2_000)))
    yield "parts without number", BASE + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n\r\n" * n(100_000) + b"--b--\r\n"
    yield "alternating rfc822 and multipart", BASE + (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" * n(10_000))
    yield "parameters", BASE + b"Content-Type: text/plain" + b"".join(b";\r\n p%d=v%d" % (i, i) for i in range(n(5_000))) + b"\r\n\r\nx\r\n"
    yield "continuations", BASE + b"Content-Type: application/octet-stream" + b"".join(
        b";\r\n name*%d*=utf-8''%%E1%%BB%%81" % i for i in range(n(5_000))) + b"\r\n\r\nx\r\n"
    yield "header fields", BASE + b"".join(b"X-%d: y\r\n" % i for i in range(n(20_000))) + b"\r\nx\r\n"
    yield "one long header", BASE + b"Subject: " + b"x" * n(500_000) + b"\r\n\r\nx\r\n"
    yield "one folded header", BASE + b"Subject: a" + b"\r\n b" * n(100_000) + b"\r\n\r\nx\r\n"
    yield "addresses", BASE + b"Cc: " + b",\r\n ".join(b"<a%d@other.test>" % i for i in range(n(20_000))) + b"\r\n\r\nx\r\n"
    yield "groups and comments", BASE + b"Cc: " + b"(" * n(20_000) + b"x" + b")" * n(20_000) + b" g:" * 50 + b";" * 50 + b"\r\n\r\nx\r\n"
    yield "quotes without end", BASE + b'Cc: "' + b"\\" * n(20_001) + b'\r\nContent-Type: text/plain; name="' + b"x" * n(10_000) + b"\r\n\r\nx\r\n"
    yield "encoded words", BASE + b"Subject: " + b"\r\n ".join([b"=?windows-1258?B?4eHh?="] * n(20_000)) + b"\r\n\r\nx\r\n"
    yield "broken encoded words", BASE + b"Subject: " + b"=?utf-8?Q?" * n(10_000) + b"?=\r\n\r\nx\r\n"
    yield "references", BASE + b"References: " + b"\r\n ".join(b"<%d@x>" % i for i in range(n(20_000))) + b"\r\n\r\nx\r\n"
    yield "one long line", BASE + b"\r\n" + b"x" * n(2_000_000) + b"\r\n"
    yield "empty lines", BASE + b"\r\n" + CRLF * n(500_000)
    yield "empty boundary", BASE + b'Content-Type: multipart/mixed; boundary=""\r\n\r\n' + b"--\r\n\r\n" * n(10_000)
    yield "no boundary", BASE + b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx\r\n"
    yield "base64 that is none", BASE + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=@!" * n(100_000) + b"\r\n"
    yield "quoted-printable that is none", BASE + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=Z" * n(100_000) + b"\r\n"
    yield "unknown everything", BASE + b"Content-Type: \xff/\xfe; charset=\xfd\r\nContent-Transfer-Encoding: \xfc\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    yield "utf-7 and utf-16", BASE + b"Content-Type: text/plain; charset=utf-16\r\n\r\n" + bytes([0xD8, 0x20] * n(10_000)) + b"\r\n"
    yield "repeated fields", BASE + (b"Content-Type: text/html\r\nContent-Type: multipart/mixed; boundary=b\r\nFrom: <b@x>\r\n" * n(500)) + b"\r\n--b\r\n\r\nx\r\n"
    yield "headers only", BASE
    yield "a header without colon", b"khong co gi\r\n: rong\r\n \r\n\r\nx\r\n"
    yield "one byte", b"x"
    yield "bare line ends", BASE.replace(CRLF, b"\n") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\r--b\r\rx\n--b--\n"
    yield "partial and external", BASE + b'Content-Type: message/external-body; access-type=URL; URL="http://127.0.0.1/"\r\n\r\nContent-Type: message/partial; id=x; number=1\r\n\r\nx\r\n'


PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n", b"Content-Type: text/plain; charset=utf-8\r\n",
    b"Content-Disposition: attachment; filename*=utf-8''%C4%90\r\n", b"Content-Transfer-Encoding: base64\r\n", b"--b\r\n", b"--b--\r\n",
    b"\r\n", b"\r\n\r\n", b"Subject: =?utf-8?B?4buH?=\r\n", b"To: a <b@c>, (x) \"y\" <z>;\r\n", b"--b", b" folded\r\n", b"\t", b"=?", b"\"", b"\\",
    b"(", b";", b"\xff\xfe", b"\r", b"\n", "Đ\u0300ế".encode(), b"From: <a@b>\r\n", b"%" * 20, b"x" * 300,
]


def mutants(seed):
    """Without end: random compositions of what parsers trip over, 1 to 400 KB each."""
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        wanted = rng.choice([1_000, 10_000, 100_000, 400_000])
        out = bytearray()
        while len(out) < wanted:
            piece = rng.choice(PIECES)
            out += piece * rng.choice([1, 1, 1, 2, 50, 1000 if rng.random() < 0.1 else 1])
            if rng.random() < 0.2:
                out += bytes(rng.randrange(1, 256) for _ in range(rng.randrange(40)))
        yield f"mutant {seed}:{number}", bytes(out)

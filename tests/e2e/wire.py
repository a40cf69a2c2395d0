"""Bare SMTP, LMTP and IMAP clients for the whole-system tests.

The standard library's clients hide what these tests are about: exact bytes, pipelining, BDAT, the moment
between a command and its reply, and response codes. These show everything and decide nothing.
A lost connection is always `Lost`, whatever the operating system called it.
"""

import re
import socket
import ssl

REPLY_TIMEOUT = 120.0  # seconds; longer than any pause a healthy server makes, also while Postgres restarts
LINE_MAX = 1 << 20  # bytes; a reply line beyond this is a broken server


class Lost(Exception):
    """The connection ended or stayed silent: what was asked may or may not have happened."""


class Refused(Exception):
    """The server answered, and the answer was no."""

    def __init__(self, reply):
        super().__init__(str(reply))
        self.reply = reply


def trusting_context():
    """TLS that accepts any certificate: the tests' servers sign their own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Stream:
    """A socket with a read buffer, from the address `source` where one is given, that begins with the octets `first`; every failure is
    `Lost`."""

    def __init__(self, host, port, tls=False, timeout=REPLY_TIMEOUT, context=None, source=None, first=b""):
        self.context = context or trusting_context()
        self.host = host
        self.buffer = bytearray()
        try:
            self.socket = socket.create_connection((host, port), timeout, (source, 0) if source else None)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(first)
            if tls:
                self.start_tls()
        except OSError as error:
            raise Lost(f"connect: {error}") from error

    def start_tls(self):
        try:
            self.socket = self.context.wrap_socket(self.socket, server_hostname=self.host)
        except OSError as error:
            raise Lost(f"TLS: {error}") from error

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Lost(f"send: {error}") from error

    def _fill(self):
        try:
            data = self.socket.recv(1 << 18)
        except OSError as error:
            raise Lost(f"receive: {error}") from error
        if not data:
            raise Lost("closed by the server")
        self.buffer += data

    def line(self):
        """One line without its CRLF."""
        start = 0
        while True:
            end = self.buffer.find(b"\n", start)
            if end >= 0:
                break
            start = len(self.buffer)
            if start > LINE_MAX:
                raise Lost("a reply line without end")
            self._fill()
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        return line[:-1] if line.endswith(b"\r") else line

    def exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def silent(self, seconds):
        """True when nothing arrives for so long (the connection being closed counts as silence)."""
        if self.buffer:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 16)
        except (TimeoutError, ssl.SSLWantReadError, ConnectionError):
            return True
        finally:
            self.socket.settimeout(before)
        self.buffer += data
        return not data

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass


# ---------------------------------------------------------------- SMTP and LMTP


class Reply:
    """An SMTP reply: `code`, and `lines` without the code."""

    def __init__(self, code, lines):
        self.code = code
        self.lines = lines

    @property
    def ok(self):
        return 200 <= self.code < 400

    @property
    def text(self):
        return "\n".join(self.lines)

    def __str__(self):
        return f"{self.code} {' / '.join(self.lines)}"


class Smtp:
    """An SMTP or LMTP connection, greeted; nothing else is said unasked."""

    def __init__(self, host, port, tls=False, lmtp=False, timeout=REPLY_TIMEOUT, context=None, source=None):
        self.stream = Stream(host, port, tls, timeout, context, source)
        self.lmtp = lmtp
        self.greeting = self.reply()
        self.extensions = {}

    def reply(self):
        lines = []
        while True:
            line = self.stream.line().decode("utf-8", "replace")
            if not re.match(r"^[2-5][0-9][0-9](?:[ -]|$)", line):
                raise Lost(f"not a reply: {line[:200]!r}")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), lines)

    def raw(self, data):
        self.stream.send(data)

    def ask(self, command):
        self.stream.send(command.encode() + b"\r\n")
        return self.reply()

    def expect(self, command, code):
        reply = self.ask(command)
        if reply.code != code:
            raise Refused(reply)
        return reply

    def hello(self, name="client.test"):
        reply = self.expect(("LHLO " if self.lmtp else "EHLO ") + name, 250)
        self.extensions = {}
        for line in reply.lines[1:]:
            word, _, rest = line.partition(" ")
            self.extensions[word.upper()] = rest
        return reply

    def start_tls(self):
        self.expect("STARTTLS", 220)
        self.stream.start_tls()

    def envelope(self, sender, recipients, options=""):
        """MAIL and RCPT pipelined; the recipients that were accepted, and the replies of all."""
        lines = [f"MAIL FROM:<{sender}>{options}"] + [f"RCPT TO:<{r}>" for r in recipients]
        self.raw(("\r\n".join(lines) + "\r\n").encode())
        mail = self.reply()
        replies = [self.reply() for _ in recipients]
        if not mail.ok:
            raise Refused(mail)
        return [r for r, reply in zip(recipients, replies) if reply.ok], replies

    def finals(self, accepted):
        """The replies to the end of a message: LMTP gives one per recipient (RFC 2033 4.2)."""
        if self.lmtp:
            return [self.reply() for _ in range(accepted)]
        return [self.reply()]

    def data(self, message, accepted):
        reply = self.ask("DATA")
        if reply.code != 354:
            raise Refused(reply)
        self.raw(stuffed(message))
        return self.finals(accepted)

    def bdat(self, message, accepted, chunk=0):
        """RFC 3030: `chunk` bytes at a time (0: all at once), pipelined."""
        pieces = [message[i : i + chunk] for i in range(0, len(message), chunk)] if chunk else [message]
        for piece in pieces[:-1]:
            self.raw(b"BDAT %d\r\n" % len(piece) + piece)
        self.raw(b"BDAT %d LAST\r\n" % len(pieces[-1]) + pieces[-1])
        for _ in pieces[:-1]:
            reply = self.reply()
            if not reply.ok:
                raise Refused(reply)
        return self.finals(accepted)

    def quit(self):
        try:
            self.ask("QUIT")
        except Lost:
            pass
        self.close()

    def close(self):
        self.stream.close()


def stuffed(message):
    """A message as DATA carries it: dots doubled, CRLF at the end (RFC 5321 4.5.2)."""
    body = re.sub(rb"(?m)^\.", b"..", message)
    return body + (b"" if body.endswith(b"\r\n") or not body else b"\r\n") + b".\r\n"


# ---------------------------------------------------------------- IMAP


class Literal(bytes):
    """An argument that is sent as a literal."""


class Answer:
    """A tagged IMAP reply with the untagged ones before it (each a list of tokens)."""

    def __init__(self, status, text, untagged):
        self.status = status
        self.text = text
        self.untagged = untagged

    @property
    def ok(self):
        return self.status == "OK"

    def code(self, name):
        """The arguments of a response code in the tagged or an untagged reply, or None."""
        pattern = re.compile(r"\[" + name + r"(?: ([^\]]*))?\]")
        for text in [self.text] + [plain(item) for item in self.untagged if item and item[0] in (b"OK", b"NO")]:
            found = pattern.search(text)
            if found:
                return found.group(1) or ""
        return None

    def fetched(self):
        """Of every FETCH reply: (sequence number, {item: value})."""
        for item in self.untagged:
            if len(item) >= 3 and item[1:2] and isinstance(item[1], bytes) and item[1].upper() == b"FETCH":
                yield int(item[0]), pairs(item[2])

    def __str__(self):
        return f"{self.status} {self.text}"


def plain(item):
    return b" ".join(t for t in item if isinstance(t, bytes)).decode("utf-8", "replace")


def pairs(tokens):
    out, i = {}, 0
    while i + 1 < len(tokens):
        out[tokens[i].upper().decode("latin-1")] = tokens[i + 1]
        i += 2
    return out


class Imap:
    """An IMAP connection, greeted."""

    def __init__(self, host, port, tls="implicit", timeout=REPLY_TIMEOUT, context=None, source=None, first=b""):
        self.stream = Stream(host, port, tls == "implicit", timeout, context, source, first)
        self.count = 0
        self.greeting = self.stream.line().decode("utf-8", "replace")
        if tls == "starttls":
            self.must("STARTTLS")
            self.stream.start_tls()

    def response(self):
        """One response as tokens; literals are read in place."""
        parts = []
        while True:
            line = self.stream.line()
            found = re.search(rb"\{(\d+)\}$", line)
            if not found:
                parts.append(line)
                return tokens(parts)
            parts.append(line[: found.start()])
            parts.append(Literal(self.stream.exactly(int(found.group(1)))))

    def send(self, *parts):
        """A tagged command; `Literal` parts go as non-synchronising literals (RFC 7888). Returns the tag."""
        self.count += 1
        tag = b"t%d" % self.count
        data = bytearray(tag)
        for part in parts:
            data += b" "
            if isinstance(part, Literal):
                data += b"{%d+}\r\n" % len(part) + part
            else:
                data += part if isinstance(part, bytes) else part.encode()
        self.stream.send(bytes(data) + b"\r\n")
        return tag

    def finish(self, tag):
        untagged = []
        while True:
            item = self.response()
            if item and item[0] == tag:
                text = b" ".join(t for t in item[2:] if isinstance(t, bytes)).decode("utf-8", "replace")
                return Answer(item[1].decode().upper(), text, untagged)
            if item and item[0] == b"*":
                if item[1:2] == [b"BYE"] and tag is None:
                    raise Lost("BYE")
                untagged.append(item[1:])
            elif item and item[0] == b"+":
                continue
            else:
                raise Lost(f"not a response: {item!r:.200}")

    def command(self, *parts):
        return self.finish(self.send(*parts))

    def must(self, *parts):
        answer = self.command(*parts)
        if not answer.ok:
            raise Refused(answer)
        return answer

    def login(self, user, password):
        return self.must("LOGIN", quoted(user), quoted(password))

    def select(self, folder, examine=False):
        """(uid validity, uid next, messages)."""
        answer = self.must("EXAMINE" if examine else "SELECT", quoted(folder))
        exists = [int(i[0]) for i in answer.untagged if len(i) > 1 and i[1] == b"EXISTS"]
        return int(answer.code("UIDVALIDITY")), int(answer.code("UIDNEXT")), exists[-1]

    def folders(self):
        """Names of all selectable folders."""
        answer = self.must("LIST", '""', "*")
        out = []
        for item in answer.untagged:
            if item[0] == b"LIST" and not any(f.lower() in (b"\\noselect", b"\\nonexistent") for f in item[1]):
                out.append(item[3].decode())
        return out

    def append(self, folder, message, flags=(), date=None):
        parts = ["APPEND", quoted(folder)]
        if flags:
            parts.append("(" + " ".join(flags) + ")")
        if date:
            parts.append(f'"{date}"')
        return self.command(*parts, Literal(message))

    def logout(self):
        try:
            self.command("LOGOUT")
        except Lost:
            pass
        self.close()

    def close(self):
        self.stream.close()


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tokens(parts):
    """Tokens of a response: bytes, None for NIL, lists for parentheses. `BODY[…]` stays one token."""
    stack = [[]]
    for part in parts:
        if isinstance(part, Literal):
            stack[-1].append(part)
        else:
            _scan(part, stack)
    while len(stack) > 1:
        done = stack.pop()
        stack[-1].append(done)
    return stack[0]


def _scan(line, stack):
    i = 0
    while i < len(line):
        c = line[i : i + 1]
        if c == b" ":
            i += 1
        elif c == b"(":
            stack.append([])
            i += 1
        elif c == b")":
            i += 1
            if len(stack) > 1:
                done = stack.pop()
                stack[-1].append(done)
        elif c == b'"':
            end = i + 1
            while end < len(line) and line[end : end + 1] != b'"':
                end += 2 if line[end : end + 1] == b"\\" else 1
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", line[i + 1 : end]))
            i = end + 1
        else:
            end = i
            depth = 0
            while end < len(line):
                d = line[end : end + 1]
                depth += (d == b"[") - (d == b"]")
                if depth <= 0 and d in b" ()":
                    break
                end += 1
            word = line[i:end]
            stack[-1].append(None if word.upper() == b"NIL" else word)
            i = end


def uid_set(text):
    """The numbers of a set such as 3:5,9."""
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        out.extend(range(int(first), int(last or first) + 1))
    return out


TRACE_FIELDS = (b"return-path", b"received", b"delivered-to")  # the last one only by other servers


def trace_and_rest(stored, sent):
    """The trace headers in front of `sent` inside `stored`, or None when `stored` is anything else."""
    if not stored.endswith(sent):
        return None
    front = stored[: len(stored) - len(sent)]
    if front and not front.endswith(b"\r\n"):
        return None
    for field in re.split(rb"\r\n(?![ \t])", front[:-2]) if front else []:
        if field.partition(b":")[0].strip().lower() not in TRACE_FIELDS:
            return None
    return front

"""ManageSieve (RFC 5804) without a client's help: what a program of others would not do, and scripts put in one step."""

import base64
import email
import email.policy
import re

import congthu
import mutf7
import wire


class Reply:
    """The lines before the last one, and of that one its word, its code and its text."""

    def __init__(self, lines, last):
        found = re.match(r'(?s)(OK|NO|BYE)(?: \(((?:"[^"]*"|[^")])*)\))?(?: (.*))?$', last, re.IGNORECASE)
        if not found:
            raise wire.Lost(f"not a reply: {last[:200]!r}")
        self.lines, self.last = lines, last
        self.word, self.code, self.text = found.group(1).upper(), found.group(2) or "", found.group(3) or ""

    def capabilities(self):
        """Of a greeting: by name, without the quotation marks."""
        parted = (re.findall(r'"([^"]*)"', line) for line in self.lines)
        return {words[0].upper(): (words + [""])[1] for words in parted if words}

    def __str__(self):
        return self.last


class Door:
    """A connection, greeted; under TLS and logged in where a user is given."""

    def __init__(self, server, user=None, password=congthu.PASSWORD):
        self.stream = wire.Stream(server.host, server.ports["sieve"])
        self.greeting = self.reply()
        if user:
            self.start_tls()
            self.must(f'AUTHENTICATE "PLAIN" "{plain(user, password)}"')

    def line(self):
        """Up to its end, past the literals in it, which stand in it without their counts."""
        line = self.stream.line()
        while found := re.search(rb"\{(\d+)\+?\}\Z", line):
            line = line[: found.start()] + self.stream.exactly(int(found.group(1))) + self.stream.line()
        return line.decode("utf-8", "replace")

    def reply(self):
        lines = []
        while not re.match(r"(?:OK|NO|BYE)\b", line := self.line(), re.IGNORECASE):
            lines.append(line)
        return Reply(lines, line)

    def ask(self, command, literal=None):
        """With a script at its end, if there is one."""
        line = command.encode()
        if literal is not None:
            literal = literal if isinstance(literal, bytes) else literal.encode()
            line += b" {%d+}\r\n" % len(literal) + literal
        self.stream.send(line + b"\r\n")
        return self.reply()

    def must(self, command, literal=None):
        reply = self.ask(command, literal)
        if reply.word != "OK":
            raise wire.Refused(reply)
        return reply

    def start_tls(self):
        self.must("STARTTLS")
        self.stream.start_tls()
        self.greeting = self.reply()

    def follow(self, script, name="quy-tac"):
        """Puts it, and it is followed from now on."""
        self.must(f'PUTSCRIPT "{name}"', script)
        self.must(f'SETACTIVE "{name}"')

    def close(self):
        self.stream.close()


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def follow(server, user, script, name="quy-tac"):
    door = Door(server, user)
    door.follow(script, name)
    door.close()


def lying(server, user):
    """The subjects in each folder that has a message, in the order in which they came."""
    imap = server.imap(user)
    found = {}
    for folder in imap.folders():
        _, _, exists = imap.select(folder, examine=True)
        if exists:
            rows = [row for _, row in imap.must("UID FETCH 1:* (UID BODY.PEEK[HEADER])").fetched()]
            rows.sort(key=lambda row: int(row["UID"]))
            found[mutf7.decode(folder)] = [str(read(row["BODY[HEADER]"])["Subject"]) for row in rows]
    imap.logout()
    return found


def read(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)

"""Folder names as IMAP4rev1 writes them: modified UTF-7 (RFC 3501 5.1.3)."""

import base64
import re


def encode(name):
    """'Dự thảo & sao' becomes 'D&HvE- th&HqM-o &- sao'."""
    return re.sub(r"[^\x20-\x7e]+|&", lambda run: _shift(run.group()), name)


def _shift(run):
    if run == "&":
        return "&-"
    packed = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return f"&{packed.decode()}-"


def decode(name):
    """The inverse of `encode`."""
    return re.sub(r"&([^-]*)-", lambda run: _unshift(run.group(1)), name)


def _unshift(packed):
    if not packed:
        return "&"
    padded = packed.replace(",", "/") + "=" * (-len(packed) % 4)
    return base64.b64decode(padded).decode("utf-16-be")

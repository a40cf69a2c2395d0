"""IMAPClient (Python): folders, APPEND, SEARCH, FETCH, flags, IDLE, MOVE. Arguments: port user password authority smtp-port [starttls]."""

import datetime
import smtplib
import ssl
import sys

import imapclient

PORT, USER, PASSWORD, AUTHORITY, SMTP = sys.argv[1:6]
MESSAGE = ("From: <a@other.test>\r\nTo: <b@thu.test>\r\nSubject: =?utf-8?q?T=E1=BB=9D_tr=C3=ACnh?=\r\nMessage-ID: <{n}@other.test>\r\n"
           "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nKính gửi sở {n}\r\n")
FOLDER = "Tờ trình & Báo cáo/Năm 2026 🌾"

context = ssl.create_default_context(cafile=AUTHORITY)
if sys.argv[6:] == ["starttls"]:
    client = imapclient.IMAPClient("127.0.0.1", int(PORT), ssl=False)
    client.starttls(context)
else:
    client = imapclient.IMAPClient("127.0.0.1", int(PORT), ssl_context=context)
client.login(USER, PASSWORD)
client.id_({"name": "IMAPClient"})
if client.has_capability("NAMESPACE"):
    assert client.namespace().personal[0][1] == "/", client.namespace()
for use in (b"\\Sent", b"\\Trash", b"\\Drafts", b"\\Junk", b"\\Archive"):
    assert client.find_special_folder(use), use

client.create_folder(FOLDER)
assert FOLDER in [name for _, _, name in client.list_folders()]
client.subscribe_folder(FOLDER)
assert FOLDER in [name for _, _, name in client.list_sub_folders()]

when = datetime.datetime(2025, 6, 2, 8, 0, 0)
for n in range(3):
    client.append(FOLDER, MESSAGE.format(n=n).encode(), [imapclient.SEEN] if n == 0 else [], when)
if client.has_capability("MULTIAPPEND"):
    client.multiappend(FOLDER, [{"msg": MESSAGE.format(n=n).encode(), "flags": [b"\\Flagged"], "date": when} for n in (3, 4)])
else:
    for n in (3, 4):
        client.append(FOLDER, MESSAGE.format(n=n).encode(), [imapclient.FLAGGED], when)

status = client.folder_status(FOLDER, ["MESSAGES", "UIDNEXT", "UNSEEN"])
assert (status[b"MESSAGES"], status[b"UIDNEXT"], status[b"UNSEEN"]) == (5, 6, 4), status
assert client.select_folder(FOLDER)[b"EXISTS"] == 5
assert client.search(["SUBJECT", "tờ trình"], "UTF-8") == [1, 2, 3, 4, 5]
assert client.search(["TEXT", "Kính gửi sở 3"], "UTF-8") == [4]
assert client.search(["NOT", "SEEN", "SINCE", datetime.date(2025, 6, 1)]) == [2, 3, 4, 5]
if client.has_capability("SORT"):
    assert client.sort(["REVERSE ARRIVAL"], ["ALL"], "UTF-8")
if client.has_capability("THREAD=REFERENCES"):
    assert client.thread("REFERENCES", "ALL", "UTF-8")

rows = client.fetch([1, 4], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]"])
assert rows[4][b"BODY[]"] == MESSAGE.format(n=3).encode()
assert set(rows[4][b"FLAGS"]) - {b"\\Recent"} == {b"\\Flagged"}, rows[4][b"FLAGS"]
assert rows[1][b"ENVELOPE"].message_id == b"<0@other.test>"
assert rows[1][b"BODYSTRUCTURE"][0] == b"text" or rows[1][b"BODYSTRUCTURE"][0] == b"TEXT"
if client.has_capability("CONDSTORE"):
    assert client.fetch("1:*", ["FLAGS"], ["CHANGEDSINCE 1"])



def flags(uid):
    return set(client.get_flags([uid])[uid]) - {b"\\Recent"}


client.add_flags([2], [imapclient.ANSWERED, b"$Forwarded"])
assert flags(2) == {b"\\Answered", b"$Forwarded"}
client.set_flags([2], [imapclient.SEEN])
client.remove_flags([4], [imapclient.FLAGGED])
assert (flags(2), flags(4)) == ({b"\\Seen"}, set())
client.copy([1], "INBOX")
client.move([3], "Archive")
client.delete_messages([2])
client.uid_expunge([2]) if client.has_capability("UIDPLUS") else client.expunge()
assert client.search() == [1, 4, 5]
client.unselect_folder() if client.has_capability("UNSELECT") else client.close_folder()

client.select_folder("INBOX")
client.idle()
with smtplib.SMTP("127.0.0.1", int(SMTP)) as smtp:
    smtp.sendmail("a@other.test", [USER], MESSAGE.format(n="idle").encode())
pushed = []
while (2, b"EXISTS") not in pushed:
    answers = client.idle_check(timeout=30)
    assert answers, pushed
    pushed += answers
client.idle_done()
assert client.fetch(2, ["BODY.PEEK[]"])[2][b"BODY[]"].endswith(MESSAGE.format(n="idle").encode())
client.rename_folder(FOLDER, "Tờ trình/Đã xong")
client.delete_folder("Tờ trình/Đã xong")
client.logout()
print("imapclient", imapclient.__version__)

"""Thunderbird: first sync, new mail by IDLE, search, move, tags, send, offline changes played back, and the sync after a restart."""

import time
import unittest

import congthu
import journey
import mutf7
import thunderbird
import wire

FOLDER = "Công văn & Tờ trình/2026"

# Helpers every script begins with.
PRELUDE = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { MailUtils } = ChromeUtils.importESModule("resource:///modules/MailUtils.sys.mjs");
const win = Services.wm.getMostRecentWindow("mail:3pane");
const sleep = ms => new Promise(resolve => win.setTimeout(resolve, ms));
async function until(what, condition, seconds = 60) {
  for (let i = 0; i < seconds * 10; i++) { const got = await condition(); if (got) return got; await sleep(100); }
  throw new Error("waited in vain for " + what);
}
const server = MailServices.accounts.getAccount("account1").incomingServer;
const root = server.rootFolder;
const folder = name => name.split("/").reduce((at, part) => {
  const found = at && at.subFolders.find(f => f.name == part || f.localizedName == part || f.prettyName == part);
  return found || null;
}, root);
const inbox = () => root.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const messages = f => { try { return [...f.messages]; } catch { return []; } };
const bySubject = (f, text) => messages(f).find(m => m.mime2DecodedSubject.includes(text));
const update = f => f.updateFolder(win.msgWindow);
const copied = run => new Promise((resolve, reject) => run({
  onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
  onStopCopy(status) { status ? reject(new Error("copy: " + status)) : resolve(); },
  OnStartCopy() {}, OnProgress() {}, SetMessageKey() {}, GetMessageId() { return null; },
  OnStopCopy(status) { status ? reject(new Error("copy: " + status)) : resolve(); },
  QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]) }));
"""

LOGIN = """
for (const origin of ["imap://127.0.0.1", "smtp://127.0.0.1"]) {
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init(origin, null, origin, args[0], args[1], "", "");
  await Services.logins.addLoginAsync(login);
}
"""

FIRST_SYNC = """
server.getNewMessages(root, win.msgWindow, null);
await until("the inbox", inbox);
await until("the folders", () => folder(args[0]) && inbox());
win.gTabmail?.currentAbout3Pane?.displayFolder?.(inbox().URI);
update(inbox());
await until("the messages", () => inbox().getTotalMessages(false) == args[1]);
const flags = Ci.nsMsgFolderFlags;
const uses = () => Object.fromEntries(["SentMail", "Drafts", "Trash", "Junk", "Archive"].map(use => [use, root.getFolderWithFlags(flags[use])?.name ?? null]));
await until("the folders' uses", () => Object.values(uses()).every(name => name));
return { unread: inbox().getNumUnread(false), uses: uses() };
"""

SEARCH = """
async function search(terms) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, inbox());
  for (const [attrib, text] of terms) {
    const term = session.createTerm();
    const value = term.value;
    value.attrib = Ci.nsMsgSearchAttrib[attrib];
    value.str = text;
    term.attrib = value.attrib;
    term.value = value;
    term.op = Ci.nsMsgSearchOp.Contains;
    term.booleanAnd = true;
    session.appendTerm(term);
  }
  const hits = [];
  await new Promise(resolve => {
    session.registerListener({ onSearchHit(header) { hits.push(header.mime2DecodedSubject); }, onSearchDone() { resolve(); }, onNewSearch() {} });
    session.search(null);
  });
  return hits;
}
return [await search([["Subject", args[0]]]), await search([["Body", args[1]]]), await search([["Subject", args[0]], ["Sender", "van-thu"]])];
"""

SEND = """
const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
params.composeFields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
params.composeFields.to = args[0];
params.composeFields.subject = args[1];
params.composeFields.body = args[2];
params.type = Ci.nsIMsgCompType.New;
params.format = Ci.nsIMsgCompFormat.PlainText;
params.identity = MailServices.accounts.getIdentity("id1");
MailServices.compose.OpenComposeWindowWithParams(null, params);
const compose = await until("the compose window", () => { const w = Services.wm.getMostRecentWindow("msgcompose"); return w?.gMsgCompose && w.composeEditorReady !== false && w; });
await sleep(500);
compose.goDoCommand("cmd_sendNow");
await until("the compose window to close", () => compose.closed);
const sent = root.getFolderWithFlags(Ci.nsMsgFolderFlags.SentMail);
update(sent);
await until("the copy in Sent", () => bySubject(sent, args[1]));
return sent.getTotalMessages(false);
"""

OFFLINE = """
const synced = f => until("the body of every message of " + f.name, () => messages(f).every(m => m.flags & Ci.nsMsgMessageFlags.Offline));
inbox().downloadAllForOffline({ OnStartRunningUrl() {}, OnStopRunningUrl() {}, QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]) }, win.msgWindow);
await synced(inbox());
Services.io.offline = true;
inbox().markMessagesRead([bySubject(inbox(), args[0])], true);
inbox().markMessagesFlagged([bySubject(inbox(), args[1])], true);
await copied(listener => MailServices.copy.copyMessages(inbox(), [bySubject(inbox(), args[2])], folder(args[3]), true, listener, win.msgWindow, false));
await sleep(500);
Cc["@mozilla.org/messenger/offline-manager;1"].getService(Ci.nsIMsgOfflineManager).goOnline(false, true, win.msgWindow);
return true;
"""


class Thunderbird(journey.Journey):
    def script(self, body, *arguments):
        return self.bird.remote.run(PRELUDE + body, *arguments)

    def picture(self, name):
        journey.RECORDINGS.mkdir(parents=True, exist_ok=True)
        self.bird.remote.screenshot(journey.RECORDINGS / f"thunderbird-{name}.png")

    def flags(self, folder):
        imap = self.server.imap(self.user)
        _, _, exists = imap.select(mutf7.encode(folder), examine=True)
        rows = [r for _, r in imap.must("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").fetched()] if exists else []
        imap.logout()
        return {int(r["UID"]): {f.decode() for f in r["FLAGS"]} - {"\\Recent"} for r in rows}

    def becomes(self, look, wanted):
        """What was done offline reaches the server in its own time."""
        deadline = time.monotonic() + 60
        while (seen := look()) != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(seen, wanted)

    def test_thunderbird(self):
        imap = self.server.imap(self.user)
        imap.must("CREATE", wire.quoted(mutf7.encode(FOLDER)))
        imap.must("SUBSCRIBE", wire.quoted(mutf7.encode(FOLDER)))
        imap.logout()
        subjects = [f"Giấy mời họp số {n}" for n in range(1, 6)] + ["Báo cáo tuần"]
        for n, subject in enumerate(subjects):
            self.deliver(self.message(subject=subject, body=f"Kính gửi đồng chí thứ {n}\r\n", to=self.user), self.user)
        record = f"thunderbird-{thunderbird.version()}"
        self.bird = thunderbird.Thunderbird(self.scratch, self.user, self.record(record), self.server.ports["submissions"], self.server.authority)
        self.addCleanup(self.bird.close)
        self.bird.start()
        self.script(LOGIN, self.user, congthu.PASSWORD)

        first = self.script(FIRST_SYNC, FOLDER, len(subjects))
        self.picture("1-first-sync")
        self.assertEqual(first["unread"], len(subjects))
        self.assertEqual(first["uses"], {"SentMail": "Sent", "Drafts": "Drafts", "Trash": "Trash", "Junk": "Junk", "Archive": "Archive"})

        self.deliver(self.message(subject="Đến trong lúc chờ", to=self.user), self.user)
        self.script('return await until("new mail without asking", () => bySubject(inbox(), "Đến trong lúc chờ") && true);')

        found = self.script(SEARCH, "giấy mời", "đồng chí thứ 3")
        self.assertEqual(sorted(found[0]), subjects[:5])
        self.assertEqual(found[1], ["Giấy mời họp số 4"])
        self.assertEqual(sorted(found[2]), subjects[:5])
        self.picture("2-search")

        self.script("""
await copied(listener => MailServices.copy.copyMessages(inbox(), [bySubject(inbox(), "số 1"), bySubject(inbox(), "số 2")], folder(args[0]), true, listener, win.msgWindow, false));
inbox().addKeywordsToMessages([bySubject(inbox(), "số 3")], "$label1");
inbox().markMessagesRead([bySubject(inbox(), "số 3")], true);
await until("the move", () => !bySubject(inbox(), "số 1"));
const own = await new Promise((resolve, reject) => { root.createSubfolder("Riêng tư 🌾", win.msgWindow); resolve(); });
await until("the new folder", () => folder("Riêng tư 🌾"));
folder("Riêng tư 🌾").rename("Riêng tư & Công việc", win.msgWindow);
await until("its new name", () => folder("Riêng tư & Công việc"));
const header = bySubject(inbox(), "số 5");
inbox().deleteMessages([header], win.msgWindow, false, false, null, false);
await until("the deletion", () => !bySubject(inbox(), "số 5"));
""", FOLDER)
        self.assertEqual(len(self.flags(FOLDER)), 2)
        self.assertEqual(self.flags("INBOX")[3], {"\\Seen", "$label1"})
        self.assertEqual(len(self.flags("Trash")), 1)
        self.assertEqual(self.flags("Riêng tư & Công việc"), {})
        self.picture("3-moved")

        self.assertEqual(self.script(SEND, self.user, "Kính trình lãnh đạo", "Nội dung tờ trình\n"), 1)
        self.script('return await until("the message to ourselves", () => bySubject(inbox(), "Kính trình lãnh đạo") && true);')
        self.picture("4-sent")

        self.script(OFFLINE, "số 4", "Báo cáo tuần", "Đến trong lúc chờ", FOLDER)
        # It plays the flags back at once ($MDNSent on every message it touches), the move when the folder is next looked at.
        marked = {3: {"\\Seen", "$label1"}, 4: {"\\Seen", "$MDNSent"}, 6: {"\\Flagged", "$MDNSent"}, 8: set()}
        self.becomes(lambda: self.flags("INBOX") | {7: set()}, marked | {7: set()})
        self.script("update(inbox()); return true;")
        self.becomes(lambda: self.flags("INBOX"), marked)
        self.becomes(lambda: len(self.flags(FOLDER)), 3)
        self.picture("5-offline")
        self.bird.quit()

        imap = self.server.imap(self.user)
        imap.select("INBOX")
        imap.must("UID STORE 4 +FLAGS (\\Answered)")
        imap.must("UID STORE 6 -FLAGS (\\Flagged)")
        imap.must("UID MOVE 3 Archive")
        imap.logout()
        self.bird.start()
        self.script(FIRST_SYNC, FOLDER, 3)
        changed = self.script("""
await until("flags changed elsewhere", () => bySubject(inbox(), "số 4")?.flags & Ci.nsMsgMessageFlags.Replied && !bySubject(inbox(), "Báo cáo tuần").isFlagged);
return messages(inbox()).map(m => m.mime2DecodedSubject).sort();
""")
        self.assertEqual(changed, sorted(["Giấy mời họp số 4", "Báo cáo tuần", "Kính trình lãnh đạo"]))
        self.picture("6-restart")
        self.bird.quit()

    def test_condstore(self):
        """With the preference that few people find: a restart asks for what changed only."""
        for n in range(1, 4):
            self.deliver(self.message(subject=f"Công văn số {n}", to=self.user), self.user)
        self.bird = thunderbird.Thunderbird(self.scratch, self.user, self.record("thunderbird-condstore"), self.server.ports["submissions"],
                                            self.server.authority, more={"mail.server.default.use_condstore": True})
        self.addCleanup(self.bird.close)
        self.bird.start()
        self.script(LOGIN, self.user, congthu.PASSWORD)
        self.script(FIRST_SYNC, "Archive", 3)
        self.bird.quit()
        imap = self.server.imap(self.user)
        imap.select("INBOX")
        imap.must("UID STORE 2 +FLAGS (\\Answered)")
        imap.must("UID MOVE 1 Archive")
        imap.append("INBOX", self.message(subject="Đến sau"))
        imap.logout()
        self.bird.start()
        self.script(FIRST_SYNC, "Archive", 3)
        changed = self.script("""
await until("what changed elsewhere", () => bySubject(inbox(), "Đến sau") && bySubject(inbox(), "số 2")?.flags & Ci.nsMsgMessageFlags.Replied);
return messages(inbox()).map(m => m.mime2DecodedSubject).sort();
""")
        self.assertEqual(changed, sorted(["Công văn số 2", "Công văn số 3", "Đến sau"]))
        self.bird.quit()


if __name__ == "__main__":
    unittest.main()

//! Dialogues with servers of every kind, each heard whole and octet by octet.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// A client that starts TLS where it is offered and sends what it has.
struct Talk {
    client: Client,
    input: Vec<u8>,
    written: Vec<u8>,
    messages: VecDeque<Message>,
    content: Vec<u8>,
    tls: bool,
    happened: Vec<String>,
}

impl Talk {
    fn new(messages: &[Message], content: &str) -> Self {
        Self {
            client: Client::new("me.vn"),
            input: Vec::new(),
            written: Vec::new(),
            messages: messages.iter().cloned().collect(),
            content: content.as_bytes().to_vec(),
            tls: false,
            happened: Vec::new(),
        }
    }

    fn drive(&mut self) {
        loop {
            let mut input = &self.input[..];
            let step = self.client.step(&mut input);
            let used = self.input.len() - input.len();
            self.input.drain(..used);
            self.written.extend(self.client.take_output());
            match step {
                Step::Read | Step::Handshake => return,
                Step::Ready => {
                    let offered = self.client.offers().starttls && self.client.tls_refusal().is_none();
                    if offered && !self.tls {
                        self.client.start_tls();
                    } else if let Some(message) = self.messages.pop_front() {
                        self.client.send(message);
                    } else {
                        self.client.quit();
                    }
                }
                Step::Content => {
                    for piece in self.content.chunks(3) {
                        self.client.content(piece);
                    }
                    self.client.content_ended();
                }
                Step::Ended(verdicts) => self.tell(&verdicts),
                Step::Broken(broken) => {
                    if self.happened.last().is_some_and(|last| last.starts_with("broken")) {
                        return;
                    }
                    let verdicts = self.client.take_verdicts();
                    self.tell(&verdicts);
                    self.happened.push(match broken {
                        Broken::Refused(said) => format!("broken {}", said.code),
                        broken => format!("broken {broken:?}"),
                    });
                    return;
                }
                Step::Closed => {
                    self.happened.push("closed".into());
                    return;
                }
            }
        }
    }

    fn tell(&mut self, verdicts: &[Verdict]) {
        let word = |verdict: &Verdict| match verdict {
            Verdict::Taken(said) => format!("taken {}", said.code),
            Verdict::Refused { said, temporary: true } => format!("later {}", said.code),
            Verdict::Refused { said, temporary: false } => format!("never {}", said.code),
            Verdict::Unsuited(unsuited) => format!("{unsuited:?}"),
            Verdict::Unanswered => "unanswered".to_owned(),
        };
        if !verdicts.is_empty() {
            self.happened.push(verdicts.iter().map(word).collect::<Vec<_>>().join(", "));
        }
    }
}

/// `S` says, `C` is to say; `|` stands for CRLF within a line; `@tls`: the handshake is done; `@lost`: the server is gone.
#[track_caller]
fn check(messages: &[Message], content: &str, script: &str, expected: &[&str]) {
    for piece in [1, 1000] {
        let mut talk = Talk::new(messages, content);
        talk.drive();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(said) = line.strip_prefix("S: ") {
                let said = said.replace('|', "\r\n") + "\r\n";
                for piece in said.as_bytes().chunks(piece) {
                    talk.input.extend_from_slice(piece);
                    talk.drive();
                }
            } else if line == "@tls" {
                talk.client.tls_started();
                talk.tls = true;
                talk.drive();
            } else if line == "@lost" {
                let verdicts = talk.client.take_verdicts();
                talk.tell(&verdicts);
            } else {
                let wanted = line.strip_prefix("C:").unwrap().strip_prefix(' ').unwrap_or_default();
                let wanted = wanted.replace('|', "\r\n") + "\r\n";
                let written = String::from_utf8_lossy(&talk.written).into_owned();
                assert!(written.starts_with(&wanted), "wanted {wanted:?}, written {written:?}");
                talk.written.drain(..wanted.len());
            }
        }
        assert_eq!(String::from_utf8_lossy(&talk.written), "", "written besides");
        assert_eq!(talk.happened, expected, "by {piece} in {script}");
    }
}

fn message(recipients: &[&str]) -> Message {
    let recipient = |address: &&str| Recipient { address: (*address).to_owned(), notify: None, orcpt: None };
    Message {
        sender: "an@a.vn".into(),
        size: 9,
        is_8bit: false,
        needs_smtputf8: false,
        requires_tls: false,
        ret: None,
        env_id: None,
        recipients: recipients.iter().map(recipient).collect(),
    }
}

const PLAIN: &str = "S: 220 mx hi\nC: EHLO me.vn\nS: 250 mx\nC: MAIL FROM:<an@a.vn>\n";
const PIPED: &str = "S: 220 mx hi\nC: EHLO me.vn\nS: 250-mx|250 PIPELINING\n\
    C: MAIL FROM:<an@a.vn>|RCPT TO:<x@b.vn>|RCPT TO:<y@b.vn>|DATA\n";
const BODY: &str = "a\r\n.b\r\n";
const SENT: &str = "C: a|..b|.\n";

#[test]
fn one_message_step_by_step() {
    let script = format!(
        "{PLAIN}S: 250 ok\nC: RCPT TO:<x@b.vn>\nS: 250 ok\nC: RCPT TO:<y@b.vn>\nS: 251 ok\nC: DATA\nS: 354 go\n\
         {SENT}S: 250 2.0.0 mine\nC: QUIT\nS: 221 bye\n"
    );
    check(&[message(&["x@b.vn", "y@b.vn"])], BODY, &script, &["taken 250, taken 250", "closed"]);
}

#[test]
fn commands_go_together_where_they_may() {
    let script = format!(
        "{PIPED}S: 250 ok|250 ok|550 5.1.1 no|354 go\n{SENT}S: 250 mine\n\
         C: MAIL FROM:<an@a.vn>|RCPT TO:<x@b.vn>|DATA\nS: 250 ok|250 ok|354 go\n{SENT}S: 452 full\n\
         C: RSET|MAIL FROM:<an@a.vn>|RCPT TO:<z@b.vn>|DATA\nS: 250 ok|250 ok|250 ok|354 go\n{SENT}S: 554 spam\n\
         C: QUIT\nS: 221 bye\n"
    );
    let messages = [message(&["x@b.vn", "y@b.vn"]), message(&["x@b.vn"]), message(&["z@b.vn"])];
    check(&messages, BODY, &script, &["taken 250, never 550", "later 452", "never 554", "closed"]);
}

#[test]
fn each_no_is_for_whom_it_was_said() {
    let two = [message(&["x@b.vn", "y@b.vn"])];
    let quit = "C: QUIT\nS: 221 bye\n";
    for (replies, expected) in [
        // MAIL
        (format!("S: 451 no|503 x|503 x|503 x\n{quit}"), "later 451, later 451"),
        (format!("S: 550 no|503 x|503 x|503 x\n{quit}"), "never 550, never 550"),
        // MAIL is refused, and yet all the rest is taken: nobody is sent for.
        (format!("S: 550 no|250 x|250 x|354 x\nC: .\nS: 250 x\n{quit}"), "never 550, never 550"),
        // RCPT
        (format!("S: 250 x|550 no|450 no|554 x\n{quit}"), "never 550, later 450"),
        (format!("S: 250 x|550 no|450 no|354 go\nC: .\nS: 554 x\n{quit}"), "never 550, later 450"),
        (format!("S: 250 x|250 no|552 too many|354 go\n{SENT}S: 250 x\n{quit}"), "taken 250, later 552"),
        (format!("S: 250 x|250 no|552 5.2.2 full|354 go\n{SENT}S: 250 x\n{quit}"), "taken 250, never 552"),
        (format!("S: 250 x|552 too many|552 x|554 x\n{quit}"), "never 552, never 552"),
        // DATA
        (format!("S: 250 x|250 x|550 no|451 later\n{quit}"), "later 451, never 550"),
        (format!("S: 250 x|250 x|250 x|554 no\n{quit}"), "never 554, never 554"),
        // behind it
        (format!("S: 250 x|250 x|250 x|354 go\n{SENT}S: 451 x\n{quit}"), "later 451, later 451"),
        (format!("S: 250 x|250 x|550 x|354 go\n{SENT}S: 571 x\n{quit}"), "never 571, never 550"),
    ] {
        check(&two, BODY, &format!("{PIPED}{replies}"), &[expected, "closed"]);
    }
}

#[test]
fn the_same_one_by_one() {
    let two = [message(&["x@b.vn", "y@b.vn"])];
    let quit = "C: QUIT\nS: 221 bye\n";
    let (x, y) = ("C: RCPT TO:<x@b.vn>\n", "C: RCPT TO:<y@b.vn>\n");
    for (rest, expected) in [
        (format!("S: 451 no\n{quit}"), "later 451, later 451"),
        (format!("S: 550 no\n{quit}"), "never 550, never 550"),
        (format!("S: 250 x\n{x}S: 550 no\n{y}S: 450 no\n{quit}"), "never 550, later 450"),
        (format!("S: 250 x\n{x}S: 550 no\n{y}S: 250 x\nC: DATA\nS: 451 no\n{quit}"), "never 550, later 451"),
        (
            format!("S: 250 x\n{x}S: 250 x\n{y}S: 250 x\nC: DATA\nS: 354 go\n{SENT}S: 250 x\n{quit}"),
            "taken 250, taken 250",
        ),
    ] {
        check(&two, BODY, &format!("{PLAIN}{rest}"), &[expected, "closed"]);
    }
}

#[test]
fn a_connection_that_ends() {
    let two = [message(&["x@b.vn", "y@b.vn"])];
    for (replies, expected) in [
        ("S: 421 x\n", &["later 421, later 421", "broken 421"][..]),
        ("S: 250 x|550 no|421 x\n", &["never 550, later 421", "broken 421"]),
        ("S: 250 x|250 x|421 x\n", &["later 421, later 421", "broken 421"]),
        ("S: 250 x|550 no|250 x|421 x\n", &["never 550, later 421", "broken 421"]),
        ("S: 250 x|550 no\n@lost\n", &["never 550, unanswered"]),
        ("S: 250 x|250 x|250 x|250 x\n", &["unanswered, unanswered", "broken Garbage"]),
        ("S: 250 x|354 x\n", &["unanswered, unanswered", "broken Garbage"]),
        ("S: 250 x|550 no|what?\n", &["never 550, unanswered", "broken Garbage"]),
        ("S: 250 x|250 x|250 x|354 go\nC: a|..b|.\n@lost\n", &["unanswered, unanswered"]),
        ("S: 250 x|250 x|250 x|354 go\nC: a|..b|.\nS: 421 x\n", &["later 421, later 421", "broken 421"]),
        (
            "S: 250 x|250 x|250 x|354 go\nC: a|..b|.\nS: 354 x\n",
            &["unanswered, unanswered", "broken Garbage"],
        ),
    ] {
        check(&two, BODY, &format!("{PIPED}{replies}"), expected);
    }
    for (script, expected) in [
        ("S: 554 go away\n", "broken 554"),
        ("S: 421 later\n", "broken 421"),
        ("S: 450 later\n", "broken 450"),
        ("S: SSH-2.0-x\n", "broken Garbage"),
        ("S: 220 hi\nC: EHLO me.vn\nS: 450 x\n", "broken 450"),
        ("S: 220 hi\nC: EHLO me.vn\nS: 500 x\nC: HELO me.vn\nS: 550 x\n", "broken 550"),
    ] {
        check(&two, BODY, script, &[expected]);
    }
}

#[test]
fn a_server_that_is_forty_years_old() {
    let script = "S: 220 hi\nC: EHLO me.vn\nS: 502 what\nC: HELO me.vn\nS: 250 hello\nC: MAIL FROM:<>\nS: 250 x\n\
        C: RCPT TO:<x@b.vn>\nS: 250 x\nC: DATA\nS: 354 go\nC: .\nS: 250 x\nC: QUIT\nS: 221 x\n";
    let bounce = Message { sender: String::new(), ..message(&["x@b.vn"]) };
    check(&[bounce], "", script, &["taken 250", "closed"]);
}

#[test]
fn what_was_said_in_the_clear_is_forgotten() {
    let begin = "S: 220 hi\nC: EHLO me.vn\nS: 250-mx|250-SIZE 5|250-PIPELINING|250 STARTTLS\nC: STARTTLS\n";
    let rest =
        "S: 220 go\n@tls\nC: EHLO me.vn\nS: 250 mx\nC: MAIL FROM:<an@a.vn>\nS: 550 x\nC: QUIT\nS: 221 x\n";
    check(&[message(&["x@b.vn"])], BODY, &format!("{begin}{rest}"), &["never 550", "closed"]);
    let injected = format!("{begin}S: 220 go|250-mx|250 SIZE 1\n");
    check(&[message(&["x@b.vn"])], BODY, &injected, &["broken Injected"]);
    let refused = format!("{begin}S: 454 no\nC: QUIT\nS: 221 x\n");
    check(&[], BODY, &refused, &["closed"]);
}

#[test]
fn only_what_is_offered_is_said() {
    let offer = |extra: &str| format!("S: 220 hi\nC: EHLO me.vn\nS: 250-mx|{extra}\n");
    let end = "S: 550 x\nC: QUIT\nS: 221 x\n";
    let mut wishes = message(&["x@b.vn"]);
    (wishes.ret, wishes.env_id) = (Some(Return::Headers), Some("QQ314159".into()));
    wishes.recipients[0].notify = Some("SUCCESS,FAILURE".into());
    wishes.recipients[0].orcpt = Some("rfc822;x+2B@b.vn".into());
    let mail = "C: MAIL FROM:<an@a.vn> SIZE=9 RET=HDRS ENVID=QQ314159\nS: 250 x\n";
    let rcpt = "C: RCPT TO:<x@b.vn> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2B@b.vn\n";
    let script = format!("{}{mail}{rcpt}{end}", offer("250-SIZE|250 DSN"));
    check(&[wishes.clone()], BODY, &script, &["never 550", "closed"]);
    check(&[wishes.clone()], BODY, &format!("{PLAIN}{end}"), &["never 550", "closed"]);
    // Nothing that was kept becomes a command.
    wishes.env_id = Some("a b\r\nRSET".into());
    let script = format!("{}C: MAIL FROM:<an@a.vn> RET=HDRS\n{end}", offer("250 DSN"));
    check(&[wishes], BODY, &script, &["never 550", "closed"]);

    let eight = Message { is_8bit: true, ..message(&["x@b.vn"]) };
    let script = format!("{}C: MAIL FROM:<an@a.vn> BODY=8BITMIME\n{end}", offer("250 8BITMIME"));
    check(&[eight], BODY, &script, &["never 550", "closed"]);
    let utf8 = Message { needs_smtputf8: true, ..message(&["đ@b.vn"]) };
    let script = format!("{}C: MAIL FROM:<an@a.vn> SMTPUTF8\n{end}", offer("250 SMTPUTF8"));
    check(&[utf8], BODY, &script, &["never 550", "closed"]);
}

#[test]
fn what_a_server_cannot_take_is_not_tried() {
    let one = || message(&["x@b.vn"]);
    for (message, offers, expected) in [
        (Message { is_8bit: true, ..one() }, "250 SIZE", "EightBit"),
        (Message { needs_smtputf8: true, ..one() }, "250 8BITMIME", "SmtpUtf8"),
        (Message { sender: "đ@a.vn".into(), ..one() }, "250 8BITMIME", "SmtpUtf8"),
        (Message { requires_tls: true, ..one() }, "250 REQUIRETLS", "RequireTls"),
        (Message { size: 101, ..one() }, "250 SIZE 100", "TooLarge(100)"),
        (Message { sender: "a@b>\r\nRSET".into(), ..one() }, "250 x", "Sender"),
        (message(&["a@b> NOTIFY=NEVER"]), "250 x", "Recipient"),
        (message(&["a b@c"]), "250 x", "Recipient"),
        (message(&[""]), "250 x", "Recipient"),
    ] {
        let script = format!("S: 220 hi\nC: EHLO me.vn\nS: 250-mx|{offers}\nC: QUIT\nS: 221 x\n");
        check(&[message], BODY, &script, &[expected, "closed"]);
    }
    // Only for whom it is so.
    let script = format!("{PLAIN}S: 250 x\nC: RCPT TO:<x@b.vn>\nS: 550 no\nC: QUIT\nS: 221 x\n");
    check(&[message(&["đ@b.vn", "x@b.vn"])], BODY, &script, &["SmtpUtf8, never 550", "closed"]);
}

#[test]
fn large_messages_go_in_chunks() {
    let content = format!("{}\r\n", "x".repeat(600 * 1024));
    let large = Message { size: content.len() as u64, ..message(&["x@b.vn", "y@b.vn"]) };
    let envelope = "S: 220 hi\nC: EHLO me.vn\nS: 250-mx|250-PIPELINING|250 CHUNKING\n\
        C: MAIL FROM:<an@a.vn>|RCPT TO:<x@b.vn>|RCPT TO:<y@b.vn>\n";
    let none = format!("{envelope}S: 250 x|550 x|450 x\nC: QUIT\nS: 221 x\n");
    check(std::slice::from_ref(&large), &content, &none, &["never 550, later 450", "closed"]);

    let mut client = Client::new("me.vn");
    let _ = client.step(&mut &b"220 hi\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"[..]);
    client.send(large);
    assert_eq!(client.step(&mut &b"250 x\r\n250 x\r\n550 x\r\n"[..]), Step::Content);
    let _ = client.take_output();
    let mut rest = content.as_bytes();
    while client.step(&mut &b""[..]) == Step::Content && !rest.is_empty() {
        let piece = rest.len().min(100 * 1024);
        client.content(&rest[..piece]);
        rest = &rest[piece..];
    }
    assert_eq!((client.step(&mut &b""[..]), client.waits_for()), (Step::Read, Wait::Final));
    let written = client.take_output();
    assert!(written.starts_with(b"BDAT 614400\r\nxxx"), "{}", String::from_utf8_lossy(&written[..20]));
    assert_eq!(written.len(), 13 + 614_400);
    assert_eq!(client.step(&mut &b"250 more\r\n"[..]), Step::Content);
    client.content(rest);
    client.content_ended();
    assert_eq!(client.take_output(), b"BDAT 2 LAST\r\n\r\n");
    let Step::Ended(verdicts) = client.step(&mut &b"250 mine\r\n"[..]) else { panic!("no end") };
    assert!(matches!(verdicts[..], [Verdict::Taken(_), Verdict::Refused { temporary: false, .. }]));
}

#[test]
fn a_chunk_that_is_refused_is_the_last() {
    let mut client = Client::new("me.vn");
    let _ = client.step(&mut &b"220 hi\r\n250-mx\r\n250 CHUNKING\r\n"[..]);
    client.send(Message { size: 1 << 20, ..message(&["x@b.vn"]) });
    assert_eq!(client.step(&mut &b"250 x\r\n250 x\r\n"[..]), Step::Content);
    client.content(&vec![b'x'; 1 << 20]);
    let Step::Ended(verdicts) = client.step(&mut &b"552 5.3.4 too much\r\n"[..]) else { panic!("no end") };
    assert!(matches!(&verdicts[..], [Verdict::Refused { said, temporary: false }] if said.code == 552));
    assert_eq!(client.step(&mut &b""[..]), Step::Ready);
    client.send(message(&["x@b.vn"]));
    let _ = client.take_output();
    assert_eq!(client.step(&mut &b""[..]), Step::Read);
    assert_eq!(client.take_output(), b"RSET\r\n");
}

#[test]
fn words_in_the_midst_of_content_end_the_connection() {
    for (said, expected) in
        [("550 enough\r\n", "never"), ("250 what\r\n", "unanswered"), ("421 x\r\n", "later")]
    {
        let mut talk = Talk::new(&[], "");
        talk.client = Client::new("me.vn");
        let _ = talk.client.step(&mut &b"220 hi\r\n250 mx\r\n"[..]);
        talk.client.send(message(&["x@b.vn"]));
        assert_eq!(talk.client.step(&mut &b"250 x\r\n250 x\r\n354 go\r\n"[..]), Step::Content);
        talk.client.content(b"half of it");
        assert!(matches!(talk.client.step(&mut said.as_bytes()), Step::Broken(_)));
        let verdicts = talk.client.take_verdicts();
        talk.tell(&verdicts);
        assert!(talk.happened[0].starts_with(expected), "{:?}", talk.happened);
    }
}

proptest! {
    #[test]
    fn whatever_is_said_each_recipient_has_one_verdict(
        replies in prop::collection::vec(
            prop::sample::select(vec![
                "220 x", "250 x", "250-x\r\n250 PIPELINING", "250-x\r\n250-SIZE\r\n250 CHUNKING", "354 x", "421 x",
                "450 4.2.2 x", "550 5.1.1 x", "552 x", "554 x", "221 x", "?", "250-x",
            ]),
            0..30,
        ),
        large in any::<bool>(),
        piece in 1_usize..60,
    ) {
        let size = if large { 1 << 20 } else { 10 };
        let messages = vec![Message { size, ..message(&["x@b.vn", "đ@b.vn", "y@b.vn"]) }; 3];
        let mut talk = Talk::new(&messages, "Subject: x\r\n\r\n.\r\n");
        talk.drive();
        for reply in replies {
            for bytes in format!("{reply}\r\n").as_bytes().chunks(piece) {
                talk.input.extend_from_slice(bytes);
                talk.drive();
            }
        }
        let left = talk.client.take_verdicts();
        talk.tell(&left);
        let told = talk.happened.iter().filter(|line| line.contains(','));
        for line in told {
            prop_assert_eq!(line.split(", ").count(), 3, "{}", line);
        }
        let sent = 3 - talk.messages.len();
        prop_assert_eq!(talk.happened.iter().filter(|line| line.contains(',')).count(), sent);
    }
}

//! Runs every transcript of `tests/transcripts/smtp` against a session whose driver decides by the address's words: what
//! another part of the system would decide is made up here, what SMTP decides is real.
//!
//! `@role submission`, `@tls`, `@no-starttls`, `@limit errors 3`, `@size 100` come before the first connection.
//! A message that is taken is answered with how it came, from and to whom, and its content.

use proto::smtp::{Answer, FutureRelease, Limits, Recipient, Reply, Request, Role, Session, Settings, Step};
use std::collections::BTreeSet;
use std::io;
use testkit::transcript::{Pace, Stream, World, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinSet;

struct Made {
    settings: Settings,
    tls: bool,
    sessions: JoinSet<()>,
}

impl Made {
    fn new() -> Self {
        let settings = Settings {
            role: Role::Smtp,
            hostname: "mx.demo.vn".to_owned(),
            message_bytes_max: 1_000,
            starttls: true,
            future_release: None,
            limits: Limits::default(),
        };
        Self { settings, tls: false, sessions: JoinSet::new() }
    }

    fn limit(&mut self, name: &str, value: u32) -> Option<()> {
        let limits = &mut self.settings.limits;
        *match name {
            "recipients" => &mut limits.recipients,
            "refused" => &mut limits.refused_recipients,
            "refused-alone" => &mut limits.refused_recipients_alone,
            "junk" => &mut limits.junk_commands,
            "errors" => &mut limits.errors,
            "logins" => &mut limits.login_failures,
            "messages" => &mut limits.messages,
            _ => return None,
        } = value;
        Some(())
    }

    fn play(&mut self, role: Role) {
        let until_max = "2026-11-22T02:00:00Z".parse().unwrap();
        let ahead = FutureRelease { seconds_max: 3_600, until_max };
        self.settings.role = role;
        self.settings.future_release = (role == Role::Submission).then_some(ahead);
    }

    fn set(&mut self, words: &[&str]) -> Option<()> {
        match words {
            ["role", "submission"] => self.play(Role::Submission),
            ["role", "lmtp"] => self.settings.role = Role::Lmtp,
            ["tls"] => self.tls = true,
            ["no-starttls"] => self.settings.starttls = false,
            ["size", value] => self.settings.message_bytes_max = value.parse().ok()?,
            ["limit", name, value] => return self.limit(name, value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

impl World for Made {
    async fn connect(&mut self, _connection: &str) -> io::Result<Stream> {
        let (ours, theirs) = tokio::io::duplex(4_096);
        let session = Session::new(self.settings.clone(), self.tls);
        self.sessions.spawn(async move {
            Driver::default().drive(session, theirs).await.unwrap();
        });
        Ok(Box::new(ours))
    }

    async fn act(&mut self, words: &[String]) -> Result<(), String> {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.set(&words).ok_or_else(|| format!("unknown: {words:?}"))
    }

    /// The handshake is left out: the session is told of it at once, and the bytes go on in the clear.
    async fn convert(&mut self, stream: Stream, words: &[String]) -> Result<Stream, String> {
        if words == ["starttls"] { Ok(stream) } else { Err(format!("unknown: {words:?}")) }
    }
}

#[derive(Default)]
struct Driver {
    sender: String,
    recipients: Vec<String>,
    content: Vec<u8>,
    open: bool,
}

impl Driver {
    async fn drive(mut self, mut session: Session, mut stream: DuplexStream) -> io::Result<()> {
        session.greet(false);
        let mut buffer = vec![0; 1_024];
        let mut filled = 0..0;
        loop {
            let mut input = &buffer[filled.clone()];
            let step = session.step(&mut input);
            filled.start = filled.end - input.len();
            match step {
                Step::Content(bytes) => {
                    assert!(self.open, "content without Open");
                    self.content.extend_from_slice(bytes);
                }
                Step::Ask(request) => session.answer(self.decide(request)),
                Step::Reset => self = Self::default(),
                Step::StartTls => {
                    assert!(filled.is_empty());
                    stream.write_all(&session.take_output()).await?;
                    session.tls_started();
                }
                Step::Flush => stream.write_all(&session.take_output()).await?,
                Step::Close => {
                    stream.write_all(&session.take_output()).await?;
                    stream.shutdown().await?;
                    while stream.read(&mut buffer).await? > 0 {}
                    return Ok(());
                }
                Step::Read => {
                    assert!(filled.is_empty(), "asked for more while there was some");
                    stream.write_all(&session.take_output()).await?;
                    let count = stream.read(&mut buffer).await?;
                    if count == 0 {
                        return Ok(());
                    }
                    filled = 0..count;
                }
            }
        }
    }

    fn decide(&mut self, request: Request) -> Answer {
        match request {
            Request::LogIn(credentials) => match (credentials.user(), credentials.password()) {
                ("an@demo.vn", "mật khẩu") => Answer::Accept,
                _ => refuse(535, (7, 8), "Wrong name or password"),
            },
            Request::Mail(mail) => {
                self.sender = mail.sender.map(|sender| sender.to_string()).unwrap_or_default();
                match self.sender.starts_with("notmine@") {
                    true => refuse(550, (7, 1), "Not your address"),
                    false => Answer::Accept,
                }
            }
            Request::Recipient(recipient) => {
                let recipient = match recipient.recipient {
                    Recipient::Postmaster => "postmaster".to_owned(),
                    Recipient::Mailbox(mailbox) => mailbox.to_string(),
                };
                if recipient.starts_with("unknown") {
                    return refuse(550, (1, 1), "No such mailbox");
                }
                self.recipients.push(recipient);
                Answer::Accept
            }
            Request::Open if self.sender.starts_with("busy@") => refuse(452, (3, 1), "Too busy"),
            Request::Open => {
                self.open = true;
                Answer::Accept
            }
            Request::Deliver(manner) => {
                let content = self.content.escape_ascii();
                let text = |to: &str| {
                    format!("{} {} <{}> {to} \"{content}\"", manner.with, manner.helo, self.sender)
                };
                if !manner.with.contains("LMTP") {
                    return Answer::Delivered(vec![Reply::new(
                        250,
                        (0, 0),
                        text(&self.recipients.join(",")),
                    )]);
                }
                let each = self.recipients.iter().map(|to| match to.starts_with("full") {
                    true => Reply::new(452, (2, 2), "Mailbox full"),
                    false => Reply::new(250, (0, 0), text(to)),
                });
                Answer::Delivered(each.collect())
            }
        }
    }
}

fn refuse(code: u16, enhanced: (u16, u16), text: &'static str) -> Answer {
    Answer::Refuse(Reply::new(code, enhanced, text))
}

fn path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/smtp")
}

#[tokio::test]
async fn transcripts() {
    let (mut count, mut errors) = (0, Vec::new());
    for entry in std::fs::read_dir(path()).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        count += 1;
        for pace in [Pace::Whole, Pace::Bytewise] {
            if let Err(error) = run(&text, &mut Made::new(), pace).await {
                errors.push(format!("{} ({pace:?}): {error}", file.display()));
            }
        }
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(count > 10, "only {count} transcripts");
}

/// Every keyword of EHLO has a transcript that shows it (`# extension: NAME`), and the other way round.
#[tokio::test]
async fn every_extension_is_shown_by_a_transcript() {
    let mut announced = BTreeSet::new();
    for (role, tls) in [(Role::Smtp, false), (Role::Submission, true), (Role::Lmtp, false)] {
        let mut made = Made::new();
        made.play(role);
        made.tls = tls;
        let mut stream = made.connect("A").await.unwrap();
        let hello = if role == Role::Lmtp { "LHLO" } else { "EHLO" };
        stream.write_all(format!("{hello} c\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        // Behind the greeting and the name of the host.
        let lines = said.lines().skip(2).filter(|line| line.starts_with("250"));
        announced.extend(lines.filter_map(|line| line[4..].split(' ').next()).map(str::to_owned));
    }
    let texts =
        std::fs::read_dir(path()).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()));
    let shown: BTreeSet<String> = texts
        .flat_map(|text| {
            let text = text.unwrap();
            let marks = text.lines().filter_map(|line| line.strip_prefix("# extension: "));
            marks.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(announced, shown);
}

/// What is pipelined behind STARTTLS came in the clear. (Bytewise it would be read as the handshake, which fails.)
#[tokio::test]
async fn starttls_injection() {
    let text = "A< 220 …\nA> EHLO a\nA<* 250 STARTTLS\nA> STARTTLS\nA> MAIL FROM:<evil@x.vn>\n\
                A< 554 5.5.1 Nothing may follow …\n@A closed\n";
    run(text, &mut Made::new(), Pace::Whole).await.unwrap();
    let text = text.replace("A> MAIL FROM:<evil@x.vn>", "A>~ \\x16");
    run(&text, &mut Made::new(), Pace::Whole).await.unwrap();
}

/// Every way to write an end of data that is none; the mail "behind" it must not become one.
#[tokio::test]
async fn smuggling() {
    let tricks = [
        "\\n.\\n",
        "\\n.\\r\\n",
        "\\r\\n.\\n",
        "\\r.\\r",
        "\\r\\n.\\r",
        "\\r.\\r\\n",
        "\\r.\\n",
        "\\n.\\r",
        "\\r\\n\\0.\\r\\n",
        "\\r\\n.\\0\\r\\n",
        "\\r\\n.\\r\\r\\n",
        "\\r\\r\\n.\\r\\r\\n",
        "\\n\\n.\\n\\n",
        "\\r\\n\\n.\\r\\n",
        "\\r\\n.\\n\\r\\n",
        "\\n\\r.\\n\\r",
        "\\r\\r.\\r\\r",
    ];
    let smuggled = "MAIL FROM:<evil@x.vn>\\r\\nRCPT TO:<an@demo.vn>\\r\\nDATA\\r\\nevil\\r\\n";
    let envelope = "A> MAIL FROM:<a@b.vn>\nA> RCPT TO:<an@demo.vn>\n";
    let accepted = "A< 250 2.1.0 …\nA< 250 2.1.5 …\n";
    for trick in tricks {
        let data = format!("A>~ Subject: x\\r\\n\\r\\nhello{trick}{smuggled}\nA> \nA> .\n");
        let end = "A< 550 5.6.0 Message refused: …\nA> NOOP\nA< 250 2.0.0 OK\nA> QUIT\nA< 221 …\n@A closed\n";
        // A CR or LF alone ends the connection too: its sender may see the end of DATA elsewhere.
        let closed = "A< 550 5.6.0 Message refused: …\n@A closed\n";
        let data_end = if trick.contains("\\0") { end } else { closed };
        let hello = "A< 220 …\nA> HELO a.b\nA< 250 …\n";
        let octets = pattern_length("hello") + pattern_length(trick) + pattern_length(smuggled);
        let chunk = format!("A>~ BDAT {octets} LAST\\r\\nhello{trick}{smuggled}\n");
        let (first, rest) =
            (format!("A>~ BDAT 5\\r\\nhello\nA>~ BDAT {} LAST\\r\\n", octets - 5), &chunk[..0]);
        let chunks = format!("{first}{trick}{smuggled}\n{rest}");
        for text in [
            format!("{hello}{envelope}{accepted}A> DATA\nA< 354 …\n{data}{data_end}"),
            format!("{hello}{envelope}A> DATA\n{data}{accepted}A< 354 …\n{data_end}"),
            format!("{hello}{envelope}{accepted}{chunk}{end}"),
            format!("{hello}{envelope}{chunk}{accepted}{end}"),
            format!("{hello}{envelope}{chunks}{accepted}A< 250 2.0.0 5 octets received\n{end}"),
        ] {
            for pace in [Pace::Whole, Pace::Bytewise] {
                if let Err(error) = run(&text, &mut Made::new(), pace).await {
                    panic!("{trick} {pace:?}: {error}\n{text}");
                }
            }
        }
    }
}

/// Octets that a transcript's text stands for.
fn pattern_length(text: &str) -> usize {
    text.len() - text.matches('\\').count()
}

//! What a transcript cannot say: what is in one packet, how long silence lasts, readers that do not read, content
//! that is swept.

mod crowd;
mod pages;

use crate::world::{PASSWORD, Province};
use jiff::SignedDuration;
use std::fmt::Write as _;
use std::time::Duration;
use testkit::transcript::{Stream, World as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A client that keeps what came.
struct Client {
    stream: Stream,
    heard: String,
}

impl Client {
    async fn connect(province: &Province) -> Self {
        let pipe = Box::new(province.pipe(province.implicit()));
        let mut client = Self { stream: province.encrypt(pipe).await.unwrap(), heard: String::new() };
        client.until("* OK").await;
        client.ask("login", &format!("LOGIN an@demo.gov.vn {PASSWORD}")).await;
        client
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Everything up to and with the next whole line that begins so.
    async fn until(&mut self, start: &str) -> String {
        let mut scanned = 0;
        loop {
            while let Some(end) = self.heard[scanned..].find("\r\n").map(|end| scanned + end + 2) {
                if self.heard[scanned..].starts_with(start) {
                    let rest = self.heard.split_off(end);
                    return std::mem::replace(&mut self.heard, rest);
                }
                scanned = end;
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "closed behind {:?}", self.heard);
            self.heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    async fn ask(&mut self, tag: &str, command: &str) -> String {
        self.send(&format!("{tag} {command}\r\n")).await;
        self.until(&format!("{tag} ")).await
    }

    async fn append(&mut self, tag: &str, message: &str) {
        let reply = self.ask(tag, &format!("APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
        assert!(reply.contains(" OK "), "{reply}");
    }
}

async fn to_end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut heard = Vec::new();
    // A TLS client that is cut off reports it; what came before counts.
    _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// CVE-2011-0411: a command behind STARTTLS, in the same packet and in plain text, is never run.
#[tokio::test]
async fn nothing_is_taken_over_from_before_tls() {
    let province = Province::new().await;
    let mut pipe = province.pipe(province.starttls());
    pipe.write_all(b"a1 STARTTLS\r\na2 CAPABILITY\r\n").await.unwrap();
    let heard = to_end(&mut pipe).await;
    let lines: Vec<&str> = heard.lines().collect();
    assert!(matches!(lines.as_slice(), [_, bye] if bye.starts_with("* BYE ")), "{heard}");

    // In a later packet it is no TLS handshake, and the connection ends there.
    let mut pipe = province.pipe(province.starttls());
    pipe.write_all(b"a1 STARTTLS\r\n").await.unwrap();
    let mut heard = String::new();
    while !heard.contains("a1 OK") {
        heard.push(char::from(pipe.read_u8().await.unwrap()));
    }
    pipe.write_all(b"a2 LOGIN an@demo.gov.vn x\r\na3 CAPABILITY\r\n").await.unwrap();
    let rest = to_end(&mut pipe).await;
    assert!(!rest.contains("a2") && !rest.contains("a3") && !rest.contains('*'), "{rest}");
}

/// Who says nothing, or too little for too long, before login loses the place.
#[tokio::test]
async fn silence_before_login_ends() {
    let province = Province::new().await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let heard = to_end(&mut province.pipe(province.starttls())).await;
    assert!(heard.lines().last().unwrap().starts_with("* BYE "), "{heard}");
    assert_eq!(began.elapsed().as_secs(), 60);

    let began = tokio::time::Instant::now();
    let mut pipe = province.pipe(province.starttls());
    let (mut reader, mut writer) = tokio::io::split(&mut pipe);
    let trickle = async {
        while writer.write_all(b"a NOOP\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    };
    let (heard, ()) = tokio::join!(to_end(&mut reader), trickle);
    assert!(heard.lines().last().unwrap().starts_with("* BYE "), "{heard}");
    assert_eq!(began.elapsed().as_secs() / 20, 9, "three minutes");
}

/// RFC 3501 5.4: half an hour, not less; IDLE is silence too.
#[tokio::test]
async fn half_an_hour_of_silence_ends() {
    let province = Province::new().await;
    for idle in [false, true] {
        let mut client = Client::connect(&province).await;
        if idle {
            client.send("a IDLE\r\n").await;
            client.until("+ ").await;
        }
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let heard = to_end(&mut client.stream).await;
        assert!(heard.starts_with("* BYE "), "{heard}");
        // The server's clock began a moment before ours.
        assert_eq!((began.elapsed() + Duration::from_millis(500)).as_secs(), 30 * 60);
        tokio::time::resume();
    }
}

/// An APPEND that never falls silent ends within the hour all the same.
#[tokio::test]
async fn a_trickling_append_ends() {
    let province = Province::new().await;
    let mut client = Client::connect(&province).await;
    client.send("a APPEND INBOX {1000}\r\n").await;
    client.until("+ ").await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let (mut reader, mut writer) = tokio::io::split(&mut client.stream);
    let trickle = async {
        while writer.write_all(b"x").await.is_ok() && writer.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_secs(4 * 60)).await;
        }
    };
    let (heard, ()) = tokio::join!(to_end(&mut reader), trickle);
    assert!(heard.starts_with("* BYE "), "{heard}");
    assert_eq!(began.elapsed().as_secs() / (4 * 60), 15, "an hour");
}

/// A body larger than every buffer between comes whole to a reader that reads late and little.
#[tokio::test]
async fn a_large_body_waits_for_its_reader() {
    let province = Province::with_quota(8 << 20).await;
    let mut client = Client::connect(&province).await;
    let message = format!("Subject: large\r\n\r\n{}", "0123456789abcdef\r\n".repeat(50_000));
    client.append("a", &message).await;
    client.ask("b", "SELECT INBOX").await;
    let heard = client.ask("c", "FETCH 1 (UID BODY.PEEK[] FLAGS)").await;
    let start = format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n", message.len());
    let body = heard.strip_prefix(&start).unwrap();
    assert!(body.starts_with(&message));
    assert!(body[message.len()..].starts_with(" FLAGS (\\Recent))\r\nc OK"), "{}", &body[message.len()..]);
}

/// RFC 2180 4.1: what another session expunged is fetched while its octets are there, and refused when they are not,
/// the rest being delivered.
#[tokio::test]
async fn an_expunged_message_is_read_until_it_is_swept() {
    let province = Province::new().await;
    let mut reader = Client::connect(&province).await;
    reader.append("a", "Subject: one\r\n\r\n1").await;
    reader.append("b", "Subject: two\r\n\r\n2").await;
    reader.ask("c", "SELECT INBOX").await;
    let mut other = Client::connect(&province).await;
    other.ask("a", "SELECT INBOX").await;
    other.ask("b", "STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    other.ask("c", "EXPUNGE").await;

    let heard = reader.ask("d", "FETCH 1:2 (UID BODY.PEEK[TEXT])").await;
    let both = "* 1 FETCH (UID 1 BODY[TEXT] {1}\r\n1)\r\n* 2 FETCH (UID 2 BODY[TEXT] {1}\r\n2)\r\nd OK ";
    assert!(heard.starts_with(both), "{heard}");

    // Condemned, then removed after a time of grace.
    province.sweep(SignedDuration::from_hours(25)).await;
    province.sweep(SignedDuration::from_hours(50)).await;
    let heard = reader.ask("e", "FETCH 1:2 (UID BODY.PEEK[TEXT])").await;
    let one = "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2 BODY[TEXT] {1}\r\n2)\r\ne NO [EXPUNGEISSUED] ";
    assert!(heard.starts_with(one), "{heard}");
    let heard = reader.ask("f", "NOOP").await;
    assert!(heard.starts_with("* 1 EXPUNGE\r\n"), "{heard}");
}

/// A command that had begun when the server stops is answered, then comes BYE.
#[tokio::test]
async fn a_stop_comes_between_commands() {
    let province = Province::new().await;
    let mut client = Client::connect(&province).await;
    client.append("a", "Subject: one\r\n\r\n1").await;
    client.send("b SELECT INBOX\r\nc STORE 1 +FLAGS (\\Seen)\r\n").await;
    client.until("b ").await;
    province.shutdown.cancel();
    let heard = to_end(&mut client.stream).await;
    let heard = client.heard + &heard;
    assert!(heard.lines().last().unwrap().starts_with("* BYE "), "{heard}");
    assert_eq!(heard.contains("FETCH"), heard.contains("c OK"), "{heard}");
}

/// A part that was encoded in 20 times what is in memory of it: the same octets whole, one piece after the other, and
/// backwards, whatever escapes the reading cuts through.
#[tokio::test]
async fn a_large_part_is_decoded_piece_by_piece() {
    const PIECE: usize = 50_000;
    let province = Province::with_quota(8 << 20).await;
    let mut client = Client::connect(&province).await;
    let text: String = (0..17_000).map(|line| format!("line {line:09}\r\n")).collect();
    let mut encoded = String::new();
    for octets in text.as_bytes().chunks(25) {
        octets.iter().for_each(|octet| write!(encoded, "={octet:02X}").unwrap());
        encoded.push_str("=\r\n");
    }
    let header = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    client.append("a", &format!("{header}{encoded}")).await;
    client.ask("b", "SELECT INBOX").await;
    let heard = client.ask("c", "FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])").await;
    let start = format!("* 1 FETCH (BINARY.SIZE[1] {0} BINARY[1] {{{0}}}\r\n", text.len());
    let whole = heard.strip_prefix(&start).and_then(|rest| rest.strip_prefix(&text)).unwrap();
    assert!(whole.starts_with(")\r\nc OK"), "{whole}");

    let starts: Vec<usize> = (0..text.len()).step_by(PIECE).collect();
    for start in starts.iter().chain(starts.iter().rev()) {
        let heard = client.ask("d", &format!("FETCH 1 BINARY.PEEK[1]<{start}.{PIECE}>")).await;
        let piece = &text[*start..text.len().min(start + PIECE)];
        let expected = format!("* 1 FETCH (BINARY[1]<{start}> {{{}}}\r\n{piece})\r\nd OK", piece.len());
        assert!(heard.starts_with(&expected), "at {start}: {} octets", heard.len());
    }
}

/// After a failover the database is at an earlier moment than its clients: what they know of later ones was lost.
#[tokio::test]
async fn a_client_that_knew_what_was_lost_is_told_everything() {
    let province = Province::new().await;
    let mut client = Client::connect(&province).await;
    for tag in ["a1", "a2"] {
        client.append(tag, "Subject: x\r\n\r\ny\r\n").await;
    }
    client.ask("e", "ENABLE QRESYNC").await;
    let number = |heard: &str, name: &str| -> u64 {
        let (_, rest) = heard.split_once(name).unwrap();
        rest[1..].split(']').next().unwrap().parse().unwrap()
    };
    let heard = client.ask("s", "SELECT INBOX").await;
    let (validity, highest) = (number(&heard, "UIDVALIDITY"), number(&heard, "HIGHESTMODSEQ"));
    client.ask("u", "UNSELECT").await;
    // As `note_place` does.
    let jump = "update folders set modseq = modseq + 100, flags_modseq = modseq + 100, tombstone_floor = modseq + 100";
    province.database.run(jump).await;
    let resync = format!("SELECT INBOX (QRESYNC ({validity} {}))", highest + 50);
    let heard = client.ask("r", &resync).await;
    assert!(heard.contains("* 1 FETCH (UID 1 ") && heard.contains("* 2 FETCH (UID 2 "), "{heard}");
    let changed = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {} VANISHED)", highest + 50);
    let heard = client.ask("c", &changed).await;
    assert!(heard.contains("* 1 FETCH (UID 1 ") && heard.contains("* 2 FETCH (UID 2 "), "{heard}");
    let resync = format!("SELECT INBOX (QRESYNC ({validity} {}))", highest + 100);
    assert!(!client.ask("n", &resync).await.contains(" FETCH "));
}

/// What was lent is taken back while a client takes its time with it: it gets no more than what was written already, and
/// no goodbye in the middle of a literal.
#[tokio::test]
async fn a_fetch_ends_with_the_right_to_it() {
    let message = format!("Subject: large\r\n\r\n{}", "0123456789abcdef\r\n".repeat(50_000));
    let many = "Subject: small\r\n\r\nx\r\n";
    for (locked, fetch) in [
        (false, "FETCH 1 BODY.PEEK[]"),
        (true, "FETCH 1 BODY.PEEK[]"),
        (false, "FETCH 1:* (ENVELOPE BODYSTRUCTURE FLAGS)"),
    ] {
        let mut province = Province::with_quota(8 << 20).await;
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        province.act(&words("office vanthu 8388608")).await.unwrap();
        province.act(&words("delegate vanthu an read,write")).await.unwrap();
        let mut client = Client::connect(&province).await;
        let folder = "\"Other Users/vanthu@demo.gov.vn/INBOX\"";
        if fetch.contains("PEEK") {
            let reply =
                client.ask("a", &format!("APPEND {folder} {{{}+}}\r\n{message}", message.len())).await;
            assert!(reply.contains(" OK "), "{reply}");
        } else {
            for _ in 0..20 {
                let mut command = format!("APPEND {folder}");
                (0..100).for_each(|_| write!(command, " {{{}+}}\r\n{many}", many.len()).unwrap());
                let reply = client.ask("a", &command).await;
                assert!(reply.contains(" OK "), "{reply}");
            }
        }
        client.ask("b", &format!("SELECT {folder}")).await;
        // What is kept as it was written is read from nowhere.
        let whole = client.ask("c", fetch).await;
        client.send(&format!("d {fetch}\r\n")).await;
        client.until("* 1 FETCH").await;
        let taken = client.heard.len();
        province
            .act(&words(if locked { "password vanthu Mat-khau-2-cua-toi" } else { "revoke vanthu an" }))
            .await
            .unwrap();
        let heard = client.heard.clone() + &to_end(&mut client.stream).await;
        assert!(
            heard.len() < whole.len() * 3 / 4,
            "{} octets behind {taken} of {}",
            heard.len(),
            whole.len()
        );
        assert!(!heard.contains("d OK") && (!fetch.contains("PEEK") || !heard.contains("BYE")), "{fetch}");
    }
}

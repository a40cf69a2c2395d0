//! The client's side of IMAP. An answer is kept as it came, so that nothing but reading is timed; it is checked afterwards.

use super::{Outcome, Wire};
use crate::target::{Target, TlsMode};
use std::ops::Range;

#[derive(Debug)]
pub struct Imap {
    wire: Wire,
    tag: u32,
}

/// The untagged responses to one command, literals included, and the text of the tagged OK.
#[derive(Debug)]
pub struct Reply {
    octets: Vec<u8>,
    items: Vec<Range<usize>>,
    pub status: String,
}

impl Reply {
    /// Each without its CRLF.
    pub fn items(&self) -> impl Iterator<Item = &[u8]> {
        self.items.iter().filter_map(|range| self.octets.get(range.clone()))
    }

    /// Those that are `* n FETCH …`.
    pub fn fetches(&self) -> impl Iterator<Item = &[u8]> {
        self.items().filter(|item| {
            let mut words = item.splitn(4, |octet| *octet == b' ');
            words.nth(2).is_some_and(|word| word.eq_ignore_ascii_case(b"FETCH"))
        })
    }

    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Responses as text, such as `* SEARCH 1 2`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.items().map(|item| String::from_utf8_lossy(item).into_owned())
    }

    /// The number behind a word such as `UIDNEXT`, anywhere in the responses or the status.
    pub fn number_after(&self, word: &str) -> Outcome<u64> {
        let of = |text: &str| {
            let rest = text.split_once(word)?.1.trim_start_matches([' ', '(']);
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let found = self.lines().find_map(|line| of(&line)).or_else(|| of(&self.status));
        Ok(found.ok_or_else(|| format!("no {word} in the answer"))?)
    }

    /// The number of `* n EXISTS`, the last one.
    pub fn exists(&self) -> Option<usize> {
        let number = |line: String| line.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse().ok();
        self.lines().filter_map(number).last()
    }
}

impl Imap {
    pub async fn connect(target: &Target) -> Outcome<Self> {
        let mut imap = Self { wire: Wire::connect(&target.host, target.imap).await?, tag: 0 };
        imap.wire.line().await?;
        if target.imap.tls == TlsMode::Starttls {
            imap.command("STARTTLS").await?;
            imap.wire.encrypt().await?;
        }
        Ok(imap)
    }

    pub async fn log_in(target: &Target, user: &str) -> Outcome<Self> {
        let mut imap = Self::connect(target).await?;
        imap.command(&format!("LOGIN \"{user}\" \"{}\"", target.password)).await?;
        Ok(imap)
    }

    pub fn cipher(&self) -> String {
        self.wire.cipher()
    }

    /// Whether CAPABILITY has this word.
    pub async fn offers(&mut self, capability: &str) -> Outcome<bool> {
        let reply = self.command("CAPABILITY").await?;
        Ok(reply.lines().any(|line| line.split(' ').any(|word| word.eq_ignore_ascii_case(capability))))
    }

    pub async fn line(&mut self) -> Outcome<String> {
        self.wire.line().await
    }

    /// Untagged responses up to the tagged OK; anything else tagged is an error.
    pub async fn command(&mut self, command: &str) -> Outcome<Reply> {
        let tag = self.send(command).await?;
        self.reply(&tag, command).await
    }

    /// Sends a command and gives its tag, for [`Imap::reply`].
    pub async fn send(&mut self, command: &str) -> Outcome<String> {
        self.tag += 1;
        let tag = format!("b{} ", self.tag);
        self.wire.send(format!("{tag}{command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    /// A command that ends with a literal, which waits to be asked for.
    pub async fn command_with(&mut self, command: &str, literal: &[u8]) -> Outcome<Reply> {
        let tag = self.send(&format!("{command} {{{}}}", literal.len())).await?;
        loop {
            let line = self.line().await?;
            if line.starts_with('+') {
                break;
            }
            if line.starts_with(&tag) {
                return Err(format!("{command}: {line}").into());
            }
        }
        self.wire.send(&[literal, b"\r\n"].concat()).await?;
        self.reply(&tag, command).await
    }

    /// APPEND of one message; a synchronising literal, as any server takes it.
    pub async fn append(&mut self, folder: &str, message: &[u8]) -> Outcome<Reply> {
        self.command_with(&format!("APPEND \"{folder}\""), message).await
    }

    /// APPEND with literals that wait for nobody (RFC 7888): several messages in one command (RFC 3502) where there are
    /// several. Only sends, gives the tag.
    pub async fn append_ahead(&mut self, folder: &str, messages: &[Vec<u8>]) -> Outcome<String> {
        self.tag += 1;
        let tag = format!("b{} ", self.tag);
        let mut all = format!("{tag}APPEND \"{folder}\"").into_bytes();
        for message in messages {
            all.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
            all.extend_from_slice(message);
        }
        all.extend_from_slice(b"\r\n");
        self.wire.send(&all).await?;
        Ok(tag)
    }

    pub async fn reply(&mut self, tag: &str, command: &str) -> Outcome<Reply> {
        let (mut items, mut start) = (Vec::new(), 0);
        loop {
            let end = self.item_end(start).await?;
            let item = self.wire.held.get(start..end - 2).unwrap_or_default();
            if !item.starts_with(tag.as_bytes()) {
                items.push(start..end - 2);
                start = end;
                continue;
            }
            let status = String::from_utf8_lossy(&item[tag.len()..]).into_owned();
            let rest = self.wire.held.split_off(end);
            let octets = std::mem::replace(&mut self.wire.held, rest);
            if !status.starts_with("OK") {
                return Err(format!("{}: {status}", command.chars().take(60).collect::<String>()).into());
            }
            return Ok(Reply { octets, items, status });
        }
    }

    /// Where the response that begins at `start` ends, its literals and its CRLF included; all of it is then held.
    async fn item_end(&mut self, start: usize) -> Outcome<usize> {
        let mut line = start;
        let mut looked = start;
        loop {
            let held = &self.wire.held;
            let Some(found) = held.get(looked..).and_then(|rest| memchr::memchr(b'\n', rest)) else {
                looked = held.len().max(looked);
                self.wire.more().await?;
                continue;
            };
            let end = looked + found + 1;
            let Some(literal) = literal_length(held.get(line..end).unwrap_or_default())? else {
                return Ok(end);
            };
            line = end + literal;
            looked = line;
        }
    }

    pub async fn idle(&mut self) -> Outcome<()> {
        self.wire.send(b"i IDLE\r\n").await?;
        loop {
            if self.line().await?.starts_with('+') {
                return Ok(());
            }
        }
    }

    pub async fn messages(&mut self, folder: &str) -> Outcome<usize> {
        Ok(self.command(&format!("STATUS \"{folder}\" (MESSAGES)")).await?.number_after("MESSAGES ")?
            as usize)
    }

    /// SELECT, and how many messages there are.
    pub async fn select(&mut self, folder: &str) -> Outcome<usize> {
        let reply = self.command(&format!("SELECT \"{folder}\"")).await?;
        Ok(reply.exists().ok_or("SELECT told no EXISTS")?)
    }

    /// A folder that is new and empty, even if it was there.
    pub async fn create_anew(&mut self, folder: &str) -> Outcome<()> {
        let deleted = self.command(&format!("DELETE \"{folder}\"")).await;
        if deleted.is_err_and(|error| !error.to_string().contains(": NO")) {
            return Err("DELETE is neither OK nor NO".into());
        }
        self.command(&format!("CREATE \"{folder}\"")).await?;
        Ok(())
    }
}

/// The `n` of a line that ends with `{n}` CRLF.
fn literal_length(line: &[u8]) -> Outcome<Option<usize>> {
    let Some(line) = line.strip_suffix(b"\r\n") else { return Err("a line ends without CR".into()) };
    let Some(line) = line.strip_suffix(b"}") else { return Ok(None) };
    let digits = line.rsplit(|octet| *octet == b'{').next().unwrap_or_default();
    if digits.is_empty() || digits.len() == line.len() {
        return Ok(None);
    }
    Ok(std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()))
}

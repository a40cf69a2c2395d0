//! The client's side of SMTP: mail from outside, and submission.

use super::{Outcome, Wire};
use crate::target::{Target, TlsMode};

/// An SMTP connection after EHLO.
#[derive(Debug)]
pub struct Smtp {
    wire: Wire,
}

impl Smtp {
    /// To where mail from outside arrives.
    pub async fn connect(target: &Target) -> Outcome<Self> {
        Self::open(target, target.smtp).await
    }

    /// To submission, logged in by AUTH PLAIN.
    pub async fn submission(target: &Target, user: &str) -> Outcome<Self> {
        let mut smtp = Self::open(target, target.submission).await?;
        let plain = crate::corpus::base64(format!("\0{user}\0{}", target.password).as_bytes());
        smtp.wire.send(format!("AUTH PLAIN {plain}\r\n").as_bytes()).await?;
        smtp.expect("235").await?;
        Ok(smtp)
    }

    async fn open(target: &Target, door: crate::target::Door) -> Outcome<Self> {
        let mut smtp = Self { wire: Wire::connect(&target.host, door).await? };
        smtp.expect("220").await?;
        smtp.hello().await?;
        if door.tls == TlsMode::Starttls {
            smtp.wire.send(b"STARTTLS\r\n").await?;
            smtp.expect("220").await?;
            smtp.wire.encrypt().await?;
            smtp.hello().await?;
        }
        Ok(smtp)
    }

    pub fn cipher(&self) -> String {
        self.wire.cipher()
    }

    async fn hello(&mut self) -> Outcome<()> {
        self.wire.send(b"EHLO bench.test\r\n").await?;
        self.expect("250").await
    }

    async fn expect(&mut self, code: &str) -> Outcome<()> {
        loop {
            let line = self.wire.line().await?;
            if !line.starts_with(code) {
                return Err(format!("{code} expected: {line}").into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }

    /// One transaction, envelope pipelined; `message` is dot-stuffed and ends with CRLF.
    pub async fn deliver(&mut self, from: &str, recipients: &[String], message: &[u8]) -> Outcome<()> {
        self.begin(from, recipients).await?;
        self.finish(message).await
    }

    /// Up to the 354.
    pub async fn begin(&mut self, from: &str, recipients: &[String]) -> Outcome<()> {
        let mut envelope = format!("MAIL FROM:<{from}>\r\n");
        for recipient in recipients {
            envelope += &format!("RCPT TO:<{recipient}>\r\n");
        }
        self.wire.send((envelope + "DATA\r\n").as_bytes()).await?;
        for _ in 0..=recipients.len() {
            self.expect("250").await?;
        }
        self.expect("354").await
    }

    /// As [`Smtp::finish`], of a message in two pieces.
    pub async fn stream_and_finish(&mut self, first: &[u8], rest: &[u8]) -> Outcome<()> {
        self.wire.send(first).await?;
        self.finish(rest).await
    }

    /// The message and its end; returns with the 250.
    pub async fn finish(&mut self, message: &[u8]) -> Outcome<()> {
        self.wire.send(message).await?;
        self.wire.send(b".\r\n").await?;
        self.expect("250").await
    }

    pub async fn quit(mut self) -> Outcome<()> {
        self.wire.send(b"QUIT\r\n").await?;
        self.expect("221").await
    }
}

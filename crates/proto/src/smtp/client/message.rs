//! A message as it is announced: MAIL and RCPT with what the server has offered to hear.

use super::offers::Offers;

/// How much of a message comes back with a report (RFC 3461 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    Full,
    Headers,
}

/// A message's envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Without brackets; empty is the null reverse path.
    pub sender: String,
    /// Octets as they are kept (RFC 1870 3).
    pub size: u64,
    /// Its body has octets above 127 (RFC 6152).
    pub is_8bit: bool,
    /// Its header, or an address it is from, is not ASCII (RFC 6531).
    pub needs_smtputf8: bool,
    /// RFC 8689: only to servers that promise TLS all the way.
    pub requires_tls: bool,
    /// RFC 3461 4.3
    pub ret: Option<Return>,
    /// RFC 3461 4.4: xtext, as it came.
    pub env_id: Option<String>,
    pub recipients: Vec<Recipient>,
}

/// One recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Without brackets.
    pub address: String,
    /// RFC 3461 4.1: `NEVER`, or a list such as `SUCCESS,FAILURE`.
    pub notify: Option<String>,
    /// RFC 3461 4.2: `rfc822;` and xtext, as it came.
    pub orcpt: Option<String>,
}

impl Message {
    /// RFC 5321 4.1.1.2
    pub(super) fn write_mail(&self, offers: &Offers, output: &mut Vec<u8>) {
        let mut line = format!("MAIL FROM:<{}>", self.sender);
        if offers.size {
            line.push_str(&format!(" SIZE={}", self.size));
        }
        if self.is_8bit && offers.eight_bit {
            line.push_str(" BODY=8BITMIME");
        }
        if self.is_international() && offers.smtputf8 {
            line.push_str(" SMTPUTF8");
        }
        if self.requires_tls && offers.requiretls {
            line.push_str(" REQUIRETLS");
        }
        if offers.dsn {
            match self.ret {
                Some(Return::Full) => line.push_str(" RET=FULL"),
                Some(Return::Headers) => line.push_str(" RET=HDRS"),
                None => {}
            }
            parameter("ENVID", self.env_id.as_deref(), false, &mut line);
        }
        output.extend_from_slice(line.as_bytes());
        output.extend_from_slice(b"\r\n");
    }

    /// RFC 6531 3.4: the message or an address of its envelope is not ASCII.
    pub(super) fn is_international(&self) -> bool {
        let recipients = || self.recipients.iter().any(|recipient| !recipient.address.is_ascii());
        self.needs_smtputf8 || !self.sender.is_ascii() || recipients()
    }
}

impl Recipient {
    /// RFC 5321 4.1.1.3
    pub(super) fn write_rcpt(&self, offers: &Offers, output: &mut Vec<u8>) {
        let mut line = format!("RCPT TO:<{}>", self.address);
        if offers.dsn {
            parameter("NOTIFY", self.notify.as_deref(), false, &mut line);
            parameter("ORCPT", self.orcpt.as_deref(), offers.smtputf8, &mut line);
        }
        output.extend_from_slice(line.as_bytes());
        output.extend_from_slice(b"\r\n");
    }
}

/// Only what is an `esmtp-value` is said: nothing that was kept may become a parameter of its own, let alone a command.
fn parameter(keyword: &str, value: Option<&str>, utf8: bool, line: &mut String) {
    let fits = |c: char| {
        c.is_ascii_graphic() && c != '=' || utf8 && !c.is_ascii() && !c.is_control() && !c.is_whitespace()
    };
    let is_value = |value: &&str| !value.is_empty() && value.chars().all(fits);
    if let Some(value) = value.filter(is_value) {
        line.push_str(&format!(" {keyword}={value}"));
    }
}

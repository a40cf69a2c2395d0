//! The trace headers we put in front of a message: Return-Path and Received (RFC 5321 4.4).
//!
//! Nothing per recipient: `for` is only written when there is one recipient, so no Bcc leaks and one copy serves all.

use crate::sender::written;
use crate::{Arrival, Recipient, Sender};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Việt Nam has one time and no summer time.
const OFFSET_HOURS: i8 = 7;

pub(crate) fn headers(
    arrival: &Arrival,
    hostname: &str,
    id: &str,
    recipients: &[Recipient],
    now: Timestamp,
) -> Vec<u8> {
    let sender = arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default();
    let mut text = format!(
        "Return-Path: <{sender}>\r\nReceived: from {} ([{}])\r\n\tby {hostname} (Cong Thu) with {} id {id}",
        clean(&arrival.helo),
        address_literal(arrival.origin.remote),
        arrival.with,
    );
    if let Some(tls) = &arrival.tls {
        text.push_str(&format!("\r\n\t({})", clean(tls)));
    }
    if let [only] = recipients {
        text.push_str(&format!("\r\n\tfor <{}>", written(only.address())));
    }
    text.push_str(&format!(";\r\n\t{}\r\n", date(now)));
    text.into_bytes()
}

/// RFC 5322 3.3.
pub(crate) fn date(now: Timestamp) -> String {
    let zone = TimeZone::fixed(Offset::constant(OFFSET_HOURS));
    now.to_zoned(zone).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

fn address_literal(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => v4.to_string(),
        std::net::IpAddr::V6(v6) => format!("IPv6:{v6}"),
    }
}

/// What a stranger said, without what could end the header or a comment.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '(' | ')' | '\\')).take(255).collect()
}

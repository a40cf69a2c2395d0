//! A report as it is written: words for people, fields for machines, and the message it is about.
//!
//! Invariants: what strangers said stands in fields of one line, and nothing of it hides, turns round or can be followed by a click; what
//! another server said is between quotation marks, and whose words these are is said. The log has its words as they came.

use super::{Report, What};
use crate::notices::{FROM_NAME, wrapped};
use crate::report_words::explain;
use crate::{Engine, trace};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};
use model::calendar::written_time;
use model::queue::Answer;
use model::{is_unseen, seen, unlinked};
use std::fmt::Write as _;

/// Recipients whose course is told in words; the part for machines names all.
const TOLD_MAX: usize = 100;
/// Characters of what the other side said that people are shown; the part for machines has all that is kept.
const SAID_CHARS_MAX: usize = 200;

impl What {
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed | Self::Redirected => "relayed",
            Self::Expanded => "expanded",
        }
    }

    const fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::Failed => ("Thư không gửi được", "Your message could not be delivered to:"),
            Self::Delayed => (
                "Thư chưa gửi được, hệ thống vẫn tiếp tục gửi",
                "Your message is late; it will be tried again. It has not yet reached:",
            ),
            Self::Delivered | Self::Relayed | Self::Expanded => {
                ("Thư đã chuyển đến người nhận", "Your message was delivered, or handed over, for:")
            }
            Self::Redirected => (
                "Thư được chuyển đến địa chỉ khác",
                "An administrator has had your message sent to another address, instead of to:",
            ),
        }
    }
}

impl Engine {
    /// RFC 6522 `multipart/report`: for people, for machines, and what it is about.
    pub(super) fn compose_report(&self, report: &Report<'_>, from: &str) -> Vec<u8> {
        let what = report.told.first().map_or(What::Failed, |told| told.what);
        let subject = report.about.split('\n').nth(2).unwrap_or_default();
        // His own words, to whoever wrote them here.
        let subject = if report.account.is_some() { seen(subject) } else { unlinked(subject) };
        let status =
            if is_global(report) { "message/global-delivery-status" } else { "message/delivery-status" };
        let kind = ContentType::new("multipart/report").attribute("report-type", "delivery-status");
        let plain = |kind: &'static str, body: Vec<u8>| {
            let encoding = if body.is_ascii() { "7bit" } else { "8bit" };
            MimePart::new(ContentType::new(kind), BodyPart::Binary(body.into())).transfer_encoding(encoding)
        };
        let original = match (report.is_whole, report.original.is_ascii()) {
            (true, false) if is_global(report) => "message/global",
            (true, _) => "message/rfc822",
            (false, true) => "text/rfc822-headers",
            (false, false) => "message/global-headers",
        };
        let parts = vec![
            MimePart::new(
                ContentType::new("text/plain").attribute("charset", "utf-8"),
                BodyPart::Text(wrapped(&self.text(report, what, &subject)).into()),
            ),
            plain(status, self.fields(report).into_bytes()),
            plain(original, report.original.clone()),
        ];
        let title = if subject.is_empty() {
            what.title().0.to_owned()
        } else {
            format!("{}: {subject}", what.title().0)
        };
        let message = MessageBuilder::new()
            .from(Mailbox::new_address(Some(FROM_NAME), from))
            .to(Mailbox::new_address(None::<&str>, report.sender))
            .subject(Text::new(title))
            .header("Date", Raw::new(trace::date(self.now())))
            .message_id(format!("{}@{}", self.queue_id(), self.hostname()))
            // RFC 3834 5
            .header("Auto-Submitted", Raw::new("auto-replied"))
            .header("Content-Language", Raw::new("vi, en"))
            .body(MimePart::new(kind, BodyPart::Multipart(parts)));
        message.write_to_vec().unwrap_or_default()
    }

    fn text(&self, report: &Report<'_>, what: What, subject: &str) -> String {
        let mut text = match what {
            What::Failed => {
                "Thư sau đây KHÔNG đến được một số người nhận, hệ thống sẽ không gửi lại nữa.\n".to_owned()
            }
            What::Delayed => {
                "Thư sau đây CHƯA đến được một số người nhận. Hệ thống vẫn tiếp tục gửi, Ông (Bà) không cần \
                              gửi lại.\n"
                    .to_owned()
            }
            What::Delivered | What::Relayed | What::Expanded => {
                "Theo yêu cầu của Ông (Bà), hệ thống thông báo thư sau đây đã được chuyển đi.\n".to_owned()
            }
            What::Redirected => {
                "Quản trị hệ thống đã chuyển thư sau đây đến địa chỉ khác. Người nhận mà Ông (Bà) ghi sẽ KHÔNG nhận \
                 được thư này từ hệ thống.\n"
                    .to_owned()
            }
        };
        let _ = writeln!(
            text,
            "\nTiêu đề: {subject}\nGửi lúc: {} (giờ Việt Nam)\n",
            written_time(report.accepted_at)
        );
        for told in report.told.iter().take(TOLD_MAX) {
            let (words, to) = (explain(&told.answer), address(told.address));
            let _ = match told.what {
                What::Delivered => writeln!(text, "- {to}: thư đã vào hộp thư."),
                What::Expanded => {
                    writeln!(text, "- {to}: thư đã được chuyển đến các thành viên của nhóm.")
                }
                What::Relayed => {
                    writeln!(text, "- {to}: hệ thống của người nhận đã nhận thư, và không báo tiếp.")
                }
                What::Redirected => {
                    writeln!(text, "- {to}: thư được chuyển đến {}.", address(&told.answer.text))
                }
                What::Failed | What::Delayed => writeln!(text, "- {to}: {}", words.what),
            };
            if told.what == What::Failed {
                let _ = writeln!(text, "  {}", words.advice);
            }
            if matches!(told.what, What::Failed | What::Delayed) {
                let _ = writeln!(text, "  (Mã {}{})", told.answer.status, said(&told.answer));
            }
        }
        if let Some(more) = report.told.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
            let _ = writeln!(text, "- và {more} địa chỉ khác.");
        }
        if let (What::Delayed, Some(until)) = (what, report.give_up_at) {
            let _ = writeln!(
                text,
                "\nHệ thống tiếp tục gửi lại cho đến {} (giờ Việt Nam); sau đó sẽ thông báo nếu không gửi được.",
                written_time(until)
            );
        }
        let _ = writeln!(text, "\n--\n{}", what.title().1);
        for told in report.told.iter().take(TOLD_MAX) {
            let to = address(told.address);
            let _ = match told.what {
                What::Failed | What::Delayed => {
                    writeln!(text, "- {to}: {}", explain(&told.answer).english)
                }
                _ => writeln!(text, "- {to}"),
            };
        }
        text
    }

    /// RFC 3464 2: fields per message, then those of each recipient.
    fn fields(&self, report: &Report<'_>) -> String {
        let mut text = format!("Reporting-MTA: dns; {}\r\n", self.hostname());
        if let Some(envid) = report.envid.and_then(proto::smtp::xtext) {
            let _ = write!(text, "Original-Envelope-Id: {envid}\r\n");
        }
        let _ = write!(text, "Arrival-Date: {}\r\n", trace::date(report.accepted_at));
        for told in &report.told {
            let _ = write!(text, "\r\n");
            if let Some((kind, address)) = told.original.and_then(|original| original.split_once(';')) {
                let address = proto::smtp::xtext(address).unwrap_or_else(|| address.to_owned());
                let _ = write!(text, "Original-Recipient: {kind};{}\r\n", spelled(&address));
            }
            let kind = if told.address.is_ascii() { "rfc822" } else { "utf-8" };
            let _ = write!(text, "Final-Recipient: {kind};{}\r\n", spelled(told.address));
            let _ = write!(text, "Action: {}\r\nStatus: {}\r\n", told.what.action(), told.answer.status);
            if let Some(host) = &told.answer.host {
                let _ = write!(text, "Remote-MTA: dns;{host}\r\n");
            }
            // Mail programs show this part, too.
            let said = unlinked(&told.answer.text);
            let _ = match told.answer.code {
                Some(code) => write!(text, "Diagnostic-Code: smtp;{code} {said}\r\n"),
                None if told.what == What::Redirected => {
                    write!(
                        text,
                        "Diagnostic-Code: x-cong-thu;sent to {} instead\r\n",
                        spelled(&told.answer.text)
                    )
                }
                None => write!(text, "Diagnostic-Code: x-cong-thu;{said}\r\n"),
            };
            let _ = write!(text, "Last-Attempt-Date: {}\r\n", trace::date(told.at.unwrap_or(self.now())));
            if let (What::Delayed, Some(until)) = (told.what, report.give_up_at) {
                let _ = write!(text, "Will-Retry-Until: {}\r\n", trace::date(until));
            }
        }
        if is_global(report) {
            return text;
        }
        text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
    }
}

/// What the other side said, as its words, or we.
fn said(answer: &Answer) -> String {
    // What is quoted does not end the quotation.
    let mut words = unlinked(&answer.text).replace(['“', '”', '"'], "'");
    if let Some((end, _)) = words.char_indices().nth(SAID_CHARS_MAX) {
        words.truncate(end);
        words.push('…');
    }
    match (&answer.host, answer.code) {
        (Some(host), Some(code)) => format!("; máy chủ {} trả lời: “{code} {words}”", unlinked(host)),
        _ => format!(": {words}"),
    }
}

/// A recipient's as he was written to, where nothing but an address can be read in it.
fn address(address: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "@.-_+=".contains(letter);
    if address.chars().all(is_plain) { address.to_owned() } else { unlinked(address) }
}

/// `utf-8-address` (RFC 6533 3) with what is not seen spelled out, `\x{202E}`.
fn spelled(address: &str) -> String {
    let spelled = |letter: char| match is_unseen(letter) {
        true => format!("\\x{{{:X}}}", u32::from(letter)),
        false => letter.to_string(),
    };
    address.chars().map(spelled).collect()
}

/// RFC 6533: are there addresses beyond ASCII?
pub(super) fn is_global(report: &Report<'_>) -> bool {
    report
        .told
        .iter()
        .any(|told| !told.address.is_ascii() || told.original.is_some_and(|original| !original.is_ascii()))
}

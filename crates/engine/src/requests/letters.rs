//! What is told of a request (đề nghị): what it is about and how it stands, and to each reader why it came to him.

use model::AccountId;
use model::calendar::written_day;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use store::{OwedNotice, RequestRow};

/// Whoever asked and the watchers, each once; `following`: those who follow the unit now.
pub(super) fn about(
    request: &RequestRow,
    what: &str,
    (watchers, following): (&[AccountId], &[AccountId]),
) -> Vec<OwedNotice> {
    let (vietnamese, english) = (facts(request), standing(request));
    let told: BTreeSet<AccountId> = watchers.iter().copied().chain(request.requester).collect();
    let owed = told.into_iter().map(|to| {
        let (why, because) = match to {
            to if request.requester == Some(to) => ("đề nghị được gửi từ hộp thư này", "this mailbox asked"),
            to if following.contains(&to) => {
                ("hộp thư này theo dõi các đề nghị của đơn vị", "this mailbox follows the unit's requests")
            }
            // Named for it, or following the unit when it came.
            _ => ("hộp thư này theo dõi đề nghị", "this mailbox is told of this request"),
        };
        OwedNotice {
            key: format!("request/{}/{}/{to}", request.request, request.state.as_str()),
            to,
            subject: format!("Đề nghị số {}: {what}", request.request),
            text: format!(
                "{vietnamese}\nÔng/Bà nhận được thư này vì {why}.\n\n--\n{english} You are told because {because}."
            ),
        }
    });
    owed.collect()
}

fn facts(request: &RequestRow) -> String {
    let mut text =
        format!("Đề nghị số {} ({}): {}\n", request.request, request.kind.label(), request.subject);
    if let Some((code, name)) = &request.about_unit {
        let _ = writeln!(text, "Đơn vị: {name} ({code})");
    }
    if let Some(address) = &request.address {
        let name = request.mailbox_name.as_deref().filter(|name| !name.is_empty());
        let _ = match name {
            Some(name) => writeln!(text, "Hộp thư: {address} ({name})"),
            None => writeln!(text, "Hộp thư: {address}"),
        };
    }
    if !request.document.is_empty() {
        let _ = writeln!(text, "Văn bản: {}", request.document);
    }
    let _ = writeln!(text, "Tình trạng: {}", request.state.label());
    let _ = writeln!(text, "Hạn xử lý: {}", written_day(request.due_on));
    let why = request.decided.as_ref().map_or("", |(_, _, why)| why);
    if !why.is_empty() {
        let _ = writeln!(text, "Nội dung giải quyết: {why}");
    }
    text
}

fn standing(request: &RequestRow) -> String {
    let RequestRow { request: number, kind, state, due_on, .. } = request;
    let due = if state.is_open() { format!(", due by {due_on}") } else { String::new() };
    format!("Request {number} ({}) is {}{due}.", kind.as_str(), state.as_str())
}

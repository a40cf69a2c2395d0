//! ID (RFC 2971): who is there, for the log; who we are, for theirs.

use super::mask::Mask;
use super::reply::Reply;
use super::session::Door;

/// Of the whole log field: clients send a dozen values at most.
const LOGGED_CHARS_MAX: usize = 300;

pub(crate) fn id(door: &mut Door, fields: &[(String, Option<String>)]) -> Reply {
    door.mask = Mask::of(fields);
    tracing::info!(client = %describe(fields), "client id");
    // RFC 2971 3.3; no version: RFC 2971 4 warns of telling attackers what to try.
    door.wire.out.id(&[("name", "Cong Thu")]);
    Reply::ok("ID completed")
}

/// `name=Thunderbird version=128`, in printable characters.
fn describe(fields: &[(String, Option<String>)]) -> String {
    let known =
        fields.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")));
    let text = known.collect::<Vec<_>>().join(" ");
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LOGGED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_write_lines_into_the_log() {
        let fields = [
            ("name".to_owned(), Some("a\r\nb".to_owned())),
            ("os".to_owned(), None),
            ("x".to_owned(), Some("y".repeat(1_000))),
        ];
        let text = describe(&fields);
        assert!(text.starts_with("name=a  b x=yyy"));
        assert_eq!(text.chars().count(), LOGGED_CHARS_MAX);
    }
}

//! ID (RFC 2971): who is there, for the log; who we are, for theirs.

use super::mask::Mask;
use super::reply::{Outcome, Reply};
use super::session::{Door, State};
use crate::socket::Ended;
use engine::LoginError;

/// For somebody who was let in already, so that he can do something about it.
const CLOUD_NOT_ALLOWED: &str =
    "This mail program hands the password to its maker's servers, which is not allowed; use another one";
/// Of the whole log field: clients send a dozen values at most.
const LOGGED_CHARS_MAX: usize = 300;

/// Of a client's name; those that are looked for are shorter.
const NAME_CHARS_MAX: usize = 100;

pub(crate) async fn id(door: &mut Door, state: &State, fields: &[(String, Option<String>)]) -> Outcome {
    door.mask = Mask::of(fields);
    tracing::info!(client = %describe(fields), "client id");
    let name = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case("name"));
    let name = name.and_then(|(_, value)| value.as_ref());
    let name: Option<String> = name.map(|value| value.chars().take(NAME_CHARS_MAX).collect());
    match (state.who(), name) {
        (None, name) => door.client = name.map(String::into_boxed_str),
        (Some(who), Some(name)) => {
            // What could not be looked up is looked up at the next log-in.
            let checked = door.engine.check_client(who, &door.origin, &name).await;
            if checked == Err(LoginError::CloudNotAllowed) {
                return Err(Ended::Bye(CLOUD_NOT_ALLOWED).into());
            }
        }
        (Some(_), None) => {}
    }
    // RFC 2971 3.3; no version: RFC 2971 4 warns of telling attackers what to try.
    door.wire.out.id(&[("name", "Cong Thu")]);
    Ok(Reply::ok("ID completed"))
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

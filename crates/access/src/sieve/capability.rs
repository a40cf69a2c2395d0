//! CAPABILITY (RFC 5804 2.4), and the list wherever else it is told (1.7).

use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use proto::sasl::MECHANISMS;
use proto::sieve::Capability;

/// Mail can be told of by (RFC 5436).
const NOTIFY: &str = "mailto";
/// RFC 2277 4.5: for whoever reads English; ours say it in Vietnamese before.
const LANGUAGE: &str = "i-default";

pub(crate) async fn capability(door: &mut Door) -> Outcome {
    tell(door).await?;
    Ok(Reply::ok("CAPABILITY completed"))
}

/// The capabilities of this connection as it is now.
pub(crate) async fn tell(door: &mut Door) -> Result<(), Failure> {
    let redirects = match door.who() {
        // How many there may be is the domain's policy.
        Some(who) => Some(door.engine.redirects_max(who).await?.to_string()),
        None => None,
    };
    let owner = door.who().map(|who| who.address().to_string());
    let scripts: Vec<&str> = Capability::names().collect();
    let out = &mut door.wire.out;
    // No version: it would tell an attacker what to try.
    out.capability("IMPLEMENTATION", Some("Cong Thu"));
    if door.encrypted {
        out.capability("SASL", Some(&MECHANISMS.map(proto::sasl::Mechanism::name).join(" ")));
    } else if door.starttls.is_some() {
        // RFC 5804 1.7: empty where STARTTLS comes first.
        out.capability("SASL", Some(""));
        out.capability("STARTTLS", None);
    }
    out.capability("SIEVE", Some(&scripts.join(" ")));
    out.capability("NOTIFY", Some(NOTIFY));
    if let Some(redirects) = redirects {
        out.capability("MAXREDIRECTS", Some(&redirects));
    }
    if let Some(owner) = owner {
        out.capability("OWNER", Some(&owner));
    }
    out.capability("LANGUAGE", Some(LANGUAGE));
    out.capability("VERSION", Some("1.0"));
    Ok(())
}

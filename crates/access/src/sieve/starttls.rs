//! STARTTLS (RFC 5804 2.2). The driver does the handshake when this has answered OK.

use super::reply::{Outcome, Reply};
use super::session::Door;
use crate::socket::Ended;

pub(crate) fn starttls(door: &mut Door) -> Outcome {
    if door.encrypted {
        return Err(Reply::bad("TLS is active already").into());
    }
    if door.starttls.is_none() {
        return Err(Reply::bad("TLS is not available here").into());
    }
    // CVE-2011-0411: what was sent behind STARTTLS in plain text would be taken as sent under TLS. No honest client sends anything
    // before our answer (RFC 5804 2.2).
    if door.wire.decoder().discard_pending() > 0 {
        tracing::warn!("data behind STARTTLS");
        return Err(Ended::Bye("Nothing may follow STARTTLS before the TLS handshake").into());
    }
    Ok(Reply::ok("Begin TLS negotiation now"))
}

//! EHLO, HELO and LHLO with the extensions they advertise; NOOP, QUIT, VRFY, EXPN, HELP.

use super::exchange::Role;
use super::limits::DOMAIN_BYTES_MAX;
use super::reply::Reply;
use super::session::{Hello, Session};
use crate::sasl::MECHANISMS;

/// RFC 5321 4.1.1.1; LHLO: RFC 2033 4.1.
pub(super) fn ehlo(session: &mut Session, args: &str) -> Result<(), Reply> {
    greeted(session, args, true)?;
    let reply = extensions(session);
    session.reply(&reply);
    Ok(())
}

/// RFC 5321 4.1.1.1
pub(super) fn helo(session: &mut Session, args: &str) -> Result<(), Reply> {
    greeted(session, args, false)?;
    let reply = Reply::plain(250, session.settings.hostname.clone());
    session.reply(&reply);
    Ok(())
}

fn greeted(session: &mut Session, args: &str, extended: bool) -> Result<(), Reply> {
    let name = args.trim_matches([' ', '\t']);
    if !is_name(name) {
        return Err(Reply::new(501, (5, 4), "Say who you are: a host name or an address literal"));
    }
    // RFC 5321 4.1.4: a greeting in the middle is a RSET.
    session.reset();
    session.hello = Some(Hello { name: name.to_owned(), extended });
    Ok(())
}

/// `Domain / address-literal`, and what real clients send instead of one (underscores, a bare address): all of it can
/// stand in a Received field, where it ends up, and none of it is believed.
fn is_name(name: &str) -> bool {
    let fits =
        |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c) || (!c.is_ascii() && c.is_alphanumeric());
    (1..=DOMAIN_BYTES_MAX).contains(&name.len()) && name.chars().all(fits)
}

fn extensions(session: &Session) -> Reply {
    let settings = &session.settings;
    let mut reply = Reply::plain(250, settings.hostname.clone())
        .line("PIPELINING") // RFC 2920
        .line(format!("SIZE {}", settings.message_bytes_max)) // RFC 1870
        .line("8BITMIME") // RFC 6152
        .line("SMTPUTF8") // RFC 6531
        .line("CHUNKING") // RFC 3030
        .line("ENHANCEDSTATUSCODES") // RFC 2034
        .line(format!("LIMITS RCPTMAX={}", settings.limits.recipients)); // RFC 9422
    if settings.role != Role::Lmtp {
        reply = reply.line("DSN"); // RFC 3461
        // RFC 8689 2: not before TLS is on.
        if session.tls {
            reply = reply.line("REQUIRETLS");
        }
    }
    // RFC 4865 3
    if let Some(offered) = settings.future_release {
        let until = offered.until_max.strftime("%Y-%m-%dT%H:%M:%SZ");
        reply = reply.line(format!("FUTURERELEASE {} {until}", offered.seconds_max));
    }
    // RFC 3207 4.2: not once TLS is on.
    if settings.starttls && !session.tls {
        reply = reply.line("STARTTLS");
    }
    // RFC 4954 4: plain text mechanisms only under TLS.
    if settings.role == Role::Submission && session.tls {
        let names: Vec<_> = MECHANISMS.iter().map(|mechanism| mechanism.name()).collect();
        reply = reply.line(format!("AUTH {}", names.join(" ")));
    }
    reply
}

/// RFC 5321 4.1.1.9: any argument is ignored.
pub(super) fn noop(session: &mut Session, _args: &str) -> Result<(), Reply> {
    session.reply(&Reply::new(250, (0, 0), "OK"));
    Ok(())
}

/// RFC 5321 4.1.1.10
pub(super) fn quit(session: &mut Session, _args: &str) -> Result<(), Reply> {
    session.reply(&Reply::new(221, (0, 0), "Goodbye"));
    session.close();
    Ok(())
}

/// RFC 5321 3.5.3 and 7.3: neither confirmed nor denied.
pub(super) fn vrfy(session: &mut Session, args: &str) -> Result<(), Reply> {
    if args.is_empty() {
        return Err(Reply::new(501, (5, 4), "Syntax: VRFY address"));
    }
    session.reply(&Reply::new(252, (5, 0), "Cannot say; send mail and see"));
    Ok(())
}

/// RFC 5321 4.2.4: known, not implemented.
pub(super) fn expn(_session: &mut Session, _args: &str) -> Result<(), Reply> {
    Err(Reply::new(502, (5, 1), "Command not implemented"))
}

/// RFC 5321 4.1.1.8
pub(super) fn help(session: &mut Session, _args: &str) -> Result<(), Reply> {
    session.reply(&Reply::new(214, (0, 0), "See RFC 5321; problems: write to postmaster"));
    Ok(())
}

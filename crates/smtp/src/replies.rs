//! What the engine says, as SMTP replies. The only place where one becomes the other.

use crate::gate::Full;
use engine::{DeliverError, LoginError, RecipientError, SenderError};
use model::admission::{Evidence, Ground};
use proto::mime::AuthorsError;
use proto::smtp::Reply;

/// Lists that a refused server is told of.
const LISTS_NAMED: usize = 3;

/// The message is in the store, durably.
pub(crate) fn accepted(queue_id: &str) -> Reply {
    Reply::new(250, (0, 0), format!("Message accepted as {queue_id}"))
}

/// RFC 4954 6. Says the same for a mailbox that does not exist, for a wrong password, and for who is kept out whatever his password.
pub(crate) fn login(error: LoginError, password_page: &str) -> Reply {
    match error {
        LoginError::Denied | LoginError::CountryNotAllowed | LoginError::CloudNotAllowed => {
            Reply::new(535, (7, 8), "Wrong address or password")
        }
        LoginError::Locked => {
            Reply::new(525, (7, 13), "The mailbox is locked; your organisation can ask for its restoration")
        }
        LoginError::PasswordChangeRequired => {
            Reply::new(535, (7, 8), format!("The password must be changed first: {password_page}"))
        }
        LoginError::OneTimePasswordOver => {
            Reply::new(535, (7, 8), "The one-time password is over; ask for a new one")
        }
        LoginError::TooManyAttempts => Reply::new(421, (7, 0), "Too many failed logins; try again later"),
        LoginError::Unavailable => Reply::new(454, (7, 0), "Cannot check the login now; try again later"),
    }
}

/// At MAIL FROM of a submission (RFC 6409 6.1).
pub(crate) fn sender(error: SenderError) -> Reply {
    match error {
        SenderError::NotYours => Reply::new(550, (7, 1), "The sender address is not yours"),
        SenderError::OverQuota => over_quota(),
        SenderError::Revoked => revoked(),
        SenderError::Unavailable => unavailable(),
    }
}

/// At RCPT TO; `user`: somebody is logged in.
pub(crate) fn recipient(error: RecipientError, user: bool) -> Reply {
    match error {
        RecipientError::Unknown => Reply::new(550, (1, 1), "No such mailbox here"),
        // An address literal, or a name that no mail goes to.
        RecipientError::NotLocal if user => Reply::new(550, (1, 2), "Mail goes to domain names only"),
        RecipientError::OutsideNotAllowed => {
            Reply::new(550, (7, 1), "Your mailbox may not write to addresses outside; ask your administrator")
        }
        RecipientError::NotLocal => Reply::new(550, (7, 1), "Relaying denied"),
        RecipientError::Inactive => Reply::new(550, (2, 1), "The mailbox does not receive mail"),
        RecipientError::Rejected => Reply::new(550, (7, 1), "The recipient rejects the message"),
        RecipientError::Restricted => {
            Reply::new(550, (7, 2), "You may not write to this group; ask your administrator")
        }
        RecipientError::OverQuota => Reply::new(452, (2, 2), "The mailbox is full"),
        RecipientError::FullForLong => Reply::new(552, (2, 2), "The mailbox has been full for long"),
        RecipientError::Unavailable => unavailable(),
    }
}

/// By the recipient's rules (RFC 5429 2.1.1).
pub(crate) fn rejected(reason: &str) -> Reply {
    Reply::new(550, (7, 1), format!("The recipient rejects it: {reason}"))
}

/// For the whole message.
pub(crate) fn deliver(error: &DeliverError) -> Reply {
    match error {
        DeliverError::Loop => Reply::new(554, (4, 6), "Mail loop: too many Received fields"),
        DeliverError::FromNotYours(address) => {
            Reply::new(550, (7, 1), format!("The From address {address} is not yours"))
        }
        DeliverError::SenderMissing(address) => Reply::new(
            550,
            (7, 1),
            format!("You may write on behalf of {address}: name yourself in a Sender field"),
        ),
        DeliverError::Authors(error) => authors(*error),
        DeliverError::HeaderTooLarge => Reply::new(552, (3, 4), "The header of the message is too large"),
        DeliverError::TooLarge { limit } => {
            Reply::new(552, (3, 4), format!("The message is too large; {} MB are taken here", limit >> 20))
        }
        DeliverError::Attachments(error) => Reply::new(552, (3, 4), error.to_string()),
        DeliverError::OverQuota => over_quota(),
        DeliverError::Throttled { limit, most, until } => Reply::new(
            450,
            (7, 1),
            format!(
                "Your mailbox has sent its {most} {}; try again after {}, or ask your administrator",
                limit.english(),
                model::calendar::local_text(*until)
            ),
        ),
        DeliverError::TooManyRecipients { limit, most } => Reply::new(
            550,
            (5, 3),
            format!(
                "Your mailbox may write to {most} {}: send it in parts, or ask your administrator",
                limit.english()
            ),
        ),
        DeliverError::TooManyReturns => {
            Reply::new(450, (7, 1), "Too many reports came to this return path today; try again tomorrow")
        }
        DeliverError::Infected(name) => {
            Reply::new(554, (7, 1), format!("The message holds malware ({name}) and is refused"))
        }
        DeliverError::Unwanted => Reply::new(554, (7, 1), "The message is taken for spam and refused"),
        DeliverError::NotScanned => {
            Reply::new(451, (7, 1), "The message cannot be scanned now; try again later")
        }
        DeliverError::PutOff => Reply::new(451, (7, 1), "Try again later"),
        DeliverError::Rejected(reason) => rejected(reason),
        DeliverError::RecipientFull => {
            Reply::new(452, (2, 2), "The mailbox of a recipient is full; try again later")
        }
        DeliverError::Revoked => revoked(),
        DeliverError::Unavailable => unavailable(),
    }
}

/// RFC 6409 6.3: what is not a message by the book need not be taken from a user.
fn authors(error: AuthorsError) -> Reply {
    let text = match error {
        AuthorsError::FieldName => "The header has a line that is not a field".to_owned(),
        AuthorsError::Missing => "The message has no From address".to_owned(),
        AuthorsError::Repeated(field) => format!("The message has more than one {field} field"),
        AuthorsError::Unclear(field) => {
            format!("The {field} field is not a list of addresses (RFC 5322 3.4)")
        }
        AuthorsError::TooMany => "The message has too many From addresses".to_owned(),
    };
    Reply::new(550, (6, 0), text)
}

/// RFC 3463 3.3: X.2.2; the sender's own mailbox (An Giang 63/2016 Điều 9.3c).
fn over_quota() -> Reply {
    Reply::new(552, (2, 2), "Your mailbox is over its quota and cannot send; delete some mail first")
}

/// Ends the connection: the next log-in says why, and with the new password the message can be sent.
fn revoked() -> Reply {
    Reply::new(421, (7, 0), "The login is no longer valid; log in again")
}

pub(crate) fn unavailable() -> Reply {
    Reply::new(451, (3, 0), "The mail store is not available now; try again later")
}

/// Mail of a stranger, by what was found out of it (RFC 7372).
pub(crate) fn not_admitted(evidence: &Evidence, ground: Ground, later: bool) -> Reply {
    if later && ground != Ground::Greylisted {
        return Reply::new(451, (7, 26), "Cannot verify now where the message comes from; try again later");
    }
    match ground {
        Ground::Helo => Reply::new(
            550,
            (7, 1),
            "Your server calls itself (HELO) by no full name, another's address, or our name; let it give its own name",
        ),
        Ground::Listed => {
            let lists = listed_by(evidence);
            Reply::new(
                550,
                (7, 1),
                format!("Your server's address is blocked by {lists}; ask there to be taken off"),
            )
        }
        Ground::Dmarc => {
            Reply::new(550, (7, 26), "The domain in From asks that this message be refused (DMARC)")
        }
        Ground::OwnDomain => Reply::new(
            550,
            (7, 26),
            "From names a domain of this server, and neither SPF nor DKIM shows that it may; log in to send",
        ),
        Ground::OwnName => Reply::new(
            550,
            (7, 1),
            "The name in front of the From address has an address of this server, and no DKIM signature shows that it may",
        ),
        Ground::Spf => {
            Reply::new(550, (7, 23), "The sender's domain does not let your server send for it (SPF)")
        }
        Ground::Greylisted => Reply::new(
            451,
            (7, 1),
            "Your server was not here before; the message is taken when it tries again in some minutes (greylisting)",
        ),
        Ground::UnclearAuthor => Reply::new(550, (6, 0), "The From field does not say who wrote the message"),
        Ground::Unverifiable => {
            Reply::new(550, (7, 26), "It cannot be verified where the message comes from")
        }
    }
}

/// The lists that an address is on, the first ones by name.
fn listed_by(evidence: &Evidence) -> String {
    let listings = evidence.connection.iter().flat_map(|connection| &connection.listings);
    listings.take(LISTS_NAMED).map(|listing| listing.zone.as_str()).collect::<Vec<_>>().join(", ")
}

/// Too much is arriving, or the spool's disk is full.
pub(crate) fn no_room() -> Reply {
    Reply::new(452, (3, 1), "Too much mail is arriving at once; try again later")
}

/// Instead of a greeting.
pub(crate) fn full(full: Full) -> Reply {
    match full {
        Full::Address => Reply::new(421, (7, 0), "Too many connections from your address"),
        Full::Server => Reply::new(421, (3, 2), "Too many connections; try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_kept_out_hears_what_a_wrong_password_does() {
        let of = |error| login(error, "https://mail.demo.vn/mat-khau");
        for error in LoginError::ALL {
            let is_as_wrong = error == LoginError::Denied || error.is_hidden();
            assert_eq!(of(error) == of(LoginError::Denied), is_as_wrong, "{error}");
        }
    }
}

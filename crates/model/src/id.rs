//! Identifiers, each its own type, so that a folder can never be taken for an account.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(/// A mail domain that the installation hosts.
    DomainId(i64));
id!(/// An organisation (đơn vị) in a domain's tree.
    UnitId(i64));
id!(/// A mailbox (hộp thư). Never reused, so a cached id cannot show somebody else's mail.
    AccountId(i64));
id!(/// A folder of one mailbox. Never reused.
    FolderId(i64));
id!(/// The bytes of one message, shared by every entry that shows them (RFC 8474 EMAILID).
    ContentId(i64));
id!(/// One message in one mailbox, wherever it is moved to; a copy is a new one (docs/adr/0011).
    EmailId(i64));
id!(/// Messages of one conversation (RFC 8474 THREADID).
    ThreadId(i64));
id!(/// A message's number in a folder, 1 to 2^32-1, never reused (RFC 9051 2.3.1.1).
    Uid(u32));
id!(/// The folder's incarnation, 1 to 2^32-1 (RFC 9051 2.3.1.1).
    UidValidity(u32));
id!(/// The account's modification sequence, 1 to 2^63-1 (RFC 7162 3.1).
    ModSeq(u64));
id!(/// A set of rules for mail that comes in (bộ lọc thư, RFC 5228). Never reused.
    ScriptId(i64));
id!(/// Follows one connection, and the messages it brought, through logs and events.
    TraceId(u64));

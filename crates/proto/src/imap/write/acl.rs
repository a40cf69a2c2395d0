//! Responses about access control lists (RFC 4314 3.6 to 3.8).

use super::Writer;
use crate::imap::acl::AclRights;

impl Writer {
    /// `acl-data = "ACL" SP mailbox *(SP identifier SP rights)`
    pub fn acl<'a>(&mut self, name: &str, entries: impl IntoIterator<Item = (&'a str, AclRights)>) {
        self.text("* ACL ");
        self.mailbox(name);
        for (identifier, rights) in entries {
            self.byte(b' ');
            self.astring(identifier.as_bytes());
            self.byte(b' ');
            self.rights(rights);
        }
        self.crlf();
    }

    /// `listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights)`: those that everybody has, and those
    /// that are given together.
    pub fn list_rights(&mut self, name: &str, identifier: &str, always: AclRights, tied: &[AclRights]) {
        self.text("* LISTRIGHTS ");
        self.mailbox(name);
        self.byte(b' ');
        self.astring(identifier.as_bytes());
        self.byte(b' ');
        self.rights(always);
        for rights in tied {
            self.byte(b' ');
            self.rights(*rights);
        }
        self.crlf();
    }

    /// `myrights-data = "MYRIGHTS" SP mailbox SP rights`
    pub fn my_rights(&mut self, name: &str, rights: AclRights) {
        self.text("* MYRIGHTS ");
        self.mailbox(name);
        self.byte(b' ');
        self.rights(rights);
        self.crlf();
    }

    fn rights(&mut self, rights: AclRights) {
        self.astring(rights.to_string().as_bytes());
    }
}

//! Responses about mailboxes: LIST, STATUS, SEARCH, sizes and flags, namespaces, quotas.

use super::Writer;
use crate::imap::utf7;
use crate::imap::{ObjectKind, StatusItem};

/// Which of the two list responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    List,
    Lsub,
    Xlist,
}

impl Writer {
    /// `mailbox = "INBOX" / astring`
    pub(super) fn mailbox(&mut self, name: &str) {
        if self.utf8 { self.astring(name.as_bytes()) } else { self.astring(utf7::encode(name).as_bytes()) }
    }

    /// `"LIST" SP mailbox-list` and `"LSUB" SP mailbox-list`
    /// `mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox`
    pub fn list_entry<'a>(
        &mut self,
        kind: ListKind,
        attributes: impl IntoIterator<Item = &'a str>,
        delimiter: Option<char>,
        name: &str,
    ) {
        self.list_entry_with(kind, attributes, delimiter, name, &[]);
    }

    /// The same, saying that below the name there is what these selection options mean (RFC 5258 3.5):
    /// `childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted *(SP list-select-base-opt-quoted) ")"`
    pub fn list_entry_with<'a>(
        &mut self,
        kind: ListKind,
        attributes: impl IntoIterator<Item = &'a str>,
        delimiter: Option<char>,
        name: &str,
        child_info: &[&str],
    ) {
        self.text(match kind {
            ListKind::List => "* LIST ",
            ListKind::Lsub => "* LSUB ",
            ListKind::Xlist => "* XLIST ",
        });
        self.list(attributes, Self::text);
        self.byte(b' ');
        self.delimiter(delimiter);
        self.byte(b' ');
        self.mailbox(name);
        if !child_info.is_empty() {
            self.text(" (\"CHILDINFO\" ");
            self.list(child_info, |w, option| w.string(option.as_bytes()));
            self.byte(b')');
        }
        self.crlf();
    }

    fn delimiter(&mut self, delimiter: Option<char>) {
        let mut utf8 = [0; 4];
        self.nstring(delimiter.map(|c| c.encode_utf8(&mut utf8).as_bytes()));
    }

    /// `"STATUS" SP mailbox SP "(" [status-att-list] ")"`
    pub fn status(&mut self, name: &str, items: &[(StatusItem, u64)]) {
        self.text("* STATUS ");
        self.mailbox(name);
        self.byte(b' ');
        self.list(items, |w, (item, value)| {
            w.text(item.as_str());
            w.byte(b' ');
            if *item == StatusItem::MailboxId {
                // "MAILBOXID" SP "(" objectid ")" (RFC 8474 7)
                w.byte(b'(');
                w.object_id(ObjectKind::Mailbox, *value);
                w.byte(b')');
            } else {
                w.number(*value);
            }
        });
        self.crlf();
    }

    /// `"SEARCH" *(SP nz-number)`
    pub fn search(&mut self, numbers: impl IntoIterator<Item = u32>) {
        self.search_start();
        self.search_numbers(numbers);
        self.search_end();
    }

    /// Begins the response that [`Writer::search`] writes at once, for results that are sent piece by piece.
    pub fn search_start(&mut self) {
        self.text("* SEARCH");
    }

    /// Some of the numbers, between `search_start` and `search_end`.
    pub fn search_numbers(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.byte(b' ');
            self.number(number.into());
        }
    }

    /// Ends what `search_start` began.
    pub fn search_end(&mut self) {
        self.crlf();
    }

    /// `"FLAGS" SP flag-list`
    pub fn flags<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.text("* FLAGS ");
        self.list(names, Self::text);
        self.crlf();
    }

    /// `number SP "EXISTS"`
    pub fn exists(&mut self, count: u32) {
        self.numbered(count, "EXISTS");
    }

    /// `number SP "RECENT"`
    pub fn recent(&mut self, count: u32) {
        self.numbered(count, "RECENT");
    }

    /// `nz-number SP "EXPUNGE"`
    pub fn expunge(&mut self, number: u32) {
        self.numbered(number, "EXPUNGE");
    }

    fn numbered(&mut self, number: u32, what: &str) {
        self.text("* ");
        self.number(number.into());
        self.byte(b' ');
        self.text(what);
        self.crlf();
    }

    /// `"NAMESPACE" SP namespace SP namespace SP namespace` (RFC 2342 6): personal, other users', shared;
    /// each a list of prefix and delimiter.
    pub fn namespace(&mut self, kinds: [&[(&str, Option<char>)]; 3]) {
        self.text("* NAMESPACE ");
        self.spaced(kinds, |w, namespaces| {
            if namespaces.is_empty() {
                return w.text("NIL");
            }
            w.byte(b'(');
            for (prefix, delimiter) in namespaces {
                w.byte(b'(');
                let prefix = if w.utf8 { (*prefix).to_owned() } else { utf7::encode(prefix) };
                w.string(prefix.as_bytes());
                w.byte(b' ');
                w.delimiter(*delimiter);
                w.byte(b')');
            }
            w.byte(b')');
        });
        self.crlf();
    }

    /// `quotaroot-response = "QUOTAROOT" SP mailbox *(SP quota-root-name)` (RFC 9208 6)
    pub fn quota_root(&mut self, name: &str, roots: &[&str]) {
        self.text("* QUOTAROOT ");
        self.mailbox(name);
        for root in roots {
            self.byte(b' ');
            self.astring(root.as_bytes());
        }
        self.crlf();
    }

    /// `quota-response = "QUOTA" SP quota-root-name SP quota-list` (RFC 9208 6): resource, usage and limit in the
    /// resource's unit, for STORAGE 1,024 octets (RFC 9208 5.1).
    pub fn quota(&mut self, root: &str, resources: &[(&str, u64, u64)]) {
        self.text("* QUOTA ");
        self.astring(root.as_bytes());
        self.byte(b' ');
        self.list(resources, |w, (name, usage, limit)| {
            w.text(name);
            w.byte(b' ');
            w.number(*usage);
            w.byte(b' ');
            w.number(*limit);
        });
        self.crlf();
    }
}

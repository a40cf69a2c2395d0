//! The section of a policy that says what becomes of mail from outside whose origin is in doubt.
//!
//! The default of each field is the strictest sensible value, for regulations that are silent on it.

use super::field::{Field, section};
use super::value::{Value, choice};
use super::{DnsList, Measure};
use serde::{Deserialize, Serialize};

choice! {
    /// What becomes of mail that the domain of its author disowns (DMARC, RFC 7489 6.3).
    Disowned {
        /// What that domain asks for: refused, put into Junk, or taken.
        Honour "honour" "theo yêu cầu của tên miền gửi";
        /// Put into Junk where that domain asks for one of both.
        Junk "junk" "đưa vào thư rác";
        /// Kept apart until somebody has looked at it, where that domain asks for one of both.
        Quarantine "quarantine" "cách ly";
        /// Taken, and marked by Authentication-Results alone.
        Accept "accept" "vẫn nhận";
    }
}

choice! {
    /// What becomes of mail from outside of which something is in doubt.
    Doubtful {
        Reject "reject" "từ chối";
        Junk "junk" "đưa vào thư rác";
        /// Kept apart until somebody has looked at it.
        Quarantine "quarantine" "cách ly";
        Accept "accept" "vẫn nhận";
    }
}

section! {
    /// Thư từ bên ngoài.
    Inbound inbound INBOUND {
        /// The author's domain says that it is not its mail.
        dmarc: Disowned = Disowned::Honour, Plain 0..=0, "Thư bị tên miền gửi từ chối nhận là của mình (DMARC)", "D5";
        /// Its author is said to be of this domain, and nothing shows it: AG Đ5.5.
        own_domain: Doubtful = Doubtful::Reject, Plain 0..=0, "Thư từ bên ngoài mạo danh tên miền này", "D5";
        /// In its author's name stands an address of a domain of this system, and nothing shows that it is from there.
        own_name: Doubtful = Doubtful::Junk, Plain 0..=0, "Thư từ bên ngoài có tên người gửi chứa địa chỉ của hệ thống này", "D5";
        /// It comes from a server that the sender's domain does not name (SPF), and DMARC says nothing of it.
        spf_fail: Doubtful = Doubtful::Junk, Plain 0..=0, "Thư từ máy chủ không được tên miền gửi cho phép (SPF)", "D5";
        /// Whom it is from cannot be read without doubt.
        unclear_author: Doubtful = Doubtful::Junk, Plain 0..=0, "Thư có trường người gửi không rõ ràng", "D5";
        /// What the server that brings it calls itself is its own to say (RFC 5321 4.1.4): no full name, an address that it does not
        /// have, or our name.
        helo: Doubtful = Doubtful::Accept, Plain 0..=0, "Thư từ máy chủ tự xưng tên không hợp lệ (HELO)", "D7";
        /// The address that brings it is on a list; at most 16 lists.
        lists: Vec<DnsList> = Vec::new(), Count 0..=16, "Thư từ máy chủ có trong danh sách chặn (DNSBL)", "D7";
        /// How long a sender who was never here is asked to wait before he comes again; 1 to 60, or not at all.
        greylist: Option<u32> = None, Minutes 1..=60, "Thời gian hoãn nhận thư của máy chủ gửi lần đầu (greylisting)", "D7";
        /// Domains that ask for it are told once a day how much mail came in their names, and whence (RFC 7489 7.2).
        dmarc_reports: bool = true, Plain 0..=0, "Gửi báo cáo DMARC tổng hợp cho tên miền gửi", "D5";
    }
}

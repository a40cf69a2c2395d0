//! Groups of the address book (C1, C2): what they are made of, and who may write to them.

use crate::UnknownName;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($(#[$doc:meta])* $name:ident $what:literal $expected:literal { $($(#[$each:meta])* $variant:ident $text:literal $label:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// For people to read.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;
            fn from_str(name: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name).ok_or_else(|| UnknownName {
                    what: $what,
                    name: name.to_owned(),
                    expected: $expected,
                })
            }
        }
    };
}

names! {
    /// By what a group's members are found when mail comes (TN Đ3.6.2).
    GroupRule "group rule" "manual, everybody, people, leaders, organisations, clerks, offices" {
        /// Those who were put into it.
        Manual "manual" "danh sách lập bằng tay";
        Everybody "everybody" "toàn bộ hộp thư";
        /// Hộp thư cá nhân.
        People "people" "toàn bộ cá nhân";
        /// Cán bộ lãnh đạo.
        Leaders "leaders" "toàn bộ lãnh đạo";
        /// Hộp thư đơn vị.
        Organisations "organisations" "toàn bộ đơn vị";
        /// Whoever holds the position of văn thư.
        Clerks "clerks" "toàn bộ văn thư";
        /// The mailboxes of units called Văn phòng.
        Offices "offices" "toàn bộ văn phòng";
    }
}

names! {
    /// Who may write to a group.
    GroupSenders "senders" "everybody, local, members, listed" {
        /// Strangers, too.
        Everybody "everybody" "mọi người";
        /// Whoever has a mailbox here.
        Local "local" "người dùng trong hệ thống";
        Members "members" "thành viên nhóm";
        /// Whoever was named for it.
        Listed "listed" "người được chỉ định";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(GroupRule::ALL.iter().all(|rule| rule.as_str().parse() == Ok(*rule)));
        assert!(GroupSenders::ALL.iter().all(|senders| senders.as_str().parse() == Ok(*senders)));
        assert!("boss".parse::<GroupRule>().is_err());
    }
}

//! Makers of mail programs that do not connect by themselves: they hand the password to their maker, whose servers log in with it
//! and keep a copy of the mail.

use crate::Network;
use std::net::IpAddr;

/// What the servers of one maker are known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cloud {
    /// As people are told.
    pub name: String,
    /// What they call themselves by IMAP's ID (RFC 2971): its `name` begins so, whatever the case.
    pub clients: Vec<String>,
    /// Where they come from.
    pub networks: Vec<Network>,
}

impl Cloud {
    /// Those that are known without anybody's configuring them: by what they call themselves alone, as their networks change.
    ///
    /// New Outlook for Windows, and Outlook for telephones: <https://github.com/mjl-/mox/issues/388>, and with a log of a Zimbra server
    /// <https://www.missioncriticalemail.com/2025/06/13/new-outlook-privacy-and-data-sovereignty-issues>.
    #[must_use]
    pub fn known() -> Vec<Self> {
        vec![Self {
            name: "Microsoft".to_owned(),
            clients: vec!["Microsoft Office 365".to_owned()],
            networks: Vec::new(),
        }]
    }

    /// Is whoever calls himself so (`None`: he did not say), and comes from there, one of its servers?
    #[must_use]
    pub fn is(&self, client: Option<&str>, remote: IpAddr) -> bool {
        let is_named = client.is_some_and(|client| {
            let begins = |name: &String| {
                let begin = client.get(..name.len()).filter(|begin| !begin.is_empty());
                begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name))
            };
            self.clients.iter().any(begins)
        });
        is_named || self.networks.iter().any(|network| network.contains(remote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_is_known_by_what_it_calls_itself_or_where_it_comes_from() {
        let anywhere: IpAddr = "192.0.2.1".parse().unwrap();
        let microsoft = Cloud::known().remove(0);
        for (client, is) in [
            (Some("Microsoft Office 365"), true),
            (Some("MICROSOFT office 365/15.20"), true),
            (Some("Microsoft Outlook"), false),
            (Some("Microsoft Office"), false),
            (Some("Thư"), false),
            (None, false),
        ] {
            assert_eq!(microsoft.is(client, anywhere), is, "{client:?}");
        }
        let networks = vec!["52.96.0.0/14".parse().unwrap()];
        let cloud = Cloud { name: "X".into(), clients: vec![String::new()], networks };
        assert!(
            cloud.is(None, "52.97.1.1".parse().unwrap())
                && cloud.is(Some("x"), "::ffff:52.97.1.1".parse().unwrap())
        );
        assert!(!cloud.is(Some("x"), anywhere), "an empty name is nobody's");
    }
}

//! Who wants to hear what came in a domain's name, and may be told (RFC 7489 6.2 `rua`, 7.1).
//!
//! Invariants: a domain has nobody told who has not said that he wants to be: another organisation's address is asked of its own
//! domain first, so that no record makes us flood somebody; what cannot be found out is an error, never "nobody".

use super::ANSWER_MAX;
use super::dmarc::organisation;
use crate::dns::DnsError;
use crate::{Resolver, ascii_domain};
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::{Dmarc, URI};
use tokio::time::timeout;

/// Addresses of one record that are looked at, and that are told: RFC 7489 6.2 asks for two at least, and whoever is named by many
/// records has many mails of us.
const NAMED_MAX: usize = 4;
const TOLD_MAX: usize = 2;
/// Octets of an address (RFC 5321 4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportAddress {
    /// Local part and domain, plain ASCII.
    pub address: String,
    /// Octets of a report that he takes; `None`: any.
    pub bytes_max: Option<u64>,
}

impl Resolver {
    /// To whom the record of this domain has reports sent, of those that want them.
    ///
    /// # Errors
    /// When it cannot be found out now.
    pub async fn report_addresses(&self, domain: &str) -> Result<Vec<ReportAddress>, DnsError> {
        let record =
            timeout(ANSWER_MAX, self.dmarc_record(domain)).await.map_err(|_| DnsError::Silence)??;
        let Some(record) = record else { return Ok(Vec::new()) };
        let mut told: Vec<ReportAddress> = Vec::new();
        for (address, host) in record.rua.iter().filter_map(address).take(NAMED_MAX) {
            if told.len() >= TOLD_MAX {
                break;
            }
            let wanted = if self.is_one_organisation(domain, &host).await? {
                Some(address)
            } else {
                self.wanted_elsewhere(domain, address, &host).await?
            };
            let new = wanted.filter(|new| told.iter().all(|known| known.address != new.address));
            told.extend(new);
        }
        Ok(told)
    }

    async fn is_one_organisation(&self, domain: &str, host: &str) -> Result<bool, DnsError> {
        if domain == host {
            return Ok(true);
        }
        let (ours, theirs) = tokio::join!(self.walk(domain), self.walk(host));
        if !ours.is_whole || !theirs.is_whole {
            return Err(DnsError::Silence);
        }
        // Whoever publishes nothing is of no organisation but his own.
        Ok(organisation(&ours, domain) == organisation(&theirs, host))
    }

    /// RFC 7489 7.1: its own domain says that it wants them, and may name another address of its own.
    async fn wanted_elsewhere(
        &self,
        domain: &str,
        address: ReportAddress,
        host: &str,
    ) -> Result<Option<ReportAddress>, DnsError> {
        let name = format!("{domain}._report._dmarc.{host}");
        let texts = match timeout(ANSWER_MAX, self.texts(&name)).await.map_err(|_| DnsError::Silence)? {
            Err(DnsError::BadName(_)) => return Ok(None),
            texts => texts?,
        };
        let Some(record) = texts.iter().find(|text| text.starts_with(b"v=DMARC1")) else { return Ok(None) };
        let named = Dmarc::parse(record).ok().and_then(|record| record.rua.iter().find_map(self::address));
        Ok(match named {
            Some((other, named)) if named == host => Some(other),
            Some(_) => None,
            None => Some(address),
        })
    }
}

/// With its domain; `None` for what is no address of mail.
fn address(uri: &URI) -> Option<(ReportAddress, String)> {
    let address = uri.uri.trim();
    let address = match address.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => address.get(7..)?,
        _ => address,
    };
    let (address, host) = plain_address(address)?;
    let bytes_max = (uri.max_size > 0).then_some(uri.max_size as u64);
    Some((ReportAddress { address, bytes_max }, host))
}

/// An address that everybody can write, and its domain, of two labels at least.
pub(crate) fn plain_address(address: &str) -> Option<(String, String)> {
    let (local, host) = address.rsplit_once('@')?;
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet);
    let host = ascii_domain(host).filter(|host| host.contains('.'))?;
    if local.is_empty() || !local.bytes().all(is_plain) || address.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    Some((format!("{local}@{host}"), host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::serve;

    #[tokio::test]
    async fn only_who_wants_reports_gets_them() {
        let zone = "_dmarc.a.vn TXT v=DMARC1; p=none; rua=mailto:d@a.vn!10m, mailto:r@thu.a.vn, mailto:x@victim.vn, mailto:s@service.vn!2k\n\
                    a.vn._report._dmarc.service.vn TXT v=DMARC1\n\
                    _dmarc.b.vn TXT v=DMARC1; p=none; rua=mailto:s@service.vn,https://b.vn/r,mailto:@b.vn\n\
                    b.vn._report._dmarc.service.vn TXT v=DMARC1; rua=mailto:b@service.vn\n\
                    _dmarc.c.vn TXT v=DMARC1; p=none; rua=mailto:s@service.vn\n\
                    c.vn._report._dmarc.service.vn TXT v=DMARC1; rua=mailto:x@victim.vn\n\
                    _dmarc.d.vn TXT v=DMARC1; p=none; rua=mailto:s@broken.vn\n\
                    d.vn._report._dmarc.broken.vn SERVFAIL\n\
                    _dmarc.e.vn SERVFAIL\n\
                    _dmarc.f.vn TXT v=DMARC1; p=none\n";
        let (resolver, _running) = serve(zone).await;
        let told = async |domain: &str| {
            let found = resolver.report_addresses(domain).await?;
            let told = found.into_iter().map(|found| (found.address, found.bytes_max));
            Ok::<_, DnsError>(told.collect::<Vec<_>>())
        };
        let said = |address: &str, max: Option<u64>| (address.to_owned(), max);
        assert_eq!(
            told("a.vn").await.unwrap(),
            [said("d@a.vn", Some(10 << 20)), said("r@thu.a.vn", None)],
            "two, although a third wants them"
        );
        assert_eq!(told("b.vn").await.unwrap(), [said("b@service.vn", None)]);
        assert_eq!(told("c.vn").await.unwrap(), []);
        assert!(told("d.vn").await.is_err());
        assert!(told("e.vn").await.is_err());
        assert_eq!(told("f.vn").await.unwrap(), []);
    }
}

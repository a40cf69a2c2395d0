//! Limits of a message's header, held before anything is looked at: what examines, scans and cleanses it afterwards need not
//! care how much a stranger writes there.

use crate::{DeliverError, Spool};
use proto::mime::{Facts, header_end, header_fields};

/// Received fields of a message that goes round in circles (RFC 5321 6.3 asks for at least 100).
const RECEIVED_MAX: u32 = 100;
/// Fields of a header: real mail has under a hundred.
const HEADER_FIELDS_MAX: u32 = 2000;
/// Octets of a header: mailing lists and signatures stay under 100 KB.
const HEADER_BYTES_MAX: u64 = 256 * 1024;

impl Spool {
    /// The header of the message that has come, with its blank line.
    ///
    /// # Errors
    /// `Loop`, `HeaderTooLarge`; `Unavailable` when the disk is failing.
    pub async fn header(&self) -> Result<Vec<u8>, DeliverError> {
        let mut header = Vec::new();
        loop {
            let piece = self.piece(header.len() as u64).await.map_err(|error| {
                tracing::error!(%error, "a spooled message could not be read back");
                DeliverError::Unavailable
            })?;
            header.extend_from_slice(&piece);
            let end = header_end(&header);
            if piece.is_empty() || end < header.len() || end as u64 > HEADER_BYTES_MAX {
                header.truncate(end);
                break;
            }
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let received = header_fields(&header).filter(|field| field.is("Received")).count();
        check(count(received), count(header_fields(&header).count()), header.len() as u64)?;
        Ok(header)
    }
}

/// With the fields of ours in front.
pub(crate) fn check_header(facts: &Facts) -> Result<(), DeliverError> {
    check(facts.received_count, facts.header_count, facts.header_bytes)
}

fn check(received: u32, fields: u32, bytes: u64) -> Result<(), DeliverError> {
    if received > RECEIVED_MAX {
        return Err(DeliverError::Loop);
    }
    if fields > HEADER_FIELDS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(DeliverError::HeaderTooLarge);
    }
    Ok(())
}

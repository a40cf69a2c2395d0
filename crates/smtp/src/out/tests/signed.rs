//! Signs a zone: the root, with everything in it, under a key of the test's own.

use super::world::{fqdn, name_text};
use hickory_resolver::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, NSEC, RRSIG, SigInput};
use hickory_resolver::proto::dnssec::{Algorithm, SigningKey, TBS, TrustAnchors};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber};

const TTL: u32 = 60;
/// From 2020 to 2065.
const VALID: (u32, u32) = (1_600_000_000, 3_000_000_000);
/// The same until 2023.
const OVER: (u32, u32) = (1_600_000_000, 1_700_000_000);

pub(super) struct Signer {
    key: Ed25519SigningKey,
    /// Whose signatures are wrong.
    forged: Vec<&'static str>,
    /// Domains that the root hands on without a key.
    unsigned: Vec<&'static str>,
    /// The key that is believed is another one.
    is_stranger: bool,
    /// A second signature of everything, which proves nothing.
    beside: Option<Beside>,
    /// Whose records somebody has taken away from their signatures.
    bare: Option<&'static str>,
}

/// A second signature, as of a zone that changes its key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beside {
    /// By a key that is not published yet.
    Stranger,
    /// Its time is over.
    Over,
    /// By an algorithm that nobody knows.
    Unknown,
}

/// What a signature is made with.
struct Hand<'a> {
    key: &'a Ed25519SigningKey,
    algorithm: Algorithm,
    valid: (u32, u32),
}

fn new_key() -> Ed25519SigningKey {
    Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap()
}

impl Signer {
    pub(super) fn new(forged: &[&'static str], unsigned: &[&'static str]) -> Self {
        Self {
            key: new_key(),
            forged: forged.to_vec(),
            unsigned: unsigned.to_vec(),
            is_stranger: false,
            beside: None,
            bare: None,
        }
    }

    /// One whom nobody believes.
    pub(super) fn stranger() -> Self {
        Self { is_stranger: true, ..Self::new(&[], &[]) }
    }

    /// One who signs twice.
    pub(super) fn beside(beside: Beside) -> Self {
        Self { beside: Some(beside), ..Self::new(&[], &[]) }
    }

    /// One whose records of `name` are taken away on the way, and their signatures are not.
    pub(super) fn bare(name: &'static str) -> Self {
        Self { bare: Some(name), ..Self::new(&[], &[]) }
    }

    pub(super) fn anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::empty();
        let other = self.is_stranger.then(new_key);
        anchors.insert(&other.as_ref().unwrap_or(&self.key).to_public_key().unwrap());
        anchors
    }

    fn dnskey(&self) -> DNSKEY {
        DNSKEY::from_key(&self.key.to_public_key().unwrap())
    }

    /// Adds what proves the answer, or that there is none.
    pub(super) fn sign(&self, answer: &mut Message, records: &[(String, Option<RData>)]) {
        let query = answer.queries[0].clone();
        let (name, kind) = (query.name().clone(), query.query_type());
        if name.is_root() && kind == RecordType::DNSKEY {
            let key = RData::DNSSEC(DNSSECRData::DNSKEY(self.dnskey()));
            answer.add_answer(Record::from_rdata(Name::root(), TTL, key));
        }
        if kind == RecordType::NS && self.unsigned.contains(&name_text(&name).as_str()) {
            answer.add_answer(Record::from_rdata(
                name.clone(),
                TTL,
                RData::NS(hickory_resolver::proto::rr::rdata::NS(fqdn("ns"))),
            ));
        }
        let mut sets: Vec<(Name, RecordType)> = Vec::new();
        for record in &answer.answers {
            let set = (record.name.clone(), record.record_type());
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        let second = |set| self.second_signature(set, &answer.answers);
        let others: Vec<_> = sets.iter().filter_map(second).collect();
        let signatures: Vec<_> = sets.iter().filter_map(|set| self.signature(set, &answer.answers)).collect();
        if self.bare.is_some_and(|bare| bare == name_text(&name)) {
            answer.answers.clear();
        }
        answer.answers.extend(others.into_iter().chain(signatures));
        if answer.answers.is_empty() {
            self.deny(answer, &name, records);
        }
    }

    fn is_unsigned(&self, name: &Name) -> bool {
        let name = name_text(name);
        self.unsigned.iter().any(|zone| name == *zone || name.ends_with(&format!(".{zone}")))
    }

    fn signature(&self, set: &(Name, RecordType), records: &[Record]) -> Option<Record> {
        self.signature_by(
            &Hand { key: &self.key, algorithm: self.key.algorithm(), valid: VALID },
            set,
            records,
        )
    }

    fn second_signature(&self, set: &(Name, RecordType), records: &[Record]) -> Option<Record> {
        let (stranger, own) =
            (new_key(), Hand { key: &self.key, algorithm: self.key.algorithm(), valid: VALID });
        let hand = match self.beside? {
            Beside::Stranger => Hand { key: &stranger, ..own },
            Beside::Over => Hand { valid: OVER, ..own },
            Beside::Unknown => Hand { algorithm: Algorithm::Unknown(200), ..own },
        };
        self.signature_by(&hand, set, records)
    }

    fn signature_by(
        &self,
        hand: &Hand<'_>,
        (name, kind): &(Name, RecordType),
        records: &[Record],
    ) -> Option<Record> {
        if self.is_unsigned(name) && *kind != RecordType::NSEC {
            return None;
        }
        let input = SigInput {
            type_covered: *kind,
            algorithm: hand.algorithm,
            num_labels: name.num_labels(),
            original_ttl: TTL,
            sig_expiration: SerialNumber::new(hand.valid.1),
            sig_inception: SerialNumber::new(hand.valid.0),
            key_tag: DNSKEY::from_key(&hand.key.to_public_key().unwrap()).calculate_key_tag().unwrap(),
            signer_name: Name::root(),
        };
        let set = records.iter().filter(|record| record.name == *name && record.record_type() == *kind);
        let mut signed = hand.key.sign(&TBS::from_input(name, DNSClass::IN, &input, set).unwrap()).unwrap();
        if self.forged.contains(&name_text(name).as_str()) {
            signed[0] ^= 1;
        }
        let data = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, signed)));
        Some(Record::from_rdata(name.clone(), TTL, data))
    }

    /// The name is there, and has nothing of that kind (RFC 4035 3.1.3.1).
    fn deny(&self, answer: &mut Message, name: &Name, records: &[(String, Option<RData>)]) {
        use hickory_resolver::proto::op::ResponseCode;
        let (text, kind) = (name_text(name), answer.queries[0].query_type());
        answer.metadata.response_code = ResponseCode::NoError;
        let soa = SOA::new(fqdn("ns"), fqdn("root"), 1, 60, 60, 60, 60);
        let mut kinds: Vec<_> = records
            .iter()
            .filter(|(owner, _)| *owner == text)
            .filter_map(|(_, data)| Some(data.as_ref()?.record_type()))
            .collect();
        if self.unsigned.contains(&text.as_str()) && kind == RecordType::DS {
            kinds = vec![RecordType::NS];
        } else if self.is_unsigned(name) {
            return;
        }
        let next = name.prepend_label("0").unwrap();
        let nsec = RData::DNSSEC(DNSSECRData::NSEC(NSEC::new_cover_self(next, kinds)));
        let proof = [
            Record::from_rdata(Name::root(), TTL, RData::SOA(soa)),
            Record::from_rdata(name.clone(), TTL, nsec),
        ];
        let sets = [(Name::root(), RecordType::SOA), (name.clone(), RecordType::NSEC)];
        let signatures: Vec<_> = sets.iter().filter_map(|set| self.signature(set, &proof)).collect();
        for record in proof.into_iter().chain(signatures) {
            answer.add_authority(record);
        }
    }
}

//! Header fields, encoded words, transfer encodings, and stored facts that were damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::mime::{self, Envelope, Structure, TransferDecoder};

fuzz_target!(|data: &[u8]| {
    let decoded = mime::decode_header(data);
    assert!(!decoded.contains(['\r', '\n']), "a line end in a decoded header");
    let mut raw = Vec::new();
    for field in mime::header_fields(data) {
        raw.extend_from_slice(field.raw);
        let _ = mime::decode_header(&field.unfolded());
    }
    assert!(raw.len() <= data.len());
    for encoding in ["base64", "quoted-printable", "7bit", "x-unknown"] {
        assert!(mime::decode_body(encoding, data).len() <= data.len() + 1);
    }
    pieces(data);
    if let Some(structure) = Structure::from_bytes(data) {
        let _ = structure.parts().count();
        let _ = structure.part(&[1, 1]);
    }
    let _ = Envelope::from_bytes(data);
});

/// However a body is cut, the same octets come out.
fn pieces(data: &[u8]) {
    let piece = data.first().map_or(1, |octet| usize::from(*octet) + 1);
    for encoding in ["base64", "quoted-printable", "binary"] {
        let mut decoder = TransferDecoder::new(encoding).expect("a known encoding");
        let mut decoded = Vec::new();
        for octets in data.chunks(piece) {
            decoder.feed(octets, &mut |octets| decoded.extend_from_slice(octets));
        }
        decoder.finish(&mut |octets| decoded.extend_from_slice(octets));
        assert_eq!(decoded, mime::decode_body(encoding, data), "{encoding} in pieces of {piece}");
    }
}

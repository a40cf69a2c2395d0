//! Content decoding: every way of writing an end of data that is none, at every split of the input.

use super::*;

/// Decodes `text` given in pieces: the message, its fault, and what was left behind the end (None: no end).
fn decode(text: &[u8], piece: usize) -> (Vec<u8>, Option<Fault>, Option<Vec<u8>>) {
    let mut decoder = DataDecoder::new(1 << 30);
    let mut message = Vec::new();
    let mut taken = 0;
    for piece in text.chunks(piece) {
        let mut input = piece;
        loop {
            match decoder.next(&mut input) {
                Decoded::More => break,
                Decoded::Bytes(bytes) => message.extend_from_slice(bytes),
                Decoded::End => {
                    taken += piece.len() - input.len();
                    return (message, decoder.fault(), Some(text[taken..].to_vec()));
                }
            }
        }
        assert!(input.is_empty());
        taken += piece.len();
    }
    (message, decoder.fault(), None)
}

fn pieces(text: &[u8]) -> impl Iterator<Item = usize> {
    (1..=text.len().min(40)).chain([1_000_000])
}

#[test]
fn unstuffs_exactly() {
    for (wire, message) in [
        (&b".\r\n"[..], &b""[..]),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n..a\r\n.b\r\n.\r\n", b"..\r\n.a\r\nb\r\n"),
        (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"S: x\r\n\r\nline\r\n\r\n..end\r\n.\r\n", b"S: x\r\n\r\nline\r\n\r\n.end\r\n"),
    ] {
        for piece in pieces(wire) {
            let expected = (message.to_vec(), None, Some(Vec::new()));
            assert_eq!(decode(wire, piece), expected, "{wire:?} by {piece}");
        }
    }
}

#[test]
fn stops_at_the_end_and_leaves_the_rest() {
    let wire = b"a\r\n.\r\nMAIL FROM:<>\r\n";
    for piece in pieces(wire) {
        let (message, fault, rest) = decode(wire, piece);
        assert_eq!((&message[..], fault), (&b"a\r\n"[..], None));
        assert_eq!(rest.as_deref(), Some(&b"MAIL FROM:<>\r\n"[..]));
    }
}

#[test]
fn no_smuggled_end() {
    use Fault::{BareCr, BareLf, Nul};
    for (trick, expected) in [
        (&b"\n.\n"[..], BareLf),
        (b"\n.\r\n", BareLf),
        (b"\r\n.\n", BareLf),
        (b"\r.\r", BareCr),
        (b"\r\n.\r", BareCr),
        (b"\r.\r\n", BareCr),
        (b"\r.\n", BareCr),
        (b"\n.\r", BareLf),
        (b"\r\n\0.\r\n", Nul),
        (b"\r\n.\0\r\n", Nul),
        (b"\r\n.\r\0\n", BareCr),
        (b"\r\n.\r\r\n", BareCr),
        (b"\r\r\n.\r\r\n", BareCr),
        (b"\r\n\n.\r\n", BareLf),
        (b"\r\n.\n\r\n", BareLf),
        (b"\n\r.\n\r", BareLf),
        (b"\n\n.\n\n", BareLf),
        (b"\r\r.\r\r", BareCr),
    ] {
        let wire = [b"a", trick, b"MAIL FROM:<evil@x>\r\nb\r\n.\r\nQUIT\r\n"].concat();
        for piece in pieces(&wire) {
            let (message, fault, rest) = decode(&wire, piece);
            assert_eq!(fault, Some(expected), "{trick:?} by {piece}");
            assert_eq!(rest.as_deref(), Some(&b"QUIT\r\n"[..]), "{trick:?} by {piece}");
            assert!(!message.windows(4).any(|w| w == b"MAIL"), "handed out behind the fault: {trick:?}");
        }
    }
}

#[test]
fn stuffed_dots_are_not_an_end() {
    // CRLF ".." CRLF is a line of one dot, also when the segments part there.
    let wire = b"a\r\n..\r\n.\r\n";
    for piece in pieces(wire) {
        assert_eq!(decode(wire, piece).0, b"a\r\n.\r\n");
    }
}

#[test]
fn size_and_line_limits() {
    let mut decoder = DataDecoder::new(10);
    let mut input = &b"12345678\r\n.\r\n"[..];
    assert_eq!(decoder.next(&mut input), Decoded::Bytes(b"12345678\r\n"));
    assert_eq!(decoder.next(&mut input), Decoded::End);
    assert_eq!(decoder.fault(), None);

    let mut decoder = DataDecoder::new(9);
    let mut input = &b"12345678\r\n.\r\nQUIT"[..];
    assert_eq!(decoder.next(&mut input), Decoded::End);
    assert_eq!((decoder.fault(), input), (Some(Fault::TooLarge), &b"QUIT"[..]));

    let limit = usize::try_from(TEXT_LINE_BYTES_MAX).unwrap();
    for (length, expected) in [(limit, None), (limit + 1, Some(Fault::LineTooLong))] {
        let wire = [b"a\r\n", &vec![b'x'; length][..], b"\r\n.\r\n"].concat();
        for piece in [777, wire.len()] {
            let (message, fault, rest) = decode(&wire, piece);
            assert_eq!((fault, rest), (expected, Some(Vec::new())), "{length} by {piece}");
            assert!(expected.is_some() || message.len() == length + 5);
        }
    }
}

#[test]
fn chunks_may_part_a_crlf_but_not_hold_bare_ones() {
    let watch = |chunks: &[&[u8]]| {
        let mut watch = ChunkWatch::new(100);
        for chunk in chunks {
            watch.pass(chunk);
        }
        watch.finish();
        watch.fault()
    };
    assert_eq!(watch(&[b"a\r", b"\nb\r\n"]), None);
    assert_eq!(watch(&[b"a", b"", b"b"]), None);
    assert_eq!(watch(&[b"\r\n.\r\n"]), None);
    assert_eq!(watch(&[b"a\r", b"b"]), Some(Fault::BareCr));
    assert_eq!(watch(&[b"a\r"]), Some(Fault::BareCr));
    assert_eq!(watch(&[b"a\r\r\n"]), Some(Fault::BareCr));
    assert_eq!(watch(&[b"a\n.\n"]), Some(Fault::BareLf));
    assert_eq!(watch(&[b"a\r\n\0.\r\n"]), Some(Fault::Nul));
    assert_eq!(watch(&[b"a\r\0"]), Some(Fault::BareCr));
    assert_eq!(watch(&[&[b'x'; 60], &[b'x'; 41]]), Some(Fault::TooLarge));
}

/// A first line that begins with a blank would continue the Received field we put before it.
#[test]
fn a_blank_at_the_beginning_is_a_fault() {
    for (text, fault) in [
        (&b" From: x@y.vn\r\n"[..], Some(Fault::Blank)),
        (b"\tFrom: x@y.vn\r\n", Some(Fault::Blank)),
        (b" \r\n", Some(Fault::Blank)),
        (b" a\nb\r\n", Some(Fault::Blank)),
        (b"\r\n From: x@y.vn\r\n", None),
        (b"A: b\r\n c\r\n", None),
        (b"", None),
    ] {
        let plain = [text, b".\r\n"].concat();
        // A dot that was stuffed in is not of the message.
        let stuffed = [b".", &plain[..]].concat();
        for wire in [Some(plain), fault.and(Some(stuffed))].into_iter().flatten() {
            for piece in pieces(&wire) {
                assert_eq!(decode(&wire, piece).1, fault, "{wire:?} by {piece}");
            }
        }
        for piece in pieces(text) {
            let mut watch = ChunkWatch::new(1 << 30);
            text.chunks(piece).for_each(|piece| _ = watch.pass(piece));
            assert_eq!(watch.fault(), fault, "{text:?} by {piece}");
        }
    }
}

//! Every bound of the walk and of the decoders, with its reason. Input past a bound is never lost: it stays in the
//! stored bytes, it only is not described further.

/// Containers (multipart, message/rfc822) inside each other. Real mail stays under 10; every level costs one boundary
/// comparison per candidate line, so this is the constant factor of the walk.
pub const DEPTH_MAX: usize = 50;

/// Parts that are described. A digest of a busy list has hundreds; past this the rest of each open container is one
/// opaque leaf, so that at most `PARTS_MAX + DEPTH_MAX` exist.
pub const PARTS_MAX: usize = 5_000;

/// Parameters kept of one header field. RFC 2231 continuations count one each; a 4 KB file name needs about 60.
pub const PARAMS_MAX: usize = 128;

/// Octets kept of one parameter's value, all continuations together. File names end at 255 characters nearly
/// everywhere: 255 characters × 4 octets × 3 (`%XX`) = 3,060.
pub const PARAM_VALUE_MAX: usize = 4 * 1024;

/// Octets of one structured MIME field (Content-Type and such) that are read.
pub const MIME_FIELD_MAX: usize = 64 * 1024;

/// Octets kept of an unstructured envelope value (Subject, Date, Message-ID, In-Reply-To). A line has at most 998
/// octets (RFC 5322 2.1.1); 64 of them.
pub const VALUE_MAX: usize = 64 * 1024;

/// Octets kept of References: a hundred ids.
pub const REFERENCES_BYTES_MAX: usize = 8 * 1024;

/// Addresses kept of one envelope list, group markers included. A letter to every commune of a province names a few
/// hundred.
pub const ADDRESSES_MAX: usize = 5_000;

/// Octets of address fields of one name that are read: `ADDRESSES_MAX` × 200 octets.
pub const ADDRESS_BYTES_MAX: usize = 1024 * 1024;

/// Depth of nested comments that is tracked in an address or a parameter; deeper ones end with the outermost.
pub const COMMENT_DEPTH_MAX: u32 = 1_000;

/// Header fields of one entity that are looked at; the ones behind are counted only.
pub const FIELDS_MAX: usize = 10_000;

/// Octets of memory that header values take in `Structure` and all its envelopes together: the values and the records
/// that hold them, for a parameter or an address of one octet needs a hundred. Bounds the facts of one message whatever
/// it holds; past it, parameters, descriptions and nested envelopes stay empty. A digest of 2,500 messages needs 3 MiB.
pub const FACTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Octets of a boundary that are compared. RFC 2046 5.1.1 allows 70; some senders use more.
pub const BOUNDARY_MAX: usize = 256;

/// Octets of a media type, subtype, encoding or parameter name that are believed (RFC 6838 4.2 allows 127).
pub const TOKEN_MAX: usize = 127;

/// Content languages kept of one part.
pub const LANGUAGES_MAX: usize = 32;

/// Octets of white space that a quoted-printable decoder holds back until it knows whether the line ends behind them:
/// a line has 998 (RFC 5322 2.1.1).
pub const BLANKS_MAX: usize = 998;

/// Characters of the preview (RFC 8970 3.2: no more than 200 are to be sent; a list shows about that).
pub const PREVIEW_CHARS_MAX: usize = 256;

/// Octets of a text part read for the preview. HTML of newsletters opens with some 30 KB of style.
pub const PREVIEW_BYTES_MAX: usize = 128 * 1024;

/// Text parts tried for a preview until one has visible text.
pub const PREVIEW_PARTS_MAX: usize = 16;

/// Characters of an attachment's decoded name.
pub const NAME_CHARS_MAX: usize = 255;

/// Octets of a message id that are believed: one line (RFC 5322 2.1.1).
pub const MESSAGE_ID_MAX: usize = 998;

/// Octets of a header value that are decoded to text.
pub const DECODED_HEADER_MAX: usize = 1024 * 1024;

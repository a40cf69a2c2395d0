//! Messages of an office, made from their number alone: the same number gives the same octets, so that every answer of a
//! server can be checked, and what a search must find is known beforehand.

/// Who mail from outside is from.
pub const STRANGER: &str = "bench@other.test";
/// In few messages: a word nobody else uses.
pub const RARE: &str = "xuyenbang";
/// In every fifth message.
pub const COMMON: &str = "quyhoach";
/// In every message.
pub const EVERYWHERE: &str = "trantrong";
/// In no message.
pub const ABSENT: &str = "khongcotunay";
/// Every fiftieth message has these words: half of them composed, half decomposed.
pub const COMPOSED: &str = "Nghị quyết thành phố Cần Thơ";
pub const DECOMPOSED: &str =
    "Nghi\u{323} quye\u{302}\u{301}t tha\u{300}nh pho\u{302}\u{301} Ca\u{302}\u{300}n Tho\u{31b}";
/// … and every thousandth message has them as typed without diacritics.
pub const BARE: &str = "Nghi quyet thanh pho Can Tho";
/// Senders there are.
pub const SENDERS: u64 = 40;
/// Messages in a conversation.
const CONVERSATION: u64 = 4;

const WORDS: [&str; 40] = [
    "ủy", "ban", "nhân", "dân", "tỉnh", "sở", "nội", "vụ", "văn", "phòng", "đề", "nghị", "các", "đơn", "vị",
    "báo", "cáo", "tình", "hình", "thực", "hiện", "kế", "hoạch", "năm", "triển", "khai", "công", "tác",
    "cải", "cách", "hành", "chính", "theo", "hướng", "dẫn", "của", "bộ", "tài", "liệu", "kèm",
];
const TOPICS: [&str; 8] = [
    "tuyển dụng viên chức",
    "dự toán ngân sách",
    "phòng cháy chữa cháy",
    "chuyển đổi số",
    "khen thưởng cuối năm",
    "bảo hiểm y tế",
    "đất đai",
    "thi đua yêu nước",
];

/// Whether message `number` has [`RARE`].
pub const fn has_rare(number: u64) -> bool {
    number % 9973 == 7
}

pub const fn has_common(number: u64) -> bool {
    number.is_multiple_of(5)
}

/// Whether it has [`COMPOSED`] or [`DECOMPOSED`].
pub const fn has_resolution(number: u64) -> bool {
    number % 50 == 3
}

pub const fn has_bare(number: u64) -> bool {
    number % 1000 == 77
}

pub const fn sender_of(number: u64) -> u64 {
    number.wrapping_mul(7) % SENDERS
}

pub fn message_id(number: u64) -> String {
    format!("<{number}.office@bench.test>")
}

/// The number in a message's own Message-ID, which stands before those it refers to.
pub fn number_in(message: &[u8]) -> Option<u64> {
    number_before(message, memchr::memmem::find(message, b".office@bench.test>")?)
}

/// The same of an ENVELOPE, where it stands last.
pub fn number_in_envelope(envelope: &[u8]) -> Option<u64> {
    number_before(envelope, memchr::memmem::rfind(envelope, b".office@bench.test>")?)
}

fn number_before(answer: &[u8], end: usize) -> Option<u64> {
    let start = answer[..end].iter().rposition(|octet| *octet == b'<')? + 1;
    std::str::from_utf8(&answer[start..end]).ok()?.parse().ok()
}

/// The subject's encoded word, as it stands in the header and in an ENVELOPE.
pub fn subject(number: u64) -> String {
    let topic = TOPICS[(number % TOPICS.len() as u64) as usize];
    format!("=?utf-8?B?{}?=", base64(format!("Công văn số {number} {topic}").as_bytes()))
}

/// One message, about 4 KB: plain text, text and HTML, or with an attachment.
pub fn message(number: u64) -> Vec<u8> {
    let text = text(number);
    let body = match number % 10 {
        0..=5 => format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}"
        ),
        6 | 7 => alternative(number, &text),
        8 => format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            folded_base64(text.as_bytes())
        ),
        _ => mixed(number, &text),
    };
    (header(number) + &body).into_bytes()
}

fn header(number: u64) -> String {
    let sender = sender_of(number);
    let day = 1 + (number / 1440) % 28;
    let references = if number.is_multiple_of(CONVERSATION) {
        String::new()
    } else {
        let first = message_id(number - number % CONVERSATION);
        format!("In-Reply-To: {first}\r\nReferences: {first}\r\n")
    };
    format!(
        "Received: from gate.other.test (gate.other.test [192.0.2.7]) by mx.bench.test with ESMTPS id {number:x};\r\n \
         Mon, {day:02} Jun 2026 08:00:00 +0700\r\n\
         From: =?utf-8?B?{}?= <canbo.{sender}@other.test>\r\nTo: =?utf-8?B?{}?= <bench-0@bench.test>\r\n\
         Cc: <van.thu@bench.test>, <luu.tru.{}@bench.test>\r\nSubject: {}\r\nMessage-ID: {}\r\n{references}\
         Date: Mon, {day:02} Jun 2026 {:02}:{:02}:00 +0700\r\nMIME-Version: 1.0\r\n",
        base64(format!("Nguyễn Thị Cán Bộ {sender}").as_bytes()),
        base64("Văn phòng Ủy ban".as_bytes()),
        number % 9,
        subject(number),
        message_id(number),
        (number / 60) % 24,
        number % 60,
    )
}

fn text(number: u64) -> String {
    let mut dice = Dice::new(number);
    let mut text = format!("Kính gửi: Văn phòng số {number},\r\n\r\n");
    if has_resolution(number) {
        text += if (number / 50).is_multiple_of(2) { COMPOSED } else { DECOMPOSED };
        text += " ban hành.\r\n";
    }
    if has_bare(number) {
        text += BARE;
        text += " ban hanh.\r\n";
    }
    if has_common(number) {
        text += &format!("Theo {COMMON} chung.\r\n");
    }
    if has_rare(number) {
        text += &format!("Tại cửa khẩu {RARE} ngày mai.\r\n");
    }
    for _ in 0..16 + dice.below(24) {
        for _ in 0..12 {
            text += WORDS[dice.below(WORDS.len() as u64) as usize];
            text.push(' ');
        }
        // A word that no other message has, as names and file numbers are.
        text += &format!("{:x}.\r\n", dice.next() & 0xff_ffff);
    }
    text + &format!("{EVERYWHERE}\r\n")
}

fn alternative(number: u64, text: &str) -> String {
    let html = text.replace("\r\n", "<br>\r\n");
    format!(
        "Content-Type: multipart/alternative; boundary=\"a{number}\"\r\n\r\n--a{number}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n--a{number}\r\n\
         Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><body>{html}</body></html>\r\n\
         --a{number}--\r\n",
        quoted_printable(text)
    )
}

fn mixed(number: u64, text: &str) -> String {
    format!(
        "Content-Type: multipart/mixed; boundary=\"m{number}\"\r\n\r\n--m{number}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n--m{number}\r\n\
         Content-Type: application/pdf; name=\"van-ban-{number}.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"van-ban-{number}.pdf\"\r\n\r\n{}--m{number}--\r\n",
        String::from_utf8_lossy(&noise(number, 6000))
    )
}

/// A message of ours that is almost only an attachment, of about `size` bytes.
pub fn large(number: u64, size: usize) -> Vec<u8> {
    let head = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let mut message = (header(number) + head).into_bytes();
    let length = size.saturating_sub(message.len());
    message.extend(noise(number, length));
    message
}

/// As [`compose_from`], from [`STRANGER`].
pub fn compose(seed: u64, size: usize) -> Vec<u8> {
    compose_from(STRANGER, seed, size)
}

/// A message of about `size` bytes whose text nobody has sent before: a header and base64 of a number stream.
pub fn compose_from(from: &str, seed: u64, size: usize) -> Vec<u8> {
    let mut message = format!(
        "From: <{from}>\r\nTo: <ai@bench.test>\r\nSubject: Tai lieu {seed}\r\nMessage-ID: <{seed}@bench.test>\r\n\
         Date: Mon, 02 Jun 2025 08:00:00 +0700\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    let length = size.saturating_sub(message.len());
    message.extend(noise(seed, length));
    message
}

/// Lines of 76 characters of the base64 alphabet; the same seed gives the same lines.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut out = Vec::with_capacity(length + 2);
    while out.len() < length {
        for _ in 0..8 {
            let mut bits = dice.next();
            for _ in 0..10 {
                out.push(ALPHABET[(bits & 63) as usize]);
                bits >>= 6;
            }
        }
        out.truncate(out.len() - 4);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// xorshift64: quick, and nothing compresses or repeats.
struct Dice(u64);

impl Dice {
    const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    const fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn base64(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let bits =
            three.iter().enumerate().fold(0_u32, |bits, (i, octet)| bits | u32::from(*octet) << (16 - 8 * i));
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i) & 63) as usize;
            out.push(if i <= three.len() { ALPHABET[sextet] as char } else { '=' });
        }
    }
    out
}

fn folded_base64(octets: &[u8]) -> String {
    octets.chunks(57).map(|line| base64(line) + "\r\n").collect()
}

fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.split("\r\n") {
        let mut width = 0;
        for octet in line.bytes() {
            let plain = octet.is_ascii_graphic() && octet != b'=' || octet == b' ';
            let length = if plain { 1 } else { 3 };
            if width + length > 75 {
                out += "=\r\n";
                width = 0;
            }
            width += length;
            if plain {
                out.push(octet as char);
            } else {
                out += &format!("={octet:02X}");
            }
        }
        // A space at the end of a line is none of the text (RFC 2045 6.7): none is made, every line ends with a word.
        out += "\r\n";
    }
    out
}

//! The first words a person would see of a message. Bounded: a few parts, the first octets of each.

use super::body::decode_body;
use super::charset;
use super::limits::{PREVIEW_BYTES_MAX, PREVIEW_CHARS_MAX, PREVIEW_PARTS_MAX};
use super::structure::{Part, Structure};

/// Text of a text part as NFC: transfer encoding and charset undone; `None` if the part is not text.
/// `body` is the part's body as stored.
pub fn decode_text(part: &Part, body: &[u8]) -> Option<String> {
    if !part.is_text() {
        return None;
    }
    let octets = decode_body(&part.encoding, body);
    let charset = part.param_text("charset").unwrap_or_default();
    Some(charset::tidy_text(&charset::decode(&charset, &octets)))
}

/// What is seen of HTML: tags, comments, scripts and styles left out, entities resolved, blocks apart.
pub fn html_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(position) = rest.find(['<', '&']) {
        let (plain, marked) = rest.split_at_checked(position).unwrap_or((rest, ""));
        text.push_str(plain);
        rest = if marked.starts_with('<') { skip_tag(marked, &mut text) } else { entity(marked, &mut text) };
    }
    text.push_str(rest);
    text
}

/// The start of the visible text: plain text before HTML, the message's own before that of attached messages.
pub(super) fn preview(raw: &[u8], structure: &Structure) -> String {
    let own = own_parts(structure);
    let texts = || {
        let shown = |part: &&Part| part.disposition.as_ref().is_none_or(|d| d.kind != "attachment");
        structure.parts().enumerate().filter(move |(_, part)| part.is_text() && shown(part))
    };
    for is_own in [true, false] {
        for subtype in ["plain", "html", ""] {
            let fits = |(index, part): &(usize, &Part)| {
                own.get(*index).copied().unwrap_or(false) == is_own
                    && (part.subtype == subtype || subtype.is_empty())
            };
            for (_, part) in texts().filter(fits).take(PREVIEW_PARTS_MAX) {
                let text = preview_of(raw, part);
                if !text.is_empty() {
                    return text;
                }
            }
        }
    }
    String::new()
}

/// For each part: is it outside of every attached message?
fn own_parts(structure: &Structure) -> Vec<bool> {
    let mut own: Vec<bool> = Vec::new();
    for part in structure.parts() {
        // A parent stands before its children.
        let inherited = part.parent.is_none_or(|parent| {
            own.get(parent as usize).copied().unwrap_or(false) && !structure.at(parent).is_message()
        });
        own.push(inherited);
    }
    own
}

fn preview_of(raw: &[u8], part: &Part) -> String {
    let start = usize::try_from(part.body_start).unwrap_or(usize::MAX);
    let end =
        usize::try_from(part.body_end).unwrap_or(usize::MAX).min(start.saturating_add(PREVIEW_BYTES_MAX));
    let text = decode_text(part, raw.get(start..end).unwrap_or_default()).unwrap_or_default();
    let text = if part.subtype == "html" { html_text(&text) } else { text };
    let mut preview = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        let gap = usize::from(count > 0);
        let room = PREVIEW_CHARS_MAX.saturating_sub(count + gap);
        if room == 0 {
            break;
        }
        if gap > 0 {
            preview.push(' ');
        }
        preview.extend(word.chars().take(room));
        count += gap + word.chars().take(room).count();
    }
    // Entities may have brought controls and decomposed letters back; composing never lengthens.
    charset::tidy_line(&preview)
}

/// Behind the tag, comment or element without visible text that `html` starts with.
fn skip_tag<'a>(html: &'a str, text: &mut String) -> &'a str {
    if let Some(comment) = html.strip_prefix("<!--") {
        return comment.find("-->").and_then(|end| comment.get(end + 3..)).unwrap_or("");
    }
    let name = html.strip_prefix("</").or(html.get(1..)).unwrap_or("");
    let name =
        name.get(..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())).unwrap_or("");
    if name.is_empty() && !html.starts_with("<!") && !html.starts_with("<?") {
        // A lone "<" is text.
        text.push('<');
        return html.get(1..).unwrap_or("");
    }
    let behind = html.find('>').and_then(|end| html.get(end + 1..)).unwrap_or("");
    for hidden in ["style", "script", "title"] {
        if !html.starts_with("</") && name.eq_ignore_ascii_case(hidden) {
            return skip_element(behind, hidden);
        }
    }
    if !["a", "b", "i", "u", "em", "strong", "span", "font", "sup", "sub"]
        .iter()
        .any(|inline| name.eq_ignore_ascii_case(inline))
    {
        text.push(' ');
    }
    behind
}

/// Behind the end tag of an element; at the end of input if there is none, as a browser does.
fn skip_element<'a>(html: &'a str, name: &str) -> &'a str {
    let mut rest = html;
    while let Some(position) = rest.find("</") {
        rest = rest.get(position + 2..).unwrap_or("");
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest.find('>').and_then(|end| rest.get(end + 1..)).unwrap_or("");
        }
    }
    ""
}

/// Resolves the character reference that `html` starts with, or keeps its ampersand.
fn entity<'a>(html: &'a str, text: &mut String) -> &'a str {
    /// Longest reference that is looked at: `&#x10FFFF;`.
    const REFERENCE_MAX: usize = 10;
    let semicolon = html.bytes().take(REFERENCE_MAX).position(|byte| byte == b';');
    if let Some(semicolon) = semicolon
        && let (Some(name), Some(behind)) = (html.get(1..semicolon), html.get(semicolon + 1..))
        && let Some(character) = named(name)
    {
        text.push(character);
        return behind;
    }
    text.push('&');
    html.get(1..).unwrap_or("")
}

fn named(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32);
    }
    if let Some(letter) = vietnamese_entity(name) {
        return Some(letter);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "copy" => '©',
        "reg" => '®',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "laquo" => '«',
        "raquo" => '»',
        "bull" => '•',
        "middot" => '·',
        "euro" => '€',
        _ => return None,
    })
}

/// The letters of Vietnamese that HTML has names for: `&ecirc;`, `&Agrave;`.
fn vietnamese_entity(name: &str) -> Option<char> {
    let mut letters = name.chars();
    let letter = letters.next()?;
    let mark = match letters.as_str() {
        "grave" => '\u{300}',
        "acute" => '\u{301}',
        "circ" => '\u{302}',
        "tilde" => '\u{303}',
        _ => return None,
    };
    unicode_normalization::char::compose(letter, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(html: &str) -> String {
        html_text(html).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn strips_html() {
        assert_eq!(
            visible("<p>Kính g&#7917;i <b>anh</b>,</p><br>m&ecirc;nh&nbsp;lệnh"),
            "Kính gửi anh, mênh lệnh"
        );
        assert_eq!(visible("<style>p{}</style >a<SCRIPT>if (a</b>c)</Script>b<!-- x > y -->c"), "abc");
        assert_eq!(visible("<head><title>x</title></head><body>y"), "y");
        assert_eq!(visible("1 < 2 &amp; 3 > 2 &unknown; &"), "1 < 2 & 3 > 2 &unknown; &");
        assert_eq!(visible("<!DOCTYPE html><?xml?>a<td>b</td><td>c"), "a b c");
        assert_eq!(visible("a<style>never closed"), "a");
        assert_eq!(visible("a<never closed"), "a");
        assert_eq!(visible("&#x110000;&#xD800;"), "&#x110000;&#xD800;");
    }

    #[test]
    fn floods_of_html_are_linear() {
        for flood in ["<", "&", "<!--", "<style>", "</", "<a", "&#x;", "<style></"] {
            assert!(html_text(&flood.repeat(1_000_000 / flood.len())).len() <= 2_000_000);
        }
    }
}

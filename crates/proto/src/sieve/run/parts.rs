//! Parts of the message: their headers in tests (RFC 5703 4), and a loop over them (RFC 5703 3).

use super::super::program::{Index, MimeOf, MimeWhat, Step};
use super::super::setting::Mail;
use super::{Flow, Ran, Run};
use crate::mime::{Part, content_type_of, decode_header, disposition_of, header_fields};

impl<'m> Run<'m> {
    /// RFC 5703 3.1. Within a loop, over the parts of the part that it is at.
    pub(super) fn for_every_part(&mut self, name: Option<&str>, steps: &[Step]) -> Ran<Flow> {
        let outer = self.part;
        for place in self.parts_within(outer)? {
            self.part = Some(place);
            self.meter.spend(1)?;
            match self.steps(steps)? {
                Flow::Next => {}
                Flow::Break(None) => break,
                Flow::Break(Some(wanted)) if name == Some(wanted.as_str()) => break,
                other => {
                    self.part = outer;
                    return Ok(other);
                }
            }
        }
        self.part = outer;
        Ok(Flow::Next)
    }

    /// A part and all within it, in their order; without one, all of the message.
    fn parts_within(&mut self, part: Option<usize>) -> Ran<Vec<usize>> {
        let root = part.unwrap_or(0);
        let structure = self.mail.structure;
        let Some(around) = structure.parts().nth(root) else { return Ok(Vec::new()) };
        let end = around.body_end.max(around.body_start);
        // Behind a part come those within it, before all others.
        let is_within =
            |(_, part): &(usize, &Part)| root == 0 || part.body_end <= end && part.header_start < end;
        let within = structure.parts().enumerate().skip(root + 1).take_while(is_within);
        let places: Vec<usize> = std::iter::once(root).chain(within.map(|(place, _)| place)).collect();
        self.meter.spend(1 + places.len() / 16)?;
        Ok(places)
    }

    /// The part that the innermost loop is at, else the message.
    pub(super) fn part_here(&self) -> Option<&Part> {
        self.mail.structure.parts().nth(self.part.unwrap_or(0))
    }

    /// RFC 5703 4: those that a test looks at, by the octets of their headers.
    fn headers(&mut self, mime: &MimeOf) -> Ran<Vec<&'m [u8]>> {
        let root = self.part.unwrap_or(0);
        let places = if mime.any_child { self.parts_within(Some(root))? } else { vec![root] };
        let Mail { raw, structure } = self.mail;
        let header = |place: usize| {
            let part = structure.parts().nth(place)?;
            let (start, end) =
                (usize::try_from(part.header_start).ok()?, usize::try_from(part.body_start).ok()?);
            raw.get(start..end)
        };
        Ok(places.into_iter().filter_map(header).collect())
    }

    pub(super) fn mime_octets(
        &mut self,
        name: &str,
        index: Option<Index>,
        mime: &MimeOf,
    ) -> Ran<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        for header in self.headers(mime)? {
            self.meter.spend(1 + header.len() / 8)?;
            let values =
                header_fields(header).filter(|field| field.is(name)).map(|field| field.value.to_vec());
            found.extend(at_index(values.collect(), index));
        }
        Ok(found)
    }

    /// RFC 5703 4.2: the value, or what of it the test is about.
    pub(super) fn mime_texts(&mut self, name: &str, index: Option<Index>, mime: &MimeOf) -> Ran<Vec<String>> {
        let values = self.mime_octets(name, index, mime)?;
        let is_disposition = name.eq_ignore_ascii_case("content-disposition");
        let mut texts = Vec::new();
        let wanted = match &mime.what {
            MimeWhat::Param(names) => self.texts(names)?,
            _ => Vec::new(),
        };
        for value in values {
            self.meter.spend(1 + value.len() / 8)?;
            let (media, params) = if is_disposition {
                let disposition = disposition_of(&value);
                let params = disposition.as_ref().map(|known| known.params.clone()).unwrap_or_default();
                (disposition.map(|known| (known.kind, String::new())), params)
            } else {
                content_type_of(&value)
            };
            match &mime.what {
                MimeWhat::Value => texts.push(decode_header(&value).trim().to_owned()),
                MimeWhat::Type => texts.extend(media.map(|(kind, _)| kind)),
                MimeWhat::Subtype => texts.extend(media.map(|(_, subtype)| subtype)),
                MimeWhat::ContentType => {
                    texts.extend(media.map(|(kind, subtype)| format!("{kind}/{subtype}")));
                }
                MimeWhat::Param(_) => {
                    for wanted in &wanted {
                        self.meter.spend(1 + params.len() / 4)?;
                        let is_wanted = |name: &str| name.trim_end_matches('*').eq_ignore_ascii_case(wanted);
                        for param in params.iter().filter(|param| is_wanted(&param.name)) {
                            self.meter.spend(1 + param.value.len() / 8)?;
                            texts.push(decode_header(&param.value));
                        }
                    }
                }
            }
        }
        Ok(texts)
    }
}

fn at_index(mut values: Vec<Vec<u8>>, index: Option<Index>) -> Vec<Vec<u8>> {
    let Some(index) = index else { return values };
    if index.from_the_end {
        values.reverse();
    }
    values.into_iter().nth(index.number - 1).into_iter().collect()
}

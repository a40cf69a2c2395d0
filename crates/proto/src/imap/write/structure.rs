//! BODY and BODYSTRUCTURE. The tree is walked with a stack of our own.

use super::Writer;
use crate::mime::{Disposition, Param, Part, Structure};

/// What is still to be written, last first.
enum Step<'a> {
    Part(&'a Part),
    /// Behind the parts of a multipart.
    MultipartEnd(&'a Part),
    /// Behind the body of the message in a message part.
    MessageEnd(&'a Part),
}

impl Writer {
    /// `body = "(" (body-type-1part / body-type-mpart) ")"`, with extension data if `extended`.
    pub(super) fn structure(&mut self, structure: &Structure, extended: bool) {
        let mut steps = vec![Step::Part(structure.root())];
        while let Some(step) = steps.pop() {
            match step {
                Step::Part(part) if part.is_multipart() && !part.children.is_empty() => {
                    // body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
                    self.byte(b'(');
                    steps.push(Step::MultipartEnd(part));
                    steps.extend(part.children.iter().rev().map(|child| Step::Part(structure.at(*child))));
                }
                Step::Part(part) => match (&part.envelope, structure.message(part)) {
                    // body-type-msg = media-message SP body-fields SP envelope SP body SP body-fld-lines
                    // media-message is message/rfc822 only: message/global has the basic form here.
                    (Some(envelope), Some(message)) if part.subtype == "rfc822" => {
                        self.byte(b'(');
                        self.media_and_fields(part);
                        self.byte(b' ');
                        self.envelope(envelope);
                        self.byte(b' ');
                        steps.extend([Step::MessageEnd(part), Step::Part(message)]);
                    }
                    _ => self.leaf(part, extended),
                },
                Step::MultipartEnd(part) => {
                    self.byte(b' ');
                    self.string(part.subtype.as_bytes());
                    if extended {
                        // body-ext-mpart = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc …]]]
                        self.byte(b' ');
                        self.params(&part.params);
                        self.extension(part);
                    }
                    self.byte(b')');
                }
                Step::MessageEnd(part) => self.one_part_end(part, true, extended),
            }
        }
    }

    /// `body-type-basic = media-basic SP body-fields`
    /// `body-type-text = media-text SP body-fields SP body-fld-lines`
    fn leaf(&mut self, part: &Part, extended: bool) {
        self.byte(b'(');
        self.media_and_fields(part);
        self.one_part_end(part, part.is_text(), extended);
    }

    /// `[SP body-fld-lines] [SP body-ext-1part] ")"`
    /// `body-ext-1part = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc …]]]`
    fn one_part_end(&mut self, part: &Part, lines: bool, extended: bool) {
        if lines {
            self.byte(b' ');
            self.number(part.lines);
        }
        if extended {
            self.byte(b' ');
            self.nstring(part.md5.as_deref());
            self.extension(part);
        }
        self.byte(b')');
    }

    /// `media-basic = … string SP media-subtype`
    /// `body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets`
    fn media_and_fields(&mut self, part: &Part) {
        self.string(part.media_type.as_bytes());
        self.byte(b' ');
        self.string(part.subtype.as_bytes());
        self.byte(b' ');
        self.params(&part.params);
        self.byte(b' ');
        self.nstring(part.id.as_deref());
        self.byte(b' ');
        self.nstring(part.description.as_deref());
        self.byte(b' ');
        self.string(part.encoding.as_bytes());
        self.byte(b' ');
        self.number(part.octets());
    }

    /// `body-fld-param = "(" string SP string *(SP string SP string) ")" / nil`
    fn params(&mut self, params: &[Param]) {
        if params.is_empty() {
            return self.text("NIL");
        }
        self.list(params, |w, param| {
            w.string(param.name.as_bytes());
            w.byte(b' ');
            w.string(&param.value);
        });
    }

    /// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
    fn extension(&mut self, part: &Part) {
        self.byte(b' ');
        self.disposition(part.disposition.as_ref());
        self.byte(b' ');
        // body-fld-lang = nstring / "(" string *(SP string) ")"
        if part.language.is_empty() {
            self.text("NIL");
        } else {
            self.list(&part.language, |w, tag| w.string(tag));
        }
        self.byte(b' ');
        self.nstring(part.location.as_deref());
    }

    /// `body-fld-dsp = "(" string SP body-fld-param ")" / nil`
    fn disposition(&mut self, disposition: Option<&Disposition>) {
        let Some(disposition) = disposition else { return self.text("NIL") };
        self.byte(b'(');
        self.string(disposition.kind.as_bytes());
        self.byte(b' ');
        self.params(&disposition.params);
        self.byte(b')');
    }
}

//! Fields on their way out: as a form, as JSON, as JSON percent-encoded for a link, or as multipart.

use crate::{Lead, form, json, link_text};

/// How a request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`, every value a string.
    Json,
    /// `multipart/form-data`.
    Multipart,
}

/// What a [`FieldWriter`] writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Form,
    Json,
    /// JSON, percent-encoded for a link.
    Link,
    Multipart,
}

/// Writes fields into a buffer, one after the other.
pub struct FieldWriter<'o> {
    out: &'o mut Vec<u8>,
    format: Written,
    start: usize,
    boundary: u32,
    clash: bool,
}

impl<'o> FieldWriter<'o> {
    /// A writer that appends to `out` as a form.
    pub fn form(out: &'o mut Vec<u8>) -> Self {
        Self::new(out, Written::Form)
    }

    /// A writer that appends to `out` as compact JSON.
    pub(crate) fn json(out: &'o mut Vec<u8>) -> Self {
        Self::new(out, Written::Json)
    }

    /// A writer that appends to `out` as compact JSON, percent-encoded for a link.
    pub(crate) fn link(out: &'o mut Vec<u8>) -> Self {
        Self::new(out, Written::Link)
    }

    fn new(out: &'o mut Vec<u8>, format: Written) -> Self {
        Self { start: out.len(), out, format, boundary: 0, clash: false }
    }

    /// Ends what was begun.
    pub(crate) fn end(self) {
        match self.format {
            Written::Form | Written::Multipart => {}
            Written::Json => json::end_object(self.start, self.out),
            Written::Link if self.out.len() == self.start => self.out.extend_from_slice(b"%7B%7D"),
            Written::Link => self.out.extend_from_slice(b"%7D"),
        }
    }

    /// Appends one field.
    #[inline(always)]
    pub fn field(&mut self, lead: &'static Lead, value: &str) {
        match self.format {
            Written::Form => {
                self.lead(lead.form, value.len());
                form::encode_into(value, self.out);
            }
            Written::Json => json::write_member(lead.json, value, self.out),
            Written::Link => {
                self.lead(lead.link, value.len());
                link_text::write_text(value, self.out);
                self.out.extend_from_slice(b"%22");
            }
            Written::Multipart => self.part(lead.name, value),
        }
    }

    /// Appends one field whose value is of letters and digits only.
    #[inline]
    pub(crate) fn plain(&mut self, lead: &'static Lead, value: &[u8]) {
        let (before, after): (_, &[u8]) = match self.format {
            Written::Form => (lead.form, b""),
            Written::Json => (lead.json, b"\""),
            Written::Link => (lead.link, b"%22"),
            Written::Multipart => {
                return self.part(lead.name, std::str::from_utf8(value).unwrap_or_default());
            }
        };
        self.lead(before, value.len());
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(after);
    }

    /// Appends the text before a value, without the separator for the first one.
    #[inline(always)] // each lead is a constant, whose length the compiler then knows
    fn lead(&mut self, lead: &str, value: usize) {
        // One growth for what is likely: nothing of the value is escaped.
        self.out.reserve(lead.len() + value + 8);
        if self.out.len() > self.start || self.format == Written::Json {
            return self.out.extend_from_slice(lead.as_bytes()); // in JSON, the first comma becomes the brace
        }
        if self.format == Written::Link {
            self.out.extend_from_slice(b"%7B");
        }
        self.out.extend_from_slice(&lead.as_bytes()[1..]);
    }

    fn part(&mut self, name: &str, value: &str) {
        let boundary = boundary_text(self.boundary);
        self.clash |= value.contains(&boundary);
        let part =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        self.out.extend_from_slice(part.as_bytes());
    }

    /// The fields that `write` puts, as a complete body with its content type.
    pub(crate) fn body(format: BodyFormat, mut write: impl FnMut(&mut FieldWriter<'_>)) -> (Vec<u8>, String) {
        let mut out = Vec::with_capacity(512);
        let mut boundary = 0;
        let written = match format {
            BodyFormat::Form => Written::Form,
            BodyFormat::Json => Written::Json,
            BodyFormat::Multipart => Written::Multipart,
        };
        loop {
            out.clear();
            let mut writer = FieldWriter { boundary, ..FieldWriter::new(&mut out, written) };
            write(&mut writer);
            if !writer.clash {
                writer.end();
                break;
            }
            boundary += 1; // a value contains the boundary: another one
        }
        let content_type = match format {
            BodyFormat::Form => "application/x-www-form-urlencoded".to_owned(),
            BodyFormat::Json => "application/json".to_owned(),
            BodyFormat::Multipart => {
                out.extend_from_slice(format!("--{}--\r\n", boundary_text(boundary)).as_bytes());
                format!("multipart/form-data; boundary={}", boundary_text(boundary))
            }
        };
        (out, content_type)
    }
}

fn boundary_text(number: u32) -> String {
    format!("wallop-part-{number}")
}

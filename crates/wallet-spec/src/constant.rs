//! A spec as constants: the Rust text of the module `meta` that generated code has.

use std::fmt::Write as _;

use crate::model::*;
use crate::writer::{Constant, Writer};

/// A part of the spec that is a constant of its own: a reference to it is the constant's name.
trait Named {
    const TYPE: &'static str;
    const PREFIX: &'static str;
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($name:ident $prefix:literal $field:ident;)*) => {$(
        impl Named for $name<'_> {
            const TYPE: &'static str = stringify!($name);
            const PREFIX: &'static str = $prefix;
            fn name(&self) -> &str {
                self.$field
            }
        }

        impl Constant for &$name<'_> {
            fn write(&self, out: &mut Writer<'_>) {
                out.text.push_str($prefix);
                out.text.push_str(&self.$field.to_ascii_uppercase());
            }
        }
    )*};
}

named! {
    Type "TYPE_" name;
    Choice "CHOICE_" name;
    Scope "SCOPE_" id;
    Code "CODE_" id;
    Refusal "REFUSAL_" id;
    Signing "SIGNING_" id;
    Object "OBJECT_" name;
    Endpoint "ENDPOINT_" id;
    Callback "CALLBACK_" id;
    Link "LINK_" id;
    Profile "PROFILE_" id;
}

impl Constant for &Envelope<'_> {
    fn write(&self, out: &mut Writer<'_>) {
        out.text.push_str("ENVELOPE");
    }
}

impl Constant for Kind<'_> {
    fn write(&self, out: &mut Writer<'_>) {
        let (name, inner): (_, Option<&dyn Constant>) = match self {
            Kind::Text => ("Text", None),
            Kind::Secret => ("Secret", None),
            Kind::Id => ("Id", None),
            Kind::Url => ("Url", None),
            Kind::Integer => ("Integer", None),
            Kind::Number => ("Number", None),
            Kind::Amount => ("Amount", None),
            Kind::Time => ("Time", None),
            Kind::Timestamp => ("Timestamp", None),
            Kind::Signature => ("Signature", None),
            Kind::Type(named) => ("Type", Some(named)),
            Kind::Choice(choice) => ("Choice", Some(choice)),
            Kind::Object(object) => ("Object", Some(object)),
            Kind::List(object) => ("List", Some(object)),
        };
        variant("Kind", name, inner, out);
    }
}

impl Constant for Acknowledgement<'_> {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Self::Status(status) => variant("Acknowledgement", "Status", Some(status), out),
            Self::Json(member) => variant("Acknowledgement", "Json", Some(member), out),
        }
    }
}

fn variant(of: &str, name: &str, inner: Option<&dyn Constant>, out: &mut Writer<'_>) {
    out.item(of);
    let _ = write!(out.text, "::{name}");
    if let Some(inner) = inner {
        out.text.push('(');
        inner.write(out);
        out.text.push(')');
    }
}

impl Code<'_> {
    /// The placeholder for a name that does not resolve.
    pub(crate) fn nowhere() -> Self {
        let (text, origin) = (Text::default(), Origin::default());
        Self { id: "", code: 0, sent: false, text, check: text, origin }
    }
}

impl<'s> Refusal<'s> {
    /// The placeholder for a name that does not resolve.
    pub(crate) fn nowhere(code: &'s Code<'s>) -> Self {
        let (doc, origin) = (Text::default(), Origin::default());
        Self { id: "", code, http: 500, oauth: None, doc, in_message: false, origin }
    }
}

impl Signing<'_> {
    /// The placeholder for a name that does not resolve.
    pub(crate) fn nowhere() -> Self {
        Self {
            id: "",
            algorithm: Algorithm::Sha1,
            canonical: &[],
            form: Form::Concat,
            key: "",
            derive: None,
            key_id: None,
            field: "",
            encoding: Encoding::HexLower,
            window: None,
            invalid: None,
            expired: None,
            doc: Text::default(),
            origin: Origin::default(),
        }
    }
}

impl Spec<'_> {
    /// The spec as Rust text: one public constant for each of its parts (`ENDPOINT_PRE_PAY`, `CODE_SIGN_INVALID`, …), and
    /// `PLATFORM`, the whole. `path` is the path of the crate that has this model as its module `spec`.
    pub fn constants(&self, path: &str) -> String {
        let mut out = Writer { text: String::new(), path };
        // The placeholders of unresolved names; each has a reported fault.
        let code = Code::nowhere();
        parts(&mut out, [&&code]);
        parts(&mut out, [&&Refusal::nowhere(&code)]);
        parts(&mut out, [&&Signing::nowhere()]);
        parts(&mut out, self.types);
        parts(&mut out, self.choices);
        parts(&mut out, self.scopes);
        parts(&mut out, self.codes);
        parts(&mut out, self.refusals);
        parts(&mut out, self.signings);
        parts(&mut out, self.objects);
        part(&mut out, "ENVELOPE", "Envelope", self.envelope);
        parts(&mut out, self.endpoints);
        parts(&mut out, self.callbacks);
        parts(&mut out, self.links);
        parts(&mut out, self.profiles);
        part(&mut out, "PLATFORM", "Spec", self);
        out.text
    }
}

fn parts<'p, T: Named + Constant + 'p>(out: &mut Writer<'_>, list: impl IntoIterator<Item = &'p &'p T>) {
    for item in list {
        let name = format!("{}{}", T::PREFIX, item.name().to_ascii_uppercase());
        part(out, &name, T::TYPE, *item);
    }
}

fn part(out: &mut Writer<'_>, name: &str, of: &str, value: &dyn Constant) {
    let _ = write!(out.text, "pub const {name}: &");
    out.item(of);
    out.text.push_str("<'static> = &");
    value.write(out);
    out.text.push_str(";\n");
}

//! The tables that generated code carries along: what the spec says, for documents, routers, OpenAPI and people.

use crate::Schedule;

/// A language of messages and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Chinese, the documents' own.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The better of the two for an `Accept-Language` header; Chinese when it names neither (R29).
    pub fn from_accept_language(header: &str) -> Lang {
        let mut best = (0, Lang::Zh);
        for item in header.split(',') {
            let mut parts = item.split(';');
            let tag = parts.next().unwrap_or("").trim();
            let lang = match tag.get(..2).unwrap_or(tag).to_ascii_lowercase().as_str() {
                "zh" => Lang::Zh,
                "en" => Lang::En,
                _ => continue,
            };
            // Quality in thousandths: `q=0.8` is 800. Text arithmetic, since nothing here needs a float.
            let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, |q| {
                let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
                let fraction: u32 =
                    format!("{fraction:0<3}").get(..3).and_then(|f| f.parse().ok()).unwrap_or(0);
                whole.parse::<u32>().unwrap_or(0).min(1) * 1000 + fraction
            });
            if quality > best.0 {
                best = (quality, lang);
            }
        }
        best.1
    }
}

/// A text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Chinese.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

impl Text {
    /// The text in one language.
    pub const fn in_lang(self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

/// Where a fact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// In the platform's document.
    Documented,
    /// In other public documents of the platform.
    Public,
    /// Nowhere: a choice of this project.
    Ours,
}

/// Where a fact stands and which rule settles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Documented, public or ours.
    pub basis: Basis,
    /// The line of the platform's document.
    pub line: Option<u32>,
    /// The id of the rule.
    pub rule: Option<&'static str>,
}

/// A rule: how a silence or contradiction of the document is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleMeta {
    /// `R7`.
    pub id: &'static str,
    /// What it is about.
    pub what: Text,
    /// The reading.
    pub text: Text,
}

/// What a field looks like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Plain text.
    Text,
    /// Text that never appears in logs.
    Secret,
    /// A decimal number below 2^63, as text.
    Id,
    /// An http or https address.
    Url,
    /// A whole number, as text.
    Integer,
    /// A whole number, as a JSON number.
    Number,
    /// A decimal amount, as text.
    Amount,
    /// Unix seconds, as text.
    Time,
    /// The time of signing: ten digits.
    Timestamp,
    /// The signature.
    Signature,
    /// One of these values.
    Choice(&'static ChoiceMeta),
    /// A nested object.
    Object(&'static ObjectMeta),
    /// A list of objects.
    List(&'static ObjectMeta),
}

/// A type with a fixed set of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChoiceMeta {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: Text,
    /// Wire value and meaning of each.
    pub values: &'static [(&'static str, Text)],
}

/// A named object of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: Text,
    /// Its members.
    pub fields: &'static [FieldMeta],
    /// Where it stands.
    pub origin: Origin,
}

/// A field's name with what stands before its value in each form that is written, so that writing it is copying. Made by
/// [`lead!`](crate::lead) of a name of letters, digits and `_`: nothing of it is ever escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    /// The name on the wire.
    pub name: &'static str,
    /// In a form: `&name=`.
    pub form: &'static str,
    /// In JSON: `,"name":"`.
    pub json: &'static str,
    /// In JSON that is percent-encoded for a link.
    pub link: &'static str,
}

/// The [`Lead`] of a name.
#[doc(hidden)]
#[macro_export]
macro_rules! lead {
    ($name:literal) => {
        $crate::Lead {
            name: $name,
            form: concat!("&", $name, "="),
            json: concat!(",\"", $name, "\":\""),
            link: concat!(",%22", $name, "%22:%22"),
        }
    };
}

/// A field of a request, reply, object or callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldMeta {
    /// The name on the wire.
    pub name: &'static str,
    /// The name with what stands before the value.
    pub lead: Lead,
    /// What it looks like.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// Most characters.
    pub max: Option<u32>,
    /// The only value it may have.
    pub fixed: Option<&'static str>,
    /// The refusal of another value than `fixed`; else the endpoint's fault refusal.
    pub otherwise: Option<&'static RefusalMeta>,
    /// Other spellings that are read.
    pub read_also: &'static [&'static str],
    /// In a reply: stands at the top level too.
    pub top: bool,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A status code.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeMeta {
    /// Its name.
    pub id: &'static str,
    /// The number on the wire.
    pub code: u32,
    /// Whether the platform ever sends it.
    pub sent: bool,
    /// The text that goes with it.
    pub text: Text,
    /// What whoever gets it looks at; empty where there is nothing to say.
    pub check: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// One situation in which a code is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct RefusalMeta {
    /// Its name.
    pub id: &'static str,
    /// Its code.
    pub code: &'static CodeMeta,
    /// The HTTP status.
    pub http: u16,
    /// RFC 6749's `error`.
    pub oauth: Option<&'static str>,
    /// When it is sent.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// What requests that cannot be read are answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultsMeta {
    /// A field is missing, empty, too long, malformed or repeated.
    pub field: &'static RefusalMeta,
    /// The body does not decode.
    pub body: &'static RefusalMeta,
    /// The body is too large.
    pub body_too_large: &'static RefusalMeta,
    /// There is no bearer token.
    pub bearer: &'static RefusalMeta,
    /// The platform itself has failed.
    pub internal: &'static RefusalMeta,
    /// The platform is overloaded.
    pub overloaded: &'static RefusalMeta,
}

/// How a digest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1 over the canonical text.
    Sha1,
    /// HMAC-SHA256 over the canonical text.
    HmacSha256,
    /// RSA PKCS#1 v1.5 with SHA-1 over the canonical text.
    RsaSha1,
}

/// How the texts that a signature covers are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One after the other.
    Concat,
    /// As a compact JSON object of strings, each under its name (R44).
    Json,
}

/// A signing rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningMeta {
    /// Its name.
    pub id: &'static str,
    /// How the digest is computed.
    pub algorithm: Algorithm,
    /// What is joined; the part called `key` stands for the key itself.
    pub canonical: &'static [Lead],
    /// How it is joined.
    pub form: Form,
    /// The key's name within `canonical`.
    pub key: &'static str,
    /// HKDF info by which the signing key is derived.
    pub derive: Option<&'static str>,
    /// The field by which the verifier finds the key.
    pub key_id: Option<&'static str>,
    /// The field that carries the signature.
    pub field: &'static str,
    /// The field with the time of signing, and the seconds it may be off either way.
    pub window: Option<(&'static str, u64)>,
    /// The refusal of a wrong signature.
    pub invalid: Option<&'static RefusalMeta>,
    /// The refusal of a time outside the window.
    pub expired: Option<&'static RefusalMeta>,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// How a caller proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer …`.
    Bearer,
    /// client_id and client_secret, in the body or as HTTP Basic.
    Client,
    /// A session_key.
    Session,
    /// The request's signature.
    Signature,
    /// An access token of the app, as a field.
    AccessToken,
}

/// Who calls an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The wallet.
    Wallet,
    /// The third-party app.
    AppClient,
    /// The third-party app's server.
    AppServer,
    /// Anyone.
    Anyone,
}

/// An endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct EndpointMeta {
    /// Its name, the Rust module.
    pub id: &'static str,
    /// Its methods.
    pub methods: &'static [&'static str],
    /// Its path, relative to the base URL.
    pub path: &'static str,
    /// Further paths.
    pub also_at: &'static [&'static str],
    /// Who calls it.
    pub caller: Caller,
    /// How the caller is known.
    pub auth: Auth,
    /// The scope its bearer must have.
    pub scope: Option<&'static str>,
    /// Its signing rule.
    pub signing: Option<&'static SigningMeta>,
    /// What it may be refused with.
    pub errors: &'static [&'static RefusalMeta],
    /// What requests that cannot be read are answered with.
    pub faults: FaultsMeta,
    /// The object that `data` of a refusal may hold.
    pub refusal_data: Option<&'static ObjectMeta>,
    /// Whether its request fields stand in the query, and not in a body.
    pub in_query: bool,
    /// Its request fields, in the document's order.
    pub request: &'static [FieldMeta],
    /// The members of its reply's data.
    pub response: &'static [FieldMeta],
    /// The one value that its reply's data is, where it has no members.
    pub response_value: Option<&'static FieldMeta>,
    /// The reply envelope.
    pub envelope: &'static EnvelopeMeta,
    /// What GET shows in a browser; empty where it shows nothing.
    pub browser: Text,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// The reply envelope.
#[derive(Debug, PartialEq, Eq)]
pub struct EnvelopeMeta {
    /// The member that says whether the request succeeded.
    pub success: &'static str,
    /// The member with the status code.
    pub status: &'static str,
    /// The member with the message.
    pub message: &'static str,
    /// The member with the data.
    pub data: &'static str,
    /// The status code of success; none where success has an empty one.
    pub ok: Option<&'static CodeMeta>,
    /// How many digits a status code has; then it is text on the wire. Without it, it is a number.
    pub digits: Option<u8>,
    /// Other spellings of `success` that are read.
    pub read_also: &'static [&'static str],
}

impl EnvelopeMeta {
    /// A status code as it is written.
    pub fn code_text(&self, code: u32) -> String {
        let digits = self.digits.map_or(0, usize::from);
        format!("{code:0digits$}")
    }
}

/// A deep link.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkMeta {
    /// Its name, the Rust module.
    pub id: &'static str,
    /// The scheme of its QR code. An app link has the profile's.
    pub qr_scheme: &'static str,
    /// Its signing rule.
    pub signing: Option<&'static SigningMeta>,
    /// What it may be refused with.
    pub errors: &'static [&'static RefusalMeta],
    /// Its members, in the document's order.
    pub fields: &'static [FieldMeta],
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// One of several platforms that speak the same protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct ProfileMeta {
    /// Its name.
    pub id: &'static str,
    /// The scheme of its app links.
    pub scheme: &'static str,
    /// Other schemes that are read.
    pub read_also: &'static [&'static str],
    /// What is different about it: names and texts.
    pub values: &'static [(&'static str, &'static str)],
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A callback.
#[derive(Debug, PartialEq, Eq)]
pub struct CallbackMeta {
    /// Its name, the Rust module.
    pub id: &'static str,
    /// Its method.
    pub method: &'static str,
    /// The request field with the address to call.
    pub target: &'static str,
    /// Its signing rule.
    pub signing: Option<&'static SigningMeta>,
    /// When it is sent and what acknowledges it.
    pub schedule: Schedule,
    /// The wall time one attempt may take, in milliseconds.
    pub deadline_ms: u64,
    /// How much of the receiver's reply is read, in bytes.
    pub max_reply_bytes: u64,
    /// Its fields, in the document's order.
    pub fields: &'static [FieldMeta],
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A number of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct QuantityMeta {
    /// Its name.
    pub id: &'static str,
    /// Seconds for a lifetime, the plain number for a limit.
    pub value: u64,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A scope.
#[derive(Debug, PartialEq, Eq)]
pub struct ScopeMeta {
    /// The text on the wire.
    pub id: &'static str,
    /// What it allows.
    pub doc: Text,
}

/// A platform, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct PlatformMeta {
    /// Its name.
    pub id: &'static str,
    /// The path of its base URL; begins and ends with a slash.
    pub base_path: &'static str,
    /// What it is.
    pub doc: Text,
    /// The reply envelope.
    pub envelope: &'static EnvelopeMeta,
    /// Endpoints, in the spec's order.
    pub endpoints: &'static [&'static EndpointMeta],
    /// Callbacks.
    pub callbacks: &'static [&'static CallbackMeta],
    /// Deep links.
    pub links: &'static [&'static LinkMeta],
    /// Platforms that speak this protocol.
    pub profiles: &'static [&'static ProfileMeta],
    /// Signing rules.
    pub signings: &'static [&'static SigningMeta],
    /// Status codes.
    pub codes: &'static [&'static CodeMeta],
    /// Situations in which codes are sent.
    pub refusals: &'static [&'static RefusalMeta],
    /// Objects of replies.
    pub objects: &'static [&'static ObjectMeta],
    /// Scopes.
    pub scopes: &'static [&'static ScopeMeta],
    /// Lifetimes, in seconds.
    pub lifetimes: &'static [&'static QuantityMeta],
    /// Limits.
    pub limits: &'static [&'static QuantityMeta],
    /// Rules that the spec names.
    pub rules: &'static [RuleMeta],
}

impl PlatformMeta {
    /// What is known of a status code.
    pub fn code(&self, code: u32) -> Option<&'static CodeMeta> {
        self.codes.iter().copied().find(|known| known.code == code)
    }

    /// The endpoint at a path, the base path included.
    pub fn endpoint_at(&self, path: &str) -> Option<&'static EndpointMeta> {
        let path = path.strip_prefix(self.base_path)?;
        self.endpoints.iter().copied().find(|meta| meta.path == path || meta.also_at.contains(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_preferred() {
        for (header, lang) in [
            ("", Lang::Zh),
            ("en", Lang::En),
            ("en-US,en;q=0.9,zh;q=0.8", Lang::En),
            ("zh-CN,en;q=0.9", Lang::Zh),
            ("fr, en;q=0.5, zh;q=0.4", Lang::En),
            ("de", Lang::Zh),
            ("en;q=0", Lang::Zh),
            ("en;q=x,,;", Lang::Zh),
        ] {
            assert_eq!(Lang::from_accept_language(header), lang, "{header}");
        }
    }
}

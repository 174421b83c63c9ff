//! The model of a spec.
//!
//! These types are the one model of a protocol. The reader builds them from a file and keeps their texts in an
//! [`Arena`](crate::Arena); generated code holds the same types as constants, with the lifetime `'static`. References
//! between the parts are resolved: a refusal *has* its code, a field *has* its type.

/// Declares a struct of the model, and how generated code writes it as a constant.
macro_rules! model {
    ($(
        $(#[$about:meta])*
        pub struct $name:ident $(<$lifetime:lifetime>)? { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* }
    )*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$lifetime>)? { $($(#[$doc])* pub $field: $type,)* }

        #[cfg(feature = "read")]
        impl $(<$lifetime>)? crate::writer::Constant for $name $(<$lifetime>)? {
            fn write(&self, out: &mut crate::writer::Writer<'_>) {
                out.item(stringify!($name));
                out.text.push('{');
                $(
                    out.text.push_str(concat!(stringify!($field), ": "));
                    crate::writer::Constant::write(&self.$field, out);
                    out.text.push(',');
                )*
                out.text.push('}');
            }
        }
    )*};
}

/// Declares an enum whose values are words of the spec.
macro_rules! words {
    ($(
        $(#[$about:meta])*
        pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }
    )*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value with its word in the spec.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),*];

            /// The word in the spec.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        #[cfg(feature = "read")]
        impl crate::writer::Constant for $name {
            fn write(&self, out: &mut crate::writer::Writer<'_>) {
                out.item(match self { $(Self::$variant => concat!(stringify!($name), "::", stringify!($variant))),* });
            }
        }
    )*};
}

/// A language of messages and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Chinese, the documents' own.
    #[default]
    Zh,
    /// English.
    En,
}

words! {
    /// The kind of source of a fact.
    #[derive(Default)]
    pub enum Basis {
        /// The platform's document.
        #[default]
        Documented = "documented",
        /// Other public documents of the platform.
        Public = "public",
        /// No document: a choice of this project.
        Ours = "ours",
    }

    /// How a signature is computed over the canonical text.
    pub enum Algorithm {
        /// SHA-1 over the canonical text, of which the key is a part.
        Sha1 = "sha1",
        /// HMAC with SHA-256.
        HmacSha256 = "hmac_sha256",
        /// RSA PKCS#1 v1.5 with SHA-1.
        RsaSha1 = "rsa_sha1",
    }

    /// How a signature is written as text.
    pub enum Encoding {
        /// Lower-case hexadecimal.
        HexLower = "hex_lower",
        /// Base64 with padding.
        Base64 = "base64",
    }

    /// How the texts that a signature covers are joined.
    pub enum Form {
        /// One after the other.
        Concat = "concat",
        /// As a compact JSON object of strings, each under its name (R44).
        Json = "json",
    }

    /// The authentication of a caller.
    pub enum Auth {
        /// No authentication.
        None = "none",
        /// `Authorization: Bearer …`.
        Bearer = "bearer",
        /// client_id and client_secret, in the body or as HTTP Basic.
        Client = "client",
        /// A session_key field.
        Session = "session",
        /// The request's signature.
        Signature = "signature",
        /// An access token of the app, as a field.
        AccessToken = "access_token",
    }

    /// The caller of an endpoint.
    pub enum Caller {
        /// The wallet app.
        Wallet = "wallet",
        /// The third-party app's front end or server.
        AppClient = "app_client",
        /// The third-party app's server.
        AppServer = "app_server",
        /// Anyone.
        Anyone = "anyone",
    }

    /// An HTTP method.
    pub enum Method {
        /// GET.
        Get = "GET",
        /// POST.
        Post = "POST",
    }

    /// The place of the fields of a request.
    pub enum Place {
        /// In the body.
        Body = "body",
        /// In the query of the address.
        Query = "query",
    }
}

model! {
    /// A text in both languages.
    #[derive(Copy, Default)]
    pub struct Text<'s> {
        /// Chinese.
        pub zh: &'s str,
        /// English.
        pub en: &'s str,
    }

    /// The source of a fact, and the rule that decides it if the document does not.
    #[derive(Copy, Default)]
    pub struct Origin<'s> {
        /// Documented, public or ours.
        pub basis: Basis,
        /// The line of the platform's document.
        pub line: Option<u32>,
        /// The id of the rule.
        pub rule: Option<&'s str>,
    }

    /// A rule of `rules.toml`: an interpretation where the document is silent or contradicts itself.
    pub struct Rule<'s> {
        /// `R7`.
        pub id: &'s str,
        /// The platform that it applies to; `None`: every platform.
        pub of: Option<&'s str>,
        /// The subject of the rule.
        pub what: Text<'s>,
        /// The interpretation.
        pub text: Text<'s>,
    }

    /// The reply envelope.
    pub struct Envelope<'s> {
        /// The member that says whether the request succeeded.
        pub success: &'s str,
        /// The member with the status code.
        pub status: &'s str,
        /// The member with the message.
        pub message: &'s str,
        /// The member with the data.
        pub data: &'s str,
        /// The status code of success; `None` if a success has an empty status.
        pub ok: Option<&'s Code<'s>>,
        /// The digits of a status code, which is then text on the wire; `None`: a number.
        pub digits: Option<u8>,
        /// Other spellings of `success` that are read.
        pub read_also: &'s [&'s str],
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// The refusals of unreadable requests.
    #[derive(Copy)]
    pub struct Faults<'s> {
        /// A field is missing, empty, too long, malformed or repeated.
        pub field: &'s Refusal<'s>,
        /// The body does not decode.
        pub body: &'s Refusal<'s>,
        /// The body is too large.
        pub body_too_large: &'s Refusal<'s>,
        /// There is no bearer token.
        pub bearer: &'s Refusal<'s>,
        /// The platform itself has failed.
        pub internal: &'s Refusal<'s>,
        /// The platform is overloaded.
        pub overloaded: &'s Refusal<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A named type: a newtype in Rust.
    pub struct Type<'s> {
        /// Its name, snake_case.
        pub name: &'s str,
        /// The wire format of its values: [`Kind::Text`], [`Kind::Secret`], [`Kind::Id`] or [`Kind::Url`].
        pub base: Kind<'s>,
        /// The maximum length in characters.
        pub max: Option<u32>,
        /// The minimum length of a well-formed value.
        pub min: Option<u32>,
        /// The characters of a well-formed value, as a class without brackets.
        pub chars: Option<&'s str>,
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A type with a fixed set of values.
    pub struct Choice<'s> {
        /// Its name, snake_case.
        pub name: &'s str,
        /// A description.
        pub doc: Text<'s>,
        /// Its values.
        pub values: &'s [ChoiceValue<'s>],
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// One value of a [`Choice`].
    pub struct ChoiceValue<'s> {
        /// Its name, snake_case.
        pub id: &'s str,
        /// The text on the wire.
        pub value: &'s str,
        /// A description.
        pub doc: Text<'s>,
    }

    /// An OAuth2 scope.
    pub struct Scope<'s> {
        /// The text on the wire.
        pub id: &'s str,
        /// The access that it grants.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A number of the protocol: a lifetime in seconds or a limit.
    pub struct Quantity<'s> {
        /// Its name, snake_case.
        pub id: &'s str,
        /// Seconds, or the plain number.
        pub value: u64,
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A status code.
    pub struct Code<'s> {
        /// Its name, snake_case.
        pub id: &'s str,
        /// The number on the wire.
        pub code: u32,
        /// Whether the platform ever sends it.
        pub sent: bool,
        /// Its message.
        pub text: Text<'s>,
        /// Advice to the developer who receives it; may be empty.
        pub check: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// One situation in which a code is sent.
    pub struct Refusal<'s> {
        /// Its name, snake_case.
        pub id: &'s str,
        /// Its code.
        pub code: &'s Code<'s>,
        /// The HTTP status.
        pub http: u16,
        /// RFC 6749's `error`.
        pub oauth: Option<&'s str>,
        /// The situation in which it is sent.
        pub doc: Text<'s>,
        /// Whether the message has the situation after the code's text.
        pub in_message: bool,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A field's name and, for each output format, the text before its value, ready to be copied. The name consists of
    /// letters, digits and `_`, so it needs no escape.
    #[derive(Copy)]
    pub struct Lead<'s> {
        /// The name on the wire.
        pub name: &'s str,
        /// In a form: `&name=`.
        pub form: &'s str,
        /// In JSON: `,"name":"`.
        pub json: &'s str,
        /// In JSON that is percent-encoded for a link.
        pub link: &'s str,
    }

    /// A time that a signature covers, and how far from the verifier's clock it may be.
    #[derive(Copy)]
    pub struct Window<'s> {
        /// The field or header with the time of signing, Unix seconds.
        pub field: &'s str,
        /// The largest difference in seconds, in either direction.
        pub seconds: u64,
    }

    /// A signing scheme.
    pub struct Signing<'s> {
        /// Its name, snake_case.
        pub id: &'s str,
        /// How the signature is computed.
        pub algorithm: Algorithm,
        /// The texts that it covers: the key's name, a field's name, or, for the headers of a callback, a header, `body`
        /// or a separator.
        pub canonical: &'s [Lead<'s>],
        /// The way the texts are joined.
        pub form: Form,
        /// The name of the key; if the key is hashed, also the name of its part in `canonical`.
        pub key: &'s str,
        /// The HKDF info for deriving the signing key from the key.
        pub derive: Option<&'s str>,
        /// The field by which the verifier finds the key.
        pub key_id: Option<&'s str>,
        /// The field or header that carries the signature.
        pub field: &'s str,
        /// The encoding of the signature.
        pub encoding: Encoding,
        /// The time that it covers.
        pub window: Option<Window<'s>>,
        /// The refusal of a wrong signature.
        pub invalid: Option<&'s Refusal<'s>>,
        /// The refusal of a time outside the window.
        pub expired: Option<&'s Refusal<'s>>,
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A field of a request, a reply, an object or a callback.
    pub struct Field<'s> {
        /// The name on the wire.
        pub name: &'s str,
        /// The name with the text before the value.
        pub lead: Lead<'s>,
        /// The type of its value.
        pub kind: Kind<'s>,
        /// Whether it must be present.
        pub required: bool,
        /// The maximum length in characters.
        pub max: Option<u32>,
        /// The only value it may have; such a field is not in the Rust type.
        pub fixed: Option<&'s str>,
        /// The refusal when a fixed field has another value.
        pub otherwise: Option<&'s Refusal<'s>>,
        /// Other spellings that are read.
        pub read_also: &'s [&'s str],
        /// In a reply: written at the top level too.
        pub top: bool,
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A named object of replies.
    pub struct Object<'s> {
        /// Its name, snake_case.
        pub name: &'s str,
        /// A description.
        pub doc: Text<'s>,
        /// Its members.
        pub fields: &'s [Field<'s>],
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// An endpoint.
    pub struct Endpoint<'s> {
        /// Its name, snake_case: the Rust module.
        pub id: &'s str,
        /// Its methods.
        pub methods: &'s [Method],
        /// Its path, relative to the platform's base path, without a leading slash.
        pub path: &'s str,
        /// Further paths; where one is another endpoint's too, a field with different fixed values distinguishes them.
        pub also_at: &'s [&'s str],
        /// The place of the fields of its request.
        pub parameters: Place,
        /// The caller.
        pub caller: Caller,
        /// The authentication of the caller.
        pub auth: Auth,
        /// The scope that its bearer must have.
        pub scope: Option<&'s Scope<'s>>,
        /// Its signing scheme.
        pub signing: Option<&'s Signing<'s>>,
        /// Its possible refusals.
        pub errors: &'s [&'s Refusal<'s>],
        /// The refusals of unreadable requests.
        pub faults: Faults<'s>,
        /// The object that `data` of a refusal may hold.
        pub refusal_data: Option<&'s Object<'s>>,
        /// The fields of its request, in the document's order.
        pub request: &'s [Field<'s>],
        /// The members of its reply's data.
        pub response: &'s [Field<'s>],
        /// The object that its reply's data is; then `response` has the object's fields.
        pub response_object: Option<&'s Object<'s>>,
        /// The one value that its reply's data is.
        pub response_value: Option<Field<'s>>,
        /// The reply envelope.
        pub envelope: &'s Envelope<'s>,
        /// A description of the page that GET shows in a browser; may be empty.
        pub browser: Text<'s>,
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A number of attempts, each after the same wait.
    #[derive(Copy)]
    pub struct Stretch {
        /// The number of attempts.
        pub times: u32,
        /// The wait after the end of the previous attempt, in milliseconds.
        pub wait_ms: u64,
    }

    /// The attempts of a callback and the reply that ends them (R3, R4).
    #[derive(Copy)]
    pub struct Schedule<'s> {
        /// The stretches, one after the other.
        pub stretches: &'s [Stretch],
        /// What acknowledges a delivery; every other answer is a failure.
        pub acknowledged_by: Acknowledgement<'s>,
    }

    /// A deep link: `scheme://` and a JSON object.
    pub struct Link<'s> {
        /// Its name, snake_case: the Rust module.
        pub id: &'s str,
        /// The scheme of its QR code. An app link has the profile's.
        pub qr_scheme: &'s str,
        /// Its signing scheme.
        pub signing: Option<&'s Signing<'s>>,
        /// Its possible refusals.
        pub errors: &'s [&'s Refusal<'s>],
        /// Its members, in the document's order.
        pub fields: &'s [Field<'s>],
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// One of several platforms that speak the same protocol.
    pub struct Profile<'s> {
        /// Its name, snake_case.
        pub id: &'s str,
        /// The scheme of its app links.
        pub scheme: &'s str,
        /// Other schemes that are read.
        pub read_also: &'s [&'s str],
        /// The values that differ between profiles.
        pub values: &'s [(&'s str, &'s str)],
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A callback: a request that the platform sends to an app.
    pub struct Callback<'s> {
        /// Its name, snake_case: the Rust module.
        pub id: &'s str,
        /// Its method.
        pub method: Method,
        /// The field of the request that made it, with the address to call.
        pub target: &'s str,
        /// Its signing scheme.
        pub signing: Option<&'s Signing<'s>>,
        /// Its attempts and the reply that acknowledges it.
        pub schedule: Schedule<'s>,
        /// The wall time that one attempt may take, in milliseconds.
        pub deadline_ms: u64,
        /// The bytes of the receiver's reply that are read.
        pub max_reply_bytes: u64,
        /// The refusals of an unreadable callback.
        pub faults: Faults<'s>,
        /// Its fields, in the document's order.
        pub fields: &'s [Field<'s>],
        /// A description.
        pub doc: Text<'s>,
        /// Its source.
        pub origin: Origin<'s>,
    }

    /// A platform's spec.
    pub struct Spec<'s> {
        /// The platform's name, snake_case.
        pub id: &'s str,
        /// The path of its base URL; begins and ends with a slash.
        pub base_path: &'s str,
        /// A description.
        pub doc: Text<'s>,
        /// The reply envelope.
        pub envelope: &'s Envelope<'s>,
        /// The refusals of unreadable requests, unless an endpoint has its own.
        pub faults: Faults<'s>,
        /// Named types.
        pub types: &'s [&'s Type<'s>],
        /// Types with a fixed set of values.
        pub choices: &'s [&'s Choice<'s>],
        /// Scopes.
        pub scopes: &'s [&'s Scope<'s>],
        /// Lifetimes, in seconds.
        pub lifetimes: &'s [Quantity<'s>],
        /// Limits.
        pub limits: &'s [Quantity<'s>],
        /// Status codes.
        pub codes: &'s [&'s Code<'s>],
        /// Situations in which codes are sent; those of the codes' own names included.
        pub refusals: &'s [&'s Refusal<'s>],
        /// Signing schemes.
        pub signings: &'s [&'s Signing<'s>],
        /// Objects of replies.
        pub objects: &'s [&'s Object<'s>],
        /// Endpoints.
        pub endpoints: &'s [&'s Endpoint<'s>],
        /// Callbacks.
        pub callbacks: &'s [&'s Callback<'s>],
        /// Deep links.
        pub links: &'s [&'s Link<'s>],
        /// Platforms that speak this protocol.
        pub profiles: &'s [&'s Profile<'s>],
        /// The rules about this platform.
        pub rules: &'s [Rule<'s>],
    }
}

/// The type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'s> {
    /// Plain text.
    Text,
    /// Text that never appears in logs.
    Secret,
    /// A decimal number below 2^63, as text.
    Id,
    /// An http or https address.
    Url,
    /// A non-negative whole number, written as text.
    Integer,
    /// A whole number, written as a JSON number.
    Number,
    /// A decimal amount, as text.
    Amount,
    /// Unix seconds, as text.
    Time,
    /// The time of signing: ten digits.
    Timestamp,
    /// The signature itself.
    Signature,
    /// A named type.
    Type(&'s Type<'s>),
    /// One of these values.
    Choice(&'s Choice<'s>),
    /// A nested object.
    Object(&'s Object<'s>),
    /// A list of objects.
    List(&'s Object<'s>),
}

/// The reply that acknowledges a callback (R4, R52).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement<'s> {
    /// Exactly this HTTP status, whatever the body says.
    Status(u16),
    /// Any 2xx, and a JSON object in which this member is `true` or `"true"`.
    Json(&'s str),
}

impl Lang {
    /// The better of the two by the lines of `Accept-Language` (RFC 9110, 12.5.4); `None` if they name neither, or refuse both.
    pub fn accepted<'h>(lines: impl Iterator<Item = &'h str>) -> Option<Lang> {
        // Chinese, English, and `*`, for what has no item of its own: the quality, and where it was found.
        let mut found: [Option<(u32, usize)>; 3] = [None; 3];
        for (at, item) in lines.flat_map(|line| line.split(',')).enumerate() {
            let mut parts = item.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
            let which = match primary.as_str() {
                "zh" => 0,
                "en" => 1,
                "*" => 2,
                _ => continue,
            };
            let quality = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
                name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
            });
            let quality = quality.unwrap_or(1_000);
            if found[which].is_none_or(|(known, _)| quality > known) {
                found[which] = Some((quality, at));
            }
        }
        let [zh, en, any] = found;
        if zh.is_none() && en.is_none() {
            return None;
        }
        let rest = any
            .unwrap_or((if zh.or(en).is_some_and(|(quality, _)| quality == 0) { 1 } else { 0 }, usize::MAX));
        match (zh.unwrap_or(rest), en.unwrap_or(rest)) {
            ((0, _), (0, _)) => None,
            ((zh, at_zh), (en, at_en)) if en > zh || (en == zh && at_en < at_zh) => Some(Lang::En),
            _ => Some(Lang::Zh),
        }
    }
}

/// A quality in thousandths: `0.8` is 800. Text arithmetic, since nothing here needs a float.
fn thousandths(quality: &str) -> u32 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let fraction: u32 = format!("{fraction:0<3}").get(..3).and_then(|f| f.parse().ok()).unwrap_or(0);
    (whole.parse::<u32>().unwrap_or(0).min(1) * 1_000 + fraction).min(1_000)
}

impl<'s> Text<'s> {
    /// The text in one language.
    pub const fn in_lang(self, lang: Lang) -> &'s str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

impl Envelope<'_> {
    /// A status code as it is written.
    pub fn code_text(&self, code: u32) -> String {
        let digits = self.digits.map_or(0, usize::from);
        format!("{code:0digits$}")
    }
}

impl Kind<'_> {
    /// The wire format of the value; for a named type, its base.
    pub const fn on_the_wire(self) -> Self {
        match self {
            Self::Type(named) => named.base,
            plain => plain,
        }
    }
}

impl<'s> Endpoint<'s> {
    /// The field whose fixed value distinguishes this endpoint from another at the same path.
    pub fn discriminator(&self, other: &Endpoint<'_>) -> Option<&'s Field<'s>> {
        self.request.iter().find(|field| {
            let other = other.request.iter().find(|other| other.name == field.name);
            field.fixed.is_some()
                && other.is_some_and(|other| other.fixed.is_some() && other.fixed != field.fixed)
        })
    }

    /// Every path it has.
    pub fn paths(&self) -> impl Iterator<Item = &'s str> {
        std::iter::once(self.path).chain(self.also_at.iter().copied())
    }
}

impl<'s> Link<'s> {
    /// The fixed value of a member.
    pub fn fixed(&self, name: &str) -> Option<&'s str> {
        self.fields.iter().find(|field| field.name == name).and_then(|field| field.fixed)
    }
}

impl<'s> Signing<'s> {
    /// Whether it signs the body of a callback, and is carried by headers.
    pub fn in_headers(&self) -> bool {
        self.canonical.iter().any(|part| part.name == Self::BODY)
    }

    /// The part of `canonical` that is the body.
    pub const BODY: &'static str = "body";

    /// For a scheme in headers: the header with the message's id.
    pub fn message_id(&self) -> Option<&'s str> {
        let time = self.window.map(|window| window.field);
        let header = |name: &&str| *name != Self::BODY && name.contains(|c: char| c.is_ascii_alphanumeric());
        self.canonical.iter().map(|part| part.name).filter(header).find(|name| Some(*name) != time)
    }
}

impl Acknowledgement<'_> {
    /// The required reply, in words.
    pub fn in_words(self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Status(status), _) => format!("HTTP {status}"),
            (Self::Json(member), Lang::Zh) => format!("HTTP 2xx，且 JSON 的 `{member}` 为 true"),
            (Self::Json(member), Lang::En) => format!("HTTP 2xx with JSON whose `{member}` is true"),
        }
    }
}

impl Schedule<'_> {
    /// The number of attempts in total.
    pub const fn attempts(&self) -> u32 {
        let (mut sum, mut at) = (0, 0);
        while at < self.stretches.len() {
            sum += self.stretches[at].times;
            at += 1;
        }
        sum
    }

    /// The wait before an attempt, counted from 0; `None` when there are no more.
    pub fn wait_before(&self, attempt: u32) -> Option<std::time::Duration> {
        let mut end = 0;
        self.stretches.iter().find_map(|stretch| {
            end += stretch.times;
            (attempt < end).then(|| std::time::Duration::from_millis(stretch.wait_ms))
        })
    }
}

impl<'s> Spec<'s> {
    /// The declaration of a status code.
    pub fn code(&self, code: u32) -> Option<&'s Code<'s>> {
        self.codes.iter().copied().find(|known| known.code == code)
    }

    /// The member that distinguishes links: its fixed value differs in each link.
    pub fn link_discriminator(&self) -> Option<&'s str> {
        let members = self.links.first()?.fields.iter().map(|field| field.name);
        members.into_iter().find(|name| {
            let mut values: Vec<_> = self.links.iter().filter_map(|link| link.fixed(name)).collect();
            values.sort_unstable();
            values.dedup();
            values.len() == self.links.len()
        })
    }

    /// The endpoint at a path, the base path included.
    pub fn endpoint_at(&self, path: &str) -> Option<&'s Endpoint<'s>> {
        let path = path.strip_prefix(self.base_path)?;
        self.endpoints.iter().copied().find(|endpoint| endpoint.paths().any(|known| known == path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110, 12.5.4: quality values (12.4.2) have a name in any case; several lines are one list (5.3).
    #[test]
    fn the_language_is_the_one_preferred() {
        let (zh, en) = (Some(Lang::Zh), Some(Lang::En));
        for (lines, lang) in [
            (&[][..], None),
            (&[""], None),
            (&["en"], en),
            (&["EN-us"], en),
            (&["en-US,en;q=0.9,zh;q=0.8"], en),
            (&["zh-CN,en;q=0.9"], zh),
            (&["fr, en;q=0.5, zh;q=0.4"], en),
            (&["en;Q=0.1,zh;Q=0.9"], zh),
            (&["en ; q=0.1 , zh ; q=0.9"], zh),
            (&["zh;q=0.1;x=1, en;x=1;q=0.2"], en),
            (&["fr", "zh"], zh),
            (&["zh;q=0.5", "en"], en),
            // Neither of the two is named.
            (&["de"], None),
            (&["eng"], None),
            (&["zhx-CN"], None),
            (&["de-DE,de;q=0.9"], None),
            (&["ja,*;q=0.5"], None),
            (&["*"], None),
            (&["en;q=x,,;"], zh),
            // What is refused leaves the other one.
            (&["en;q=0"], zh),
            (&["zh;q=0.000, *;q=0.1"], en),
            (&["zh;q=0.2, *;q=0.8"], en),
            (&["zh;q=0, en;q=0"], None),
        ] {
            assert_eq!(Lang::accepted(lines.iter().copied()), lang, "{lines:?}");
        }
    }
}

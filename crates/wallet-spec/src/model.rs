//! What a spec says, once read. Plain data; the macro and the documents are made from it.
//!
//! References between parts are names that [`Spec::read`](crate::Spec::read) has checked; a reference that did not
//! resolve has been reported as a fault.

use std::ops::Range;

/// A text in both languages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Where a fact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// In the platform's document.
    #[default]
    Documented,
    /// In other public documents of the platform.
    Public,
    /// Nowhere: a choice of this project.
    Ours,
}

/// Where a fact stands, and the rule that settles it where the document does not.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Documented, public or ours.
    pub basis: Basis,
    /// The line of the platform's document.
    pub line: Option<u32>,
    /// The id of a rule of `rules.toml`.
    pub rule: Option<String>,
}

/// A name with its place, for faults that are found later.
#[derive(Debug, Clone, Default)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands in the file, in bytes.
    pub span: Range<usize>,
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

/// A rule of `rules.toml`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `R7`.
    pub id: Name,
    /// The platform that it is about; all when there is none.
    pub of: Option<String>,
    /// What it is about.
    pub what: Text,
    /// The reading.
    pub text: Text,
}

/// The reply envelope.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The member that says whether the request succeeded.
    pub success: String,
    /// The member with the status code.
    pub status: String,
    /// The member with the message.
    pub message: String,
    /// The member with the data.
    pub data: String,
    /// The status code of success; none where success has an empty one.
    pub ok: Option<u32>,
    /// How many digits a status code has; then it is text on the wire. Without it, it is a number.
    pub digits: Option<u8>,
    /// Other spellings of `success` that are read.
    pub read_also: Vec<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// What a request that cannot be read is answered with: refusal ids.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// A field is missing, empty, too long, malformed or repeated.
    pub field: Option<Name>,
    /// The body does not decode.
    pub body: Option<Name>,
    /// The body is too large.
    pub body_too_large: Option<Name>,
    /// There is no bearer token.
    pub bearer: Option<Name>,
    /// The platform itself has failed.
    pub internal: Option<Name>,
    /// The platform is overloaded.
    pub overloaded: Option<Name>,
}

/// What a type's values look like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Text.
    Text,
    /// Text that never appears in logs or Debug output.
    Secret,
    /// A decimal number below 2^63, as text.
    Id,
    /// An http or https address.
    Url,
}

/// A named type: a newtype in Rust.
#[derive(Debug, Clone)]
pub struct Type {
    /// Its name, snake_case.
    pub name: Name,
    /// What it looks like.
    pub base: Base,
    /// Most characters.
    pub max: Option<u32>,
    /// Fewest characters of a well-formed value.
    pub min: Option<u32>,
    /// The characters of a well-formed value, as a class without brackets.
    pub chars: Option<String>,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A type with a fixed set of values.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its name, snake_case.
    pub name: Name,
    /// What it is.
    pub doc: Text,
    /// Its values.
    pub values: Vec<ChoiceValue>,
    /// Where it stands.
    pub origin: Origin,
}

/// One value of a [`Choice`].
#[derive(Debug, Clone)]
pub struct ChoiceValue {
    /// Its name, snake_case.
    pub id: Name,
    /// The text on the wire.
    pub value: String,
    /// What it is.
    pub doc: Text,
}

/// An OAuth2 scope.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The text on the wire.
    pub id: Name,
    /// What it allows.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A number of the protocol: a lifetime in seconds or a limit.
#[derive(Debug, Clone)]
pub struct Quantity {
    /// Its name, snake_case.
    pub id: Name,
    /// Seconds, or the plain number.
    pub value: u64,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A status code.
#[derive(Debug, Clone)]
pub struct Code {
    /// Its name, snake_case.
    pub id: Name,
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
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its name, snake_case.
    pub id: Name,
    /// The id of its code.
    pub code: Name,
    /// The HTTP status.
    pub http: u16,
    /// RFC 6749's `error`.
    pub oauth: Option<String>,
    /// When it is sent.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// How a signature is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1 over the canonical text, the key being a part of it.
    Sha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// RSA PKCS#1 v1.5 with SHA-1.
    RsaSha1,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    HexLower,
    /// Base64 with padding.
    Base64,
}

/// How the texts that a signature covers are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// One after the other.
    #[default]
    Concat,
    /// As a compact JSON object of strings, each under its name.
    Json,
}

/// A signing rule.
#[derive(Debug, Clone)]
pub struct Signing {
    /// Its name, snake_case.
    pub id: Name,
    /// How it is computed.
    pub algorithm: Algorithm,
    /// The texts that are joined: the key's name, a field's name, or (for callbacks) a header, `.` or `body`.
    pub canonical: Vec<Name>,
    /// How they are joined.
    pub form: Form,
    /// The name of the key; where it is hashed too, its place in `canonical`.
    pub key: Name,
    /// HKDF info by which the signing key is derived from the key.
    pub derive: Option<String>,
    /// The field by which the verifier finds the key.
    pub key_id: Option<Name>,
    /// The field (or header) that carries the signature.
    pub field: Name,
    /// How the digest is written.
    pub encoding: Encoding,
    /// The field with the time of signing, and how many seconds it may be off.
    pub window: Option<(Name, u64)>,
    /// The refusal of a wrong signature.
    pub invalid: Option<Name>,
    /// The refusal of a time outside the window.
    pub expired: Option<Name>,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Plain text.
    Text,
    /// Text that never appears in logs.
    Secret,
    /// A decimal number below 2^63, as text.
    Id,
    /// A non-negative whole number, written as text.
    Integer,
    /// A whole number, written as a JSON number.
    Number,
    /// A decimal amount.
    Amount,
    /// Unix seconds.
    Time,
    /// The time of signing: ten digits.
    Timestamp,
    /// The signature itself.
    Signature,
    /// A named type.
    Type(String),
    /// A named choice.
    Choice(String),
    /// A nested object.
    Object(String),
    /// A list of objects.
    List(String),
}

/// A field of a request, a reply, an object or a callback.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name on the wire.
    pub name: Name,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// Most characters.
    pub max: Option<u32>,
    /// The only value it may have; such a field is not in the Rust type.
    pub fixed: Option<String>,
    /// The refusal when a fixed field has another value.
    pub otherwise: Option<Name>,
    /// Other spellings that are read.
    pub read_also: Vec<String>,
    /// In a reply: stands at the top level too.
    pub top: bool,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A named object of replies.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name, snake_case.
    pub name: Name,
    /// What it is.
    pub doc: Text,
    /// Its members.
    pub fields: Vec<Field>,
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
    /// A session_key field.
    Session,
    /// The request's signature.
    Signature,
    /// An access token of the app, as a field.
    AccessToken,
}

/// Who calls an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The wallet app.
    Wallet,
    /// The third-party app's front end or server.
    AppClient,
    /// The third-party app's server.
    AppServer,
    /// Anyone.
    Anyone,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name, snake_case: the Rust module.
    pub id: Name,
    /// Its methods.
    pub methods: Vec<Method>,
    /// Its path, relative to the platform's base path, without a leading slash.
    pub path: Name,
    /// Further paths; where one is another endpoint's too, a field with different fixed values tells them apart.
    pub also_at: Vec<Name>,
    /// Who calls it.
    pub caller: Caller,
    /// How the caller is known.
    pub auth: Auth,
    /// The scope that its bearer must have.
    pub scope: Option<Name>,
    /// Its signing rule.
    pub signing: Option<Name>,
    /// What it may be refused with: refusal ids.
    pub errors: Vec<Name>,
    /// What requests that cannot be read are answered with.
    pub faults: Faults,
    /// The object that `data` of a refusal may hold.
    pub refusal_data: Option<Name>,
    /// Whether request fields stand in the query, and not in a body.
    pub in_query: bool,
    /// Request fields, in the document's order.
    pub request: Vec<Field>,
    /// Reply members; empty when `response_object` or `response_value` is set.
    pub response: Vec<Field>,
    /// The one value that the reply's data is.
    pub response_value: Option<Field>,
    /// The object that the reply's data is.
    pub response_object: Option<Name>,
    /// What GET shows in a browser; empty where it shows nothing.
    pub browser: Text,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// One stretch of a retry schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts.
    pub times: u32,
    /// How long before each, in milliseconds.
    pub wait_ms: u64,
}

/// What a receiver must answer for a callback to be done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledgement {
    /// This HTTP status.
    Status(u16),
    /// Any 2xx, and a JSON object in which this member is `true` or `"true"`.
    Json(String),
}

/// A deep link: `scheme://` and a JSON object.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its name, snake_case: the Rust module.
    pub id: Name,
    /// The scheme of its QR code. An app link has the profile's.
    pub qr_scheme: String,
    /// Its signing rule.
    pub signing: Option<Name>,
    /// What it may be refused with: refusal ids.
    pub errors: Vec<Name>,
    /// Its members, in the document's order.
    pub fields: Vec<Field>,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// One of several platforms that speak the same protocol.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name, snake_case.
    pub id: Name,
    /// The scheme of its app links.
    pub scheme: String,
    /// Other schemes that are read.
    pub read_also: Vec<String>,
    /// What is different about it: names and texts.
    pub values: Vec<(Name, String)>,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A callback: a request that the platform sends to an app.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Its name, snake_case: the Rust module.
    pub id: Name,
    /// Its method.
    pub method: Method,
    /// The field of the request that made it, with the address to call.
    pub target: Name,
    /// Its signing rule.
    pub signing: Option<Name>,
    /// What acknowledges it.
    pub acknowledged_by: Acknowledgement,
    /// When it is sent.
    pub retry: Vec<Retry>,
    /// The wall time that one attempt may take, in milliseconds.
    pub deadline_ms: u64,
    /// How much of the receiver's reply is read.
    pub max_reply_bytes: u64,
    /// Its fields, in the document's order.
    pub fields: Vec<Field>,
    /// What it is.
    pub doc: Text,
    /// Where it stands.
    pub origin: Origin,
}

/// A platform's spec.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The platform's name, snake_case.
    pub id: String,
    /// The path of its base URL; begins and ends with a slash.
    pub base_path: String,
    /// What it is.
    pub doc: Text,
    /// The reply envelope.
    pub envelope: Envelope,
    /// What requests that cannot be read are answered with.
    pub faults: Faults,
    /// Named types.
    pub types: Vec<Type>,
    /// Types with a fixed set of values.
    pub choices: Vec<Choice>,
    /// Scopes.
    pub scopes: Vec<Scope>,
    /// Lifetimes, in seconds.
    pub lifetimes: Vec<Quantity>,
    /// Limits.
    pub limits: Vec<Quantity>,
    /// Status codes.
    pub codes: Vec<Code>,
    /// Situations in which codes are sent; those of the codes' own names included.
    pub refusals: Vec<Refusal>,
    /// Signing rules.
    pub signings: Vec<Signing>,
    /// Objects of replies.
    pub objects: Vec<Object>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Callbacks.
    pub callbacks: Vec<Callback>,
    /// Deep links.
    pub links: Vec<Link>,
    /// Platforms that speak this protocol.
    pub profiles: Vec<Profile>,
    /// The rules.
    pub rules: Vec<Rule>,
}

//! Faults of requests: of one that cannot be decoded, and of one that cannot be encoded.

use std::fmt;

use crate::{Lang, RefusalMeta, Text};

/// The fault of a request that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// A field is missing.
    Missing,
    /// A field is present but empty.
    Empty,
    /// A field has more characters than it may.
    TooLong,
    /// A field's text is not of its type.
    Malformed,
    /// A field's bytes are not UTF-8.
    NotUtf8,
    /// A field is there more than once, with different values.
    Repeated,
    /// A field does not have its fixed value.
    WrongValue,
    /// The body is of an unknown content type or does not decode.
    Body,
    /// There is no bearer token.
    NoBearer,
}

/// The fault of a request, with the refusal that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The fault.
    pub kind: FaultKind,
    /// The field.
    pub field: Option<&'static str>,
    /// The refusal that answers it.
    pub refusal: &'static RefusalMeta,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, field: Option<&'static str>, refusal: &'static RefusalMeta) -> Self {
        Self { kind, field, refusal }
    }
}

impl Fault {
    /// The name of the field and the fault, in words.
    pub fn in_words(&self, lang: Lang) -> String {
        let what = match self.kind {
            FaultKind::Missing => Text { zh: "缺失", en: "is missing" },
            FaultKind::Empty => Text { zh: "为空", en: "is empty" },
            FaultKind::TooLong => Text { zh: "过长", en: "is too long" },
            FaultKind::Malformed => Text { zh: "格式不符", en: "is malformed" },
            FaultKind::NotUtf8 => Text { zh: "不是 UTF-8", en: "is not UTF-8" },
            FaultKind::Repeated => Text { zh: "重复且值不同", en: "is repeated with different values" },
            FaultKind::WrongValue => Text { zh: "不是规定的值", en: "does not have its fixed value" },
            FaultKind::Body => Text { zh: "无法解码", en: "cannot be decoded" },
            FaultKind::NoBearer => Text { zh: "没有 Bearer 令牌", en: "has no bearer token" },
        };
        let request = Text { zh: "请求", en: "the request" }.in_lang(lang);
        format!("{} {}", self.field.unwrap_or(request), what.in_lang(lang))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(Lang::En))
    }
}

impl std::error::Error for Fault {}

/// Why a request cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The endpoint is signed, and there is no signer.
    NoSigner,
    /// The endpoint needs an access token; it is missing or not valid in a header.
    NoBearer,
    /// The base URL and the endpoint's path do not make a URL.
    BadUrl,
    /// The key could not sign.
    Signing,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSigner => "this is signed, and there is no key of the right kind to sign with",
            Self::NoBearer => "this endpoint needs an access token",
            Self::BadUrl => "the base URL is not an absolute http or https URL that ends with a slash",
            Self::Signing => "the key could not sign: it is damaged, or there is no randomness",
        })
    }
}

impl std::error::Error for EncodeError {}

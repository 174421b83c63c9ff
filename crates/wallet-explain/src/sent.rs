//! A sent link or callback, split into its signed fields and its signature.

use std::fmt;

use wallet_core::link::{self, LinkError};
use wallet_core::{CallbackMeta, Lang, LinkMeta, form};

/// The signed fields, the signature and the key id of a link or a callback.
pub struct Sent {
    /// The fields that the signature covers, in the rule's order.
    pub fields: Vec<(&'static str, String)>,
    /// The signature.
    pub signature: String,
    /// The id of the key; empty if the rule names no key.
    pub key_id: String,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// Why a text has no signature to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSigned {
    /// It is not a link.
    Link(LinkError),
    /// Links of this kind are not signed.
    NoRule,
    /// This member is missing or empty.
    Lacks(&'static str),
}

impl NotSigned {
    /// The fault, in words.
    pub fn in_words(self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Link(error), lang) => error.in_words(lang),
            (Self::NoRule, Lang::Zh) => "没有签名。".to_owned(),
            (Self::NoRule, Lang::En) => "It has no signature.".to_owned(),
            (Self::Lacks(name), Lang::Zh) => format!("缺少字段：{name}"),
            (Self::Lacks(name), Lang::En) => format!("There is no {name}."),
        }
    }
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(Lang::En))
    }
}

impl std::error::Error for NotSigned {}

impl From<LinkError> for NotSigned {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl Sent {
    /// Reads a link of this kind, as an app sends it or as a QR code says it, whatever is unusual about it (R41).
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn link(kind: &LinkMeta, text: &str) -> Result<Self, NotSigned> {
        let rule = kind.signing.ok_or(NotSigned::NoRule)?;
        let payload = link::payload(text)?;
        let json = payload.json()?;
        let member = |name: &'static str| {
            let found = link::peek(json, name).map_err(LinkError::from)?.filter(|text| !text.is_empty());
            found.map(|text| text.into_owned()).ok_or(NotSigned::Lacks(name))
        };
        let fields = rule.canonical.iter().map(|part| Ok((part.name, member(part.name)?)));
        Ok(Self {
            fields: fields.collect::<Result<_, NotSigned>>()?,
            signature: member(rule.field)?,
            key_id: rule.key_id.map_or(Ok(String::new()), member)?,
        })
    }

    /// Reads a callback of this kind from its query. Of a repeated parameter the last one counts (R45).
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn query(kind: &CallbackMeta, query: &str) -> Result<Self, NotSigned> {
        let rule = kind.signing.ok_or(NotSigned::NoRule)?;
        let query = query.trim();
        let query = query.split_once('?').map_or(query, |(_, query)| query);
        let parameter = |name: &'static str| {
            let last = form::pairs(query).map(form::split).filter(|(known, _)| *known == name).last();
            let (_, text) = last.ok_or(NotSigned::Lacks(name))?;
            let text = form::decode(text.as_bytes()).map_err(|error| NotSigned::Link(error.into()))?;
            Some(text.into_owned()).filter(|text| !text.is_empty()).ok_or(NotSigned::Lacks(name))
        };
        let fields = rule.canonical.iter().map(|part| Ok((part.name, parameter(part.name)?)));
        Ok(Self {
            fields: fields.collect::<Result<_, NotSigned>>()?,
            signature: parameter(rule.field)?,
            key_id: rule.key_id.map_or(Ok(String::new()), parameter)?,
        })
    }

    /// The fields, borrowed.
    pub fn fields(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

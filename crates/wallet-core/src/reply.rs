//! Replies in the platform's envelope, in both directions (R1, R11, R17).

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{CodeMeta, Endpoint, EndpointMeta, EnvelopeMeta, Fault, FieldMeta, Lang, RefusalMeta};
use wallet_spec::Kind;

/// The `data` of a reply.
pub trait Reply: Serialize + DeserializeOwned {
    /// Writes the members that are at the top level of the reply too.
    ///
    /// # Errors
    /// The serializer's.
    fn top<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let _ = map;
        Ok(())
    }
}

/// A platform's enum of status codes.
pub trait FromCode: Copy + fmt::Debug + fmt::Display + 'static {
    /// The variant of a number; numbers that the spec does not know keep their number.
    fn from_code(code: u32) -> Self;
}

fn write_code<M: SerializeMap>(
    map: &mut M,
    envelope: &EnvelopeMeta,
    code: &CodeMeta,
) -> Result<(), M::Error> {
    match envelope.digits {
        Some(_) => map.serialize_entry(envelope.status, &envelope.code_text(code.code)),
        None => map.serialize_entry(envelope.status, &code.code),
    }
}

struct Success<'a, T> {
    envelope: &'a EnvelopeMeta,
    lang: Lang,
    data: &'a T,
}

impl<T: Reply> Serialize for Success<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.envelope.success, &true)?;
        match self.envelope.ok {
            Some(ok) => write_code(&mut map, self.envelope, ok)?,
            None => map.serialize_entry(self.envelope.status, "")?,
        }
        let message = self.envelope.ok.map_or("", |ok| ok.text.in_lang(self.lang));
        map.serialize_entry(self.envelope.message, message)?;
        map.serialize_entry(self.envelope.data, self.data)?;
        self.data.top(&mut map)?;
        map.end()
    }
}

/// The JSON body of a reply that succeeds.
pub fn success_body<E: Endpoint>(lang: Lang, data: &E::Response) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    // Generated types hold text and numbers only: writing them into a Vec cannot fail.
    let _ = serde_json::to_writer(&mut out, &Success { envelope: E::META.envelope, lang, data });
    out
}

/// The parts of a refusal's body.
#[derive(Debug, Clone, Copy)]
pub struct RefusalBody<'a, D = ()> {
    /// The refusal that the platform answered with.
    pub refusal: &'static RefusalMeta,
    /// The field that is wrong.
    pub field: Option<&'a str>,
    /// The wait before the next try.
    pub wait: Option<Duration>,
    /// The reply's `data`.
    pub data: Option<D>,
}

impl From<Fault> for RefusalBody<'_> {
    fn from(fault: Fault) -> Self {
        Self { refusal: fault.refusal, field: fault.field, wait: None, data: None }
    }
}

/// The message of a refusal: the code's text, then the situation if the spec says so, the field, and the wait.
pub fn message(refusal: &RefusalMeta, field: Option<&str>, wait: Option<Duration>, lang: Lang) -> String {
    let mut text = refusal.code.text.in_lang(lang).to_owned();
    if refusal.in_message {
        let between = if lang == Lang::Zh { "：" } else { ". " };
        text = format!("{text}{between}{}", refusal.doc.in_lang(lang));
    }
    if let Some(field) = field {
        text = format!("{text}: {field}");
    }
    match wait {
        Some(wait) => with_wait(&text, wait, lang),
        None => text,
    }
}

/// A message with the wait before the next try, in whole seconds.
pub fn with_wait(text: &str, wait: Duration, lang: Lang) -> String {
    let seconds = wait.as_millis().div_ceil(1000);
    match lang {
        Lang::Zh => format!("{text}，请 {seconds} 秒后再试"),
        Lang::En => format!("{text}; try again in {seconds} s"),
    }
}

struct Refusing<'a, D> {
    envelope: &'a EnvelopeMeta,
    lang: Lang,
    body: &'a RefusalBody<'a, D>,
}

impl<D: Serialize> Serialize for Refusing<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RefusalBody { refusal, field, wait, data } = self.body;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.envelope.success, &false)?;
        write_code(&mut map, self.envelope, refusal.code)?;
        map.serialize_entry(self.envelope.message, &message(refusal, *field, *wait, self.lang))?;
        map.serialize_entry(self.envelope.data, data)?;
        if let Some(error) = refusal.oauth {
            map.serialize_entry("error", error)?;
            let description = message(refusal, *field, *wait, Lang::En);
            map.serialize_entry("error_description", &described(&description))?;
        }
        map.end()
    }
}

/// The characters that RFC 6749, 5.2, allows in an `error_description`.
fn described(message: &str) -> String {
    message.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect()
}

/// The JSON body of a refusal.
pub fn refusal_body<D: Serialize>(envelope: &EnvelopeMeta, lang: Lang, body: &RefusalBody<'_, D>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    // As above: text and numbers only.
    let _ = serde_json::to_writer(&mut out, &Refusing { envelope, lang, body });
    out
}

/// The `data` of a refusal.
#[derive(Clone, Default)]
pub struct Data(Value);

impl Data {
    /// Reads it as one of the platform's objects; `None` when it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        let mut value = self.0.clone();
        numbers_as_text(&mut value);
        serde_json::from_value(value).ok()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Data") // may hold secrets
    }
}

/// A refusal of the platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refused<C> {
    /// Its status code.
    pub code: C,
    /// Its message, for people.
    pub message: String,
    /// The HTTP status.
    pub http: u16,
    /// RFC 6749's `error`, where there is one.
    pub oauth_error: Option<String>,
    /// Its `data`.
    pub data: Data,
}

/// A reply that is not a success.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ResponseError<C> {
    /// The platform refused.
    Refused(Refused<C>),
    /// An unexpected reply.
    UnexpectedReply {
        /// Its HTTP status.
        http: u16,
        /// The fault of the reply.
        reason: String,
        /// The beginning of the body. It may hold secrets: it is not in Debug or Display.
        body: crate::Secret<String>,
    },
}

impl<C> ResponseError<C> {
    /// The status code, when the platform refused.
    pub fn code(&self) -> Option<&C> {
        match self {
            Self::Refused(refused) => Some(&refused.code),
            Self::UnexpectedReply { .. } => None,
        }
    }
}

impl<C: fmt::Display> fmt::Display for ResponseError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => {
                write!(f, "the platform refused with {}: {}", refused.code, refused.message)
            }
            Self::UnexpectedReply { http, reason, .. } => {
                write!(f, "unexpected response (HTTP {http}): {reason}")
            }
        }
    }
}

impl<C: fmt::Display + fmt::Debug> std::error::Error for ResponseError<C> {}

fn status_number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn text_of<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    map.get(name).and_then(Value::as_str)
}

/// Reads a reply: a whole envelope, or (on token addresses) the bare object of RFC 6749.
///
/// # Errors
/// [`ResponseError`].
pub fn read_reply<E: Endpoint>(http: u16, body: &[u8]) -> Result<E::Response, ResponseError<E::Error>> {
    let meta = E::META;
    let envelope = meta.envelope;
    let not_understood = |reason: String| ResponseError::UnexpectedReply {
        http,
        reason,
        body: crate::Secret::new(String::from_utf8_lossy(&body[..body.len().min(1024)]).into_owned()),
    };
    let Ok(Value::Object(mut reply)) = serde_json::from_slice(body) else {
        return Err(not_understood("it is not a JSON object".to_owned()));
    };
    let oauth_error = text_of(&reply, "error").map(str::to_owned);
    // Without a code of success 0 is no code: some programs write it beside `success`.
    let status = reply.get(envelope.status).and_then(status_number);
    let status = status.filter(|status| envelope.ok.is_some() || *status != 0);
    let bare = status.is_none() && meta.response.iter().any(|field| field.top);
    let success = std::iter::once(&envelope.success)
        .chain(envelope.read_also)
        .find_map(|name| reply.get(*name))
        .is_none_or(|value| !matches!(value, Value::Bool(false)) && value.as_str() != Some("false"));
    let succeeded = match status {
        Some(status) => Some(status) == envelope.ok.map(|ok| ok.code) && success,
        None if envelope.ok.is_none() => success && reply.contains_key(envelope.success),
        None => bare && oauth_error.is_none() && (200..300).contains(&http),
    };
    if !succeeded {
        let Some(code) = status.or(oauth_error.is_some().then_some(meta.faults.field.code.code)) else {
            return Err(not_understood(format!("it has no `{}`", envelope.status)));
        };
        return Err(ResponseError::Refused(Refused {
            code: E::Error::from_code(code),
            message: text_of(&reply, envelope.message)
                .or(text_of(&reply, "error_description"))
                .unwrap_or_default()
                .to_owned(),
            http,
            oauth_error,
            data: Data(reply.remove(envelope.data).unwrap_or_default()),
        }));
    }
    if let Some(field) = &meta.response_value {
        let mut value = reply.remove(envelope.data).unwrap_or_default();
        numbers_as_text(&mut value);
        return serde_json::from_value(value)
            .map_err(|error| not_understood(format!("`{}` is no {}: {error}", envelope.data, field.name)));
    }
    let mut data = match reply.remove(envelope.data) {
        Some(Value::Object(data)) => data,
        _ => Map::new(), // R11: null, {}, [] or absent
    };
    for field in meta.response.iter().filter(|field| field.top) {
        move_up(field, &mut reply, &mut data);
    }
    for field in meta.response.iter().filter(|field| matches!(field.kind, Kind::List(_))) {
        data.entry(field.name).and_modify(list_with_gaps);
    }
    let mut data = Value::Object(data);
    numbers_as_text(&mut data);
    serde_json::from_value(data).map_err(|error| not_understood(error.to_string()))
}

/// R11: numbers are read like strings, digit by digit: nothing here goes through a float.
fn numbers_as_text(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            *value = Value::String(without_exponent(&text).unwrap_or(text));
        }
        Value::Array(list) => list.iter_mut().for_each(numbers_as_text),
        Value::Object(map) => map.values_mut().for_each(numbers_as_text),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// A number such as Java's `4.0E-4` in plain digits: `0.0004`. `None` if it has no exponent, or one that no amount has.
fn without_exponent(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= 64)?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{}", fraction.trim_end_matches('0'));
    let point = whole.len() as i32 + exponent;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let (whole, fraction) = match usize::try_from(point) {
        Ok(point) if point < digits.len() => (digits[..point].to_owned(), digits[point..].to_owned()),
        Ok(_) => (format!("{digits}{}", zeros(point - digits.len() as i32)), String::new()),
        Err(_) => (String::new(), format!("{}{digits}", zeros(-point))),
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// PHP writes a list of which elements were removed as an object with their numbers.
fn list_with_gaps(value: &mut Value) {
    let Value::Object(map) = value else { return };
    let mut elements: Vec<(u64, Value)> = Vec::new();
    for (name, element) in map.iter() {
        let Ok(number) = name.parse() else { return };
        elements.push((number, element.clone()));
    }
    elements.sort_by_key(|(number, _)| *number);
    *value = Value::Array(elements.into_iter().map(|(_, element)| element).collect());
}

fn move_up(field: &FieldMeta, from: &mut Map<String, Value>, into: &mut Map<String, Value>) {
    if !into.contains_key(field.name)
        && let Some(value) = from.remove(field.name)
    {
        into.insert(field.name.to_owned(), value);
    }
}

/// The JSON body that refuses an unreadable request of an endpoint.
pub fn fault_body(meta: &EndpointMeta, lang: Lang, fault: Fault) -> Vec<u8> {
    refusal_body(meta.envelope, lang, &RefusalBody::from(fault))
}

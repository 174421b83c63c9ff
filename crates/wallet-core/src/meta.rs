//! The model of a spec ([`wallet_spec`]) in generated code: constants with the lifetime `'static`.

pub use wallet_spec::{Algorithm, Auth, Basis, Caller, Encoding, Form, Lang, Method, Place, Stretch};

/// A text in both languages.
pub type Text = wallet_spec::Text<'static>;
/// The source of a fact, and the rule that decides it.
pub type Origin = wallet_spec::Origin<'static>;
/// A rule: how a silence or contradiction of the document is read.
pub type RuleMeta = wallet_spec::Rule<'static>;
/// The wire format of a field.
pub type Kind = wallet_spec::Kind<'static>;
/// A type with a fixed set of values.
pub type ChoiceMeta = wallet_spec::Choice<'static>;
/// A named object of replies.
pub type ObjectMeta = wallet_spec::Object<'static>;
/// A field's name and, for each output format, the text before its value.
pub type Lead = wallet_spec::Lead<'static>;
/// A field of a request, reply, object or callback.
pub type FieldMeta = wallet_spec::Field<'static>;
/// A status code.
pub type CodeMeta = wallet_spec::Code<'static>;
/// One situation in which a code is sent.
pub type RefusalMeta = wallet_spec::Refusal<'static>;
/// The refusals of unreadable requests.
pub type FaultsMeta = wallet_spec::Faults<'static>;
/// A signing scheme.
pub type SigningMeta = wallet_spec::Signing<'static>;
/// An endpoint.
pub type EndpointMeta = wallet_spec::Endpoint<'static>;
/// The reply envelope.
pub type EnvelopeMeta = wallet_spec::Envelope<'static>;
/// A deep link.
pub type LinkMeta = wallet_spec::Link<'static>;
/// One of several platforms that speak the same protocol.
pub type ProfileMeta = wallet_spec::Profile<'static>;
/// A callback.
pub type CallbackMeta = wallet_spec::Callback<'static>;
/// The attempts of a callback and the reply that acknowledges it.
pub type Schedule = wallet_spec::Schedule<'static>;
/// The reply that acknowledges a callback.
pub type Acknowledgement = wallet_spec::Acknowledgement<'static>;
/// A number of the protocol.
pub type QuantityMeta = wallet_spec::Quantity<'static>;
/// A platform's whole spec.
pub type PlatformMeta = wallet_spec::Spec<'static>;

/// The [`Lead`] of a name.
#[doc(hidden)]
#[macro_export]
macro_rules! lead {
    ($name:literal) => {
        $crate::spec::Lead::<'static> {
            name: $name,
            form: ::core::concat!("&", $name, "="),
            json: ::core::concat!(",\"", $name, "\":\""),
            link: ::core::concat!(",%22", $name, "%22:%22"),
        }
    };
}

//! Values as constant expressions of Rust.

use std::fmt::Write as _;

/// Writes Rust text. Every path in it is absolute.
pub(crate) struct Writer<'c> {
    pub(crate) text: String,
    /// The path of the crate that has the model as its module `spec`.
    pub(crate) path: &'c str,
}

impl Writer<'_> {
    /// The path of an item of the model.
    pub(crate) fn item(&mut self, name: &str) {
        self.text.push_str(self.path);
        self.text.push_str("::spec::");
        self.text.push_str(name);
    }
}

/// A value that can be written as a constant expression.
pub(crate) trait Constant {
    fn write(&self, out: &mut Writer<'_>);
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Constant for $type {
            fn write(&self, out: &mut Writer<'_>) {
                let _ = write!(out.text, "{self:?}"); // writing to a String cannot fail
            }
        }
    )*};
}

plain!(bool, u8, u16, u32, u64, &str);

impl<T: Constant> Constant for Option<T> {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            None => out.text.push_str("::core::option::Option::None"),
            Some(value) => {
                out.text.push_str("::core::option::Option::Some(");
                value.write(out);
                out.text.push(')');
            }
        }
    }
}

impl<T: Constant> Constant for &[T] {
    fn write(&self, out: &mut Writer<'_>) {
        out.text.push_str("&[");
        for item in *self {
            item.write(out);
            out.text.push(',');
        }
        out.text.push(']');
    }
}

impl Constant for (&str, &str) {
    fn write(&self, out: &mut Writer<'_>) {
        let _ = write!(out.text, "{self:?}");
    }
}

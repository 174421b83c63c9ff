//! Values that never show.

use std::fmt;

use zeroize::Zeroize;

/// What a [`Secret`] can hold: it can be overwritten.
pub trait Wipe {
    /// Overwrites it.
    fn wipe(&mut self);
}

impl Wipe for String {
    fn wipe(&mut self) {
        self.zeroize();
    }
}

impl Wipe for Vec<u8> {
    fn wipe(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> Wipe for [u8; N] {
    fn wipe(&mut self) {
        self.zeroize();
    }
}

/// A value that neither `Debug` nor a log shows, wiped when dropped. It is read only by [`Secret::expose`], so that each
/// such place is found by its name.
#[derive(Clone, Default)]
pub struct Secret<T: Wipe>(T);

impl<T: Wipe> Secret<T> {
    /// Wraps a secret.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Wipe> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// In constant time: how long it takes depends on the lengths alone.
impl<T: Wipe + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        crate::crypto::equal(self.0.as_ref(), other.0.as_ref())
    }
}

impl<T: Wipe + AsRef<[u8]>> Eq for Secret<T> {}

impl<T: Wipe> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl From<&str> for Secret<String> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let shown = format!("{:?}", Some(Secret::new("geheim".to_owned())));
        assert!(!shown.contains("geheim"), "{shown}");
        assert_eq!(Secret::new("geheim".to_owned()).expose(), "geheim");
    }
}

//! RSA operations of up to eight keys at once, in the lanes of AVX-512 registers (IFMA): three times as many a second as one after the
//! other. For keys of 1024, 2048 and 4096 bits with the public exponent 65537; padding is the caller's.
//!
//! A private operation hides what it works on (base and exponent blinding), takes the same steps whatever the key is, and checks each
//! signature with the public key before it returns it. Secret numbers on the heap are wiped; those in registers and on the stack are not.
//!
//! On a machine without the instructions [`is_available`] is false and every result is `None`.
//!
//! ```
//! # let (n, e) = ([0xff_u8; 256], [1, 0, 1]);
//! let key = wallet_rsa8::PublicKey::new(&n, &e).unwrap();
//! let blocks = wallet_rsa8::recover(&[(&key, &[0; 256]), (&key, &[0xff; 256])]);
//! if wallet_rsa8::is_available() {
//!     assert_eq!(blocks, [Some(vec![0; 256]), None]); // the second is not below the modulus
//! }
//! ```

mod digits;
mod keys;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod operations;
#[cfg(not(target_arch = "x86_64"))]
mod unavailable;

pub use keys::{Parts, PrivateKey, PublicKey, Size};
#[cfg(target_arch = "x86_64")]
pub use operations::{is_available, recover, sign};
#[cfg(not(target_arch = "x86_64"))]
pub use unavailable::{is_available, recover, sign};

/// Fills a buffer with random bytes. Returns `false` if the machine has no randomness.
pub type Random<'a> = dyn FnMut(&mut [u8]) -> bool + 'a;

/// The number of operations that are made at once.
pub const LANES: usize = 8;

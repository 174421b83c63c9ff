//! The crypto traits of [`wallet_core::crypto`] over `ring` and `sha1`, and the hashing of passwords. Which signature goes
//! where is decided by the spec, not by this crate.
//!
//! Features: `aws-lc` makes and checks RSA signatures with AWS-LC, five times faster than the portable backend.
//!
//! ```
//! use wallet_core::crypto::Sha256;
//!
//! let digest = wallet_crypto::Portable::new().sha256(b"abc");
//! assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
//! ```

#[cfg(feature = "aws-lc")]
#[allow(unsafe_code)]
mod aws_lc;
mod batch;
mod password;
mod rsa;

#[cfg(feature = "aws-lc")]
pub use aws_lc::{AwsLcSign, AwsLcVerify};
pub use batch::{BatchSigner, BatchedKey, BatchedPublicKey, sign_all, verify_all};
pub use password::{NoMemory, PasswordCost, Passwords, is_old_hash};
pub use rsa::{
    DEFAULT_BITS, KeyError, KeyForm, MAX_BITS, MIN_BITS, PrivateKey, PublicKey, RsaSign, RsaVerify,
};

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom;
use ring::{digest, hkdf, hmac};
use wallet_core::crypto::{Aead, Entropy, Feed, RsaSigner, RsaVerifier, Sha1, Sha256};

/// A key that signs, on the fastest backend that is compiled in: the `aws-lc` feature changes nothing else.
///
/// # Errors
/// [`KeyError::Damaged`].
pub fn rsa_signer(key: &PrivateKey) -> Result<Box<dyn RsaSigner>, KeyError> {
    #[cfg(feature = "aws-lc")]
    let signer = AwsLcSign::new(key)?;
    #[cfg(not(feature = "aws-lc"))]
    let signer = RsaSign::new(key)?;
    Ok(Box::new(signer))
}

/// A key that verifies, on the fastest backend that is compiled in.
///
/// # Errors
/// [`KeyError::Damaged`].
pub fn rsa_verifier(key: &PublicKey) -> Result<Arc<dyn RsaVerifier>, KeyError> {
    #[cfg(feature = "aws-lc")]
    let verifier = AwsLcVerify::new(key)?;
    #[cfg(not(feature = "aws-lc"))]
    let verifier = RsaVerify::new(key);
    Ok(Arc::new(verifier))
}

/// The portable backend: ring for SHA-256, HMAC, HKDF, AES-GCM and entropy, `sha1` for SHA-1 (which uses the
/// processor's SHA instructions where it has them, and ring does not).
#[derive(Debug, Clone)]
pub struct Portable {
    random: ring::rand::SystemRandom,
}

impl Portable {
    /// The backend.
    pub fn new() -> Self {
        Self { random: ring::rand::SystemRandom::new() }
    }
}

impl Default for Portable {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha1 for Portable {
    fn sha1(&self, text: &mut Feed<'_>) -> [u8; 20] {
        use sha1::Digest as _;
        let mut hasher = sha1::Sha1::new();
        text(&mut |bytes| hasher.update(bytes));
        hasher.finalize().into()
    }
}

impl Sha256 for Portable {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
        out
    }

    fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    fn hkdf(&self, secret: &[u8], info: &[u8]) -> [u8; 32] {
        let pseudo_random = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
        let mut out = [0; 32];
        let filled = pseudo_random.expand(&[info], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut out));
        assert!(filled.is_ok(), "HKDF-SHA256 gives 32 bytes, and 32 are asked for");
        out
    }
}

impl Portable {
    fn key(key: &[u8; 32]) -> LessSafeKey {
        match UnboundKey::new(&AES_256_GCM, key) {
            Ok(key) => LessSafeKey::new(key),
            Err(_) => unreachable!("an AES-256 key has 32 bytes, and so has this array"),
        }
    }
}

impl Aead for Portable {
    fn seal(&self, key: &[u8; 32], nonce: [u8; NONCE_LEN], context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let done = Self::key(key).seal_in_place_append_tag(nonce, Aad::from(context), &mut sealed);
        assert!(done.is_ok(), "AES-GCM refuses only texts of 64 GiB and more");
        sealed
    }

    fn open(&self, key: &[u8; 32], nonce: [u8; NONCE_LEN], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = Self::key(key).open_in_place(nonce, Aad::from(context), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl Entropy for Portable {
    fn fill(&self, bytes: &mut [u8]) {
        // Without entropy no secret may be made: going on would be worse than stopping.
        assert!(self.random.fill(bytes).is_ok(), "the operating system gives no random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231 case 2, RFC 5869 case 3, FIPS 180 "abc".
    #[test]
    fn known_answers() {
        let crypto = Portable::new();
        assert_eq!(
            hex(&crypto.hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&crypto.hkdf(&[0x0b; 22], b"")),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        );
        let digest = crypto.sha1(&mut |put| {
            put(b"a");
            put(b"bc");
        });
        assert_eq!(hex(&digest), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn what_is_sealed_opens_only_as_it_was_sealed() {
        let crypto = Portable::new();
        let (key, nonce) = ([7; 32], [1; 12]);
        let sealed = crypto.seal(&key, nonce, b"app 1", b"secret");
        assert_eq!(crypto.open(&key, nonce, b"app 1", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(crypto.open(&key, nonce, b"app 2", &sealed), None);
        assert_eq!(crypto.open(&[8; 32], nonce, b"app 1", &sealed), None);
        assert_eq!(crypto.open(&key, [2; 12], b"app 1", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(crypto.open(&key, nonce, b"app 1", &changed), None);
        }
    }
}

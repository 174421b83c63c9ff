//! RSA with AWS-LC, as fast as OpenSSL. The safe wrapper cannot sign with SHA-1, so this module alone has `unsafe`.

use std::fmt;
use std::ptr::NonNull;

use sha1::Digest as _;
use wallet_core::crypto::{RsaSigner, RsaVerifier, SigningFailed};

use crate::rsa::{KeyError, PrivateKey, PublicKey};

/// A parsed key of AWS-LC.
struct Key(NonNull<aws_lc_sys::RSA>);

// SAFETY: this module never changes a parsed key, and AWS-LC guards the caches inside the key (blinding,
// Montgomery contexts) by locks of its own: "concurrent use of one RSA object is safe" is what its header promises.
unsafe impl Send for Key {}
// SAFETY: as above.
unsafe impl Sync for Key {}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, is ours alone, and is not used after this.
        unsafe { aws_lc_sys::RSA_free(self.0.as_ptr()) }
    }
}

impl Key {
    fn size(&self) -> usize {
        // SAFETY: the pointer is valid as long as `self` is.
        unsafe { aws_lc_sys::RSA_size(self.0.as_ptr()) as usize }
    }
}

/// Signs with AWS-LC, which blinds.
pub struct AwsLcSign(Key);

impl fmt::Debug for AwsLcSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsLcSign").finish_non_exhaustive()
    }
}

impl AwsLcSign {
    /// Takes a key; parsed once, kept.
    ///
    /// # Errors
    /// [`KeyError::Damaged`].
    pub fn new(key: &PrivateKey) -> Result<Self, KeyError> {
        let der = key.pkcs1().expose();
        // SAFETY: AWS-LC reads `der.len()` bytes from `der` and gives a new object, or null.
        let parsed = unsafe { aws_lc_sys::RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        NonNull::new(parsed).map(|parsed| Self(Key(parsed))).ok_or(KeyError::Damaged)
    }
}

impl RsaSigner for AwsLcSign {
    fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let digest = sha1::Sha1::digest(message);
        let mut signature = vec![0; self.0.size()];
        let mut written = 0;
        // SAFETY: `digest` has 20 bytes, and `signature` has the modulus' length, the most that RSA_sign writes;
        // the key is only read.
        let done = unsafe {
            aws_lc_sys::RSA_sign(
                aws_lc_sys::NID_sha1,
                digest.as_ptr(),
                20,
                signature.as_mut_ptr(),
                &mut written,
                self.0.0.as_ptr(),
            )
        };
        if done == 1 && written as usize == signature.len() { Ok(signature) } else { Err(SigningFailed) }
    }
}

/// Verifies with AWS-LC.
pub struct AwsLcVerify(Key);

impl fmt::Debug for AwsLcVerify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsLcVerify").finish_non_exhaustive()
    }
}

impl AwsLcVerify {
    /// Takes a key; parsed once, kept.
    ///
    /// # Errors
    /// [`KeyError::Damaged`].
    pub fn new(key: &PublicKey) -> Result<Self, KeyError> {
        let der = key.pkcs1();
        // SAFETY: AWS-LC reads `der.len()` bytes from `der` and gives a new object, or null.
        let parsed = unsafe { aws_lc_sys::RSA_public_key_from_bytes(der.as_ptr(), der.len()) };
        NonNull::new(parsed).map(|parsed| Self(Key(parsed))).ok_or(KeyError::Damaged)
    }
}

impl RsaVerifier for AwsLcVerify {
    fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = sha1::Sha1::digest(message);
        // SAFETY: `digest` has 20 bytes, `signature` has `signature.len()` bytes, and RSA_verify only reads the key.
        let done = unsafe {
            aws_lc_sys::RSA_verify(
                aws_lc_sys::NID_sha1,
                digest.as_ptr(),
                20,
                signature.as_ptr(),
                signature.len(),
                self.0.0.as_ptr(),
            )
        };
        done == 1
    }
}

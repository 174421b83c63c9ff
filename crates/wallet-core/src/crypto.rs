//! What this project needs of cryptography, as traits. `wallet-crypto` implements them; they are passed in as values,
//! so that the core has no crypto library and a test can count or replace each call.

/// Feeds a text to a hash, piece by piece, through the function it is handed.
pub type Feed<'a> = dyn FnMut(&mut dyn FnMut(&[u8])) + 'a;

/// SHA-1, for signatures that the documents prescribe (R8).
pub trait Sha1: Send + Sync {
    /// The digest of everything that `text` feeds, in order. Nothing is allocated.
    fn sha1(&self, text: &mut Feed<'_>) -> [u8; 20];
}

/// A key of RSA that signs with SHA-1 and PKCS#1 v1.5, as the documents prescribe (R44).
pub trait RsaSigner: Send + Sync {
    /// The signature over `message`, as long as the modulus.
    ///
    /// # Errors
    /// [`SigningFailed`]: the key is broken, or the backend has no randomness for blinding.
    fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// A key of RSA that checks such signatures.
pub trait RsaVerifier: Send + Sync {
    /// Whether `signature` is one over `message`.
    fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// A signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningFailed;

impl std::fmt::Display for SigningFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the RSA key cannot sign: it is damaged, or there is no randomness")
    }
}

impl std::error::Error for SigningFailed {}

/// SHA-256, HMAC and HKDF with it.
pub trait Sha256: Send + Sync {
    /// The digest of `data`.
    fn sha256(&self, data: &[u8]) -> [u8; 32];
    /// HMAC-SHA256 of the parts, joined.
    fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32];
    /// HKDF-SHA256 without salt: 32 bytes for `info`.
    fn hkdf(&self, secret: &[u8], info: &[u8]) -> [u8; 32];
}

/// The hashes that signing schemes use, in one value.
pub trait Hashes: Sha1 + Sha256 {}
impl<T: Sha1 + Sha256 + ?Sized> Hashes for T {}

/// AES-256-GCM, for secrets that must be readable again (R80).
pub trait Aead: Send + Sync {
    /// Seals `plain` under `key`; `context` is authenticated with it. The nonce must never repeat under a key.
    fn seal(&self, key: &[u8; 32], nonce: [u8; 12], context: &[u8], plain: &[u8]) -> Vec<u8>;
    /// Opens what [`Aead::seal`] made; `None` when key, nonce, context or text are not the same.
    fn open(&self, key: &[u8; 32], nonce: [u8; 12], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}

/// A source of unpredictable random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// All of it in one value.
pub trait Crypto: Hashes + Aead + Entropy {}
impl<T: Hashes + Aead + Entropy + ?Sized> Crypto for T {}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}

/// The bytes of a hexadecimal text; `None` for any other text.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| crate::scan::hex_byte(*high, *low)).collect()
}

/// Writes bytes as lower-case hexadecimal into `out`, which is twice as long.
pub fn hex_lower(bytes: &[u8], out: &mut [u8]) {
    // Arithmetic instead of a table, so that the loop becomes vector instructions.
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    for (byte, pair) in bytes.iter().zip(out.as_chunks_mut::<2>().0) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

/// The lower-case hexadecimal text of bytes.
pub fn hex_text(bytes: &[u8]) -> String {
    let mut out = vec![0; bytes.len() * 2];
    hex_lower(bytes, &mut out);
    String::from_utf8(out).expect("digits are ASCII")
}

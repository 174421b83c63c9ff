//! RSA keys: loads every encoding that Java, OpenSSL and PHP write, normalises to PKCS#1 DER, generates and
//! writes keys. Also the portable backend: `rsa` signs, always blinded (RUSTSEC-2023-0071), ring verifies.
//!
//! ```
//! use wallet_core::crypto::{RsaSigner as _, RsaVerifier as _};
//! use wallet_crypto::{PrivateKey, RsaSign, RsaVerify};
//!
//! # let pem = include_str!("../../../tests/vectors/rsa-1024.pem");
//! let key = PrivateKey::load(pem)?;
//! let signature = RsaSign::new(&key)?.sign_sha1(b"text")?;
//! assert!(RsaVerify::new(&key.public()).verify_sha1(b"text", &signature));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use ::rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use ::rsa::pkcs8::spki::SubjectPublicKeyInfoRef;
use ::rsa::pkcs8::{
    EncodePrivateKey as _, EncodePublicKey as _, LineEnding, ObjectIdentifier, PrivateKeyInfo,
};
use ::rsa::rand_core::{CryptoRng, Error as RandError, RngCore};
use ::rsa::traits::PublicKeyParts as _;
use ::rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::rand::SecureRandom as _;
use sha1::Digest as _;
use wallet_core::Secret;
use wallet_core::crypto::{RsaSigner, RsaVerifier, SigningFailed};

/// The modulus that new keys have, in bits.
pub const DEFAULT_BITS: usize = 2048;
/// The smallest modulus that is read. Below [`DEFAULT_BITS`] a key is [weak](PublicKey::is_weak).
pub const MIN_BITS: usize = 1024;
/// The largest modulus that is read.
pub const MAX_BITS: usize = 4096;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Why a key cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not PKCS#8, PKCS#1 or SPKI, as PEM, base64 or DER.
    NotAKey,
    /// It is encrypted.
    Encrypted,
    /// It is a key of the named algorithm, not of RSA.
    NotRsa(&'static str),
    /// It has more than two primes (RFC 8017, 3.2).
    ManyPrimes,
    /// It is a certificate, or a request for one.
    Certificate,
    /// It is a PKCS#12 file, which holds certificates and encrypted keys.
    Pkcs12,
    /// It is in OpenSSH's own form.
    OpenSsh,
    /// It is the private key, in the place of the public one.
    IsPrivate,
    /// It is the public key, in the place of the private one.
    IsPublic,
    /// Its modulus has this many bits, outside [`MIN_BITS`] to [`MAX_BITS`].
    Size(usize),
    /// Its components (modulus, exponents, primes) are inconsistent.
    Damaged,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKey => f.write_str(
                "this is no RSA key: give PKCS#8, PKCS#1 or (public) SPKI, as PEM, as base64 in one or more lines, or as DER",
            ),
            Self::Encrypted => {
                f.write_str("the key is encrypted: decrypt it first, for example with `openssl pkey -in key.pem`")
            }
            Self::NotRsa(algorithm) => write!(f, "this is not an RSA key, but a key of {algorithm}"),
            Self::ManyPrimes => f.write_str("the RSA key has more than two primes: make one with two"),
            Self::Certificate => f.write_str(
                "this is a certificate, not a key: give the key's file, or take the public key out with `openssl x509 -pubkey -noout -in FILE`",
            ),
            Self::Pkcs12 => f.write_str(
                "this is a PKCS#12 file (.p12, .pfx): take the key out with `openssl pkcs12 -in FILE -nocerts -nodes`",
            ),
            Self::OpenSsh => f.write_str(
                "the key is in OpenSSH's form: convert a copy with `ssh-keygen -p -m PEM -f COPY`, or make a key with `openssl genrsa -out key.pem 2048`",
            ),
            Self::IsPrivate => f.write_str("this is the private key: give the public one, and keep the private one to yourself"),
            Self::IsPublic => f.write_str("this is the public key: give the private one"),
            Self::Size(bits) => {
                write!(f, "the key has {bits} bits; {MIN_BITS} to {MAX_BITS} are supported")
            }
            Self::Damaged => f.write_str("the key is damaged: its components are inconsistent"),
        }
    }
}

impl std::error::Error for KeyError {}

/// A private key, as PKCS#1 DER.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs1: Secret<Vec<u8>>,
    public: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("bits", &self.public.bits).finish_non_exhaustive()
    }
}

/// A public key, as PKCS#1 DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pkcs1: Vec<u8>,
    bits: usize,
}

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The half of a key that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Private,
    Public,
}

impl Half {
    /// The error for a file with a block of this PEM label; `None` if it is such a key.
    fn refuses(self, label: &str, body: &str) -> Option<KeyError> {
        match label {
            _ if label.contains("ENCRYPTED") || body.contains("ENCRYPTED") => Some(KeyError::Encrypted),
            "PRIVATE KEY" | "RSA PRIVATE KEY" => (self == Self::Public).then_some(KeyError::IsPrivate),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => (self == Self::Private).then_some(KeyError::IsPublic),
            "OPENSSH PRIVATE KEY" | "SSH2 PUBLIC KEY" => Some(KeyError::OpenSsh),
            "EC PRIVATE KEY" => Some(KeyError::NotRsa("EC")),
            "DSA PRIVATE KEY" => Some(KeyError::NotRsa("DSA")),
            _ if label.contains("CERTIFICATE") => Some(KeyError::Certificate),
            _ => Some(KeyError::NotAKey),
        }
    }
}

/// Text without the byte order mark that Windows editors write; PowerShell writes UTF-16.
fn text(file: &[u8]) -> Option<Secret<String>> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, odd) = rest.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|pair| unit(*pair)).collect();
        odd.is_empty().then(|| String::from_utf16(&units).ok())?
    };
    let text = match file {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(file.to_vec()).ok(),
    };
    text.map(Secret::new)
}

/// The DER within a text: PEM, base64 with or without line ends (real ones, or `\n` as two characters), or DER itself. Of several PEM
/// blocks it is the first key: a file may have its certificate, or the parameters of a curve, before it.
fn der(file: &[u8], half: Half) -> Result<Secret<Vec<u8>>, KeyError> {
    // DER begins with 0x30, and its base64 with `M`.
    if file.first() == Some(&0x30) {
        return Ok(Secret::new(file.to_vec()));
    }
    let text = text(file).ok_or(KeyError::NotAKey)?;
    let text = text.expose();
    let (mut body, mut refused) = (None, None);
    for block in text.split("-----BEGIN ").skip(1) {
        let (label, rest) = block.split_once("-----").ok_or(KeyError::NotAKey)?;
        let (inside, _) = rest.split_once("-----END ").ok_or(KeyError::NotAKey)?;
        match half.refuses(label, inside) {
            None => {
                body = Some(inside);
                break;
            }
            // Certificates and parameters stand beside keys: they are named if there is nothing else.
            Some(error) if matches!(refused, None | Some(KeyError::Certificate | KeyError::NotAKey)) => {
                refused = Some(error);
            }
            Some(_) => {}
        }
    }
    let body = match (body, refused) {
        (Some(body), _) => body,
        (None, Some(refused)) => return Err(refused),
        (None, None) if text.trim_start().starts_with("ssh-") => return Err(KeyError::OpenSsh),
        (None, None) => text,
    };
    let base64 = Secret::new(
        body.replace("\\r", "").replace("\\n", "").chars().filter(|c| !c.is_whitespace()).collect::<String>(),
    );
    BASE64.decode(base64.expose()).map(Secret::new).map_err(|_| KeyError::NotAKey)
}

/// The name of an algorithm, for people.
fn algorithm(oid: ObjectIdentifier) -> &'static str {
    match oid.to_string().as_str() {
        "1.2.840.10045.2.1" => "EC",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.113549.1.3.1" => "Diffie-Hellman",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS, which makes other signatures",
        "1.3.101.110" | "1.3.101.111" => "X25519 or X448",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        _ => "another algorithm",
    }
}

/// What DER is that is no key of the half that was asked for.
fn what_it_is(der: &[u8], half: Half) -> KeyError {
    // The tag and length of a SEQUENCE: what is inside.
    fn inside(der: &[u8]) -> Option<&[u8]> {
        let (first, rest) = der.split_first()?;
        let (length, rest) = rest.split_first()?;
        let skipped = if *length < 0x80 { 0 } else { usize::from(length & 0x7f) };
        (*first == 0x30).then(|| rest.get(skipped..))?
    }
    let Some(content) = inside(der) else { return KeyError::NotAKey };
    // The versions of PKCS#8 and PKCS#1.
    let is_private = content.starts_with(&[2, 1, 0]) || content.starts_with(&[2, 1, 1, 2]);
    match content {
        [2, 1, 3, ..] => KeyError::Pkcs12,
        [2, 1, 1, 4, ..] => KeyError::NotRsa("EC"), // RFC 5915
        _ if is_private && half == Half::Public => KeyError::IsPrivate,
        [2, 1, 1, 2, ..] => KeyError::ManyPrimes,
        // A certificate begins with its own SEQUENCE, that with its version or a request's.
        content => match inside(content) {
            Some([0xa0, ..] | [2, 1, 0, ..]) => KeyError::Certificate,
            Some(_) if half == Half::Private && SubjectPublicKeyInfoRef::try_from(der).is_ok() => {
                KeyError::IsPublic
            }
            _ if half == Half::Private && ::rsa::pkcs1::RsaPublicKey::try_from(der).is_ok() => {
                KeyError::IsPublic
            }
            _ => KeyError::NotAKey,
        },
    }
}

fn size(bits: usize) -> Result<usize, KeyError> {
    if (MIN_BITS..=MAX_BITS).contains(&bits) { Ok(bits) } else { Err(KeyError::Size(bits)) }
}

impl PrivateKey {
    /// Reads PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let der = der(text.as_ref(), Half::Private)?;
        let pkcs1 = match PrivateKeyInfo::try_from(der.expose().as_slice()) {
            Ok(info) if info.algorithm.oid != RSA_ENCRYPTION => {
                return Err(KeyError::NotRsa(algorithm(info.algorithm.oid)));
            }
            Ok(info) => Secret::new(info.private_key.to_vec()),
            Err(_) => der,
        };
        let key = RsaPrivateKey::from_pkcs1_der(pkcs1.expose()).map_err(|_| {
            // Well-formed and wrong, or not a key at all.
            match ::rsa::pkcs1::RsaPrivateKey::try_from(pkcs1.expose().as_slice()) {
                Ok(key) if key.other_prime_infos.is_some() => KeyError::ManyPrimes,
                Ok(_) => KeyError::Damaged,
                Err(_) => what_it_is(pkcs1.expose(), Half::Private),
            }
        })?;
        Self::of(&key)
    }

    fn of(key: &RsaPrivateKey) -> Result<Self, KeyError> {
        size(key.n().bits())?;
        key.validate().map_err(|_| KeyError::Damaged)?;
        let pkcs1 = key.to_pkcs1_der().map_err(|_| KeyError::Damaged)?;
        let public = PublicKey::of(&key.to_public_key())?;
        Ok(Self { pkcs1: Secret::new(pkcs1.as_bytes().to_vec()), public })
    }

    /// Generates a key. 2048 bits take about a second: do not call it on an async thread or the store's writer.
    ///
    /// # Errors
    /// [`KeyError::Size`].
    pub fn generate(bits: usize) -> Result<Self, KeyError> {
        size(bits)?;
        let key = RsaPrivateKey::new(&mut System, bits).map_err(|_| KeyError::Damaged)?;
        Self::of(&key)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// As PKCS#1 DER.
    pub fn pkcs1(&self) -> &Secret<Vec<u8>> {
        &self.pkcs1
    }

    /// As PKCS#8 in base64, in one line: what the platform hands out as `rsaPrivate`.
    pub fn to_base64(&self) -> Secret<String> {
        let der =
            RsaPrivateKey::from_pkcs1_der(self.pkcs1.expose()).ok().and_then(|key| key.to_pkcs8_der().ok());
        Secret::new(STANDARD.encode(der.expect("a key that was read can be written").as_bytes()))
    }

    /// As a PEM file.
    pub fn to_pem(&self, form: KeyForm) -> Secret<String> {
        let pem = RsaPrivateKey::from_pkcs1_der(self.pkcs1.expose()).ok().and_then(|key| match form {
            KeyForm::Pkcs1 => key.to_pkcs1_pem(LineEnding::LF).ok(),
            KeyForm::Pkcs8 => key.to_pkcs8_pem(LineEnding::LF).ok(),
        });
        Secret::new((*pem.expect("a key that was read can be written")).clone())
    }
}

/// A key in a PEM file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// RSA's own: `BEGIN RSA PRIVATE KEY`, `BEGIN RSA PUBLIC KEY`.
    Pkcs1,
    /// The form of any algorithm: PKCS#8, `BEGIN PRIVATE KEY`; of a public key SPKI, `BEGIN PUBLIC KEY`.
    Pkcs8,
}

impl PublicKey {
    /// Reads SPKI or PKCS#1.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let der = der(text.as_ref(), Half::Public)?;
        let pkcs1 = match SubjectPublicKeyInfoRef::try_from(der.expose().as_slice()) {
            Ok(info) if info.algorithm.oid != RSA_ENCRYPTION => {
                return Err(KeyError::NotRsa(algorithm(info.algorithm.oid)));
            }
            Ok(info) => info.subject_public_key.as_bytes().ok_or(KeyError::NotAKey)?,
            Err(_) => der.expose().as_slice(),
        };
        let parts =
            ::rsa::pkcs1::RsaPublicKey::try_from(pkcs1).map_err(|_| what_it_is(pkcs1, Half::Public))?;
        let number = |bytes| BigUint::from_bytes_be(bytes);
        let (n, e) = (number(parts.modulus.as_bytes()), number(parts.public_exponent.as_bytes()));
        size(n.bits())?;
        Self::of(&RsaPublicKey::new(n, e).map_err(|_| KeyError::Damaged)?)
    }

    fn of(key: &RsaPublicKey) -> Result<Self, KeyError> {
        let pkcs1 = key.to_pkcs1_der().map_err(|_| KeyError::Damaged)?;
        Ok(Self { pkcs1: pkcs1.as_bytes().to_vec(), bits: key.n().bits() })
    }

    /// As PKCS#1 DER.
    pub fn pkcs1(&self) -> &[u8] {
        &self.pkcs1
    }

    /// As SPKI in base64, in one line: what the platform hands out as `rsaPublic`.
    pub fn to_base64(&self) -> String {
        use ::rsa::pkcs1::DecodeRsaPublicKey as _;
        let der = RsaPublicKey::from_pkcs1_der(&self.pkcs1).ok().and_then(|key| key.to_public_key_der().ok());
        STANDARD.encode(der.expect("a key that was read can be written").as_bytes())
    }

    /// As a PEM file.
    pub fn to_pem(&self, form: KeyForm) -> String {
        use ::rsa::pkcs1::DecodeRsaPublicKey as _;
        let pem = RsaPublicKey::from_pkcs1_der(&self.pkcs1).ok().and_then(|key| match form {
            KeyForm::Pkcs1 => key.to_pkcs1_pem(LineEnding::LF).ok(),
            KeyForm::Pkcs8 => key.to_public_key_pem(LineEnding::LF).ok(),
        });
        pem.expect("a key that was read can be written")
    }

    /// The padded message (EM) inside a signature: the RSA public operation, as long as the modulus. For diagnosis only.
    /// `None` if the signature is not as long as the modulus. A number beyond the modulus, which only a signature of another
    /// key can be, opens to zeros.
    pub fn recover_message(&self, signature: &[u8]) -> Option<Vec<u8>> {
        use ::rsa::pkcs1::DecodeRsaPublicKey as _;
        let key = RsaPublicKey::from_pkcs1_der(&self.pkcs1).ok()?;
        let (length, number) = (key.size(), BigUint::from_bytes_be(signature));
        if signature.len() != length {
            return None;
        }
        if number >= *key.n() {
            return Some(vec![0; length]);
        }
        let opened = number.modpow(key.e(), key.n()).to_bytes_be();
        let mut padded = vec![0; length - opened.len()];
        padded.extend_from_slice(&opened);
        Some(padded)
    }

    /// Its modulus, in bits.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// Whether the modulus is shorter than [`DEFAULT_BITS`].
    pub fn is_weak(&self) -> bool {
        self.bits < DEFAULT_BITS
    }
}

/// The operating system's randomness, for making keys and for blinding.
struct System;

impl RngCore for System {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        // Without entropy a key would be guessable and blinding useless, so panic.
        assert!(
            ring::rand::SystemRandom::new().fill(bytes).is_ok(),
            "the operating system gives no random bytes"
        );
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for System {}

/// The DER of `DigestInfo` before a SHA-1 digest.
pub(crate) const DIGEST_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// Signs with `rsa`, blinded. About five times slower than OpenSSL.
pub struct RsaSign(RsaPrivateKey);

impl fmt::Debug for RsaSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaSign").finish_non_exhaustive()
    }
}

impl RsaSign {
    /// Takes a key; parsed once, kept.
    ///
    /// # Errors
    /// [`KeyError::Damaged`].
    pub fn new(key: &PrivateKey) -> Result<Self, KeyError> {
        let mut key = RsaPrivateKey::from_pkcs1_der(key.pkcs1.expose()).map_err(|_| KeyError::Damaged)?;
        key.precompute().map_err(|_| KeyError::Damaged)?;
        Ok(Self(key))
    }
}

impl RsaSigner for RsaSign {
    fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let digest = sha1::Sha1::digest(message);
        let scheme = Pkcs1v15Sign { hash_len: Some(20), prefix: Box::new(DIGEST_INFO) };
        self.0.sign_with_rng(&mut System, scheme, &digest).map_err(|_| SigningFailed)
    }
}

/// Verifies with ring.
#[derive(Debug, Clone)]
pub struct RsaVerify(PublicKey);

impl RsaVerify {
    /// Takes a key.
    pub fn new(key: &PublicKey) -> Self {
        Self(key.clone())
    }
}

impl RsaVerifier for RsaVerify {
    fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = &ring::signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY;
        ring::signature::UnparsedPublicKey::new(algorithm, &self.0.pkcs1).verify(message, signature).is_ok()
    }
}

//! Secrets of the platform: keyed hashes, sealed texts, fresh tokens, and the permutation behind transfer ids.

use std::fmt;
use std::sync::Arc;

use wallet_core::Secret;
use wallet_core::crypto::{self, Crypto};
use wallet_engine::rows;

use crate::schema::Platform;

rows! { in Platform;
    /// A key of the platform itself, sealed.
    sealed_key: SealedKey {
        key {
            /// The name of the key.
            name: String,
        }
        /// Nonce and sealed text.
        sealed: Vec<u8>,
    }
}

/// A keyed hash: the only stored form of a code, a token or a session_key (R80).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 20]);

impl Digest {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// The random bytes of a command, drawn when it is submitted.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed([redacted])")
    }
}

/// Access or refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An access token, for calls.
    Access,
    /// A refresh token, for new tokens.
    Refresh,
}

/// A fresh secret: its text, for its owner, and its hash, for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// 40 lower-case hex characters: 160 bits (R27).
    pub text: Secret<String>,
    /// The keyed hash, which is stored.
    pub hash: Digest,
}

/// The platform's keys, all derived from one master key.
#[derive(Clone)]
pub struct Vault {
    crypto: Arc<dyn Crypto>,
    tokens: TokenKeys,
    seal_key: [u8; 32],
    /// Keys that open what is sealed, and seal nothing: those of other master keys, during a change of it.
    opening_keys: Vec<[u8; 32]>,
    permutation: [u8; 32],
}

/// The keys behind codes, tokens and session keys. They outlive a change of the master key: otherwise everybody would be signed
/// out.
#[derive(Clone)]
pub(crate) struct TokenKeys {
    hash: [u8; 32],
    mint: [u8; 32],
}

impl TokenKeys {
    /// Derived from a master key.
    pub(crate) fn of(crypto: &dyn Crypto, master: &Secret<[u8; 32]>) -> Self {
        let derive = |info: &str| crypto.hkdf(master.expose(), info.as_bytes());
        Self { hash: derive("wallop token hash v1"), mint: derive("wallop token mint v1") }
    }

    pub(crate) fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.hash);
        bytes[32..].copy_from_slice(&self.mint);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hash, mint) = bytes.split_first_chunk::<32>()?;
        Some(Self { hash: *hash, mint: mint.try_into().ok()? })
    }
}

fn seal_key(crypto: &dyn Crypto, master: &Secret<[u8; 32]>) -> [u8; 32] {
    crypto.hkdf(master.expose(), b"wallop seal v1")
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// The name of the row that keeps the permutation's key.
pub(crate) const PERMUTATION_KEY: &str = "transfer_id";
/// The name of the row that keeps the token keys, once the master key was changed.
pub(crate) const TOKEN_KEYS: &str = "tokens";

impl Vault {
    /// Keys derived from a master key. `permutation` is the key behind transfer ids, made once for each database.
    pub fn new(crypto: Arc<dyn Crypto>, master: &Secret<[u8; 32]>, permutation: [u8; 32]) -> Self {
        let (tokens, seal_key) = (TokenKeys::of(&*crypto, master), seal_key(&*crypto, master));
        Self { crypto, tokens, seal_key, opening_keys: Vec::new(), permutation }
    }

    /// The same, which also opens what was sealed under these master keys.
    #[must_use]
    pub fn opening(mut self, masters: &[Secret<[u8; 32]>]) -> Self {
        self.opening_keys = masters.iter().map(|master| seal_key(&*self.crypto, master)).collect();
        self
    }

    /// Whether a change of the master key is under way.
    pub fn opens_others(&self) -> bool {
        !self.opening_keys.is_empty()
    }

    /// The same, with the token keys of another master key.
    #[must_use]
    pub(crate) fn with_tokens(self, tokens: TokenKeys) -> Self {
        Self { tokens, ..self }
    }

    /// The same, with this permutation key.
    #[must_use]
    pub(crate) fn with_permutation(self, permutation: [u8; 32]) -> Self {
        Self { permutation, ..self }
    }

    /// The crypto that this vault uses.
    pub fn crypto(&self) -> &dyn Crypto {
        &*self.crypto
    }

    /// A fresh seed for a command.
    pub fn seed(&self) -> Seed {
        let mut bytes = [0; 32];
        self.crypto.fill(&mut bytes);
        Seed(bytes)
    }

    /// The keyed hash of a presented secret.
    pub fn hash(&self, text: &str) -> Digest {
        Digest(first_20(&self.crypto.hmac(&self.tokens.hash, &[text.as_bytes()])))
    }

    fn minted(&self, parts: &[&[u8]]) -> Minted {
        let text = crypto::hex_text(&first_20(&self.crypto.hmac(&self.tokens.mint, parts)));
        Minted { hash: self.hash(&text), text: Secret::new(text) }
    }

    /// A fresh secret derived from a seed; different labels give different secrets.
    pub fn mint(&self, seed: &Seed, label: &str) -> Minted {
        self.minted(&[b"seed", label.as_bytes(), &[0], &seed.0])
    }

    /// The token that a refresh token is exchanged for: the same each time, so that a lost reply can be repeated (R16).
    pub fn successor(&self, kind: TokenKind, presented: &str) -> Minted {
        let label: &[u8] = match kind {
            TokenKind::Access => b"successor access",
            TokenKind::Refresh => b"successor refresh",
        };
        self.minted(&[label, &[0], presented.as_bytes()])
    }

    /// Seals a text that must be readable again. The nonce comes from a seed that is used once.
    pub fn seal(&self, seed: &Seed, context: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(
            &self.crypto.hmac(&self.tokens.mint, &[b"nonce", context.as_bytes(), &[0], &seed.0])[..12],
        );
        let mut out = nonce.to_vec();
        out.extend(self.crypto.seal(&self.seal_key, nonce, context.as_bytes(), plain));
        out
    }

    /// Opens a sealed text; `None` when it was sealed under another key or for another purpose.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        let mut keys = std::iter::once(&self.seal_key).chain(&self.opening_keys);
        keys.find_map(|key| self.crypto.open(key, *nonce, context.as_bytes(), sealed)).map(Secret::new)
    }

    /// The same text sealed under the current key, if it is sealed under another one that this vault opens.
    pub(crate) fn sealed_again(&self, seed: &Seed, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<12>()?;
        if self.crypto.open(&self.seal_key, *nonce, context.as_bytes(), text).is_some() {
            return None;
        }
        let plain = self.open(context, sealed)?;
        Some(self.seal(seed, context, plain.expose()))
    }

    /// Opens a sealed text that is UTF-8.
    pub fn open_text(&self, context: &str, sealed: &[u8]) -> Option<Secret<String>> {
        let plain = self.open(context, sealed)?;
        String::from_utf8(plain.expose().clone()).ok().map(Secret::new)
    }

    /// A number of 62 bits under a keyed permutation, so that it can be neither guessed nor counted, and still fits a
    /// bigint (R30).
    pub(crate) fn permute(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number >> 31 & MASK, number & MASK);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        left << 31 | right
    }

    /// The number that [`permute`](Self::permute) gave this one for; `None` if it has more than 62 bits.
    pub(crate) fn permuted(&self, number: u64) -> Option<u64> {
        if number >> 62 != 0 {
            return None;
        }
        let (mut left, mut right) = (number >> 31 & MASK, number & MASK);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        Some(left << 31 | right)
    }

    fn round(&self, round: u8, half: u64) -> u64 {
        let mac = self.crypto.hmac(&self.permutation, &[&[round], &half.to_be_bytes()]);
        u64::from(u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]])) & MASK
    }
}

/// A Feistel network over two halves of 31 bits. With a pseudo-random round function four rounds make a strong
/// pseudo-random permutation (Luby and Rackoff); with halves this small more rounds are prudent.
const ROUNDS: u8 = 8;
const MASK: u64 = (1 << 31) - 1;

fn first_20(bytes: &[u8; 32]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(&bytes[..20]);
    out
}

//! Passwords, hashed with Argon2id.
//!
//! A hash is a PHC string. The prefix `nfc` marks the hash of a password that is not ASCII and was normalised (RFC 8265), so that it is
//! the same from every keyboard. Older hashes have no prefix: they were made of the text as sent.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use unicode_normalization::UnicodeNormalization as _;
use wallet_core::crypto::{Entropy, equal};

/// The cost of one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PasswordCost {
    /// OWASP's recommendation for Argon2id: 19 MiB, two passes.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// There is no memory for a hash: try again in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is not enough memory to hash a password")
    }
}

impl std::error::Error for NoMemory {}

/// Hashes and verifies passwords. Both take tens of milliseconds by design: keep them off async threads. Clones share the memory.
#[derive(Debug, Clone)]
pub struct Passwords {
    params: Params,
    memory: Arc<Memory>,
}

/// The pieces of memory that are kept: as many hashes run at once on a machine with two cores.
const KEPT: usize = 2;

/// The smallest piece of memory, in blocks of 1 KiB. glibc maps what is larger than 32 MiB for itself and unmaps it at once when it is
/// freed; it keeps smaller pieces, one for each thread (mallopt(3), `M_MMAP_THRESHOLD`). Pages that no hash touches cost nothing.
const MAPPED: usize = 33 << 10;

/// The memory of earlier hashes.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on so many blocks, which hold zeros before and after.
    fn with<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> Result<T, NoMemory> {
        let mut memory = self.free().pop().unwrap_or_default();
        if let Some(more) = blocks.checked_sub(memory.len()).filter(|more| *more > 0) {
            memory.try_reserve_exact(more.max(MAPPED.saturating_sub(memory.len()))).map_err(|_| NoMemory)?;
            memory.resize(blocks, Block::new());
        }
        let done = work(&mut memory[..blocks]);
        // What a hash leaves is derived from the password.
        memory[..blocks].fill(Block::new());
        let mut free = self.free();
        if free.len() < KEPT {
            free.push(memory);
        }
        Ok(done)
    }
}

impl Passwords {
    /// A hasher with this cost. It also verifies hashes of another cost.
    ///
    /// # Panics
    /// When the cost is below Argon2's own minimum (8 KiB, one pass).
    pub fn new(cost: PasswordCost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None);
        let Ok(params) = params else { panic!("Argon2 needs at least 8 KiB and one pass, got {cost:?}") };
        Self { params, memory: Arc::default() }
    }

    /// Gives the kept memory back to the system. The next hash allocates it again.
    pub fn release(&self) {
        self.memory.free().clear();
    }

    /// Hashes `password`, normalised, with a fresh salt into a PHC string.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn hash(&self, entropy: &dyn Entropy, password: &str) -> Result<String, NoMemory> {
        let mark = if password.is_ascii() { "" } else { NORMAL };
        let password = &*normal(password);
        let (mut salt, mut out) = ([0; 16], [0; Params::DEFAULT_OUTPUT_LEN]);
        entropy.fill(&mut salt);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let filled = self.fill(&argon2, password, &salt, &mut out)?;
        let hash = || {
            filled.map_err(argon2::password_hash::Error::from)?;
            Ok::<_, argon2::password_hash::Error>(PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&self.params)?,
                salt: Some(Salt::new(&salt)?),
                hash: Some(Output::new(&out)?),
            })
        };
        match hash() {
            Ok(hash) => Ok(format!("{mark}{hash}")),
            Err(error) => unreachable!("a 16-byte salt and a password below 4 GiB always hash: {error}"),
        }
    }

    fn fill(
        &self,
        argon2: &Argon2<'_>,
        password: &str,
        salt: &[u8],
        out: &mut [u8],
    ) -> Result<Result<(), argon2::Error>, NoMemory> {
        self.memory.with(argon2.params().block_count(), |memory| {
            argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)
        })
    }

    /// Whether `password` matches the PHC string `phc`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn verify(&self, phc: &str, password: &str) -> Result<bool, NoMemory> {
        let (phc, password) = match phc.strip_prefix(NORMAL) {
            Some(phc) => (phc, normal(password)),
            None => (phc, Cow::Borrowed(password)),
        };
        let Some((argon2, salt, expected)) = read(phc) else { return Ok(false) };
        let mut out = vec![0; expected.len()];
        let filled = self.fill(&argon2, &password, salt.as_ref(), &mut out)?;
        Ok(filled.is_ok() && equal(&out, expected.as_bytes()))
    }
}

/// What a hash of a normalised password begins with.
const NORMAL: &str = "nfc";

/// Whether a hash has to be replaced once its password was proven: it was made of the text as sent, not normalised.
pub fn is_old_hash(phc: &str, password: &str) -> bool {
    !password.is_ascii() && !phc.starts_with(NORMAL)
}

/// A password as RFC 8265 compares it (4.2, OpaqueString): in NFC, every space an ASCII one.
fn normal(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        return Cow::Borrowed(password);
    }
    let spaces = |c| match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    };
    Cow::Owned(password.chars().map(spaces).nfc().collect())
}

/// The parts of a PHC string.
fn read(phc: &str) -> Option<(Argon2<'static>, Salt, Output)> {
    let hash = PasswordHash::new(phc).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
    let params = Params::try_from(&hash).ok()?;
    Some((Argon2::new(algorithm, version, params), hash.salt?, hash.hash?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_verifies_and_salts_differ() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 8, passes: 1 });
        let crypto = crate::Portable::new();
        let (one, two) = (passwords.hash(&crypto, "秘密").unwrap(), passwords.hash(&crypto, "秘密").unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("nfc$argon2id$v=19$m=8,t=1,p=1$"));
        let ascii = passwords.hash(&crypto, "secret").unwrap();
        assert!(ascii.starts_with("$argon2id$v=19$m=8,t=1,p=1$") && !is_old_hash(&ascii, "secret"));
        assert_eq!(passwords.verify(&one, "秘密"), Ok(true));
        assert_eq!(passwords.verify(&one, "秘密 "), Ok(false));
        assert_eq!(passwords.verify("", "秘密"), Ok(false));
        for (phc, right) in [
            // The example of the reference implementation's README.
            ("$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG", true),
            ("$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObH", false),
            ("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$", false),
            ("$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", false),
        ] {
            assert_eq!(passwords.verify(phc, "password"), Ok(right), "{phc}");
        }
    }

    /// RFC 8265, 4.2 and 4.3; what macOS, Windows and a Chinese input method send for one password.
    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 8, passes: 1 });
        let crypto = crate::Portable::new();
        for (set, sent, right) in [
            ("Zoe\u{308} Bront\u{eb}", "Zo\u{eb} Bronte\u{308}", true),
            ("\u{d55c}\u{ae00}", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}", true),
            ("秘密\u{3000}口令", "秘密 口令", true),
            ("a\u{a0}é", "a é", true),
            ("é", "e", false),
            ("É", "é", false),           // the case counts
            ("ｐａｓｓ", "pass", false), // and the width: NFC, not NFKC
        ] {
            let phc = passwords.hash(&crypto, set).unwrap();
            assert_eq!(passwords.verify(&phc, sent), Ok(right), "{set} {sent}");
            assert!(!is_old_hash(&phc, sent));
        }
        // One of before is of the text as it was sent.
        let sent = "Zoe\u{308}";
        let new = passwords.hash(&crypto, sent).unwrap();
        let old = {
            let mut out = [0; 32];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, passwords.params.clone());
            let (phc, salt, _) = (new.strip_prefix(NORMAL).unwrap(), read(&new[3..]).unwrap().1, ());
            passwords.fill(&argon2, sent, salt.as_ref(), &mut out).unwrap().unwrap();
            format!("{}${}", phc.rsplit_once('$').unwrap().0, Output::new(&out).unwrap())
        };
        assert_eq!(passwords.verify(&old, sent), Ok(true));
        assert_eq!(passwords.verify(&old, "Zo\u{eb}"), Ok(false));
        assert!(is_old_hash(&old, sent) && !is_old_hash(&new, sent));
    }

    #[test]
    fn memory_is_used_again_and_holds_nothing() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 64, passes: 1 });
        let other = Passwords::new(PasswordCost { memory_kib: 32, passes: 2 });
        let crypto = crate::Portable::new();
        let of_other = other.hash(&crypto, "b").unwrap();
        for _ in 0..100 {
            let own = passwords.hash(&crypto, "a").unwrap();
            assert_eq!((passwords.verify(&own, "a"), passwords.verify(&of_other, "b")), (Ok(true), Ok(true)));
        }
        let free = passwords.memory.free();
        assert_eq!((free.len(), free[0].len()), (1, 64), "one at a time: one piece of memory");
        assert!(free[0].iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
        assert!(free[0].capacity() >= MAPPED);
        drop(free);
        passwords.release();
        assert!(passwords.memory.free().is_empty());
        assert_eq!(passwords.verify(&of_other, "b"), Ok(true), "the next hash takes memory again");
    }
}

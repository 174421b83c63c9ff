//! Passwords, hashed with Argon2id.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use wallet_core::crypto::Entropy;

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

/// Hashes and verifies passwords. Both take tens of milliseconds by design: keep them off async threads.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
}

impl Passwords {
    /// A hasher with this cost. It also verifies hashes of another cost.
    ///
    /// # Panics
    /// When the cost is below Argon2's own minimum (8 KiB, one pass).
    pub fn new(cost: PasswordCost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None);
        let Ok(params) = params else { panic!("Argon2 needs at least 8 KiB and one pass, got {cost:?}") };
        Self { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params) }
    }

    /// Hashes `password` with a fresh salt into a PHC string.
    pub fn hash(&self, entropy: &dyn Entropy, password: &str) -> String {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        match self.argon2.hash_password_with_salt(password.as_bytes(), &salt) {
            Ok(hash) => hash.to_string(),
            Err(error) => unreachable!("a 16-byte salt and a password below 4 GiB always hash: {error}"),
        }
    }

    /// Whether `password` matches the PHC string `phc`.
    pub fn verify(&self, phc: &str, password: &str) -> bool {
        PasswordHash::new(phc)
            .is_ok_and(|hash| self.argon2.verify_password(password.as_bytes(), &hash).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_verifies_and_salts_differ() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 8, passes: 1 });
        let crypto = crate::Portable::new();
        let (one, two) = (passwords.hash(&crypto, "秘密"), passwords.hash(&crypto, "秘密"));
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(passwords.verify(&one, "秘密"));
        assert!(!passwords.verify(&one, "秘密 "));
        assert!(!passwords.verify("", "秘密"));
    }
}

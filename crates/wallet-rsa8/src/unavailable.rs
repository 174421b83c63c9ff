//! On other processors there are no lanes.

use crate::{PrivateKey, PublicKey, Random};

/// No signature.
pub fn sign(operations: &[(&PrivateKey, &[u8])], _: &mut Random<'_>) -> Vec<Option<Vec<u8>>> {
    vec![None; operations.len()]
}

/// No block.
pub fn recover(operations: &[(&PublicKey, &[u8])]) -> Vec<Option<Vec<u8>>> {
    vec![None; operations.len()]
}

/// Whether this machine has the instructions: it has not.
pub fn is_available() -> bool {
    false
}

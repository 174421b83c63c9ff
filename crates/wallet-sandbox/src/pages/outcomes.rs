//! What became of the wallet's forms, told at addresses of their own.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use wallet_core::Lang;
use wallet_platform::Digest;

/// What became of a form.
#[derive(Clone)]
pub(super) enum Outcome {
    Paid {
        transfer_id: String,
        onward: String,
    },
    SignedIn {
        app: String,
        address: String,
        /// What the app said to the wallet; otherwise it is the browser that goes there.
        said: Option<String>,
    },
    Submitted {
        order_id: String,
        txid: String,
        onward: Option<String>,
    },
    /// Said in one language.
    Refused {
        lang: Lang,
        why: String,
    },
}

/// The last outcomes, each for the session that brought it about. A form leads to an address that tells its outcome: it can
/// be loaded again, and nothing is done twice. What was done is told in either language, a refusal in that of its time.
#[derive(Default)]
pub(crate) struct Outcomes(Mutex<VecDeque<(u64, Digest, Outcome)>>);

/// How many outcomes are kept.
const OUTCOMES: usize = 200;

impl Outcomes {
    pub(super) fn put(&self, session: Digest, outcome: Outcome) -> u64 {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = kept.front().map_or(1, |(newest, ..)| newest + 1);
        kept.truncate(OUTCOMES - 1);
        kept.push_front((id, session, outcome));
        id
    }

    pub(super) fn get(&self, session: Digest, id: u64) -> Option<Outcome> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, of, _)| (*known, *of) == (id, session)).map(|(.., told)| told.clone())
    }
}

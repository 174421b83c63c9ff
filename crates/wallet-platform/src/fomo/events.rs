//! The events of an app's payments, in order: one journal for each app.

use wallet_core::UnixTime;
use wallet_engine::journal::JournalRow;
use wallet_engine::{row_ids, rows};

use crate::fomo::apps::AppId;
use crate::money::TransferSeq;
use crate::schema::Platform;

row_ids! {
    /// The row number of an event.
    EventId;
}

rows! { in Platform;
    /// Counts an app's events.
    feed: Feed {
        key {
            /// The app's row id.
            app: AppId,
        }
        /// The number of the last event.
        last: u64,
        /// The last event.
        last_event: Option<EventId>,
    }

    /// An event of a payment. The events of an app are a journal.
    event: Event {
        key {
            /// Its row number.
            id: EventId,
        }
        /// The app's row id.
        app: AppId,
        /// Its number, from 1 without gaps: the cursor.
        n: u64,
        /// The app's previous event.
        previous: Option<EventId>,
        /// The kind of event.
        kind: EventKind,
        /// The transfer.
        transfer: TransferSeq,
        /// The time of the event.
        at: UnixTime,
    }

    /// Finds an event by its number.
    event_mark: EventMark {
        key {
            /// The app's row id.
            app: AppId,
            /// The event's number.
            n: u64,
        }
        /// The event.
        event: EventId,
    }
}

impl JournalRow for Event {
    type Owner = AppId;
    type Mark = EventMark;
    fn n(&self) -> u64 {
        self.n
    }
    fn previous(&self) -> Option<(EventId,)> {
        self.previous.map(|id| (id,))
    }
    fn mark(app: AppId, n: u64) -> (AppId, u64) {
        (app, n)
    }
    fn marked(mark: &EventMark) -> (EventId,) {
        (mark.event,)
    }
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A payment waits for its user. If it expires, no further event follows (R20).
    Created,
    /// Money has moved.
    Paid,
    /// Every attempt of the callback failed.
    CallbackExhausted,
    /// An operator refunded it, or a part of it.
    Refunded,
    /// The app's receiver fails from this payment's callback on.
    ReceiverFails,
    /// The app's receiver has acknowledged this payment's callback, and works again.
    ReceiverRecovered,
}

impl EventKind {
    /// Whether the payment has changed, and not only what is known of its callback.
    pub fn is_of_the_payment(self) -> bool {
        match self {
            Self::Created | Self::Paid | Self::Refunded => true,
            Self::CallbackExhausted | Self::ReceiverFails | Self::ReceiverRecovered => false,
        }
    }
}

//! The first steps of an app's developer, for the check list on the app's page.

use wallet_core::UnixTime;
use wallet_engine::{Command, Query, rows};

use crate::deliveries::ReceiverId;
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};

/// A step that leaves no other row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The owner has seen the app's secret.
    SecretShown,
    /// A call with the app's credentials has succeeded.
    Called,
}

rows! { in Platform;
    /// A step that an app's developer has taken.
    milestone: Milestone {
        key {
            /// The app.
            app: ReceiverId,
            /// The step.
            step: Step,
        }
        /// The time of the first one.
        at: UnixTime,
    }
}

/// Records a step; the first record stays.
#[derive(Debug, Clone, Copy)]
pub struct RecordMilestone {
    /// The app.
    pub app: ReceiverId,
    /// The step.
    pub step: Step,
}

impl Command<Platform> for RecordMilestone {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        if rows.find::<Milestone>(&(self.app, self.step))?.is_none() {
            out.put(Milestone { app: self.app, step: self.step, at: cx.now });
        }
        Ok(())
    }
}

/// Whether an app has taken a step.
#[derive(Debug, Clone, Copy)]
pub struct HasMilestone {
    /// The app.
    pub app: ReceiverId,
    /// The step.
    pub step: Step,
}

impl Query<Platform> for HasMilestone {
    type Answer = bool;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<bool, Stop> {
        Ok(rows.find::<Milestone>(&(self.app, self.step))?.is_some())
    }
}

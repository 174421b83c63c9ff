//! The values of the reader's own app, in the commands of a guide.

use wallet_platform::Failure;

use super::super::View;
use crate::context::Server;
use crate::own_app::Mood;

/// The app whose values a guide's commands have, and the others to choose from.
pub(super) struct Choice {
    /// Id and name.
    pub(super) apps: Vec<(String, String)>,
    /// The id of the chosen app; `demo` for the sandbox's.
    pub(super) chosen: String,
    /// The address of the chosen app's page, which has its secrets.
    pub(super) href: String,
}

/// The choice of the sandbox's demo app.
const DEMO: &str = "demo";

/// The texts of a guide to replace, and the choice; nothing for a visitor without an app of this protocol.
pub(super) async fn values_of(
    server: &Server,
    view: &View,
    guide: &str,
    asked: &str,
) -> Result<(Vec<(String, String)>, Option<Choice>), Failure> {
    let nothing = Ok((Vec::new(), None));
    let Some((protocol, reader)) = server.inner.protocol_named(guide).zip(view.signed_in.as_ref()) else {
        return nothing;
    };
    let store = &server.inner.store;
    let mut apps = protocol.apps(store, reader.user.id).await?;
    apps.retain(|app| app.summary().mood == Mood::Good);
    let Some(newest) = apps.last() else { return nothing };
    let list = apps.iter().map(|app| (app.summary().id, app.summary().name)).collect();
    let chosen = apps.iter().find(|app| app.summary().id == asked);
    if chosen.is_none() && asked == DEMO {
        let choice = Choice { apps: list, chosen: DEMO.to_owned(), href: String::new() };
        return Ok((Vec::new(), Some(choice)));
    }
    let chosen = chosen.unwrap_or(newest);
    let summary = chosen.summary();
    let choice = Choice { apps: list, chosen: summary.id, href: summary.href };
    Ok((chosen.in_guide(store).await?, Some(choice)))
}

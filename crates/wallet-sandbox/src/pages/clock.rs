//! The page of the clock: the sandbox's time, the next events, and the form that moves the clock.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_platform::Upcoming;
use wallet_server::ChainError;
use wallet_server::pages::{SubmittedForm, View, failure, page as render, problem, see_other};
use wallet_store::Clock as _;

use super::shown_time;
use crate::state::{NotMoved, Shared, failed, move_clock, return_to_machine_time};

#[derive(Template)]
#[template(path = "clock.html")]
struct ClockPage<'a> {
    view: &'a View,
    now: String,
    ahead: i64,
    next: Option<(String, u64)>,
    upcoming: Vec<Event>,
    /// Whether callbacks are signed with the machine's time.
    callbacks_follow_machine: bool,
    spans: [(u64, &'static str, &'static str); 6],
}

/// An upcoming event.
struct Event {
    at: String,
    what: String,
}

/// The number of events on the page.
const SHOWN_AT_ONCE: u64 = 10;

/// The events that are due next: a block, and callbacks.
async fn upcoming(shared: &Shared, view: &View) -> Result<Vec<Event>, ChainError> {
    let mut events = Vec::new();
    if let Some(at) = shared.server.watcher().next().await? {
        events.push((at, view.say("区块", "a block").to_owned()));
    }
    for due in shared.store.view(Upcoming { limit: SHOWN_AT_ONCE }).await? {
        let (callback, attempt) = (view.say("回调", "a callback of"), due.delivery.attempts + 1);
        let what = format!("{callback} {}: {} ({attempt})", due.app, due.about);
        events.push((due.delivery.next_at, what));
    }
    events.sort_by_key(|(at, _)| *at);
    Ok(events.into_iter().map(|(at, what)| Event { at: shown_time(at), what }).collect())
}

const SPANS: [(u64, &str, &str); 6] = [
    (15, "15 秒", "15 seconds"),
    (60, "1 分钟", "1 minute"),
    (180, "3 分钟", "3 minutes"),
    (600, "10 分钟", "10 minutes"),
    (3_600, "1 小时", "1 hour"),
    (86_400, "1 天", "1 day"),
];

pub(crate) async fn page(shared: &Shared, view: &View) -> Response {
    let now = shared.clock.now();
    let read =
        async { Ok::<_, ChainError>((shared.server.next_event().await?, upcoming(shared, view).await?)) };
    let (next, upcoming) = match read.await {
        Ok(read) => read,
        Err(ChainError::Store(no)) => return failure(view, &no),
        Err(error) => return failed(&error),
    };
    // Rounded up, so that the move reaches the event.
    let next = next.filter(|next| *next > now);
    let next = next.map(|next| (shown_time(next), next.since(now).as_millis().div_ceil(1000) as u64));
    let ahead = shared.clock.offset_ms() / 1000;
    let callbacks_follow_machine = shared.callback_clock.is_machine();
    render(&ClockPage {
        view,
        now: shown_time(now),
        ahead,
        next,
        upcoming,
        callbacks_follow_machine,
        spans: SPANS,
    })
}

/// Moves the clock and shows it again.
pub(crate) async fn advance(State(shared): State<Shared>, view: View, posted: SubmittedForm) -> Response {
    let view = view.at("/clock");
    match posted.text("advance").parse() {
        Ok(seconds) => match move_clock(shared, seconds).await {
            Ok(_) => see_other("/clock"),
            Err(why) => not_moved(&view, &why),
        },
        Err(_) => not_moved_page(
            &view,
            StatusCode::BAD_REQUEST,
            view.say("秒数须为整数。", "The number of seconds must be a whole number."),
        ),
    }
}

/// Returns to the machine's time.
pub(crate) async fn to_machine_time(
    State(shared): State<Shared>,
    _: View,
    _posted: SubmittedForm,
) -> Response {
    return_to_machine_time(&shared).await;
    see_other("/clock")
}

/// Chooses the clock of the callbacks' timestamps.
pub(crate) async fn callbacks(State(shared): State<Shared>, _: View, posted: SubmittedForm) -> Response {
    shared.callback_clock.follow_machine(posted.text("time") == "machine");
    see_other("/clock")
}

/// The page after a move of the clock that failed.
pub(crate) fn not_moved(view: &View, why: &NotMoved) -> Response {
    let status = match why {
        NotMoved::TooFar => StatusCode::BAD_REQUEST,
        NotMoved::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    not_moved_page(view, status, &why.in_words(view.lang))
}

fn not_moved_page(view: &View, status: StatusCode, why: &str) -> Response {
    let what = view.say("时钟未拨动", "The clock was not moved");
    problem(view, status, what, why, view.say("返回后再试。", "Go back and try again."))
}

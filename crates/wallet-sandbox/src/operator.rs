//! The operator's endpoints for programs: decide on applications, and send callbacks again.

use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use wallet_platform::{ApplicationFault, Decision, Failure, FindOrder, ReviewVas, SendAgain, VasAppId};

use crate::state::{Sent, Shared, failed};

#[derive(Deserialize)]
pub(crate) struct Review {
    application_id: u64,
    approve: Approve,
    #[serde(default)]
    reason: String,
}

/// Any other word is an error.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Approve {
    Yes,
    No,
}

#[derive(Serialize)]
struct Reviewed {
    uuid: String,
}

fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

/// Approves (`approve=yes`) or rejects an application, with a reason for the applicant.
pub(crate) async fn review(State(shared): State<Shared>, Sent(review): Sent<Review>) -> Response {
    let decision = if review.approve == Approve::Yes {
        match shared.server.approval().await {
            Ok(decision) => decision,
            Err(why) => return failed(&why),
        }
    } else {
        Decision::Reject { reason: review.reason }
    };
    match shared.store.submit(ReviewVas { app: VasAppId(review.application_id), decision }).await {
        Ok(Ok(app)) => Json(Reviewed { uuid: app.uuid.to_string() }).into_response(),
        Ok(Err(ApplicationFault::Decided)) => refused("the application is already decided"),
        Ok(Err(_)) => refused("there is no application with this id"),
        Err(failure) => failed(&failure),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Again {
    uuid: String,
    order_id: String,
}

/// Sends the undelivered callback of an order again.
pub(crate) async fn send_again(State(shared): State<Shared>, Sent(again): Sent<Again>) -> Response {
    let order =
        match shared.store.view(FindOrder { uuid: again.uuid.into(), order_id: again.order_id.into() }).await
        {
            Ok(order) => order,
            Err(Failure::Refused(_)) => return refused("there is no such order"),
            Err(failure) => return failed(&failure),
        };
    let Some(delivery) = order.delivery else {
        return refused("the order is not paid, so there is no callback to send");
    };
    match shared.store.submit(SendAgain(delivery)).await {
        Ok(Some(_)) => {
            shared.server.callbacks().wake();
            (StatusCode::OK, "its callback is sent again\n").into_response()
        }
        Ok(None) => refused("its callback is still scheduled, or the app acknowledged it"),
        Err(failure) => failed(&failure),
    }
}

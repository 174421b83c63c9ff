//! An operator's decision on an application.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use wallet_platform::{ApplicationFault, ByOperator, Decision, ReviewDomain, ReviewVas, VasAppId};

use crate::context::Server;
use crate::pages::admin::{OPERATE, Operator, not_done};
use crate::pages::{OrPage as _, Page, SignedIn, SubmittedForm, View, see_other};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new().route("/admin/review", post(review)).route("/admin/review_domain", post(review_domain))
}

/// The text for a form without a verdict.
const CHOOSE: (&str, &str) = ("请选择通过或拒绝。", "Choose to approve or to reject.");

/// Decides on another safe domain of an app.
async fn review_domain(
    State(server): State<Server>,
    view: View,
    Operator(SignedIn { session, .. }): Operator,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(OPERATE);
    let gone = || {
        not_done(
            &view,
            view.say(
                "没有这个申请，或开发者已更改：请重新查看。",
                "There is no such request, or the developer has changed it: look at it again.",
            ),
        )
    };
    let app = posted.text("application").parse().map(VasAppId).map_err(|_| gone())?;
    let approve = match posted.text("verdict") {
        "approve" => true,
        "reject" => false,
        _ => return Err(not_done(&view, view.say(CHOOSE.0, CHOOSE.1))),
    };
    let safe_domain = posted.text("safe_domain").to_owned();
    let command = ByOperator::new(session, ReviewDomain { app, safe_domain, approve });
    server.inner.store.submit(command).await.or_page(&view)?.ok_or_else(gone)?;
    Ok(see_other(OPERATE))
}

async fn review(
    State(server): State<Server>,
    view: View,
    Operator(SignedIn { session, .. }): Operator,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(OPERATE);
    let unknown = || not_done(&view, view.say("没有这个申请。", "There is no such application."));
    let app = posted.text("application").parse().map(VasAppId).map_err(|_| unknown())?;
    let reason = posted.text("reason").trim();
    let decision = match posted.text("verdict") {
        "approve" => server.approval().await,
        "reject" if reason.is_empty() => Err(view.say(
            "拒绝时须说明原因，申请者会看到。",
            "Enter the reason of the rejection: the applicant will read it.",
        )),
        "reject" => Ok(Decision::Reject { reason: reason.to_owned() }),
        _ => Err(view.say(CHOOSE.0, CHOOSE.1)),
    };
    let decision = decision.map_err(|why| not_done(&view, why))?;
    let command = ByOperator::new(session, ReviewVas { app, decision });
    match server.inner.store.submit(command).await.or_page(&view)? {
        Ok(_) => Ok(see_other(OPERATE)),
        Err(ApplicationFault::Decided) => Err(not_done(
            &view,
            view.say("这个申请已有结论。", "Another decision on this application was made before."),
        )),
        Err(_) => Err(unknown()),
    }
}

//! What operators look up and do: a search over every id, a page for each user, app, payment, order and callback with its acts,
//! and the operator's own second factor.

use askama::Template;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use wallet_core::Amount;
use wallet_platform::accounts::UserId;
use wallet_platform::{
    BeginSecondFactor, ByOperator, ConfirmSecondFactor, DeliveryId, EndSessionsOf, Fact, FactValue, Failure,
    FindSheets, FreezeUser, GiveSecondFactor, Operator as OperatorRow, OperatorOf, PasswordKind,
    PendingSecondFactor, Reason, RefundFault, RefundPayment, Role, SendAgain, SessionsOf, SetSuspended,
    Sheet, SheetKind, SheetOf, TransferSeq, Who,
};

use super::admin::{OPERATE, Operator, OperatorWithoutCode, SECOND_FACTOR};
use super::{
    OrPage as _, Page, Params, SignedIn, SubmittedForm, View, in_words, page as render, page_with, problem,
    see_other, shown_time,
};
use crate::context::Server;
use crate::passwords::Place;
use crate::second_factor::to_enter;

/// The largest number of sessions that one command ends.
const SESSIONS: u64 = 500;

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "admin_found.html")]
struct FoundPage<'a> {
    view: &'a View,
    asked: &'a str,
    /// The kind in words, its name in addresses, the row number and the title of each sheet.
    sheets: Vec<(&'static str, &'static str, u64, String)>,
}

pub(crate) async fn find(
    State(server): State<Server>,
    view: View,
    _: Operator,
    Params(asked): Params<Search>,
) -> Page {
    let asked = asked.q.trim();
    let sheets = server.inner.store.view(FindSheets(asked.to_owned())).await.or_page(&view)?;
    if let [only] = &sheets[..] {
        return Ok(see_other(&address(only.kind, only.id)));
    }
    let sheets = sheets
        .into_iter()
        .map(|sheet| (sheet.kind.in_words(view.lang), sheet.kind.name(), sheet.id, sheet.title));
    Ok(render(&FoundPage { view: &view, asked, sheets: sheets.collect() }))
}

fn address(kind: SheetKind, id: u64) -> String {
    format!("{OPERATE}/{}/{id}", kind.name())
}

/// A form on a sheet.
struct ActForm {
    id: &'static str,
    title: &'static str,
    hint: &'static str,
    takes_amount: bool,
    takes_code: bool,
}

impl ActForm {
    const fn new(id: &'static str, title: &'static str, hint: &'static str) -> Self {
        Self { id, title, hint, takes_amount: false, takes_code: false }
    }
}

#[derive(Template)]
#[template(path = "admin_sheet.html")]
struct SheetPage<'a> {
    view: &'a View,
    kind: &'static str,
    title: &'a str,
    /// The name, the value and the address of each fact.
    facts: Vec<(&'static str, String, Option<String>)>,
    acts: Vec<ActForm>,
    fault: Option<String>,
}

fn shown(view: &View, fact: &Fact) -> (&'static str, String, Option<String>) {
    let name = view.say(fact.words.0, fact.words.1);
    match &fact.value {
        FactValue::Text(text) if text.is_empty() => (name, "—".to_owned(), None),
        FactValue::Text(text) => (name, text.clone(), None),
        FactValue::Bool(yes) => {
            (name, (if *yes { view.say("是", "yes") } else { view.say("否", "no") }).to_owned(), None)
        }
        FactValue::Time(time) => (name, shown_time(*time), None),
        FactValue::Sheet(kind, id, text) => (name, text.clone(), Some(address(*kind, *id))),
    }
}

/// The acts on a sheet that an operator may do.
fn acts(view: &View, sheet: &Sheet, operator: &OperatorRow) -> Vec<ActForm> {
    let mut acts = Vec::new();
    let support = operator.roles.has(Role::Support);
    match sheet.kind {
        SheetKind::User if support => {
            acts.push(if sheet.is("frozen") {
                ActForm::new(
                    "unfreeze",
                    view.say("解冻", "Lift the freeze"),
                    view.say("用户可以再次登录和付款。", "The user signs in and pays again."),
                )
            } else {
                ActForm::new(
                    "freeze",
                    view.say("冻结", "Freeze"),
                    view.say("不能登录，不能付款或收款。", "No sign-in, no payment from or to the user."),
                )
            });
            acts.push(ActForm::new(
                "end_sessions",
                view.say("结束全部会话", "End all sessions"),
                view.say("用户须重新登录。", "The user must sign in again."),
            ));
        }
        kind if kind.is_app() && support => acts.push(if sheet.is("suspended") {
            ActForm::new(
                "resume",
                view.say("恢复", "Resume"),
                view.say("应用的调用恢复正常。", "Its calls are answered again."),
            )
        } else {
            ActForm::new(
                "suspend",
                view.say("停用", "Suspend"),
                view.say(
                    "每个调用都被拒绝；已完成付款的回调仍会发出。",
                    "Each call is refused. Callbacks of payments that were made are still sent.",
                ),
            )
        }),
        SheetKind::Delivery
            if support && sheet.value("state") == Some(&FactValue::Text("exhausted".to_owned())) =>
        {
            acts.push(ActForm::new(
                "resend",
                view.say("重发", "Send again"),
                view.say("从第一次尝试重新开始。", "It starts again with the first attempt."),
            ));
        }
        SheetKind::Payment if operator.roles.has(Role::Money) && sheet.value("refunded").is_some() => {
            let hint = if operator.totp.is_some() {
                view.say(
                    "从应用所有者的余额退给付款人，不退手续费。",
                    "From the account of the app's owner to the payer, without the fee.",
                )
            } else {
                view.say(
                    "需要先设置第二因素（/admin/second_factor）。",
                    "Set a second factor first (/admin/second_factor).",
                )
            };
            let refund = ActForm::new("refund", view.say("退款", "Refund"), hint);
            acts.push(ActForm { takes_amount: true, takes_code: true, ..refund });
        }
        _ => {}
    }
    acts
}

fn nothing(view: &View) -> axum::response::Response {
    problem(
        view,
        StatusCode::NOT_FOUND,
        view.say("没有找到", "Nothing was found"),
        view.say("没有这个编号。", "Nothing has this id."),
        view.say("从运营页查找。", "Use the search on the operators' page."),
    )
}

async fn sheet_page(
    server: &Server,
    view: &View,
    by: &SignedIn,
    at: (&str, u64),
    fault: Option<String>,
) -> Page {
    let kind = SheetKind::ALL.into_iter().find(|kind| kind.name() == at.0).ok_or_else(|| nothing(view))?;
    let store = &server.inner.store;
    let sheet = store.view(SheetOf { kind, id: at.1 }).await.or_page(view)?.ok_or_else(|| nothing(view))?;
    let operator = store.view(OperatorOf(by.session)).await.or_page(view)?;
    let acts = operator.map(|(operator, _)| acts(view, &sheet, &operator)).unwrap_or_default();
    let facts = sheet.facts.iter().map(|fact| shown(view, fact)).collect();
    let (kind, title) = (kind.in_words(view.lang), &*sheet.title);
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page_with(status, &SheetPage { view, kind, title, facts, acts, fault }))
}

pub(crate) async fn sheet(
    State(server): State<Server>,
    view: View,
    Operator(signed_in): Operator,
    Path((kind, id)): Path<(String, String)>,
) -> Page {
    let id = id.parse().map_err(|_| nothing(&view))?;
    sheet_page(&server, &view, &signed_in, (&kind, id), None).await
}

/// Does an act. The error is what the operator reads.
async fn act(
    server: &Server,
    view: &View,
    by: &SignedIn,
    (kind, id): (&str, u64),
    posted: &SubmittedForm,
) -> Result<(), String> {
    let store = &server.inner.store;
    let words = |failure: Failure| in_words(view.lang, &failure);
    let reason = posted.text("reason").trim();
    if reason.is_empty() {
        return Err(view.say("请填写原因。", "Enter the reason.").to_owned());
    }
    let unchanged =
        || view.say("没有变化：可能已经做过。", "Nothing changed: it may have been done already.").to_owned();
    let session = by.session;
    match (kind, posted.text("act")) {
        ("user", act @ ("freeze" | "unfreeze")) => {
            let command = FreezeUser { user: UserId::new(id), frozen: act == "freeze" };
            let done = store.submit(ByOperator::new(session, command).because(reason)).await;
            done.map_err(words)?.map(drop).ok_or_else(unchanged)
        }
        ("user", "end_sessions") => loop {
            let user = UserId::new(id);
            let sessions = store.view(SessionsOf { user, limit: SESSIONS }).await.map_err(words)?;
            // One's own session comes to an end, too, but last: it is what the others are ended with.
            let others: Vec<_> = sessions.into_iter().filter(|other| *other != session).collect();
            if others.is_empty() {
                return Ok(());
            }
            let command = EndSessionsOf { user, sessions: others };
            store.submit(ByOperator::new(session, command).because(reason)).await.map_err(words)?;
        },
        (_, act @ ("suspend" | "resume")) => {
            let kind = SheetKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(unchanged)?;
            let command = SetSuspended { kind, id, suspended: act == "suspend" };
            let done = store.submit(ByOperator::new(session, command).because(reason)).await;
            done.map_err(words)?.map(drop).ok_or_else(unchanged)
        }
        ("delivery", "resend") => {
            let command = ByOperator::new(session, SendAgain(DeliveryId(id))).because(reason);
            store.submit(command).await.map_err(words)?.ok_or_else(unchanged)?;
            server.inner.callbacks.wake();
            Ok(())
        }
        ("payment", "refund") => refund(server, view, by, id, posted).await,
        _ => Err(view.say("没有这个操作。", "There is no such action.").to_owned()),
    }
}

async fn refund(
    server: &Server,
    view: &View,
    by: &SignedIn,
    id: u64,
    posted: &SubmittedForm,
) -> Result<(), String> {
    let amount = Amount::parse(posted.text("amount").trim().to_owned());
    let amount =
        amount.map_err(|_| view.say("金额不是十进制数。", "The amount is no decimal number.").to_owned())?;
    let (session, reason) = (by.session, posted.text("reason").trim().to_owned());
    let operator = server.inner.store.view(OperatorOf(by.session)).await;
    let operator = operator.map_err(|failure| in_words(view.lang, &failure))?;
    // Otherwise the code would be used up, and refused all the same.
    if !operator.is_some_and(|(operator, _)| operator.roles.has(Role::Money)) {
        return Err(view.say("需要 money 角色。", "This needs the role money.").to_owned());
    }
    let code = posted.text("code");
    let proof = server.inner.prover.prove_second_factor(session, by.user.id, code).await;
    let proof = proof.map_err(|failure| wrong_code(view, &failure))?;
    let command = RefundPayment { transfer: TransferSeq(id), amount, reason: reason.clone() };
    let command = ByOperator::new(session, command).because(reason).proven(proof);
    match server.inner.store.submit(command).await.map_err(|failure| wrong_code(view, &failure))? {
        Ok(_) => Ok(()),
        Err(fault) => Err(match fault {
            RefundFault::Unknown => view.say("没有这笔付款。", "There is no such payment.").to_owned(),
            RefundFault::NotAPayment => view
                .say(
                    "只能退用户付给应用、且已完成的款。",
                    "Only a payment that was made by a user to an app can be refunded.",
                )
                .to_owned(),
            RefundFault::TooMuch(_) => {
                view.say("超过了还能退的金额。", "That is more than is left to refund.").to_owned()
            }
            RefundFault::NoReason => view.say("请填写原因。", "Enter the reason.").to_owned(),
        }),
    }
}

/// What an operator reads whose code was not accepted.
fn wrong_code(view: &View, failure: &Failure) -> String {
    match failure {
        Failure::Refused(refused) if refused.reason == Reason::SecondFactorWrong => match refused.wait {
            Some(wait) => match view.is_zh() {
                true => format!("错误太多次，请等待 {} 秒。", wait.as_secs()),
                false => format!("Too many wrong codes: wait {} seconds.", wait.as_secs()),
            },
            None => view
                .say(
                    "数字不对或已用过，或者没有设置第二因素。请等下一组数字。",
                    "The digits are wrong or were used, or no second factor is set. Wait for the next digits.",
                )
                .to_owned(),
        },
        other => in_words(view.lang, other),
    }
}

pub(crate) async fn do_act(
    State(server): State<Server>,
    view: View,
    Operator(signed_in): Operator,
    Path((kind, id)): Path<(String, String)>,
    posted: SubmittedForm,
) -> Page {
    let id = id.parse().map_err(|_| nothing(&view))?;
    let here = format!("{OPERATE}/{kind}/{id}");
    match act(&server, &view, &signed_in, (&kind, id), &posted).await {
        Ok(()) => Ok(see_other(&here)),
        Err(fault) => sheet_page(&server, &view.at(&here), &signed_in, (&kind, id), Some(fault)).await,
    }
}

#[derive(Template)]
#[template(path = "admin_second_factor.html")]
struct SecondFactorPage<'a> {
    view: &'a View,
    confirmed: bool,
    /// Whether this session needs a code before anything else.
    needs_code: bool,
    /// The secret that waits for its first code, and the address that an authenticator opens.
    pending: Option<(String, String)>,
    fault: Option<String>,
}

async fn second_factor_page(server: &Server, view: &View, by: &SignedIn, fault: Option<String>) -> Page {
    let store = &server.inner.store;
    let operator = store.view(OperatorOf(by.session)).await.or_page(view)?;
    let pending = store.view(PendingSecondFactor(by.user.id)).await.or_page(view)?;
    let pending = pending.map(|secret| to_enter(&secret, &by.user.login_name, "wallop"));
    let confirmed = operator.as_ref().is_some_and(|(operator, _)| operator.totp.is_some());
    let needs_code = operator.is_some_and(|(_, may_operate)| !may_operate);
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page_with(status, &SecondFactorPage { view, confirmed, needs_code, pending, fault }))
}

pub(crate) async fn second_factor(
    State(server): State<Server>,
    view: View,
    OperatorWithoutCode(signed_in): OperatorWithoutCode,
) -> Page {
    second_factor_page(&server, &view, &signed_in, None).await
}

pub(crate) async fn set_second_factor(
    State(server): State<Server>,
    view: View,
    OperatorWithoutCode(signed_in): OperatorWithoutCode,
    posted: SubmittedForm,
) -> Page {
    let (session, store) = (signed_in.session, &server.inner.store);
    let view = view.at(SECOND_FACTOR);
    let done = match posted.text("act") {
        "begin" => {
            let (who, kind) = (Who::Session(session), PasswordKind::LoginAgain);
            match server.inner.prover.prove(who, kind, Place::Nowhere, posted.text("pwd")).await {
                Ok(proven) => {
                    let (proof, seed) = (proven.proof, store.vault().seed());
                    store.submit(BeginSecondFactor { session, proof, seed }).await
                }
                Err(failure) => Err(failure),
            }
        }
        act => {
            let code = posted.text("code");
            match server.inner.prover.prove_second_factor(session, signed_in.user.id, code).await {
                Ok(proof) if act == "confirm" => store.submit(ConfirmSecondFactor { session, proof }).await,
                Ok(proof) => store.submit(GiveSecondFactor { session, proof }).await,
                Err(failure) => Err(failure),
            }
        }
    };
    match done {
        Ok(()) if posted.text("act") == "give" => Ok(see_other(OPERATE)),
        Ok(()) => Ok(see_other(SECOND_FACTOR)),
        Err(failure) => {
            second_factor_page(&server, &view, &signed_in, Some(wrong_code(&view, &failure))).await
        }
    }
}

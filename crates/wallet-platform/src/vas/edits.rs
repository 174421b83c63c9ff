//! Edits of an approved app: its name at once, its safe domain after a review; and its end.

use wallet_api::vas::Refusal;
use wallet_engine::{Command, List, Query};

use crate::accounts::UserId;
use crate::names::is_shown_name;
use crate::operators::{Act, Audited, OperatorAct, Role};
use crate::passwords::Proof;
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::signed_in;
use crate::vas::apps::{
    ApplicationFault, DomainRequest, VasApp, VasAppId, optional, safe_domain, session_unknown,
};
use crate::vault::Digest;

/// Changes an app's name, and asks for another safe domain: the old one holds until an operator has decided. The current
/// domain withdraws a pending request.
#[derive(Debug)]
pub struct EditVasApp {
    /// The owner.
    pub owner: UserId,
    /// The app.
    pub app: VasAppId,
    /// The name.
    pub name: String,
    /// The safe domain; empty for an app without one.
    pub safe_domain: String,
}

impl EditVasApp {
    /// The faults of the fields.
    pub fn faults(&self) -> Vec<ApplicationFault> {
        let wrong = [
            (ApplicationFault::Name, !is_shown_name(&self.name)),
            (ApplicationFault::SafeDomain, optional(&self.safe_domain, safe_domain).is_none()),
        ];
        wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(fault, _)| fault).collect()
    }
}

impl Command<Platform> for EditVasApp {
    type Outcome = Result<(), ApplicationFault>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let app = rows.find::<VasApp>(&(self.app,))?;
        let Some(app) = app.filter(|app| app.owner == self.owner && app.may_be_used()) else {
            return Ok(Err(ApplicationFault::Unknown));
        };
        if let Some(fault) = self.faults().first() {
            return Ok(Err(*fault));
        }
        let wanted = optional(&self.safe_domain, safe_domain).unwrap_or_default();
        if wanted.is_empty() && app.scheme.is_empty() {
            return Ok(Err(ApplicationFault::Nowhere));
        }
        let pending = rows.find::<DomainRequest>(&(self.app,))?;
        if wanted != app.safe_domain {
            out.put(DomainRequest { app: self.app, safe_domain: wanted, asked_at: cx.now });
        } else if pending.is_some() {
            out.delete::<DomainRequest>(&(self.app,));
        }
        out.put(VasApp { name: self.name.clone(), ..app.clone() });
        Ok(Ok(()))
    }
}

/// Decides on another safe domain of an app.
#[derive(Debug)]
pub struct ReviewDomain {
    /// The app.
    pub app: VasAppId,
    /// The safe domain that the operator saw: no other one is decided on.
    pub safe_domain: String,
    /// Whether the app gets the domain.
    pub approve: bool,
}

impl Command<Platform> for ReviewDomain {
    /// The app and the domain; `None` if nothing waits for a decision.
    type Outcome = Option<(VasApp, String)>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let wanted = rows.find::<DomainRequest>(&(self.app,))?.cloned();
        let Some(wanted) = wanted.filter(|wanted| wanted.safe_domain == self.safe_domain) else {
            return Ok(None);
        };
        let Some(app) = rows.find::<VasApp>(&(self.app,))?.cloned() else { return Ok(None) };
        out.delete::<DomainRequest>(&(self.app,));
        if self.approve {
            out.put(VasApp { safe_domain: wanted.safe_domain.clone(), ..app.clone() });
        }
        Ok(Some((app, wanted.safe_domain)))
    }
}

impl Audited for ReviewDomain {
    const ROLE: Option<Role> = Some(Role::Review);
    fn done(&self, outcome: &Self::Outcome) -> Option<Act> {
        let (app, domain) = outcome.as_ref()?;
        let act = if self.approve { OperatorAct::Approved } else { OperatorAct::Rejected };
        Some(Act::new(act, format!("{} ({}): {domain}", app.name, app.id.0)))
    }
}

/// The safe domain that an app asks for.
#[derive(Debug)]
pub struct DomainRequestOf(pub VasAppId);

impl Query<Platform> for DomainRequestOf {
    type Answer = Option<String>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows.find::<DomainRequest>(&(self.0,))?.map(|wanted| wanted.safe_domain.clone()))
    }
}

/// The safe domains that wait for an operator, each with its app.
#[derive(Debug)]
pub struct PendingDomains {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for PendingDomains {
    type Answer = Vec<(VasApp, DomainRequest)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let wanted =
            rows.list(List::<DomainRequest>::new().ascending(DomainRequest::app).limit(self.limit))?;
        let mut found = Vec::new();
        for wanted in wanted {
            if let Some(app) = rows.find::<VasApp>(&(wanted.app,))? {
                found.push((app.clone(), wanted.clone()));
            }
        }
        Ok(found)
    }
}

/// Closes an app for good: no call with its credentials is accepted any more; callbacks of paid orders are still delivered.
#[derive(Debug)]
pub struct CloseVasApp {
    /// The session of the owner.
    pub session: Digest,
    /// The proof of the login password.
    pub proof: Proof,
    /// The app.
    pub app: VasAppId,
}

impl Command<Platform> for CloseVasApp {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = signed_in(rows, cx, out, self.session).map_err(session_unknown)?.clone();
        self.proof.check(rows, cx, out, &user)?;
        let app = rows.find::<VasApp>(&(self.app,))?;
        let app = app.filter(|app| app.owner == user.id && app.may_be_used());
        let app = app.ok_or(Refusal::ApplicationUnknown)?;
        out.put(VasApp { closed_at: Some(cx.now), ..app.clone() });
        if rows.find::<DomainRequest>(&(self.app,))?.is_some() {
            out.delete::<DomainRequest>(&(self.app,));
        }
        Ok(())
    }
}

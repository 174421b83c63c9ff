//! Apps of the VAS and Lafi wallets: application, review, credentials, and the openCode of a login.

use wallet_api::vas::{Address, AnyLink, AppUuid, Profile, Refusal, Review, Vas, lifetimes, limits, login};
use wallet_core::address::is_scheme;
use wallet_core::{Platform as _, Secret, UnixTime, link};
use wallet_engine::{Command, Halt, List, Query, Row as _, row_ids, rows};

use crate::accounts::UserId;
use crate::names::is_shown_name;
use crate::operators::{Act, Audited, OperatorAct, Role, shown_reason};
use crate::passwords::Proof;
use crate::refusal::{Reason, Refused, Stop};
use crate::reseal::{self, Sealed};
use crate::returns::{Registered, ends_in_a_number, host_name};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::spans::is_over;
use crate::users::signed_in;
use crate::vas::addresses;
use crate::vas::chain::OrderChain;
use crate::vas::returns::{Return, after_login};
use crate::vault::{Digest, Minted, Seed, Vault};

row_ids! {
    /// The row number of an app of the VAS and Lafi wallets.
    VasAppId;
}

rows! { in Platform;
    /// Counts the applications of a user that wait for review.
    applicant: Applicant {
        key {
            /// The applicant's user id.
            user: UserId,
        }
        /// The number of applications.
        pending: u32,
    }

    /// An app of the VAS and Lafi wallets, from its application on.
    vas_app: VasApp {
        key {
            /// Its row number.
            id: VasAppId,
        }
        /// The user who applied and may see the credentials.
        owner: UserId,
        /// The wallet: VAS or Lafi.
        profile: Profile,
        /// Its name.
        name: String,
        /// Its web host, ASCII and lower case; empty when it has none (R49).
        safe_domain: String,
        /// Its own scheme, lower case; empty when it has none (R67).
        scheme: String,
        /// The state of its review.
        state: Review,
        /// The reason of a rejection.
        reason: String,
        /// Its uuid; empty until it is approved.
        uuid: AppUuid<'static>,
        /// Its accessToken, sealed.
        access_token: Option<Vec<u8>>,
        /// Its rsaPrivate, sealed (R54).
        rsa_private: Option<Vec<u8>>,
        /// Its rsaPublic, PKCS#1 DER; empty until it is approved.
        rsa_public: Vec<u8>,
        /// The time of the application.
        created_at: UnixTime,
        /// When its owner closed it.
        closed_at: Option<UnixTime>,
        /// Whether an operator has suspended it (R85).
        suspended: bool,
    }

    /// A safe domain that an approved app asks for, until an operator decides.
    vas_domain: DomainRequest {
        key {
            /// The app.
            app: VasAppId,
        }
        /// The host, ASCII and lower case.
        safe_domain: String,
        /// The time of the request.
        asked_at: UnixTime,
    }

    /// Finds an app by its uuid.
    vas_app_name: VasAppName {
        key {
            /// The uuid.
            uuid: AppUuid<'static>,
        }
        /// The app.
        app: VasAppId,
    }

    /// Finds an app by its accessToken.
    vas_token: VasToken {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// The app.
        app: VasAppId,
    }

    /// A login whose openCode is not redeemed yet (R50). Redeeming deletes the row.
    open_code: OpenCode {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// The app that may redeem it.
        app: VasAppId,
        /// The user who consented.
        user: UserId,
        /// When it expires.
        expires_at: UnixTime,
        /// The user's address on the chain of a node, from the wallet that consented; `None`: the user's of the embedded chain.
        address: Option<Address<'static>>,
    }
}

/// The reason why an application or its review is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplicationFault {
    /// The safe domain is not one whole host name, without scheme, port and path.
    SafeDomain,
    /// The scheme is malformed or reserved (`http`, `https`, the wallets' own).
    Scheme,
    /// The application has neither a safe domain nor a scheme: the wallet could not return to the app.
    Nowhere,
    /// The name is empty or longer than 64 characters.
    Name,
    /// The largest number of applications of this user already waits for review.
    TooMany,
    /// There is no such application.
    Unknown,
    /// The application is already decided.
    Decided,
}

impl ApplicationFault {
    /// The field that is wrong.
    pub fn field(self) -> &'static str {
        match self {
            Self::SafeDomain | Self::Nowhere => "safe_domain",
            Self::Scheme => "scheme",
            Self::Name => "name",
            Self::Unknown | Self::Decided | Self::TooMany => "application_id",
        }
    }
}

/// Applies for access to the wallet.
#[derive(Debug)]
pub struct ApplyVas {
    /// The user who applies.
    pub owner: UserId,
    /// The wallet: VAS or Lafi.
    pub profile: Profile,
    /// The app's name.
    pub name: String,
    /// Its web host; empty when it has none.
    pub safe_domain: String,
    /// Its own scheme; empty when it has none.
    pub scheme: String,
}

/// Schemes to which browsers and systems give a meaning of their own; [`RESERVED_FAMILIES`] adds prefixes.
const RESERVED: &[&str] = &[
    "about",
    "android-app",
    "blob",
    "brave",
    "callto",
    "cid",
    "content",
    "data",
    "devtools",
    "edge",
    "facetime",
    "file",
    "filesystem",
    "firefox",
    "ftp",
    "git",
    "googlechrome",
    "googlechromes",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "ldaps",
    "livescript",
    "mailto",
    "market",
    "mhtml",
    "mid",
    "moz-extension",
    "nfs",
    "onenote",
    "opera",
    "rdp",
    "res",
    "resource",
    "search",
    "search-ms",
    "sftp",
    "shell",
    "sip",
    "sips",
    "skype",
    "smb",
    "sms",
    "ssh",
    "steam",
    "svn",
    "teamviewer10",
    "tel",
    "telnet",
    "vbscript",
    "view-source",
    "vnc",
    "ws",
    "wss",
    "zoommtg",
    "zoomus",
];

/// Reserved prefixes: the schemes of browsers, systems and their app stores begin with them.
const RESERVED_FAMILIES: &[&str] =
    &["chrome", "http", "itms", "microsoft-", "ms-", "vscode", "x-apple", "x-safari", "x-web-search"];

/// Whether a host is a whole domain name (全域名): at least two labels, and no IP address in any spelling.
fn is_whole_name(host: &str) -> bool {
    host.contains('.') && !ends_in_a_number(host) && !host.starts_with('[')
}

/// A safe domain as it is stored, ASCII and lower case; `None` if it is not one whole host name without scheme, port and
/// path (R49).
pub fn safe_domain(given: &str) -> Option<String> {
    host_name(given).filter(|host| is_whole_name(host))
}

/// A scheme that an app may register, in lower case.
pub(crate) fn own_scheme(scheme: &str) -> Option<String> {
    let scheme = scheme.to_ascii_lowercase();
    let well_formed = scheme.len() <= 64 && is_scheme(&scheme);
    let taken = Profile::ALL
        .iter()
        .any(|profile| profile.scheme() == scheme || profile.meta().read_also.contains(&&*scheme));
    let taken = taken || Vas::META.links.iter().any(|link| link.qr_scheme == scheme);
    let reserved =
        RESERVED.contains(&&*scheme) || RESERVED_FAMILIES.iter().any(|begins| scheme.starts_with(begins));
    (well_formed && !taken && !reserved).then_some(scheme)
}

/// A field that may be empty, as it is stored; `None` if it is malformed.
pub(super) fn optional(given: &str, parse: fn(&str) -> Option<String>) -> Option<String> {
    if given.is_empty() { Some(String::new()) } else { parse(given) }
}

impl ApplyVas {
    /// The faults of the application's fields.
    pub fn faults(&self) -> Vec<ApplicationFault> {
        let wrong = [
            (ApplicationFault::SafeDomain, optional(&self.safe_domain, safe_domain).is_none()),
            (ApplicationFault::Scheme, optional(&self.scheme, own_scheme).is_none()),
            (ApplicationFault::Nowhere, self.safe_domain.is_empty() && self.scheme.is_empty()),
            (ApplicationFault::Name, !is_shown_name(&self.name)),
        ];
        wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(fault, _)| fault).collect()
    }
}

impl Command<Platform> for ApplyVas {
    type Outcome = Result<VasAppId, ApplicationFault>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        if let Some(fault) = self.faults().first() {
            return Ok(Err(*fault));
        }
        let safe_domain = optional(&self.safe_domain, safe_domain).unwrap_or_default();
        let scheme = optional(&self.scheme, own_scheme).unwrap_or_default();
        let pending = pending(rows, self.owner)?;
        if u64::from(pending) >= limits::PENDING_APPLICATIONS {
            return Ok(Err(ApplicationFault::TooMany));
        }
        out.put(Applicant { user: self.owner, pending: pending + 1 });
        let id = VasAppId(cx.ids.next());
        out.put(VasApp {
            id,
            owner: self.owner,
            profile: self.profile,
            name: self.name.clone(),
            safe_domain,
            scheme,
            state: Review::Pending,
            reason: String::new(),
            uuid: AppUuid::new(""),
            access_token: None,
            rsa_private: None,
            rsa_public: Vec::new(),
            created_at: cx.now,
            closed_at: None,
            suspended: false,
        });
        Ok(Ok(id))
    }
}

/// The number of applications of a user that wait for review.
fn pending(rows: &Rows, owner: UserId) -> Result<u32, Stop> {
    Ok(rows.find::<Applicant>(&(owner,))?.map_or(0, |applicant| applicant.pending))
}

/// An operator's decision on an application.
#[derive(Debug)]
pub enum Decision {
    /// Approval. The caller makes the key pair outside of the store's writer: it takes a second.
    Approve {
        /// `rsaPrivate`: PKCS#8 in base64.
        rsa_private: Secret<String>,
        /// `rsaPublic`: PKCS#1 DER.
        rsa_public: Vec<u8>,
        /// The seed of the uuid and the accessToken.
        seed: Seed,
        /// Whether the app gets a receiving address of the embedded chain.
        address: bool,
    },
    /// Rejection.
    Reject {
        /// The reason, for the applicant.
        reason: String,
    },
}

/// Decides on an application.
#[derive(Debug)]
pub struct ReviewVas {
    /// The app.
    pub app: VasAppId,
    /// The decision.
    pub decision: Decision,
}

fn seal_context(app: VasAppId, what: &str) -> String {
    format!("vas {what} {}", app.0)
}

impl Command<Platform> for ReviewVas {
    type Outcome = Result<VasApp, ApplicationFault>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let Some(app) = rows.find::<VasApp>(&(self.app,))? else { return Ok(Err(ApplicationFault::Unknown)) };
        if app.state != Review::Pending {
            return Ok(Err(ApplicationFault::Decided));
        }
        let mut app = app.clone();
        let pending = pending(rows, app.owner)?;
        out.put(Applicant { user: app.owner, pending: pending.saturating_sub(1) });
        match &self.decision {
            Decision::Reject { reason } => {
                app.state = Review::Rejected;
                app.reason = shown_reason(reason);
            }
            Decision::Approve { rsa_private, rsa_public, seed, address } => {
                app.uuid = uuid(&cx.vault.mint(seed, "vas uuid")).into();
                let token = cx.vault.mint(seed, "vas accessToken");
                let seal = |what: &str, text: &str| {
                    cx.vault.seal(seed, &seal_context(app.id, what), text.as_bytes())
                };
                app.state = Review::Approved;
                app.access_token = Some(seal("accessToken", token.text.expose()));
                app.rsa_private = Some(seal("rsaPrivate", rsa_private.expose()));
                app.rsa_public = rsa_public.clone();
                out.put(VasAppName { uuid: app.uuid.clone(), app: app.id });
                out.put(VasToken { hash: token.hash, app: app.id });
                if *address {
                    out.put(addresses::derived_address(app.id, 0, cx));
                }
            }
        }
        out.put(app.clone());
        Ok(Ok(app))
    }
}

impl Audited for ReviewVas {
    const ROLE: Option<Role> = Some(Role::Review);
    fn done(&self, outcome: &Result<VasApp, ApplicationFault>) -> Option<Act> {
        let app = outcome.as_ref().ok()?;
        let about = format!("{} ({})", app.name, app.id.0);
        Some(match &self.decision {
            Decision::Approve { .. } => Act::new(OperatorAct::Approved, about),
            Decision::Reject { .. } => {
                Act::new(OperatorAct::Rejected, about).changing("", app.reason.clone())
            }
        })
    }
}

/// Suspends an app of the VAS and Lafi wallets, or lifts that (R85).
#[derive(Debug)]
pub struct SuspendVasApp {
    /// The app.
    pub app: VasAppId,
    /// Whether it is to be suspended.
    pub suspended: bool,
}

impl Command<Platform> for SuspendVasApp {
    /// The app; `None` if it does not exist, or that changed nothing.
    type Outcome = Option<VasApp>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let app = rows.find::<VasApp>(&(self.app,))?.filter(|app| app.suspended != self.suspended);
        let app = app.map(|app| VasApp { suspended: self.suspended, ..app.clone() });
        app.iter().for_each(|app| out.put(app.clone()));
        Ok(app)
    }
}

/// `8-4-4-4-12` hexadecimal digits of a minted secret: it is public, and the next one cannot be guessed.
fn uuid(minted: &Minted) -> String {
    let hex = minted.text.expose();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

impl VasApp {
    /// The registered return targets.
    pub fn registered(&self) -> Registered<'_> {
        Registered { safe_domain: &self.safe_domain, scheme: &self.scheme }
    }

    /// The accessToken and the rsaPrivate, which the owner may see (R61).
    ///
    /// # Errors
    /// [`Stop`] if the app is not approved, or a sealed text does not open.
    pub fn credentials(&self, vault: &Vault) -> Result<(Secret<String>, Secret<String>), Stop> {
        let open = |what: &str, sealed: &Option<Vec<u8>>| {
            let sealed = sealed.as_ref().ok_or(Refusal::UnknownError)?;
            let opened = vault.open_text(&seal_context(self.id, what), sealed);
            opened.ok_or(Stop::from(Halt::Damaged { table: VasApp::TABLE.name }))
        };
        Ok((open("accessToken", &self.access_token)?, open("rsaPrivate", &self.rsa_private)?))
    }
}

impl Sealed for VasApp {
    fn sealed_again(&self, vault: &Vault, seed: &Seed) -> Option<Self> {
        let mut row = self.clone();
        let is_new = [("accessToken", &mut row.access_token), ("rsaPrivate", &mut row.rsa_private)]
            .map(|(what, sealed)| reseal::optional(vault, seed, &seal_context(self.id, what), sealed));
        is_new.contains(&true).then_some(row)
    }
}

/// Finds a user's approved app, to show its credentials (R61): 910014 if it is unknown or another user's.
#[derive(Debug)]
pub struct ShowCredentials {
    /// The session of the user.
    pub session: Digest,
    /// The proof of the login password.
    pub proof: Proof,
    /// The app.
    pub app: VasAppId,
}

impl Command<Platform> for ShowCredentials {
    type Outcome = VasApp;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<VasApp, Stop> {
        let user = signed_in(rows, cx, out, self.session).map_err(session_unknown)?.clone();
        self.proof.check(rows, cx, out, &user)?;
        let app = rows.find::<VasApp>(&(self.app,))?;
        let own = app.filter(|app| app.owner == user.id && app.may_be_used());
        Ok(own.ok_or(Refusal::ApplicationUnknown)?.clone())
    }
}

/// An approved app by its uuid: 910003 for an unknown one.
#[derive(Debug)]
pub struct FindVasApp(pub String);

pub(crate) fn by_uuid(rows: &Rows, uuid: &str) -> Result<VasApp, Stop> {
    let name = rows.find::<VasAppName>(&(uuid.to_owned().into(),))?.ok_or(Refusal::AppUnknown)?;
    // A closed app is unknown to every call.
    let app = rows.find::<VasApp>(&(name.app,))?.filter(|app| app.closed_at.is_none());
    let app = app.ok_or(Refusal::AppUnknown)?;
    app.may_act()?;
    Ok(app.clone())
}

impl Query<Platform> for FindVasApp {
    type Answer = VasApp;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<VasApp, Stop> {
        by_uuid(rows, &self.0)
    }
}

impl VasApp {
    /// Whether the app may be used: it is approved, and its owner has not closed it.
    pub fn may_be_used(&self) -> bool {
        self.state == Review::Approved && self.closed_at.is_none()
    }

    /// Refuses an app that an operator has suspended (R85).
    pub(crate) fn may_act(&self) -> Result<(), Stop> {
        if self.suspended { Err(Reason::AppSuspended.into()) } else { Ok(()) }
    }

    /// Whether the application waits for an operator's decision.
    pub fn waits_for_review(&self) -> bool {
        self.state == Review::Pending
    }
}

/// The applications of one owner, the oldest first.
#[derive(Debug)]
pub struct VasApps {
    /// The owner of the apps.
    pub owner: UserId,
}

impl Query<Platform> for VasApps {
    type Answer = Vec<VasApp>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows
            .list(List::new().only(VasApp::owner.is(self.owner)).ascending(VasApp::id))?
            .into_iter()
            .cloned()
            .collect())
    }
}

/// An application of this owner; `None` if another user owns it.
#[derive(Debug)]
pub struct OwnVasApp {
    /// The owner of the apps.
    pub owner: UserId,
    /// The app.
    pub app: VasAppId,
}

impl Query<Platform> for OwnVasApp {
    type Answer = Option<VasApp>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows.find::<VasApp>(&(self.app,))?.filter(|app| app.owner == self.owner).cloned())
    }
}

/// The applications that wait for review, for an operator, the oldest first.
#[derive(Debug)]
pub struct PendingApplications {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for PendingApplications {
    type Answer = Vec<VasApp>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let pending = List::new().only(VasApp::state.is(Review::Pending).always());
        let waiting = rows.list(pending.ascending(VasApp::id).limit(self.limit))?;
        Ok(waiting.into_iter().cloned().collect())
    }
}

/// The user consents to a login: makes the app's openCode, and the address with it that the wallet opens (R50).
#[derive(Debug)]
pub struct ApproveLogin {
    /// The session of the user.
    pub session: Digest,
    /// The link as it was scanned or opened.
    pub link: login::Link<'static>,
    /// The user's address, from a wallet that has its keys; the user's of the embedded chain is known.
    pub address: Option<Address<'static>>,
    /// The chain, and what it says of that address.
    pub chain: OrderChain,
    /// The seed of the openCode.
    pub seed: Seed,
}

/// An approved login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedLogin {
    /// The app's name.
    pub app_name: String,
    /// The address that the wallet opens.
    pub goes: Return,
}

impl ApproveLogin {
    /// Reads the link: 910002 when it cannot be read, or is not for a login.
    ///
    /// # Errors
    /// [`Refusal::LinkRefused`].
    pub fn read(link: &str) -> Result<login::Link<'static>, Refused> {
        let refused = || Refused::new(Refusal::LinkRefused);
        let payload = link::payload(link).map_err(|_| refused())?;
        match AnyLink::read(&payload) {
            Ok((AnyLink::Login(link), _)) => Ok(link.into_owned()),
            _ => Err(refused()),
        }
    }

    /// The address to keep with the openCode.
    fn kept_address(&self, cx: &Context<'_>) -> Result<Option<Address<'static>>, Stop> {
        match &self.address {
            _ if self.chain == OrderChain::Embedded => Ok(None),
            Some(address) if self.chain.has(cx.vault, address.as_str()) => Ok(Some(address.clone())),
            _ => Err(Refused::field("address").into()),
        }
    }
}

/// Answers a refused session with the refusal of the VAS and Lafi wallets.
pub(crate) fn session_unknown(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(_) => Refusal::SessionUnknown.into(),
        Stop::Halt(halt) => halt.into(),
    }
}

impl Command<Platform> for ApproveLogin {
    type Outcome = ApprovedLogin;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<ApprovedLogin, Stop> {
        rows.want::<VasAppName>(&(self.link.uuid.clone(),));
        let user = signed_in(rows, cx, out, self.session).map_err(session_unknown)?;
        let app = by_uuid(rows, self.link.uuid.as_str())?;
        let code = cx.vault.mint(&self.seed, "openCode");
        let goes =
            after_login(&self.link, code.text.expose(), app.registered()).ok_or(Refusal::NotRegistered)?;
        out.put(OpenCode {
            hash: code.hash,
            app: app.id,
            user: user.id,
            expires_at: cx.now + lifetimes::OPEN_CODE,
            address: self.kept_address(cx)?,
        });
        Ok(ApprovedLogin { app_name: app.name, goes })
    }
}

/// The user who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AidInfo {
    /// The user.
    pub user: UserId,
    /// The user's aid.
    pub aid: String,
    /// The user's address on the chain.
    pub address: String,
}

/// Exchanges an openCode: once, within its minute, by the app that it was made for. For another app it is
/// unknown, and the openCode stays valid.
#[derive(Debug)]
pub struct RedeemOpenCode {
    /// The code.
    pub code: Digest,
    /// The accessToken.
    pub access_token: Digest,
    /// The appId.
    pub uuid: AppUuid<'static>,
}

/// The app of an accessToken and an appId that belong together: 900001 otherwise.
pub(crate) fn proven(rows: &Rows, access_token: Digest, uuid: &str) -> Result<VasAppId, Stop> {
    rows.want::<VasAppName>(&(uuid.to_owned().into(),));
    let token = rows.find::<VasToken>(&(access_token,))?.ok_or(Refusal::AccessTokenWrong)?;
    let name = rows.find::<VasAppName>(&(uuid.to_owned().into(),))?.ok_or(Refusal::AccessTokenWrong)?;
    let app = rows.find::<VasApp>(&(name.app,))?.filter(|app| app.closed_at.is_none());
    let app = app.filter(|app| token.app == app.id).ok_or(Refusal::AccessTokenWrong)?;
    app.may_act()?;
    Ok(app.id)
}

impl Command<Platform> for RedeemOpenCode {
    type Outcome = AidInfo;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<AidInfo, Stop> {
        rows.want::<OpenCode>(&(self.code,));
        let app = proven(rows, self.access_token, self.uuid.as_str())?;
        let code = rows
            .find::<OpenCode>(&(self.code,))?
            .filter(|code| code.app == app && !is_over(cx.now, code.expires_at, lifetimes::OPEN_CODE))
            .ok_or(Refusal::OpenCodeUnknown)?;
        out.delete::<OpenCode>(&(self.code,));
        let address =
            code.address.as_ref().map_or_else(|| cx.vault.address(code.user), |address| address.to_string());
        Ok(AidInfo { user: code.user, aid: aid(code.user), address })
    }
}

/// A user's aid.
pub fn aid(user: UserId) -> String {
    format!("aid{user}")
}

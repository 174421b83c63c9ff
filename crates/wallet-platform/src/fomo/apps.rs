//! Third-party apps and their secrets (R27, R34, R37).

use std::collections::{BTreeMap, BTreeSet};

use wallet_api::fomo::{ClientId, Fomo, RedirectUri, Refusal, UserId, lifetimes, limits};
use wallet_core::address::Address;
use wallet_core::crypto::equal;
use wallet_core::{Platform as _, Secret, SignatureFault, UnixTime, Unverified, VerifyingKey};
use wallet_engine::{Command, Halt, List, Query, Row as _, row_ids, rows};

use crate::names::is_shown_name;
use crate::passwords::Proof;
use crate::refusal::{Reason, Refused, Stop};
use crate::reseal::{self, Sealed};
use crate::returns::{Target, browser_address, private_scheme, target};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{User, signed_in};
use crate::vas::apps::own_scheme;
use crate::vault::{Digest, Seed, Vault};

row_ids! {
    /// The row number of an app.
    AppId;
}

rows! { in Platform;
    /// A third-party app.
    app: App {
        key {
            /// Its row number.
            id: AppId,
        }
        /// Its id on the wire.
        client_id: ClientId<'static>,
        /// The user whose account receives and pays (R34).
        owner: UserId,
        /// Its name.
        name: String,
        /// The registered redirect_uri (R7).
        redirect_uri: RedirectUri<'static>,
        /// Its scopes, separated by spaces.
        scopes: String,
        /// The client_secret, sealed (R80).
        secret: Vec<u8>,
        /// Counts rotations.
        secret_version: u32,
        /// The client_secret before the last rotation, sealed.
        old_secret: Option<Vec<u8>>,
        /// The last moment at which the old one is accepted (R37).
        old_secret_until: UnixTime,
        /// The fee of direction 1, in millionths (R23).
        fee_user_to_app: u32,
        /// The fee of direction 2, in millionths.
        fee_app_to_user: u32,
        /// When it was registered.
        created_at: UnixTime,
        /// The redirect_uri before the last change.
        old_redirect_uri: Option<RedirectUri<'static>>,
        /// The last moment at which the old one is accepted (R7).
        old_redirect_until: UnixTime,
        /// When its owner closed it.
        closed_at: Option<UnixTime>,
        /// Whether an operator has suspended it (R85).
        suspended: bool,
    }

    /// Makes client_ids unique.
    client: ClientName {
        key {
            /// The client_id.
            client_id: ClientId<'static>,
        }
        /// The app that has the client_id.
        app: AppId,
    }

    /// A user who has registered apps.
    developer: Developer {
        key {
            /// The user.
            user: UserId,
        }
        /// The apps that are not closed.
        open_apps: u32,
    }
}

impl App {
    /// Whether the app may be used: its owner has not closed it.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// Refuses an app that an operator has suspended with 54 (R85).
    pub(crate) fn may_act(&self) -> Result<(), Stop> {
        if self.suspended { Err(Reason::AppSuspended.into()) } else { Ok(()) }
    }

    /// Whether users may return to this address: the registered one, or for a day the one before it (R7).
    pub fn returns_to(&self, address: &RedirectUri<'_>, now: UnixTime) -> bool {
        self.redirect_uri.as_str() == address.as_str()
            || self.accepted_old_redirect(now).is_some_and(|(old, _)| old.as_str() == address.as_str())
    }

    /// The redirect_uri before the last change, and the last moment at which it is accepted; `None` if it is not now.
    pub fn accepted_old_redirect(&self, now: UnixTime) -> Option<(&RedirectUri<'static>, UnixTime)> {
        let old = self.old_redirect_uri.as_ref()?;
        (now <= self.old_redirect_until).then_some((old, self.old_redirect_until))
    }

    /// Whether a secret of this version is still accepted.
    pub fn accepts(&self, version: u32, now: UnixTime) -> bool {
        version == self.secret_version
            || (version.checked_add(1) == Some(self.secret_version) && self.old_secret_lives(now).is_some())
    }

    /// The last moment at which the previous secret verifies; `None` if it does not verify now.
    pub fn old_secret_lives(&self, now: UnixTime) -> Option<UnixTime> {
        (self.old_secret.is_some() && now <= self.old_secret_until).then_some(self.old_secret_until)
    }
}

/// Every scope of the platform, separated by spaces.
pub(crate) fn all_scopes() -> String {
    Fomo::META.scopes.iter().map(|scope| scope.id).collect::<Vec<_>>().join(" ")
}

fn seal_context(app: AppId, version: u32) -> String {
    format!("client_secret {} {version}", app.0)
}

/// Lets a user register apps.
#[derive(Debug)]
pub struct EnrolDeveloper(pub UserId);

impl Command<Platform> for EnrolDeveloper {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = rows.find::<User>(&(self.0,))?.ok_or(Refusal::UserUnknown)?;
        out.put(User { developer: true, ..user.clone() });
        Ok(())
    }
}

/// The largest number of characters in a redirect_uri.
const LONGEST_REDIRECT: usize = 512;

/// A redirect_uri is opaque (R7), but it must be ASCII and lead a browser to a host, or to an app by a scheme of its own.
/// A scheme that a browser runs is refused, and so are an `@`, which can hide the host, and a fragment, which never
/// reaches a server (RFC 6749, 3.1.2).
fn is_redirect(text: &str) -> bool {
    let address = browser_address(text);
    let authority = Address::split(&address).map(|address| address.authority);
    // An address without a scheme gets `https://`; another parser may take the text before a colon for a scheme.
    let seems_a_scheme = text.split_once(':').is_some_and(|(before, _)| {
        !before.contains(['.', '/', '?', '[']) && !before.eq_ignore_ascii_case("localhost")
    });
    let leads_somewhere = match private_scheme(text) {
        Some(scheme) => text.len() > scheme.len() + ":/".len(),
        None => authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@')),
    };
    !text.is_empty()
        && text.len() <= LONGEST_REDIRECT
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'))
        && leads_somewhere
        && match target(&address) {
            Some(Target::Http(_)) => address == text || !seems_a_scheme,
            Some(Target::App(scheme)) => own_scheme(&scheme).is_some(),
            None => false,
        }
}

/// Registers an app. A malformed client_id is 80, a taken one 81; an unusable name or redirect_uri is 0 with
/// the field's name.
#[derive(Debug)]
pub struct CreateApp {
    /// The owner: this account receives and pays.
    pub owner: UserId,
    /// The id that its developer chose.
    pub client_id: ClientId<'static>,
    /// Its name.
    pub name: String,
    /// The redirect_uri.
    pub redirect_uri: RedirectUri<'static>,
    /// The seed of the secret.
    pub seed: Seed,
}

/// A field of an app's registration that is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppField {
    /// The client_id.
    ClientId,
    /// The name.
    Name,
    /// The redirect_uri.
    RedirectUri,
}

impl AppField {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::Name => "name",
            Self::RedirectUri => "redirect_uri",
        }
    }
}

impl From<AppField> for Stop {
    fn from(field: AppField) -> Self {
        match field {
            AppField::ClientId => Refusal::ClientIdMalformed.into(),
            field => Refused::field(field.name()).into(),
        }
    }
}

impl CreateApp {
    /// The malformed fields.
    pub fn faults(&self) -> Vec<AppField> {
        let wrong = [
            (AppField::ClientId, !self.client_id.well_formed()),
            (AppField::Name, !is_shown_name(&self.name)),
            (AppField::RedirectUri, !is_redirect(self.redirect_uri.as_str())),
        ];
        wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(field, _)| field).collect()
    }
}

/// A registered app and its first secret.
#[derive(Debug)]
pub struct CreatedApp {
    /// Its row number.
    pub app: AppId,
    /// Its client_secret.
    pub client_secret: Secret<String>,
}

impl Command<Platform> for CreateApp {
    type Outcome = CreatedApp;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<CreatedApp, Stop> {
        let key = (self.client_id.clone(),);
        rows.want::<ClientName>(&key);
        let owner = rows.find::<User>(&(self.owner,))?.ok_or(Refusal::UserUnknown)?;
        if !owner.developer {
            return Err(Refusal::NoPermission.into());
        }
        if let Some(field) = self.faults().into_iter().next() {
            return Err(field.into());
        }
        if rows.find::<ClientName>(&key)?.is_some() {
            return Err(Refusal::ClientIdTaken.into());
        }
        let open_apps = open_apps(rows, self.owner)?;
        if u64::from(open_apps) >= limits::OPEN_APPS {
            return Err(Reason::NotAllowed.into());
        }
        out.put(Developer { user: self.owner, open_apps: open_apps + 1 });
        let app = AppId(cx.ids.next());
        let client_secret = cx.vault.mint(&self.seed, "client_secret").text;
        out.put(ClientName { client_id: self.client_id.clone(), app });
        out.put(App {
            id: app,
            client_id: self.client_id.clone(),
            owner: self.owner,
            name: self.name.clone(),
            redirect_uri: self.redirect_uri.clone(),
            scopes: all_scopes(),
            secret: cx.vault.seal(&self.seed, &seal_context(app, 1), client_secret.expose().as_bytes()),
            secret_version: 1,
            old_secret: None,
            old_secret_until: UnixTime::default(),
            fee_user_to_app: 0,
            fee_app_to_user: 0,
            created_at: cx.now,
            old_redirect_uri: None,
            old_redirect_until: UnixTime::default(),
            closed_at: None,
            suspended: false,
        });
        Ok(CreatedApp { app, client_secret })
    }
}

fn open_apps(rows: &Rows, user: UserId) -> Result<u32, Stop> {
    Ok(rows.find::<Developer>(&(user,))?.map_or(0, |developer| developer.open_apps))
}

/// Changes an app's redirect_uri. A code that was requested with the old one is no longer valid.
#[derive(Debug)]
pub struct MoveApp {
    /// The app.
    pub app: AppId,
    /// The redirect_uri.
    pub redirect_uri: RedirectUri<'static>,
}

impl Command<Platform> for MoveApp {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let app = rows.find::<App>(&(self.app,))?.ok_or(Refusal::ClientIdUnknown)?;
        if !is_redirect(self.redirect_uri.as_str()) {
            return Err(Refused::field("redirect_uri").into());
        }
        out.put(App { redirect_uri: self.redirect_uri.clone(), ..app.clone() });
        Ok(())
    }
}

/// Changes an app's name and redirect_uri. The old redirect_uri is accepted beside the new one for a day; a code is
/// exchanged only with the redirect_uri that it was issued for (R7).
#[derive(Debug)]
pub struct EditApp {
    /// The owner.
    pub owner: UserId,
    /// The app.
    pub app: AppId,
    /// The name.
    pub name: String,
    /// The redirect_uri.
    pub redirect_uri: RedirectUri<'static>,
}

impl EditApp {
    /// The malformed fields.
    pub fn faults(&self) -> Vec<AppField> {
        let wrong = [
            (AppField::Name, !is_shown_name(&self.name)),
            (AppField::RedirectUri, !is_redirect(self.redirect_uri.as_str())),
        ];
        wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(field, _)| field).collect()
    }
}

/// An open app of this owner; for all others it is unknown.
fn own_open(rows: &Rows, app: AppId, owner: UserId) -> Result<&App, Stop> {
    let app = rows.find::<App>(&(app,))?.filter(|app| app.owner == owner && app.is_open());
    app.ok_or(Refusal::ClientIdUnknown.into())
}

impl Command<Platform> for EditApp {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let app = own_open(rows, self.app, self.owner)?;
        if let Some(field) = self.faults().into_iter().next() {
            return Err(field.into());
        }
        let mut edited = App { name: self.name.clone(), ..app.clone() };
        if edited.redirect_uri != self.redirect_uri {
            // A developer who returns to the old address has given up the one between, a mistyped one say.
            let returns = app.accepted_old_redirect(cx.now).is_some_and(|(old, _)| *old == self.redirect_uri);
            edited.old_redirect_uri = (!returns).then(|| app.redirect_uri.clone());
            edited.old_redirect_until = cx.now + lifetimes::OLD_REDIRECT_URI;
            edited.redirect_uri = self.redirect_uri.clone();
        }
        out.put(edited);
        Ok(())
    }
}

/// Ends the redirect_uri before the last change: users return to it no more.
#[derive(Debug)]
pub struct EndOldRedirect {
    /// The owner.
    pub owner: UserId,
    /// The app.
    pub app: AppId,
}

impl Command<Platform> for EndOldRedirect {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let app = own_open(rows, self.app, self.owner)?;
        out.put(App { old_redirect_uri: None, ..app.clone() });
        Ok(())
    }
}

/// Closes an app for good: its tokens and secrets are refused from now on, and so is every call. Its pending callbacks are
/// still delivered; its client_id and trade_ids are never used again; its payments stay (R29).
#[derive(Debug)]
pub struct CloseApp {
    /// The session of the owner.
    pub session: Digest,
    /// The proof of the login password.
    pub proof: Proof,
    /// The app.
    pub app: AppId,
}

impl Command<Platform> for CloseApp {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = signed_in(rows, cx, out, self.session)?.clone();
        self.proof.check(rows, cx, out, &user)?;
        let app = own_open(rows, self.app, user.id)?;
        let open_apps = open_apps(rows, user.id)?.saturating_sub(1);
        out.put(Developer { user: user.id, open_apps });
        out.put(App { closed_at: Some(cx.now), ..app.clone() });
        Ok(())
    }
}

/// An app of this owner by its client_id, open or closed; `None` for all others.
#[derive(Debug)]
pub struct OwnApp {
    /// The owner.
    pub owner: UserId,
    /// The client_id.
    pub client_id: ClientId<'static>,
}

impl Query<Platform> for OwnApp {
    type Answer = Option<App>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let Some(name) = rows.find::<ClientName>(&(self.client_id.clone(),))? else { return Ok(None) };
        Ok(rows.find::<App>(&(name.app,))?.filter(|app| app.owner == self.owner).cloned())
    }
}

/// Shows an app with its live secrets to its owner, after a fresh password; another user gets the refusal of
/// an unknown client_id.
#[derive(Debug)]
pub struct ShowSecret {
    /// The session of the user.
    pub session: Digest,
    /// The proof of the login password.
    pub proof: Proof,
    /// The client_id of the app.
    pub client_id: ClientId<'static>,
}

impl Command<Platform> for ShowSecret {
    type Outcome = AppKeys;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<AppKeys, Stop> {
        let user = signed_in(rows, cx, out, self.session)?.clone();
        self.proof.check(rows, cx, out, &user)?;
        let keys = FindApp::new(self.client_id.as_str()).read(rows, cx)?;
        if keys.app.owner == user.id { Ok(keys) } else { Err(Refusal::ClientIdUnknown.into()) }
    }
}

/// The display names of apps.
#[derive(Debug)]
pub struct AppNames(pub BTreeSet<AppId>);

impl Query<Platform> for AppNames {
    type Answer = BTreeMap<AppId, String>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let apps = rows.find_all::<App>(self.0.iter().map(|app| (*app,)))?;
        Ok(apps.into_iter().map(|app| (app.id, app.name.clone())).collect())
    }
}

/// The apps of one owner.
#[derive(Debug)]
pub struct AppsOf(pub UserId);

impl Query<Platform> for AppsOf {
    type Answer = Vec<App>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Vec<App>, Stop> {
        Ok(rows
            .list(List::new().only(App::owner.is(self.0)).ascending(App::id))?
            .into_iter()
            .cloned()
            .collect())
    }
}

/// Gives an app a new secret; the old one verifies for another day (R37). During that day there is no second rotation: it
/// would end a secret that may still be in use.
#[derive(Debug)]
pub struct RotateSecret {
    /// The app.
    pub app: AppId,
    /// The seed of the secret.
    pub seed: Seed,
}

/// The new secret of an app.
#[derive(Debug)]
pub struct RotatedSecret {
    /// The new client_secret.
    pub client_secret: Secret<String>,
    /// The last moment at which the old client_secret verifies.
    pub old_until: UnixTime,
}

impl Command<Platform> for RotateSecret {
    /// The new secret; `Err` with the last moment of the previous secret, if that one still verifies.
    type Outcome = Result<RotatedSecret, UnixTime>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let app = rows.find::<App>(&(self.app,))?.ok_or(Refusal::ClientIdUnknown)?;
        if let Some(until) = app.old_secret_lives(cx.now) {
            return Ok(Err(until));
        }
        let version = app.secret_version + 1;
        let client_secret = cx.vault.mint(&self.seed, "client_secret").text;
        let old_until = cx.now + lifetimes::OLD_CLIENT_SECRET;
        out.put(App {
            secret: cx.vault.seal(
                &self.seed,
                &seal_context(app.id, version),
                client_secret.expose().as_bytes(),
            ),
            secret_version: version,
            old_secret: Some(app.secret.clone()),
            old_secret_until: old_until,
            ..app.clone()
        });
        Ok(Ok(RotatedSecret { client_secret, old_until }))
    }
}

/// Ends the validity of an app's old secret now, for example after a leak.
#[derive(Debug)]
pub struct EndOldSecret {
    /// The app.
    pub app: AppId,
    /// The version of the secret that stays. After another rotation the old secret is a newer one, which may be in use.
    pub stays: u32,
}

impl Command<Platform> for EndOldSecret {
    /// Whether `stays` is the version of the current secret.
    type Outcome = bool;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<bool, Stop> {
        let app = rows.find::<App>(&(self.app,))?.ok_or(Refusal::ClientIdUnknown)?;
        if app.secret_version != self.stays {
            return Ok(false);
        }
        out.put(App { old_secret: None, old_secret_until: UnixTime::default(), ..app.clone() });
        Ok(true)
    }
}

/// Sets an app's fees, in millionths of the amount (R23).
#[derive(Debug)]
pub struct SetFees {
    /// The app.
    pub app: AppId,
    /// The fee of direction 1.
    pub user_to_app: u32,
    /// The fee of direction 2.
    pub app_to_user: u32,
}

impl Command<Platform> for SetFees {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        const ALL: u32 = 1_000_000;
        let app = rows.find::<App>(&(self.app,))?.ok_or(Refusal::ClientIdUnknown)?;
        if self.user_to_app > ALL || self.app_to_user > ALL {
            return Err(Refused::field("fee").into());
        }
        out.put(App { fee_user_to_app: self.user_to_app, fee_app_to_user: self.app_to_user, ..app.clone() });
        Ok(())
    }
}

/// An app with its live secrets, for checking its requests.
#[derive(Debug, Clone)]
pub struct AppKeys {
    /// The app.
    pub app: App,
    secrets: Vec<(u32, Secret<String>)>,
}

/// Proof that a secret of an app was given, at this version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvenClient {
    app: AppId,
    version: u32,
}

impl ProvenClient {
    /// The app.
    pub fn app(self) -> AppId {
        self.app
    }

    /// The app, if the presented secret is still accepted.
    pub(crate) fn check<'r>(&self, rows: &'r Rows, now: UnixTime) -> Result<&'r App, Stop> {
        let app =
            rows.find::<App>(&(self.app,))?.filter(|app| app.is_open()).ok_or(Refusal::UnknownClient)?;
        if app.suspended {
            return Err(Refusal::ClientSuspended.into());
        }
        if app.accepts(self.version, now) { Ok(app) } else { Err(Refusal::InvalidClient.into()) }
    }
}

impl Sealed for App {
    fn sealed_again(&self, vault: &Vault, seed: &Seed) -> Option<Self> {
        let (mut row, version) = (self.clone(), self.secret_version);
        let is_new = reseal::field(vault, seed, &seal_context(self.id, version), &mut row.secret);
        let before = seal_context(self.id, version.saturating_sub(1));
        let is_old_new = reseal::optional(vault, seed, &before, &mut row.old_secret);
        (is_new || is_old_new).then_some(row)
    }
}

impl App {
    /// Whether the master key opens its secrets.
    pub(crate) fn opens(&self, vault: &Vault) -> bool {
        let open =
            |version: u32, sealed: &[u8]| vault.open(&seal_context(self.id, version), sealed).is_some();
        let old = self.old_secret.as_ref();
        open(self.secret_version, &self.secret) && old.is_none_or(|old| open(self.secret_version - 1, old))
    }
}

impl AppKeys {
    /// Opens an app's live secrets.
    ///
    /// # Errors
    /// [`Halt::Damaged`] if a secret does not open.
    pub fn open(app: &App, now: UnixTime, vault: &Vault) -> Result<Self, Halt> {
        let open = |version: u32, sealed: &[u8]| {
            // A secret that does not open means another master key or a damaged row: a fault of the platform.
            let secret = vault.open_text(&seal_context(app.id, version), sealed);
            Ok((version, secret.ok_or(Halt::Damaged { table: App::TABLE.name })?))
        };
        let mut secrets = vec![open(app.secret_version, &app.secret)?];
        if let Some(old) = &app.old_secret
            && app.old_secret_lives(now).is_some()
        {
            secrets.push(open(app.secret_version - 1, old)?);
        }
        Ok(Self { app: app.clone(), secrets })
    }

    /// The live secrets, the newest first.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|(_, secret)| secret.expose().as_str())
    }

    /// Checks a client_secret: 54 and `invalid_client` when it is not live.
    ///
    /// # Errors
    /// [`Refusal::InvalidClient`].
    pub fn check_secret(&self, given: &str) -> Result<ProvenClient, Refused> {
        let mut proven = None;
        for (version, secret) in &self.secrets {
            if equal(secret.expose().as_bytes(), given.as_bytes()) {
                proven = Some(ProvenClient { app: self.app.id, version: *version });
            }
        }
        proven.ok_or(Refused::new(Refusal::InvalidClient))
    }

    /// Checks a signed request against the live secrets (R8, R37): a wrong signature is 7, an expired one 8.
    ///
    /// # Errors
    /// [`Refusal::SignInvalid`] or [`Refusal::SignExpired`].
    pub fn verify<T>(&self, signed: Unverified<'_, T>, vault: &Vault, now: UnixTime) -> Result<T, Refused> {
        let keys = self.secrets().map(|secret| VerifyingKey::Secret(vault.crypto(), secret));
        signed.verify(keys, now).map_err(|fault| {
            Refused::new(match fault {
                SignatureFault::Expired => Refusal::SignExpired,
                _ => Refusal::SignInvalid,
            })
        })
    }
}

/// Finds an app by its client_id, with its live secrets: 82 for an unknown one.
#[derive(Debug)]
pub struct FindApp {
    client_id: ClientId<'static>,
    unknown: Refusal,
    /// The refusal of a suspended app; `None` finds it like any other.
    suspended: Option<Refusal>,
}

impl FindApp {
    /// For a request that is signed or names its app.
    pub fn new(client_id: &str) -> Self {
        let (unknown, suspended) = (Refusal::ClientIdUnknown, Some(Refusal::AppSuspended));
        Self { client_id: client_id.to_owned().into(), unknown, suspended }
    }

    /// For a look at an app that asks for nothing: also at a suspended one.
    pub fn even_suspended(client_id: &str) -> Self {
        Self { suspended: None, ..Self::new(client_id) }
    }

    /// For a token endpoint, where an unknown app is `invalid_client` (R29).
    pub fn for_token(client_id: &str) -> Self {
        // The proof of the secret comes first: others do not learn of the suspension here.
        Self { unknown: Refusal::UnknownClient, suspended: None, ..Self::new(client_id) }
    }
}

impl Query<Platform> for FindApp {
    type Answer = AppKeys;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<AppKeys, Stop> {
        let name = rows.find::<ClientName>(&(self.client_id.clone(),))?.ok_or(self.unknown)?;
        // A closed app is unknown to every call.
        let app = rows.find::<App>(&(name.app,))?.filter(|app| app.is_open()).ok_or(self.unknown)?;
        if let Some(suspended) = self.suspended.filter(|_| app.suspended) {
            return Err(suspended.into());
        }
        Ok(AppKeys::open(app, cx.now, cx.vault)?)
    }
}

/// Suspends an app, or lifts that (R85).
#[derive(Debug)]
pub struct SuspendApp {
    /// The app.
    pub app: AppId,
    /// Whether it is to be suspended.
    pub suspended: bool,
}

impl Command<Platform> for SuspendApp {
    /// The app; `None` if it does not exist, or that changed nothing.
    type Outcome = Option<App>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let app = rows.find::<App>(&(self.app,))?.filter(|app| app.suspended != self.suspended);
        let app = app.map(|app| App { suspended: self.suspended, ..app.clone() });
        app.iter().for_each(|app| out.put(app.clone()));
        Ok(app)
    }
}

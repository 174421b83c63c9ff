//! Grants, codes and tokens (R15, R16, R24, R25, R29, R31).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wallet_api::fomo::{ClientId, Denied, RedirectUri, Refusal, State, UserId, lifetimes};
use wallet_core::crypto::equal;
use wallet_core::{Endpoint, Secret, UnixTime};
use wallet_engine::{Command, List, Query, row_ids, rows};

use crate::fomo::apps::{App, AppId, ClientName, ProvenClient};
use crate::refusal::{Refused, RefusedData, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::spans::is_over;
use crate::users::{User, signed_in};
use crate::vault::{Digest, Minted, Seed, TokenKind, Vault};

row_ids! {
    /// The row number of a token family.
    FamilyId;
}

rows! { in Platform;
    /// An authorization code.
    code: Code {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// The app that may redeem it.
        app: AppId,
        /// The user who granted it.
        user: UserId,
        /// The redirect_uri of the authorization request.
        redirect_uri: RedirectUri<'static>,
        /// The granted scopes, separated by spaces.
        scopes: String,
        /// The PKCE challenge, with its method before a colon.
        challenge: Option<String>,
        /// The family of its tokens; a code with a family is used.
        family: Option<FamilyId>,
        /// When it expires.
        expires_at: UnixTime,
    }

    /// The tokens of one grant: every token names its family, so that one write revokes them all.
    family: Family {
        key {
            /// Its row number.
            id: FamilyId,
        }
        /// The app that the grant is for.
        app: AppId,
        /// The user who granted it.
        user: UserId,
        /// Whether its tokens are revoked.
        revoked: bool,
    }

    /// An access or refresh token.
    token: Token {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// Access or refresh token.
        kind: TokenKind,
        /// Its family.
        family: FamilyId,
        /// Its scopes, separated by spaces.
        scopes: String,
        /// The time at which a refresh token was exchanged.
        used_at: Option<UnixTime>,
        /// When it expires.
        expires_at: UnixTime,
    }
}

/// A user's answer to an app's authorization request.
#[derive(Debug)]
pub struct Authorize {
    /// The session of the user who answers.
    pub session: Digest,
    /// The app.
    pub client_id: ClientId<'static>,
    /// The address that receives the code; must be the registered one.
    pub redirect_uri: RedirectUri<'static>,
    /// The app's state, returned unchanged.
    pub state: State<'static>,
    /// Exactly `yes` grants (R24).
    pub authorized: String,
    /// PKCE: challenge and method (R25).
    pub challenge: Option<(String, Option<String>)>,
    /// The scopes that the app asks for, separated by spaces; empty for all that it is registered for (R31).
    pub scope: String,
    /// The seed of the code.
    pub seed: Seed,
}

/// The PKCE challenge of an authorization request, as a code keeps it: with its method before a colon (RFC 7636, 4.2 and 4.3).
///
/// # Errors
/// The parameter that is wrong.
pub fn kept_challenge(challenge: &str, method: Option<&str>) -> Result<String, &'static str> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let (method, well_formed) = match method {
        None | Some("plain") => {
            ("plain", (43..=128).contains(&challenge.len()) && challenge.bytes().all(unreserved))
        }
        // 32 bytes of SHA-256 in base64url.
        Some("S256") => ("S256", challenge.len() == 43 && challenge.bytes().all(base64url)),
        Some(_) => return Err("code_challenge_method"),
    };
    if well_formed { Ok(format!("{method}:{challenge}")) } else { Err("code_challenge") }
}

/// The scopes of a grant: those of the app that it asks for, or all of them (R31); `None` if it asks for none of its own.
pub fn granted(registered: &str, asked: &str) -> Option<String> {
    let asked: Vec<&str> = asked.split(' ').filter(|scope| !scope.is_empty()).collect();
    if asked.is_empty() {
        return Some(registered.to_owned());
    }
    let granted: Vec<&str> = registered.split(' ').filter(|scope| asked.contains(scope)).collect();
    (!granted.is_empty()).then(|| granted.join(" "))
}

impl Command<Platform> for Authorize {
    type Outcome = Minted;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Minted, Stop> {
        let client = (self.client_id.clone(),);
        rows.want::<ClientName>(&client);
        let user = signed_in(rows, cx, out, self.session)?;
        let name = rows.find::<ClientName>(&client)?.ok_or(Refusal::ClientIdUnknown)?;
        let app = rows.find::<App>(&(name.app,))?.filter(|app| app.is_open());
        let app = app.ok_or(Refusal::ClientIdUnknown)?;
        app.may_act()?;
        if !app.returns_to(&self.redirect_uri, cx.now) {
            return Err(Refusal::NoPermission.into());
        }
        let challenge = match &self.challenge {
            None => None,
            Some((text, method)) => Some(kept_challenge(text, method.as_deref()).map_err(Refused::field)?),
        };
        let denied = |refusal, error: &str| {
            let denied = Denied { error: error.to_owned(), state: self.state.clone() };
            Ok::<_, Stop>(Refused { data: Some(RefusedData::of(&denied)?), ..Refused::new(refusal) })
        };
        let Some(scopes) = granted(&app.scopes, &self.scope) else {
            return Err(denied(Refusal::ScopeUnregistered, "invalid_scope")?.into());
        };
        if self.authorized != "yes" {
            return Err(denied(Refusal::AccessDenied, "access_denied")?.into());
        }
        let code = cx.vault.mint(&self.seed, "code");
        out.put(Code {
            hash: code.hash,
            app: app.id,
            user: user.id,
            redirect_uri: self.redirect_uri.clone(),
            scopes,
            challenge,
            family: None,
            expires_at: cx.now + lifetimes::AUTHORIZATION_CODE,
        });
        Ok(code)
    }
}

/// A PKCE verifier, as plain text and as S256 hash.
#[derive(Debug, Clone)]
pub struct Verifier {
    plain: Secret<String>,
    s256: String,
}

impl Verifier {
    /// From its text.
    pub fn new(vault: &Vault, text: &str) -> Self {
        Self { plain: text.into(), s256: URL_SAFE_NO_PAD.encode(vault.crypto().sha256(text.as_bytes())) }
    }

    fn fits(&self, challenge: &str) -> bool {
        match challenge.split_once(':') {
            Some(("S256", wanted)) => equal(self.s256.as_bytes(), wanted.as_bytes()),
            Some(("plain", wanted)) => equal(self.plain.expose().as_bytes(), wanted.as_bytes()),
            _ => false,
        }
    }
}

/// An access token and a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// The access token.
    pub access: Secret<String>,
    /// The refresh token.
    pub refresh: Secret<String>,
    /// Their scopes, separated by spaces.
    pub scopes: String,
}

/// Exchanges a code for tokens, once (R15).
#[derive(Debug)]
pub struct ExchangeCode {
    /// The app, proven by its secret.
    pub client: ProvenClient,
    /// The code.
    pub code: Digest,
    /// The redirect_uri of the authorization request.
    pub redirect_uri: RedirectUri<'static>,
    /// The PKCE verifier.
    pub verifier: Option<Verifier>,
    /// The seed of the tokens.
    pub seed: Seed,
}

/// The access token has `scopes`. The refresh token keeps those of the whole grant, so that a later refresh may ask for them again
/// (RFC 6749, 6).
fn put_pair(
    out: &mut Changes,
    now: UnixTime,
    family: FamilyId,
    (scopes, grant): (&str, &str),
    access: Digest,
    refresh: Digest,
) {
    let token = |hash, kind, scopes: &str, life| Token {
        hash,
        kind,
        family,
        scopes: scopes.to_owned(),
        used_at: None,
        expires_at: now + life,
    };
    out.put(token(access, TokenKind::Access, scopes, lifetimes::ACCESS_TOKEN));
    out.put(token(refresh, TokenKind::Refresh, grant, lifetimes::REFRESH_TOKEN));
}

fn revoke(rows: &Rows, out: &mut Changes, family: FamilyId) -> Result<(), Stop> {
    if let Some(family) = rows.find::<Family>(&(family,))? {
        out.put(Family { revoked: true, ..family.clone() });
    }
    Ok(())
}

impl Command<Platform> for ExchangeCode {
    type Outcome = TokenPair;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<TokenPair, Stop> {
        rows.want::<Code>(&(self.code,));
        let app = self.client.check(rows, cx.now)?;
        let code = rows.find::<Code>(&(self.code,))?.ok_or(Refusal::InvalidGrant)?;
        // Another app learns nothing about the code, and the code stays valid.
        if code.app != app.id {
            return Err(Refusal::InvalidGrant.into());
        }
        if let Some(family) = code.family {
            // The code was presented twice: its tokens are no longer trusted.
            revoke(rows, out, family)?;
            return Err(Refusal::InvalidGrant.into());
        }
        let verified = match (&code.challenge, &self.verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => verifier.fits(challenge),
            // A verifier without a challenge hints at an attack on PKCE itself (RFC 9700 §4.8.2).
            (Some(_), None) | (None, Some(_)) => false,
        };
        let is_over = is_over(cx.now, code.expires_at, lifetimes::AUTHORIZATION_CODE);
        // The app may have moved since: an address that it gave up gets no token any more.
        let is_there = code.redirect_uri == self.redirect_uri && app.returns_to(&code.redirect_uri, cx.now);
        let granted_at = code.expires_at - lifetimes::AUTHORIZATION_CODE;
        // A clock that was set back since would void every code until then.
        let is_void = |from| granted_at <= from && from <= cx.now;
        let is_taken_back = rows.find::<User>(&(code.user,))?.is_none_or(|user| is_void(user.codes_from));
        if is_over || !is_there || !verified || is_taken_back {
            return Err(Refusal::InvalidGrant.into());
        }
        let family = FamilyId(cx.ids.next());
        out.put(Family { id: family, app: app.id, user: code.user, revoked: false });
        out.put(Code { family: Some(family), ..code.clone() });
        let (access, refresh) = (cx.vault.mint(&self.seed, "access"), cx.vault.mint(&self.seed, "refresh"));
        put_pair(out, cx.now, family, (&code.scopes, &code.scopes), access.hash, refresh.hash);
        Ok(TokenPair { access: access.text, refresh: refresh.text, scopes: code.scopes.clone() })
    }
}

/// Exchanges a refresh token for a new pair (R16).
#[derive(Debug)]
pub struct Refresh {
    client: ProvenClient,
    presented: Digest,
    access: Minted,
    refresh: Minted,
    scope: Option<String>,
}

impl Refresh {
    /// `presented` is the refresh token's text; `scope` may narrow the granted scopes.
    pub fn new(vault: &Vault, client: ProvenClient, presented: &str, scope: Option<&str>) -> Self {
        Self {
            client,
            presented: vault.hash(presented),
            access: vault.successor(TokenKind::Access, presented),
            refresh: vault.successor(TokenKind::Refresh, presented),
            scope: scope.map(str::to_owned),
        }
    }

    fn pair(&self, scopes: &str) -> TokenPair {
        TokenPair {
            access: self.access.text.clone(),
            refresh: self.refresh.text.clone(),
            scopes: scopes.to_owned(),
        }
    }
}

/// The granted scopes that the app asks for; a scope outside of the grant is refused.
fn narrowed(granted: &str, asked: Option<&str>) -> Result<String, Refusal> {
    let asked: Vec<&str> = asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect();
    if asked.is_empty() {
        return Ok(granted.to_owned());
    }
    if asked.iter().any(|scope| !granted.split(' ').any(|known| known == *scope)) {
        return Err(Refusal::InvalidScope);
    }
    Ok(granted.split(' ').filter(|scope| asked.contains(scope)).collect::<Vec<_>>().join(" "))
}

impl Command<Platform> for Refresh {
    type Outcome = TokenPair;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<TokenPair, Stop> {
        rows.want::<Token>(&(self.presented,));
        let app = self.client.check(rows, cx.now)?;
        let token = rows.find::<Token>(&(self.presented,))?.filter(|token| token.kind == TokenKind::Refresh);
        let token = token.ok_or(Refusal::InvalidGrant)?;
        let family = rows.find::<Family>(&(token.family,))?.ok_or(Refusal::InvalidGrant)?;
        if family.app != app.id || family.revoked || cx.now > token.expires_at {
            return Err(Refusal::InvalidGrant.into());
        }
        if let Some(used_at) = token.used_at {
            if cx.now <= used_at + lifetimes::REFRESH_REPLAY {
                // The first reply was lost: the same pair is returned again.
                let access = rows.find::<Token>(&(self.access.hash,))?.ok_or(Refusal::InvalidGrant)?;
                // Only the same request gets the same reply; another one revokes nothing, it comes from the app too.
                if narrowed(&token.scopes, self.scope.as_deref())? != access.scopes {
                    return Err(Refusal::InvalidScope.into());
                }
                return Ok(self.pair(&access.scopes));
            }
            revoke(rows, out, token.family)?;
            return Err(Refusal::InvalidGrant.into());
        }
        let scopes = narrowed(&token.scopes, self.scope.as_deref())?;
        out.put(Token { used_at: Some(cx.now), ..token.clone() });
        put_pair(out, cx.now, token.family, (&scopes, &token.scopes), self.access.hash, self.refresh.hash);
        Ok(self.pair(&scopes))
    }
}

/// Revokes the tokens of a grant by one of them (RFC 7009). A token that is unknown, or of another app, changes nothing.
#[derive(Debug)]
pub struct RevokeToken {
    /// The app, proven by its secret.
    pub client: ProvenClient,
    /// An access or refresh token.
    pub token: Digest,
}

impl Command<Platform> for RevokeToken {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        rows.want::<Token>(&(self.token,));
        let app = self.client.check(rows, cx.now)?;
        let Some(token) = rows.find::<Token>(&(self.token,))? else { return Ok(()) };
        let family = rows.find::<Family>(&(token.family,))?;
        match family.filter(|family| family.app == app.id) {
            Some(family) => revoke(rows, out, family.id),
            None => Ok(()),
        }
    }
}

/// The family of an access token: an unknown, expired or revoked one is 2; a missing scope is 54 with HTTP 403 (R29).
pub(crate) fn bearer<'r>(
    rows: &'r Rows,
    now: UnixTime,
    token: Digest,
    scope: &str,
) -> Result<&'r Family, Stop> {
    let token = rows
        .find::<Token>(&(token,))?
        .filter(|token| token.kind == TokenKind::Access && now <= token.expires_at);
    let token = token.ok_or(Refusal::NotLoggedIn)?;
    let family = rows
        .find::<Family>(&(token.family,))?
        .filter(|family| !family.revoked)
        .ok_or(Refusal::NotLoggedIn)?;
    // The tokens of a closed app are revoked.
    let app = rows.find::<App>(&(family.app,))?.filter(|app| app.is_open()).ok_or(Refusal::NotLoggedIn)?;
    app.may_act()?;
    if !token.scopes.split(' ').any(|known| known == scope) {
        return Err(Refusal::ScopeLacking.into());
    }
    Ok(family)
}

/// The scope that the spec requires of an endpoint's access token.
pub fn scope_of<E: Endpoint>() -> &'static str {
    E::META.scope.map_or("", |scope| scope.id)
}

/// The user of an access token, if it has the scope.
#[derive(Debug)]
pub struct BearerOf {
    /// The access token.
    pub token: Digest,
    /// The scope it must have.
    pub scope: &'static str,
}

impl Query<Platform> for BearerOf {
    type Answer = User;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<User, Stop> {
        let family = bearer(rows, cx.now, self.token, self.scope)?;
        rows.find::<User>(&(family.user,))?.cloned().ok_or(Refusal::NotLoggedIn.into())
    }
}

/// Access that a user has granted to an app, and not taken back.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The app.
    pub app: App,
    /// The families of its tokens: one for each consent.
    pub families: Vec<FamilyId>,
}

/// The newest grants of a user, at most so many of them, by app.
#[derive(Debug)]
pub struct GrantsOf {
    /// The user.
    pub user: UserId,
    /// The largest number of families to look at.
    pub limit: u64,
}

impl Query<Platform> for GrantsOf {
    type Answer = Vec<Grant>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Vec<Grant>, Stop> {
        let list = List::new()
            .only(Family::revoked.is(false).always())
            .only(Family::user.is(self.user))
            .descending(Family::id)
            .limit(self.limit);
        let mut grants: Vec<(AppId, Vec<FamilyId>)> = Vec::new();
        for family in rows.list(list)? {
            match grants.iter_mut().find(|(app, _)| *app == family.app) {
                Some((_, families)) => families.push(family.id),
                None => grants.push((family.app, vec![family.id])),
            }
        }
        grants.iter().for_each(|(app, _)| rows.want::<App>(&(*app,)));
        let grant = |(app, families)| Ok(Grant { app: rows.get::<App>(&(app,))?.clone(), families });
        grants.into_iter().map(grant).collect()
    }
}

/// A user takes back what [`GrantsOf`] found: the tokens of these families are revoked, and codes that were not exchanged are void.
#[derive(Debug)]
pub struct RevokeGrant {
    /// The session of the user.
    pub session: Digest,
    /// The families.
    pub families: Vec<FamilyId>,
}

impl Command<Platform> for RevokeGrant {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = signed_in(rows, cx, out, self.session)?;
        for family in rows.find_all::<Family>(self.families.iter().map(|id| (*id,)))? {
            if family.user == user.id {
                out.put(Family { revoked: true, ..family.clone() });
            }
        }
        out.put(User { codes_from: cx.now, ..user.clone() });
        Ok(())
    }
}

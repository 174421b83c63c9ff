//! The demo data: users, apps, balances, and the description of a sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wallet_api::fomo::{CoinId, UserId};
use wallet_api::vas::{Currency, Profile, Review, limits};
use wallet_chain::embedded::{DevBalance, DevIssue, DevMine, DevTip};
use wallet_core::Secret;
use wallet_crypto::{NoMemory, Passwords, PrivateKey, PublicKey};
use wallet_engine::StoreError;
use wallet_platform::{
    ActiveCoins, AddAddress, AddressesOf, ApplyVas, Balances, ByOperator, Coin, CreateApp, CreateUser,
    Decision, Deposit, EnrolDeveloper, EnrolOperator, Failure, FindApp, FindUser, MoveApp, OrderChain,
    PutCoin, PutQuote, Records, ReviewVas, Roles, VasApp, VasApps, aid,
};
use wallet_server::Store;

use crate::chain;

/// The description of a sandbox: `wallop dev --json` prints it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Described {
    /// Its URL.
    pub url: String,
    /// The FOMO platform.
    pub fomo: DescribedFomo,
    /// The VAS wallet.
    pub vas: DescribedVas,
    /// The Lafi wallet.
    pub lafi: DescribedVas,
    /// The FOMO app of the demo shop, the corner café.
    pub shop: DescribedShop,
    /// The users, without the app's owner.
    pub users: Vec<DescribedUser>,
    /// A user without money, to try a payment that is refused.
    pub poor_user: DescribedSignIn,
    /// An operator, for `/admin`.
    pub operator: DescribedSignIn,
    /// POST `advance=SECONDS` moves the clock.
    pub clock_url: String,
}

/// The FOMO platform and its demo app.
#[derive(Clone, Serialize, Deserialize)]
pub struct DescribedFomo {
    /// The base URL that an integrator configures.
    pub base_url: String,
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: String,
    /// The app's registered redirect_uri.
    pub redirect_uri: String,
    /// The app's owner: this account receives and pays.
    pub owner_user_id: String,
    /// The owner's login password, to sign in as the shop's developer. The login name is `owner`.
    pub owner_pwd: String,
    /// The owner's payment password, for pay_user.
    pub owner_wallet_pwd: String,
}

/// An app's credentials.
#[derive(Clone, Serialize, Deserialize)]
pub struct DescribedShop {
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: String,
    /// The app's registered redirect_uri.
    pub redirect_uri: String,
}

/// The login name and password of a user.
#[derive(Clone, Serialize, Deserialize)]
pub struct DescribedSignIn {
    /// The login name.
    pub login_name: String,
    /// The login password.
    pub pwd: String,
    /// The payment password; empty if it is not set.
    pub wallet_pwd: String,
}

impl DescribedSignIn {
    fn of(user: &DemoUser) -> Self {
        let [login_name, pwd, wallet_pwd] = [user.login_name, user.pwd, user.wallet_pwd].map(str::to_owned);
        Self { login_name, pwd, wallet_pwd }
    }
}

/// The VAS or the Lafi wallet and its demo app.
#[derive(Clone, Serialize, Deserialize)]
pub struct DescribedVas {
    /// The base URL that an integrator configures.
    pub base_url: String,
    /// The app's id.
    pub uuid: String,
    /// The app's access token.
    #[serde(rename = "accessToken")]
    pub access_token: String,
    /// The app's private key, PKCS#8 in base64. Every sandbox has the same key: it protects nothing.
    pub rsa_private_pkcs8: String,
    /// The app's public key, SPKI in base64.
    pub rsa_public_spki: String,
    /// The host that the wallet may return to.
    pub safe_domain: String,
    /// The app's own scheme.
    pub scheme: String,
    /// The asset of the app's payments.
    pub asset: String,
    /// The address that receives the app's payments.
    pub to_addr: String,
    /// The chain's node.
    pub chain: DescribedChain,
}

/// The node of the embedded chain: JSON-RPC over HTTP Basic.
#[derive(Clone, Serialize, Deserialize)]
pub struct DescribedChain {
    /// Its URL.
    pub rpc_url: String,
    /// The user name.
    pub rpc_user: String,
    /// The password.
    pub rpc_password: String,
}

/// A demo user.
#[derive(Clone, Serialize, Deserialize)]
pub struct DescribedUser {
    /// The id on the wire.
    pub user_id: String,
    /// The id in the VAS and Lafi wallets.
    pub aid: String,
    /// The address on the chain.
    pub address: String,
    /// The login name.
    pub login_name: String,
    /// The login password.
    pub pwd: String,
    /// The payment password.
    pub wallet_pwd: String,
    /// The FOMO balances, by coin id.
    pub balances: BTreeMap<String, String>,
    /// The balances on the chain, by asset.
    pub assets: BTreeMap<String, String>,
}

pub(crate) struct DemoUser {
    pub(crate) login_name: &'static str,
    pub(crate) name: &'static str,
    pub(crate) pwd: &'static str,
    /// Empty when the user has none.
    pub(crate) wallet_pwd: &'static str,
}

/// An operator, for `/admin`.
pub(crate) const OPERATOR: DemoUser =
    DemoUser { login_name: "operator", name: "Operator", pwd: "operator-password", wallet_pwd: "" };

/// A user without money, to try a payment that is refused.
pub(crate) const POOR: DemoUser =
    DemoUser { login_name: "dora", name: "Dora (has nothing)", pwd: "dora-password", wallet_pwd: "400400" };

/// The app's owner first.
pub(crate) const USERS: [DemoUser; 3] = [
    DemoUser { login_name: "owner", name: "Demo shop", pwd: "owner-password", wallet_pwd: "300300" },
    DemoUser { login_name: "alice", name: "Alice", pwd: "alice-password", wallet_pwd: "100100" },
    DemoUser { login_name: "bob", name: "Bob", pwd: "bob-password", wallet_pwd: "200200" },
];
const CLIENT_ID: &str = "demo_app";
const REDIRECT_URI: &str = "https://shop.example/back";
/// The amount of each coin that a demo user starts with.
const BEGINS_WITH: &str = "1000";

/// The coins of the document's second appendix.
fn coins() -> [Coin; 4] {
    let coin =
        |id, chain_id: &str, price: &str, name: &str, contract: &str, decimals, next_start: &str| Coin {
            id: CoinId::new(id),
            chain_id: chain_id.to_owned(),
            coin_type: "0".to_owned(),
            price: price.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            explorer: String::new(),
            contract: contract.to_owned(),
            decimals,
            min_amount: "1".to_owned(),
            next_start: next_start.to_owned(),
            is_active: true,
            sort_id: 0,
        };
    [
        coin(1, "3", "0.1", "vnt", "", 8, "0"),
        coin(3, "3", "188.93", "eth", "", 18, "6739398"),
        coin(5, "3", "0.9993", "usdt", "0x3551206D38A1D76C3616b8cf2A239Bc3893E4119", 6, "6739398"),
        Coin {
            description: "bitcoin".to_owned(),
            explorer: "bitcoin.org".to_owned(),
            ..coin(8, "1", "9027.06", "btc", "", 18, "0")
        },
    ]
}

async fn create_user(
    store: &Store,
    passwords: &Passwords,
    user: &'static DemoUser,
) -> Result<UserId, Failure> {
    let id = match store.view(FindUser(user.login_name.to_owned())).await? {
        Some(known) => known.id,
        None => {
            // Two hashes of tens of milliseconds each, in parallel with those of the other users.
            let (hashing, vault) = (passwords.clone(), store.vault().clone());
            let hashes = tokio::task::spawn_blocking(move || {
                let hash = |password: &str| hashing.hash(vault.crypto(), password).map(Secret::new);
                let wallet_pwd = (!user.wallet_pwd.is_empty()).then(|| hash(user.wallet_pwd)).transpose()?;
                Ok::<_, NoMemory>((hash(user.pwd)?, wallet_pwd))
            });
            let hashes = hashes.await.map_err(|error| StoreError::Panicked(error.to_string()))?;
            let (pwd, wallet_pwd) = hashes.map_err(|error| StoreError::Database(error.to_string()))?;
            let (login_name, name) = (user.login_name.to_owned(), user.name.to_owned());
            store.submit(CreateUser { login_name, name, pwd, wallet_pwd, developer: false }).await?
        }
    };
    Ok(id)
}

/// A demo user with a balance in each coin.
async fn create_rich_user(
    store: &Store,
    passwords: &Passwords,
    user: &'static DemoUser,
) -> Result<UserId, Failure> {
    let id = create_user(store, passwords, user).await?;
    // Each step checks for itself, so that the next start completes an interrupted one.
    for coin in coins() {
        if store.view(Records { user: id, coin: coin.id, page: 1 }).await?.total == 0
            && let Ok(amount) = BEGINS_WITH.parse()
        {
            store.submit(Deposit { user: id, coin: coin.id, amount }).await?;
        }
    }
    Ok(id)
}

/// Creates the missing demo data. Existing data stays unchanged.
pub(crate) async fn seed(store: &Store, passwords: &Passwords) -> Result<(), Failure> {
    let known = store.view(ActiveCoins).await?;
    for coin in coins() {
        if !known.iter().any(|known| known.id == coin.id) {
            store.submit(PutCoin(coin)).await?;
        }
    }
    let [owner, alice, bob] = &USERS;
    let (owner, alice, bob, operator, _) = tokio::try_join!(
        create_rich_user(store, passwords, owner),
        create_rich_user(store, passwords, alice),
        create_rich_user(store, passwords, bob),
        create_user(store, passwords, &OPERATOR),
        create_user(store, passwords, &POOR),
    )?;
    store.submit(ByOperator::machine("", EnrolOperator { user: operator, roles: Roles::ALL })).await?;
    if found(store.view(FindApp::even_suspended(CLIENT_ID)).await)?.is_none() {
        store.submit(EnrolDeveloper(owner)).await?;
        let seed = store.vault().seed();
        let (client_id, name) = (CLIENT_ID.to_owned(), "Demo shop".to_owned());
        store
            .submit(CreateApp {
                owner,
                client_id: client_id.into(),
                name,
                redirect_uri: REDIRECT_URI.into(),
                seed,
            })
            .await?;
    }
    seed_chain(store, [owner, alice, bob]).await?;
    seed_vas(store, owner).await
}

/// `None` for a refusal; a failure of the store is returned.
pub(crate) fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Refused(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The demo shop's name in every wallet.
const SHOP_NAME: &str = "The corner café";
/// The FOMO app of the demo shop.
const SHOP_CLIENT_ID: &str = "corner_cafe";

/// Creates the demo shop's app, or updates its redirect_uri after a change of the port.
pub(crate) async fn seed_shop(store: &Store, url: &str) -> Result<(), Failure> {
    let redirect_uri = format!("{url}/shop/back");
    match found(store.view(FindApp::even_suspended(SHOP_CLIENT_ID)).await)? {
        Some(keys) if keys.app.redirect_uri.as_str() == redirect_uri => {}
        Some(keys) => store.submit(MoveApp { app: keys.app.id, redirect_uri: redirect_uri.into() }).await?,
        None => {
            let owner = store.view(FindApp::even_suspended(CLIENT_ID)).await?.app.owner;
            let (client_id, name) = (SHOP_CLIENT_ID.to_owned(), SHOP_NAME.to_owned());
            let seed = store.vault().seed();
            store
                .submit(CreateApp {
                    owner,
                    client_id: client_id.into(),
                    name,
                    redirect_uri: redirect_uri.into(),
                    seed,
                })
                .await?;
        }
    }
    Ok(())
}

/// Issues each user's assets on the chain, with [`limits::FINAL_CONFIRMATIONS`] blocks.
async fn seed_chain(store: &Store, users: [UserId; 3]) -> Result<(), Failure> {
    if store.view(DevTip).await?.height > 0 {
        return Ok(());
    }
    for user in users {
        for profile in Profile::ALL {
            let (to, asset) = (store.vault().address(user), profile.asset().to_owned());
            let has = store.view(DevBalance { address: to.clone(), asset: asset.clone() }).await?;
            if let (true, Ok(amount)) = (has.is_zero(), BEGINS_WITH.parse()) {
                store.submit(DevIssue { to, asset, amount }).await?;
            }
        }
    }
    store.submit(DevMine { blocks: limits::FINAL_CONFIRMATIONS }).await?;
    Ok(())
}

/// A host name of this machine, so that callbacks reach a program that listens on it.
const SAFE_DOMAIN: &str = "www.shop.localhost";
const SCHEME: &str = "demoshop";

fn demo_key(profile: Profile) -> Result<PrivateKey, Failure> {
    let pem = match profile {
        Profile::Vas => include_str!("../demo/vas.pem"),
        Profile::Lafi => include_str!("../demo/lafi.pem"),
    };
    PrivateKey::load(pem).map_err(|error| StoreError::Panicked(error.to_string()).into())
}

/// Creates an approved demo app of each wallet, and a quote of each coin in every currency that never expires.
async fn seed_vas(store: &Store, owner: UserId) -> Result<(), Failure> {
    let known = store.view(VasApps { owner }).await?;
    for profile in Profile::ALL.iter().copied() {
        let mine = |app: &&VasApp| app.profile == profile && app.state != Review::Rejected;
        let app = match known.iter().find(mine) {
            Some(app) if app.state == Review::Approved => {
                // Approved before apps had addresses.
                if store.view(AddressesOf(app.id)).await?.is_empty() {
                    let _known = store
                        .submit(AddAddress { owner, app: app.id, entered: None, chain: OrderChain::Embedded })
                        .await?;
                }
                continue;
            }
            Some(app) => Ok(app.id), // from an interrupted start
            None => {
                let (safe_domain, scheme) = (SAFE_DOMAIN.to_owned(), SCHEME.to_owned());
                let apply = ApplyVas { owner, profile, name: SHOP_NAME.to_owned(), safe_domain, scheme };
                store.submit(apply).await?
            }
        };
        let Ok(app) = app else { continue }; // this application is well-formed
        let key = demo_key(profile)?;
        let (rsa_private, rsa_public) = (key.to_base64(), key.public().pkcs1().to_vec());
        let decision =
            Decision::Approve { rsa_private, rsa_public, seed: store.vault().seed(), address: true };
        let _decided = store.submit(ReviewVas { app, decision }).await?;
        for (currency, price) in
            Currency::ALL.iter().copied().zip(["0.29", "0.04", "0.037", "0.031", "6.2", "58"])
        {
            let (Ok(price), Ok(volume)) = (price.parse(), "1000".parse()) else { continue };
            let put = PutQuote { profile, currency, market: 0, price, volume, max_age: ALWAYS_FRESH };
            store.submit(put).await?;
        }
    }
    Ok(())
}

/// Longer than the sandbox's clock can be moved.
const ALWAYS_FRESH: Duration = Duration::from_secs(1000 * 365 * 86_400);

async fn describe_vas(
    store: &Store,
    url: &str,
    apps: &[VasApp],
    profile: Profile,
) -> Result<DescribedVas, Failure> {
    let missing = || Failure::Store(StoreError::Panicked("the demo apps are missing".to_owned()));
    let approved = |app: &&VasApp| app.profile == profile && app.state == Review::Approved;
    let app = apps.iter().find(approved).ok_or_else(missing)?;
    let (access_token, rsa_private) = app.credentials(store.vault()).map_err(|_| missing())?;
    let public = PublicKey::load(&app.rsa_public).map_err(|_| missing())?;
    let to_addr = store.view(AddressesOf(app.id)).await?.into_iter().next().ok_or_else(missing)?;
    Ok(DescribedVas {
        base_url: format!("{url}{}", <wallet_api::vas::Vas as wallet_core::Platform>::META.base_path),
        uuid: app.uuid.to_string(),
        access_token: access_token.expose().clone(),
        rsa_private_pkcs8: rsa_private.expose().clone(),
        rsa_public_spki: public.to_base64(),
        safe_domain: app.safe_domain.clone(),
        scheme: app.scheme.clone(),
        asset: profile.asset().to_owned(),
        to_addr: to_addr.address.to_string(),
        chain: DescribedChain {
            rpc_url: format!("{url}{}", chain::RPC_PATH),
            rpc_user: chain::RPC_USER.to_owned(),
            rpc_password: chain::credentials(store.vault()).password.expose().clone(),
        },
    })
}

/// The description of the sandbox at `url`.
pub(crate) async fn describe(store: &Store, url: &str) -> Result<Described, Failure> {
    let app = store.view(FindApp::even_suspended(CLIENT_ID)).await?;
    let shop = store.view(FindApp::even_suspended(SHOP_CLIENT_ID)).await?;
    let mut users = Vec::new();
    for user in USERS.iter().skip(1) {
        let Some(known) = store.view(FindUser(user.login_name.to_owned())).await? else { continue };
        let balances = store.view(Balances(known.id)).await?;
        let balances =
            balances.into_iter().map(|(coin, units)| (coin.id.to_string(), units.to_decimal(coin.decimals)));
        let mut assets = BTreeMap::new();
        for profile in Profile::ALL {
            let (address, asset) = (store.vault().address(known.id), profile.asset().to_owned());
            let has = store.view(DevBalance { address, asset: asset.clone() }).await?;
            assets.insert(asset, has.to_string());
        }
        users.push(DescribedUser {
            user_id: known.id.to_string(),
            aid: aid(known.id),
            address: store.vault().address(known.id),
            login_name: user.login_name.to_owned(),
            pwd: user.pwd.to_owned(),
            wallet_pwd: user.wallet_pwd.to_owned(),
            balances: balances.collect(),
            assets,
        });
    }
    let apps = store.view(VasApps { owner: app.app.owner }).await?;
    let described = |profile| describe_vas(store, url, &apps, profile);
    Ok(Described {
        url: url.to_owned(),
        vas: described(Profile::Vas).await?,
        lafi: described(Profile::Lafi).await?,
        fomo: DescribedFomo {
            base_url: format!("{url}{}", <wallet_api::fomo::Fomo as wallet_core::Platform>::META.base_path),
            client_id: app.app.client_id.to_string(),
            client_secret: app.secrets().next().unwrap_or_default().to_owned(),
            redirect_uri: app.app.redirect_uri.to_string(),
            owner_user_id: app.app.owner.to_string(),
            owner_pwd: USERS[0].pwd.to_owned(),
            owner_wallet_pwd: USERS[0].wallet_pwd.to_owned(),
        },
        shop: DescribedShop {
            client_secret: shop.secrets().next().unwrap_or_default().to_owned(),
            client_id: shop.app.client_id.to_string(),
            redirect_uri: shop.app.redirect_uri.to_string(),
        },
        users,
        poor_user: DescribedSignIn::of(&POOR),
        operator: DescribedSignIn::of(&OPERATOR),
        clock_url: format!("{url}/clock"),
    })
}

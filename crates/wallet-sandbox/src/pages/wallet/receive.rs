//! Receiving money: the user's ids in the three wallets, and the addresses of the user's apps.

use askama::Template;
use axum::response::Response;
use wallet_api::vas::Profile;
use wallet_client::QrCode;
use wallet_platform::{AddressesOf, VasApps};
use wallet_server::pages::{View, failure, page as render};

use super::{Wallet, wallet_of};

/// An address, and the app that it belongs to.
struct OfApp {
    app: String,
    asset: &'static str,
    address: String,
}

#[derive(Template)]
#[template(path = "wallet_receive.html")]
struct ReceivePage<'a> {
    view: &'a View,
    name: &'a str,
    user_id: String,
    address: String,
    /// The wallets and assets of the address.
    assets: Vec<(&'static str, &'static str)>,
    qr: String,
    apps: Vec<OfApp>,
}

/// The page.
pub(crate) async fn page(wallet: Wallet) -> Response {
    let (store, user) = (&wallet.pages.shared.store, &wallet.user);
    let found = async {
        let mut found = Vec::new();
        for app in store.view(VasApps { owner: user.id }).await? {
            for one in store.view(AddressesOf(app.id)).await? {
                let (address, asset) = (one.address.to_string(), app.profile.asset());
                found.push(OfApp { app: app.name.clone(), asset, address });
            }
        }
        Ok(found)
    };
    let apps = match found.await {
        Ok(apps) => apps,
        Err(no) => return failure(&wallet.view, &no),
    };
    let address = store.vault().address(user.id);
    render(&ReceivePage {
        view: &wallet.view,
        name: &user.name,
        user_id: user.id.to_string(),
        assets: Profile::ALL.iter().map(|profile| (wallet_of(*profile), profile.asset())).collect(),
        qr: QrCode::new(&address).map(|code| code.to_svg()).unwrap_or_default(),
        address,
        apps,
    })
}

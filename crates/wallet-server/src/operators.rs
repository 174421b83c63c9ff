//! Operators are appointed on the machine itself, never over the network.

use wallet_core::crypto::hex_text;
use wallet_core::{Lang, Secret};
use wallet_crypto::{PasswordCost, Passwords};
use wallet_platform::{CreateUser, EnrolOperator, Failure, FindUser};
use wallet_store::OpenError;

use crate::store::Store;

/// Makes a user an operator. Creates a missing user and returns the user's password.
///
/// # Errors
/// [`OpenError`] with the cause and the next step.
pub async fn add_operator(store: &Store, login_name: &str) -> Result<Option<Secret<String>>, OpenError> {
    let failed = |failure: Failure| {
        let why = crate::pages::in_words(Lang::En, &failure);
        OpenError::new(format!("cannot make {login_name} an operator: {why}"))
    };
    let (user, pwd) = match store.view(FindUser(login_name.to_owned())).await.map_err(failed)? {
        Some(known) => (known.id, None),
        None => {
            let mut random = [0; 12];
            store.vault().crypto().fill(&mut random);
            let pwd = Secret::new(hex_text(&random));
            let hash = Passwords::new(PasswordCost::default()).hash(store.vault().crypto(), pwd.expose());
            let user = CreateUser {
                login_name: login_name.to_owned(),
                name: login_name.to_owned(),
                pwd: Secret::new(hash),
                wallet_pwd: None,
                developer: false,
            };
            (store.submit(user).await.map_err(failed)?, Some(pwd))
        }
    };
    store.submit(EnrolOperator(user)).await.map_err(failed)?;
    Ok(pwd)
}

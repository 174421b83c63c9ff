//! Power cuts: the program is killed under load, again and again. What was acknowledged is there, once, with its callback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wallet_api::fomo::{CoinId, ServerUri, TradeId, UserId};
use wallet_client::{FomoClient, FomoCredentials, FomoWallet, Payment, Payout, system_time};
use wallet_crypto::Portable;
use wallet_hyper::HyperTransport;
use wallet_tests::{Wallop, ledger_of, trials};

type Transport = HyperTransport<hyper_util::client::legacy::connect::HttpConnector>;

fn transport() -> Transport {
    HyperTransport::new(
        hyper_util::client::legacy::connect::HttpConnector::new(),
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioTimer::new(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_under_load_loses_no_acknowledged_payment_and_doubles_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, i128> = BTreeMap::new();
    let rounds = trials(30, 500);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..rounds {
        let wallop = Wallop::start(directory.path());
        let fomo = wallop.described.fomo.clone();
        let credentials = FomoCredentials {
            client_id: fomo.client_id.clone().into(),
            client_secret: fomo.client_secret.clone().into(),
            redirect_uri: fomo.redirect_uri.clone().into(),
        };
        let app = FomoClient::new(transport(), &fomo.base_url).with_credentials(
            credentials,
            Arc::new(Portable::new()),
            system_time,
        );
        let wallet = FomoWallet::new(transport(), &fomo.base_url);
        let alice = wallop.described.users[0].clone();
        // Everything acknowledged before is there.
        for (trade_id, units) in acknowledged.iter().rev().take(5) {
            let trade = app.trade(&TradeId::new(trade_id.clone())).await.unwrap();
            assert_eq!(
                (trade.status.as_str(), trade.amount.units(6).unwrap().get()),
                ("100", *units),
                "{trade_id}"
            );
        }
        let session = wallet.login(&alice.login_name, &alice.pwd).await.unwrap().session_key;
        let grant = wallet.authorize(&session, &fomo.client_id, &fomo.redirect_uri, "s").await.unwrap();
        let tokens = app.exchange_code(grant.code.as_str()).await.unwrap();
        let alice_id = UserId::new(alice.user_id.parse().unwrap());
        // Nobody listens there: callbacks stay due.
        let server_uri = ServerUri::new("http://127.0.0.1:9/cb").unwrap();
        // The first payment shows the password, which takes its time; from then on it is remembered.
        let first = TradeId::new(format!("crash-{round}-first"));
        let payment = Payment {
            trade_id: first.clone(),
            amount: "0.000009".parse().unwrap(),
            coin: CoinId::new(5),
            server_uri: server_uri.clone(),
            state: "s".into(),
        };
        let id = app.pre_pay(&tokens.access_token, payment).await.unwrap();
        wallet.confirm_pay(&session, id, &first, &alice.wallet_pwd).await.unwrap();
        acknowledged.insert(first.as_str().to_owned(), 9);
        let mut load = tokio::task::JoinSet::new();
        for worker in 0..8_u32 {
            let (app, wallet, session, tokens) =
                (app.clone(), wallet.clone(), session.clone(), tokens.clone());
            let (server_uri, alice, owner_pwd) =
                (server_uri.clone(), alice.clone(), fomo.owner_wallet_pwd.clone());
            load.spawn(async move {
                let mut done = Vec::new();
                for number in 0.. {
                    let trade_id = TradeId::new(format!("crash-{round}-{worker}-{number}"));
                    let units = i128::from(number % 7 + 1);
                    let amount: wallet_core::Amount<'static> = format!("0.00000{units}").parse().unwrap();
                    let (coin, state) = (CoinId::new(5), "s".into());
                    let paid = if worker == 0 {
                        // pay_user waits for its first callback: its money has moved before it answers.
                        let payout = Payout {
                            trade_id: trade_id.clone(),
                            amount,
                            coin,
                            user: alice_id,
                            server_uri: server_uri.clone(),
                            state,
                        };
                        app.pay_user(payout, &owner_pwd).await.is_ok()
                    } else {
                        let payment = Payment {
                            trade_id: trade_id.clone(),
                            amount,
                            coin,
                            server_uri: server_uri.clone(),
                            state,
                        };
                        match app.pre_pay(&tokens.access_token, payment).await {
                            Ok(id) => {
                                wallet.confirm_pay(&session, id, &trade_id, &alice.wallet_pwd).await.is_ok()
                            }
                            Err(_) => false,
                        }
                    };
                    if !paid {
                        break;
                    }
                    done.push((trade_id.as_str().to_owned(), units));
                }
                done
            });
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(20 + (state >> 33) % 200)).await;
        wallop.kill();
        for done in load.join_all().await {
            acknowledged.extend(done);
        }
        let ledger = ledger_of(&directory.path().join("wallop.db"));
        ledger.check();
        let found: BTreeMap<String, i128> = ledger.done.iter().cloned().collect();
        assert_eq!(found.len(), ledger.done.len(), "no payment twice");
        for (trade_id, units) in &acknowledged {
            assert_eq!(found.get(trade_id), Some(units), "{trade_id} was acknowledged");
        }
    }
    println!("{rounds} kills, {} acknowledged payments", acknowledged.len());
    assert!(acknowledged.len() > 10 * rounds as usize, "there was load: {}", acknowledged.len());
}

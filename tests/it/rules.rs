//! The rules, one by one, over HTTP. Those that other files test carry their number there.

use std::time::Duration;

use serde_json::Value;
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{
    AppEvents, CreateUser, EventKind, FindApp, OldUnpaid, RotateSecret, SetFees, TransferSeq,
};
use wallet_tests::{Call, Merchant, World, fast_passwords, sign};

macro_rules! rule {
    ($name:ident, |$world:ident| $body:block) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let $world = World::start().await;
            $body
        }
    };
}

rule!(r05_pay_user_tells_the_first_callbacks_status_and_never_waits_long, |world| {
    let merchant = Merchant::open().await;
    for status in [200, 404, 201] {
        merchant.answer(&[status, 200]);
        let reply = world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
        assert_eq!(reply.data("httpcode"), status.to_string());
    }
    // Nothing listens: the payment is made, and httpcode is 0.
    let before = world.balances("alice").await["5"].clone();
    let reply = world.call(&world.pay_user("alice")).await.ok();
    assert_eq!(reply.data("httpcode"), "0");
    assert_ne!(world.balances("alice").await["5"], before);
});

rule!(r04_200_counts_whatever_its_body_does, |world| {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/cb", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            // A head, and a body that breaks off.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\nabc").await;
        }
    });
    let reply = world.call(&world.pay_user("alice").with("server_uri", &url)).await.ok();
    assert_eq!(reply.data("httpcode"), "200");
});

#[tokio::test]
async fn r84_an_app_that_asks_for_too_many_payments_has_to_wait() {
    let world = World::start_with(std::num::NonZeroU32::new(1)).await;
    let (access, _) = world.tokens("alice").await;
    let transfers = || world.database().count("SELECT count(*) FROM transfer");
    let (before, mut outcomes) = (transfers(), Vec::new());
    for _ in 0..15 {
        let call = world.pre_pay_with(&access);
        let reply = world.call(&call).await;
        outcomes.push((reply.http, reply.status()));
        let made = outcomes.iter().filter(|(http, _)| *http == 200).count();
        assert_eq!(transfers() - before, made as i64, "a refused one leaves nothing: {outcomes:?}");
    }
    assert!(outcomes[..5].iter().all(|outcome| *outcome == (200, 1)), "{outcomes:?}");
    assert!(outcomes.contains(&(503, 5)), "{outcomes:?}");
    // What moves no new row is not bounded.
    for _ in 0..20 {
        world.call(&Call::post("oauth2/resource/get_user_info").bearer(&access)).await.ok();
    }
}

rule!(r29_a_user_has_a_bounded_number_of_open_apps, |world| {
    use wallet_platform::{
        CloseApp, CreateApp, EnrolDeveloper, PasswordKind, Reason, Reservation, ReservePassword, Who,
    };
    let store = world.store();
    let owner = wallet_api::fomo::UserId::new(world.described().fomo.owner_user_id.parse().unwrap());
    store.submit(EnrolDeveloper(owner)).await.unwrap();
    let create = |number: usize| CreateApp {
        owner,
        client_id: format!("app-{number}").into(),
        name: "x".into(),
        redirect_uri: "x".into(),
        seed: store.vault().seed(),
    };
    let (mut number, mut last) = (0, None);
    let refused = loop {
        number += 1;
        match store.submit(create(number)).await {
            Ok(created) => last = Some(created.app),
            Err(refused) => break refused,
        }
        assert!(number <= 100);
    };
    assert_eq!(refused.refused().unwrap().reason, Reason::NotAllowed);
    let open = world.database().count(&format!("SELECT count(*) FROM app WHERE owner = {}", owner.get()));
    assert_eq!(open, 100, "with those of the sandbox");
    // One that is closed makes room for one.
    let session = store.vault().hash(&world.session("owner").await);
    let reserve = ReservePassword { who: Who::Session(session), kind: PasswordKind::LoginAgain };
    let Reservation::Challenge(challenge) = store.submit(reserve).await.unwrap() else {
        panic!("the only one")
    };
    let proof = challenge.proven();
    store.submit(CloseApp { session, proof, app: last.unwrap() }).await.unwrap();
    store.submit(create(number)).await.unwrap();
    store.submit(create(number + 1)).await.unwrap_err();
});

// RFC 8265: macOS sends "ë" as two code points, others as one.
rule!(r22_a_password_is_the_same_from_every_keyboard, |world| {
    let phc = fast_passwords().hash(&Portable::new(), "Zo\u{eb}-password").unwrap();
    let user = CreateUser {
        login_name: "zoe".to_owned(),
        name: "Zoe".to_owned(),
        // A hash of before, of the text as it was sent.
        pwd: Secret::new(phc.strip_prefix("nfc").unwrap().to_owned()),
        wallet_pwd: None,
        developer: false,
    };
    world.store().submit(user).await.unwrap();
    let login = async |pwd: &str| {
        let call = Call::post("customer/login").with("login_name", "zoe").with("pwd", pwd);
        world.call(&call).await.status()
    };
    assert_eq!(login("Zoe\u{308}-password").await, 12, "an old hash knows one form");
    assert_eq!(login("Zo\u{eb}-password").await, 1);
    assert_eq!(login("Zoe\u{308}-password").await, 1, "the success has made it again");
    assert_eq!(login("Zoe-password").await, 12);
});

rule!(r06_the_refresh_address_stands_below_the_base_url, |world| {
    world.call(&world.refresh("alice").await).await.ok();
    // The document's base address ends with a slash, and its path begins with one.
    let doubled = Call { path: "/oauth2/RefreshToken".into(), ..world.refresh("alice").await };
    world.call(&doubled).await.ok();
});

rule!(r07_redirect_uri_is_compared_byte_for_byte, |world| {
    let call = world.authorize("alice").await;
    for other in [
        "https://shop.example/back/",
        "https://SHOP.example/back",
        "shop.example/back",
        " https://shop.example/back",
    ] {
        assert_eq!(world.call(&call.clone().with("redirect_uri", other)).await.status(), 54, "{other}");
    }
    world.call(&call).await.ok();
});

rule!(r12_amounts_are_exact_or_refused_and_their_text_is_kept, |world| {
    let (token, _) = world.tokens("alice").await;
    for bad in ["0", "0.0", "0.0000001", "1.0000000", "1e2", "1000000000000000000000000000000"] {
        let reply = world.call(&world.pre_pay_with(&token).with("amount", bad)).await;
        assert_eq!(reply.status(), 0, "{bad}: {}", reply.text);
        assert!(reply.json["msg"].as_str().unwrap().ends_with(": amount"), "{bad}");
    }
    // A JSON number is refused, whatever it says.
    let call = world.pre_pay_with(&token);
    let (body, kind) = call.clone().without("amount").body(wallet_tests::Format::Json);
    let body = String::from_utf8(body).unwrap().replacen('{', "{\"amount\":1,", 1);
    let reply = world.send(&call, body.into_bytes(), Some(&kind)).await;
    assert_eq!((reply.status(), reply.json["msg"].as_str().unwrap().ends_with(": amount")), (0, true));
    let call = world.pre_pay_with(&token).with("amount", "1.500000");
    world.call(&call).await.ok();
    assert_eq!(world.call(&world.get_trade(call.field("trade_id"))).await.ok().data("amount"), "1.500000");
});

rule!(r15_a_code_works_once_for_60_seconds_and_its_reuse_revokes, |world| {
    let exchange = world.token("alice").await;
    let first = world.call(&exchange).await.ok();
    let info = Call::post("oauth2/resource/get_user_info").bearer(first.data("access_token"));
    world.call(&info).await.ok();
    let again = world.call(&exchange).await;
    assert_eq!((again.http, again.status(), again.json["error"].as_str()), (400, 54, Some("invalid_grant")));
    assert_eq!(world.call(&info).await.http, 401, "what the first use issued is revoked");
    assert_eq!(world.call(&world.refresh_of(first.data("refresh_token"))).await.http, 400);
    let exchange = world.token("alice").await;
    world.jump(Duration::from_secs(61));
    assert_eq!(world.call(&exchange).await.json["error"], "invalid_grant");
    // Another redirect_uri does not burn it; neither does a wrong secret.
    let exchange = world.token("alice").await;
    assert_eq!(world.call(&exchange.clone().with("redirect_uri", "x")).await.json["error"], "invalid_grant");
    assert_eq!(
        world.call(&exchange.clone().with("client_secret", "x")).await.json["error"],
        "invalid_client"
    );
    world.call(&exchange).await.ok();
});

rule!(r16_a_refresh_can_be_repeated_for_a_minute_and_then_revokes, |world| {
    let (access, refresh) = world.tokens("alice").await;
    let call = world.refresh_of(&refresh);
    let first = world.call(&call).await.ok();
    assert_eq!(world.call(&call).await.ok().text, first.text, "the very same reply");
    let info = |token: &str| Call::post("oauth2/resource/get_user_info").bearer(token);
    world.call(&info(&access)).await.ok();
    world.call(&info(first.data("access_token"))).await.ok();
    world.jump(Duration::from_secs(61));
    assert_eq!(world.call(&call).await.json["error"], "invalid_grant");
    assert_eq!(world.call(&info(first.data("access_token"))).await.http, 401, "the family is revoked");
    assert_eq!(world.call(&info(&access)).await.http, 401);
    // Lifetimes.
    let (access, refresh) = world.tokens("alice").await;
    world.jump(Duration::from_secs(3601));
    assert_eq!(world.call(&info(&access)).await.status(), 2);
    world.jump(Duration::from_secs(1_209_600 - 3601 - 5));
    world.call(&world.refresh_of(&refresh)).await.ok();
    let (_, refresh) = world.tokens("alice").await;
    world.jump(Duration::from_secs(1_209_601));
    assert_eq!(world.call(&world.refresh_of(&refresh)).await.json["error"], "invalid_grant");
});

rule!(r17_token_addresses_speak_rfc_6749, |world| {
    let fomo = &world.described().fomo;
    // Credentials as HTTP Basic, and the refresh at the token address.
    let basic = {
        use oauth2::url::form_urlencoded::byte_serialize;
        let pair = [&fomo.client_id, &fomo.client_secret]
            .map(|half| byte_serialize(half.as_bytes()).collect::<String>());
        format!("Basic {}", base64(&pair.join(":")))
    };
    let mut exchange = world.token("alice").await.without("client_id").without("client_secret");
    exchange.headers.push(("authorization", basic.clone()));
    let reply = world.call(&exchange).await.ok();
    assert_eq!(reply.json["expires_in"], 3600);
    assert_eq!(reply.headers["cache-control"], "no-store");
    for name in ["access_token", "token_type", "expires_in", "refresh_token", "scope"] {
        assert_eq!(reply.json[name], reply.json["data"][name], "{name} at the top and in data");
    }
    let mut refresh =
        world.refresh_of(reply.data("refresh_token")).without("client_id").without("client_secret");
    refresh.path = "oauth2/authorize/token".to_owned();
    refresh.headers.push(("authorization", basic));
    world.call(&refresh.without("scope")).await.ok();
    // Another grant_type is refused as such, also if other fields are missing.
    for grant in ["client_credentials", "password"] {
        let call =
            Call::post("oauth2/authorize/token").with("grant_type", grant).with("client_id", &fomo.client_id);
        let reply = world.call(&call).await;
        assert_eq!(
            (reply.http, reply.status(), reply.json["error"].as_str()),
            (400, 0, Some("unsupported_grant_type"))
        );
    }
});

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63] as char;
            out.push(if at <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

rule!(r18_only_the_payer_confirms_and_both_ids_must_fit, |world| {
    let confirm = world.confirm_pay("alice").await;
    assert_eq!(world.call(&confirm.clone().with("trade_id", "another")).await.status(), 212);
    assert_eq!(world.call(&confirm.clone().with("transfer_id", "4611686018427387904")).await.status(), 212);
    let bob = world.user("bob").wallet_pwd.clone();
    let as_bob = confirm.clone().with("session_key", &world.session("bob").await).with("wallet_pwd", &bob);
    assert_eq!(world.call(&as_bob).await.status(), 54);
    world.call(&confirm).await.ok();
});

rule!(r19_a_payment_that_waits_holds_no_funds, |world| {
    let before = world.balances("alice").await;
    let large = world.pre_pay("alice").await.with("amount", "900");
    let large = world.confirm_of("alice", &large).await;
    assert_eq!(world.balances("alice").await, before);
    let other = world.pre_pay("alice").await.with("amount", "200");
    world.call(&world.confirm_of("alice", &other).await).await.ok();
    assert_eq!(world.call(&large).await.status(), 24, "decided at confirm");
    assert_eq!(world.balances("alice").await["5"], "800");
});

rule!(r20_a_payment_expires_after_exactly_three_minutes, |world| {
    let merchant = Merchant::open().await;
    let pre_pay = world.pre_pay("alice").await.with("server_uri", &merchant.url);
    let confirm = world.confirm_of("alice", &pre_pay).await;
    world.jump(Duration::from_secs(170));
    let pending =
        Call { path: "oauth2/authorize/get_pending".into(), ..confirm.clone().without("wallet_pwd") };
    world.call(&pending).await.ok();
    world.jump(Duration::from_secs(11));
    for call in [&confirm, &pending] {
        let reply = world.call(call).await;
        assert_eq!(reply.status(), 213);
        assert_eq!(reply.data("status"), "400");
    }
    assert_eq!(world.call(&world.get_trade(pre_pay.field("trade_id"))).await.ok().data("status"), "400");
    world.advance(100_000).await;
    assert!(merchant.received().is_empty(), "no callback for an expired payment");
    let app = world.store().view(FindApp::new(&world.described().fomo.client_id)).await.unwrap().app.id;
    let events = world.store().view(AppEvents { app, after: 0, limit: 10 }).await.unwrap();
    assert_eq!(events.len(), 1, "it is listed for the app");
    assert_eq!(events[0].0.kind, EventKind::Created);
});

rule!(r21_a_trade_id_is_used_once_for_ever, |world| {
    let first = world.pre_pay("alice").await;
    let made = world.call(&first).await.ok();
    let again = world.call(&first.clone().with("amount", "9")).await;
    assert_eq!((again.status(), again.data("transfer_id")), (211, made.data("transfer_id")));
    assert_eq!((again.data("status"), again.data("amount")), ("50", "1.50"));
    // In the other direction too.
    let payout = world.pay_user("alice").with("trade_id", first.field("trade_id"));
    assert_eq!(world.call(&payout).await.status(), 211);
    world.jump(Duration::from_secs(200));
    let again = world.call(&world.pay_user("alice").with("trade_id", first.field("trade_id"))).await;
    assert_eq!((again.status(), again.data("status")), (211, "400"));
});

rule!(r22_five_wrong_payment_passwords_lock_and_each_further_one_doubles, |world| {
    let confirm = world.confirm_pay("alice").await;
    let wrong = confirm.clone().with("wallet_pwd", "wrong");
    for _ in 0..4 {
        assert_eq!(world.call(&wrong).await.json["msg"], "Wrong payment password");
    }
    let fifth = world.call(&wrong).await;
    assert_eq!(
        (fifth.status(), fifth.json["msg"].as_str()),
        (26, Some("Wrong payment password; try again in 60 s"))
    );
    let locked = world.call(&confirm).await;
    assert_eq!(locked.status(), 26, "the right one too, while it is locked");
    world.jump(Duration::from_secs(61));
    let sixth = world.call(&wrong).await;
    assert!(sixth.json["msg"].as_str().unwrap().contains("in 120 s"), "{}", sixth.text);
    world.jump(Duration::from_secs(121));
    let confirm = world.confirm_pay("alice").await;
    world.call(&confirm).await.ok();
    // Success resets.
    let confirm = world.confirm_pay("alice").await;
    for _ in 0..4 {
        assert_eq!(world.call(&confirm.clone().with("wallet_pwd", "wrong")).await.status(), 26);
    }
    world.call(&confirm).await.ok();
});

rule!(r22_five_parallel_right_passwords_all_succeed_and_parallel_guesses_share_no_try, |world| {
    let mut confirms = Vec::new();
    for _ in 0..5 {
        confirms.push(world.confirm_pay("bob").await);
    }
    let (a, b, c, d, e) = tokio::join!(
        world.call(&confirms[0]),
        world.call(&confirms[1]),
        world.call(&confirms[2]),
        world.call(&confirms[3]),
        world.call(&confirms[4])
    );
    for reply in [a, b, c, d, e] {
        reply.ok();
    }
    let wrong = world.confirm_pay("alice").await.with("wallet_pwd", "wrong");
    let world = std::sync::Arc::new(world);
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (world, wrong) = (world.clone(), wrong.clone());
        guesses.spawn(async move { world.call(&wrong).await });
    }
    let replies = guesses.join_all().await;
    assert!(replies.iter().all(|reply| reply.status() == 26));
    let failures = world.database().count("SELECT failures FROM attempt_limit WHERE kind = 2");
    assert_eq!(failures, 5, "the sixth guess found the lock");
});

rule!(r22_r29_login_locks_likewise_and_tells_nothing_of_unknown_names, |world| {
    let login =
        |name: &str, pwd: &str| Call::post("customer/login").with("login_name", name).with("pwd", pwd);
    let mut answers: Vec<Vec<String>> = Vec::new();
    for name in ["alice", "nobody.here"] {
        let mut replies = Vec::new();
        for _ in 0..6 {
            let reply = world.call(&login(name, "wrong")).await;
            assert_eq!((reply.http, reply.status()), (200, 12));
            replies.push(reply.text);
        }
        answers.push(replies);
    }
    // Only the seconds that are left may differ.
    let plain = |replies: &[String]| {
        replies.iter().map(|text| text.replace(char::is_numeric, "")).collect::<Vec<_>>()
    };
    assert_eq!(plain(&answers[0]), plain(&answers[1]));
    assert_eq!(world.call(&login("alice", &world.user("alice").pwd)).await.status(), 12);
    world.jump(Duration::from_secs(61));
    world.call(&login("alice", &world.user("alice").pwd)).await.ok();
});

rule!(r23_the_receiver_pays_the_fee_rounded_up_once, |world| {
    let merchant = Merchant::open().await;
    let app = world.store().view(FindApp::new(&world.described().fomo.client_id)).await.unwrap().app.id;
    world.store().submit(SetFees { app, user_to_app: 10_000, app_to_user: 1 }).await.unwrap();
    let pre_pay = world.pre_pay("alice").await.with("amount", "0.000101").with("server_uri", &merchant.url);
    world.call(&world.confirm_of("alice", &pre_pay).await).await.ok();
    let trade = world.call(&world.get_trade(pre_pay.field("trade_id"))).await.ok();
    assert_eq!(trade.data("cut_amount"), "0.000002", "1 % of 101 units, rounded up");
    let payout = world.pay_user("alice").with("server_uri", &merchant.url).with("amount", "5");
    world.call(&payout).await.ok();
    assert_eq!(world.balances("alice").await["5"], "1004.999894", "1000 − 0.000101 + 5 − 0.000005");
    let received = merchant.wait_for(2).await;
    let bodies: Vec<String> =
        received.iter().map(|request| String::from_utf8_lossy(request.body()).into_owned()).collect();
    // The two callbacks may arrive in either order.
    for part in ["cut_amount=0.000002&direction=1", "amount=5&cut_amount=0.000005&direction=2"] {
        assert_eq!(bodies.iter().filter(|body| body.contains(part)).count(), 1, "{part}: {bodies:?}");
    }
    let ledger = world.database().ledger();
    ledger.check();
    assert_eq!(ledger.balances[&(2, 5)], 7, "the fee account");
});

rule!(r24_r31_only_yes_grants, |world| {
    for answer in ["no", "Yes", "YES", "yes ", "true", "1", "y"] {
        let reply = world.call(&world.authorize("alice").await.with("authorized", answer)).await;
        assert_eq!((reply.status(), reply.json["success"].as_bool()), (54, Some(false)), "{answer}");
        assert_eq!((reply.data("error"), reply.data("state")), ("access_denied", "st at&e=1"));
        assert!(reply.json["data"].get("code").is_none());
    }
    assert_eq!(world.call(&world.authorize("alice").await).await.ok().data("state"), "st at&e=1");
});

rule!(r25_pkce_is_enforced_once_it_was_asked_for, |world| {
    // RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let ask = world
        .authorize("alice")
        .await
        .with("code_challenge", challenge)
        .with("code_challenge_method", "S256");
    let code = world.call(&ask).await.ok().data("code").to_owned();
    let exchange = world.token("alice").await.with("code", &code);
    assert_eq!(world.call(&exchange).await.json["error"], "invalid_grant", "without a verifier");
    assert_eq!(
        world.call(&exchange.clone().with("code_verifier", challenge)).await.json["error"],
        "invalid_grant"
    );
    world.call(&exchange.with("code_verifier", verifier)).await.ok();
    let unasked = world.token("alice").await.with("code_verifier", verifier);
    assert_eq!(world.call(&unasked).await.json["error"], "invalid_grant", "a verifier without a challenge");
    let text = "plain-text.of~forty-three_characters-at-least";
    let plain = world.authorize("alice").await.with("code_challenge", text);
    let code = world.call(&plain).await.ok().data("code").to_owned();
    world.call(&world.token("alice").await.with("code", &code).with("code_verifier", text)).await.ok();
    // RFC 7636, 4.2: 43 to 128 unreserved characters; a hash has exactly 43 of base64url.
    let (short, long, exact) = ("a".repeat(42), "a".repeat(129), "a".repeat(43));
    let (dotted, longer) = (format!("{}.", "a".repeat(42)), "a".repeat(44));
    for (challenge, method, field) in [
        (&*exact, "S512", Some("code_challenge_method")),
        (&short, "plain", Some("code_challenge")),
        ("hello", "S256", Some("code_challenge")),
        (&longer, "S256", Some("code_challenge")),
        (&dotted, "S256", Some("code_challenge")),
        (&dotted, "plain", None),
        (&longer, "plain", None),
        (&exact, "S256", None),
        (&long, "plain", Some("code_challenge")),
    ] {
        let ask = world.authorize("alice").await.with("code_challenge", challenge);
        let reply = world.call(&ask.with("code_challenge_method", method)).await;
        match field {
            None => drop(reply.ok()),
            Some(field) => assert!(
                reply.status() == 0 && reply.json["msg"].as_str().unwrap().ends_with(field),
                "{challenge} {method}: {}",
                reply.text
            ),
        }
    }
});

rule!(r27_client_ids_and_secrets_have_their_form, |world| {
    use wallet_api::fomo::Refusal;
    use wallet_platform::{CreateApp, EnrolDeveloper};
    let store = world.store();
    let owner = wallet_api::fomo::UserId::new(world.described().fomo.owner_user_id.parse().unwrap());
    store.submit(EnrolDeveloper(owner)).await.unwrap();
    let create = |client_id: &str| CreateApp {
        owner,
        client_id: client_id.to_owned().into(),
        name: "x".into(),
        redirect_uri: "x".into(),
        seed: store.vault().seed(),
    };
    for bad in ["ab", "a b c", "微信号码", &"x".repeat(65), "a/b", ""] {
        let refused = store.submit(create(bad)).await.unwrap_err();
        assert_eq!(refused.refused().unwrap().reason, Refusal::ClientIdMalformed, "{bad}");
    }
    for good in ["wen_jing", "gift2.win", "a-b"] {
        let secret = store.submit(create(good)).await.unwrap().client_secret;
        assert!(
            secret.expose().len() == 40
                && secret.expose().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        let taken = store.submit(create(good)).await.unwrap_err();
        assert_eq!(taken.refused().unwrap().reason, Refusal::ClientIdTaken);
    }
});

rule!(r28_only_a_party_with_its_app_reads_a_transfer, |world| {
    let (token, _) = world.tokens("alice").await;
    let made = world.call(&world.pre_pay_with(&token)).await.ok();
    assert_eq!(made.json["transfer_id"], made.json["data"]["transfer_id"], "at the top level and in data");
    let detail =
        Call::post("oauth2/resource/get_transfer_detail").with("transfer_id", made.data("transfer_id"));
    let reply = world.call(&detail.clone().bearer(&token)).await.ok();
    let log = &reply.json["data"]["transfer_log"];
    assert_eq!(
        (log["status"].as_str(), log["amount"].as_str(), log["action"].as_str()),
        (Some("50"), Some("1.50"), Some("1"))
    );
    assert!(log["create_time"].is_string());
    assert_eq!(world.call(&detail.bearer(&world.tokens("bob").await.0)).await.status(), 54);
});

rule!(r30_a_session_lives_30_days_from_its_last_use, |world| {
    let session = world.session("alice").await;
    let call = Call::post("customer/get_user_info").with("session_key", &session);
    for _ in 0..3 {
        world.jump(Duration::from_secs(2_592_000 - 5));
        world.call(&call).await.ok();
    }
    world.jump(Duration::from_secs(2_592_001));
    assert_eq!(world.call(&call).await.status(), 3);
    assert_eq!(session.len(), 40);
});

rule!(r32_r35_the_callback_and_the_front_end_learn_what_happened, |world| {
    let merchant = Merchant::open().await;
    let pre_pay = world.pre_pay("alice").await.with("server_uri", &merchant.url).with("state", "a b&c");
    let confirm = world.confirm_of("alice", &pre_pay).await;
    let done = world.call(&confirm).await.ok();
    assert_eq!(
        (done.data("redirect_uri"), done.data("state"), done.data("status")),
        ("https://shop.example/back", "a b&c", "100")
    );
    let received = merchant.wait_for(1).await;
    assert_eq!(received[0].headers()["content-type"], "application/x-www-form-urlencoded");
    let body = String::from_utf8_lossy(received[0].body()).into_owned();
    let (alice, id) = (&world.user("alice").user_id, confirm.field("transfer_id"));
    let trade = pre_pay.field("trade_id");
    assert_eq!(
        body,
        format!(
            "transfer_id={id}&user_id={alice}&trade_id={trade}&coin_id=5&amount=1.50&cut_amount=0&direction=1&status=1"
        )
    );
    // R14: confirming twice is 214, with the transfer and its state.
    let again = world.call(&confirm).await;
    assert_eq!((again.status(), again.data("transfer_id"), again.data("status")), (214, id, "100"));
});

rule!(r37_an_old_secret_verifies_for_a_day_and_callbacks_carry_both_signatures, |world| {
    let merchant = Merchant::open().await;
    let old = world.described().fomo.client_secret.clone();
    let app = world.store().view(FindApp::new(&world.described().fomo.client_id)).await.unwrap().app.id;
    let seed = world.store().vault().seed();
    let new = world.store().submit(RotateSecret { app, seed }).await.unwrap().unwrap().client_secret;
    assert_ne!(*new.expose(), old);
    let signed = |secret: &str| {
        let call = world.pay_user("alice").with("server_uri", &merchant.url);
        let sign = sign(secret, call.field("timestamp"));
        call.with("sign", &sign)
    };
    world.call(&signed(&old)).await.ok();
    world.call(&signed(new.expose())).await.ok();
    let received = merchant.wait_for(2).await;
    let header = received[0].headers()["webhook-signature"].to_str().unwrap();
    assert_eq!(header.split(' ').count(), 2, "{header}");
    world.jump(Duration::from_secs(86_401));
    assert_eq!(world.call(&signed(&old)).await.status(), 7);
    world.call(&signed(new.expose())).await.ok();
});

rule!(r38_r83_a_lost_reply_is_answerable_by_trade_id, |world| {
    let payout = world.pay_user("bob");
    world.call(&payout).await.ok();
    let trade = world.call(&world.get_trade(payout.field("trade_id"))).await.ok();
    assert_eq!((trade.data("status"), trade.data("direction"), trade.data("amount")), ("100", "2", "0.25"));
    assert_eq!(trade.data("user_id"), world.user("bob").user_id);
    assert_eq!(world.call(&world.get_trade("never")).await.status(), 212);
});

rule!(r36_the_wallets_records_are_paged, |world| {
    let (token, _) = world.tokens("alice").await;
    for _ in 0..22 {
        let pre_pay = world.pre_pay_with(&token);
        world.call(&world.confirm_of("alice", &pre_pay).await).await.ok();
    }
    let session = world.session("alice").await;
    let page = |number: &str| {
        Call::post("wallet/coins_record")
            .with("session_key", &session)
            .with("coin_id", "5")
            .with("page", number)
    };
    let first = world.call(&page("1")).await.ok();
    assert_eq!((first.data("total"), first.data("each_page_count")), ("23", "20"));
    let records = |reply: &wallet_tests::Reply| reply.json["data"]["records"].as_array().unwrap().clone();
    assert_eq!(records(&first).len(), 20);
    let second = records(&world.call(&page("2")).await.ok());
    assert_eq!(second.len(), 3);
    assert_eq!((second[2]["tx_scene"].as_str(), second[2]["in_out"].as_str()), (Some("deposit"), Some("1")));
    assert_eq!(second[1]["in_out"], Value::from("2"));
    assert!(records(&world.call(&page("3")).await.ok()).is_empty());
    assert_eq!(world.call(&page("0")).await.status(), 0);
});

rule!(r80_no_secret_is_stored_readable, |world| {
    let session = world.session("alice").await;
    let (access, refresh) = world.tokens("alice").await;
    let code = world.call(&world.authorize("alice").await).await.ok().data("code").to_owned();
    let mut stored = Vec::new();
    for name in ["wallop.db", "wallop.db-wal"] {
        stored.extend(std::fs::read(world.directory().join(name)).unwrap_or_default());
    }
    if let wallet_tests::Database::Postgres(_) = world.database() {
        // Row numbers look like payment passwords of six digits: only what a secret could be stored as is searched.
        for table in world.database().tables() {
            let columns = format!(
                "SELECT column_name FROM information_schema.columns
                WHERE table_name = '{table}' AND data_type IN ('text', 'bytea')"
            );
            let columns = world.database().rows(&columns).concat();
            if !columns.is_empty() {
                let columns = format!("\"{}\"", columns.join("\", \""));
                let rows = world.database().rows(&format!("SELECT {columns} FROM \"{table}\""));
                stored.extend(rows.concat().join("|").bytes());
            }
        }
    }
    let contains = |text: &[u8]| stored.windows(text.len()).any(|window| window == text);
    assert!(contains(b"demo_app"), "the search finds what is there");
    let secret = &world.described().fomo.client_secret;
    for hidden in [
        &session,
        &access,
        &refresh,
        &code,
        secret,
        &world.user("alice").pwd,
        &world.user("alice").wallet_pwd,
    ] {
        assert!(!contains(hidden.as_bytes()), "stored as it is");
    }
});

rule!(r81_callbacks_go_to_no_private_address, |world| {
    // The sandbox allows loopback only; these are refused before a packet leaves.
    for address in
        ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[fd00::1]/", "http://0.0.0.0/"]
    {
        let reply = world.call(&world.pay_user("alice").with("server_uri", address)).await.ok();
        assert_eq!(reply.data("httpcode"), "0", "{address}");
    }
    let failures: Vec<String> = { world.database().rows("SELECT failure FROM attempt").concat() };
    assert_eq!(failures.len(), 4);
    assert!(failures.iter().all(|why| why.contains("not on the public internet")), "{failures:?}");
});

rule!(r82_the_clock_is_moved_event_by_event, |world| {
    let merchant = Merchant::open().await;
    merchant.answer(&[500]);
    let pre_pay = world.pre_pay("alice").await.with("server_uri", &merchant.url);
    let confirm = world.confirm_of("alice", &pre_pay).await;
    world.sandbox.clock().stop(); // so that the first attempt is made by the move
    world.call(&confirm).await.ok();
    let reply = world.advance(241).await;
    assert_eq!(
        (reply.http, reply.json["attempted"].as_u64(), reply.json["not_attempted"].as_bool()),
        (200, Some(5), Some(false))
    );
    let received = merchant.received();
    let times: Vec<i64> = received
        .iter()
        .map(|request| request.headers()["webhook-timestamp"].to_str().unwrap().parse().unwrap())
        .collect();
    let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [60, 60, 60, 60], "each at its own time");
    let ids: std::collections::HashSet<_> =
        received.iter().map(|request| request.headers()["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "one message, however often it is sent");
});

rule!(r29_msg_of_54_names_the_case_only_to_a_client_that_has_authenticated, |world| {
    let fomo = &world.described().fomo;
    let shop = &world.described().shop;
    let cafe = |call: Call| {
        call.with("client_id", &shop.client_id)
            .with("client_secret", &shop.client_secret)
            .with("redirect_uri", &shop.redirect_uri)
    };
    // Without the secret: one text, whether the code is right, unknown or another app's.
    let right = world.token("alice").await;
    let wrong = right.clone().with("client_secret", "0000000000000000000000000000000000000000");
    let plain = world.call(&wrong).await;
    assert_eq!((plain.status(), plain.json["msg"].as_str()), (54, Some("Not permitted")));
    let unknown = "0000000000000000000000000000000000000000";
    assert_eq!(world.call(&wrong.clone().with("code", unknown)).await.text, plain.text);
    // With it: the case, and an unknown code is like another app's.
    let named = world.call(&right.clone().with("code", unknown)).await;
    assert!(named.json["msg"].as_str().unwrap().contains("unknown, used, expired, or of another app"));
    assert_eq!(world.call(&cafe(right.clone())).await.text, named.text, "of another app");
    world.call(&right).await.ok();
    assert_eq!(world.call(&right).await.text, named.text, "used");
    // The same of refresh tokens.
    let refresh = world.refresh("alice").await;
    let foreign = world.call(&cafe(refresh.clone())).await;
    assert_eq!(world.call(&refresh.clone().with("refresh_token", unknown)).await.text, foreign.text);
    // A payment is made by a client with a token and a signature: each case is named.
    for (name, value, case) in [
        ("redirect_uri", "https://elsewhere.example/", "redirect_uri is not the registered one"),
        ("client_id", &shop.client_id, "client_id is not the app of the access token"),
    ] {
        let timestamp = world.timestamp();
        let secret = if name == "client_id" { &shop.client_secret } else { &fomo.client_secret };
        let call = world.pre_pay("alice").await.with(name, value);
        let call = call.with("timestamp", &timestamp).with("sign", &sign(secret, &timestamp));
        let refused = world.call(&call).await;
        assert_eq!(refused.status(), 54);
        assert!(refused.json["msg"].as_str().unwrap().contains(case), "{}", refused.text);
    }
    let own = world.call(&world.pay_user("alice").with("user_id", &fomo.owner_user_id)).await;
    assert!(own.json["msg"].as_str().unwrap().contains("same user"), "{}", own.text);
});

rule!(r29_overload_and_faults_have_their_codes, |world| {
    use std::sync::mpsc;
    use wallet_engine::Command;
    use wallet_platform::{Changes, Context, Platform, Rows, Stop};
    // A sealed secret that does not open is a fault of the platform.
    let damage = |from: &str, to: &str| world.database().change(&format!("UPDATE app SET {to} = {from}"));
    let (pay, token) = (world.pay_user("alice"), world.token("alice").await);
    // Kept in another column meanwhile.
    damage("secret", "old_secret");
    damage("substr(secret, 1, 1)", "secret");
    let reply = world.call(&pay).await;
    assert_eq!((reply.http, reply.status()), (500, 5), "{}", reply.text);
    let reply = world.call(&token).await;
    assert_eq!((reply.http, reply.status(), reply.json["error"].as_str()), (500, 5, Some("server_error")));
    damage("old_secret", "secret");
    damage("NULL", "old_secret");
    world.call(&token).await.ok();

    // A writer that is busy, and a queue that is full.
    struct Busy(mpsc::Sender<()>, std::sync::Mutex<mpsc::Receiver<()>>);
    impl Command<Platform> for Busy {
        type Outcome = ();
        fn apply(&self, _: &Rows, _: &Context<'_>, _: &mut Changes) -> Result<(), Stop> {
            let _ = self.0.send(());
            let _ = self.1.lock().unwrap().recv();
            Ok(())
        }
    }
    let (begin, begun) = mpsc::channel();
    let (release, held) = mpsc::channel();
    let store = world.store().clone();
    let session = world.session("alice").await;
    let busy = tokio::spawn({
        let store = store.clone();
        async move { store.submit(Busy(begin, std::sync::Mutex::new(held))).await }
    });
    // Commands that came before it would leave room in the queue.
    tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    // A batch takes up to 1024 commands before the first is decided, and 4096 wait behind it.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..6000 {
        let store = store.clone();
        let session = store.vault().hash(&session);
        waiting.spawn(async move { store.submit(wallet_platform::SessionUser(session)).await });
    }
    tokio::time::timeout(Duration::from_secs(20), async {
        let call = Call::post("customer/get_user_info").with("session_key", &session);
        loop {
            // While there is room it would wait for the writer; that is not asked for.
            let full = tokio::time::timeout(Duration::from_millis(300), world.call(&call)).await;
            if let Ok(reply) = full {
                assert_eq!((reply.http, reply.status()), (503, 5), "{}", reply.text);
                assert_eq!(reply.headers["retry-after"], "1");
                break;
            }
        }
    })
    .await
    .unwrap();
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    let outcomes = waiting.join_all().await;
    assert!(outcomes.iter().any(Result::is_ok));
    world.call(&Call::post("customer/get_user_info").with("session_key", &session)).await.ok();
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r89_an_app_reads_the_events_of_its_payments_after_a_cursor() {
    let world = World::start().await;
    let events = async |after| {
        let reply = world.call(&world.get_events(after)).await.ok();
        reply.json["data"]["events"].as_array().unwrap().clone()
    };
    let number = |event: &Value| event["n"].as_str().unwrap().parse::<u64>().unwrap();
    let before = events(0).await.len() as u64;
    let confirm = world.confirm_pay("alice").await;
    world.call(&confirm).await.ok();
    let payout = world.pay_user("bob");
    world.call(&payout).await.ok();
    let all = events(before).await;
    let kinds: Vec<_> = all.iter().map(|event| (number(event), event["kind"].as_str().unwrap())).collect();
    assert_eq!(kinds, [(before + 1, "created"), (before + 2, "paid"), (before + 3, "paid")]);
    assert_eq!(all[0]["trade_id"], confirm.field("trade_id"));
    assert_eq!(all[0]["transfer_id"], confirm.field("transfer_id"));
    assert_eq!(all[2]["trade_id"], payout.field("trade_id"));
    // From each cursor what follows it, and nothing after the last.
    assert_eq!(events(before + 1).await, all[1..]);
    assert_eq!(events(before + 3).await, [] as [Value; 0]);
    assert_eq!(events(i64::MAX.cast_unsigned()).await, [] as [Value; 0]);
    // At most a hundred, without a gap from page to page.
    let (token, _) = world.tokens("alice").await;
    for _ in 0..120 {
        world.call(&world.pre_pay_with(&token)).await.ok();
    }
    let page = events(before).await;
    assert_eq!(page.len(), 100);
    let rest = events(before + 100).await;
    assert_eq!((number(&rest[0]), rest.len()), (before + 101, 23));
    // Of this app only; and only with its signature.
    let shop = &world.described().shop;
    let timestamp = world.timestamp();
    let other = world.get_events(0).with("client_id", &shop.client_id).with("timestamp", &timestamp);
    let other = other.with("sign", &sign(&shop.client_secret, &timestamp));
    let theirs = world.call(&other).await.ok();
    let theirs = theirs.json["data"]["events"].as_array().unwrap().clone();
    assert!(theirs.iter().all(|event| event["trade_id"] != confirm.field("trade_id")));
    assert_eq!(world.call(&world.get_events(0).with("sign", "00")).await.status(), 7);
}

rule!(r90_a_payment_that_nobody_confirmed_is_deleted_after_a_while, |world| {
    let store = world.store().clone();
    let paid = world.confirm_pay("alice").await;
    world.call(&paid).await.ok();
    let unpaid = world.confirm_pay("alice").await;
    let events = async || {
        let reply = world.call(&world.get_events(0)).await.ok();
        reply.json["data"]["events"].as_array().unwrap().clone()
    };
    let before = events().await;
    let (trade, transfer) = (unpaid.field("trade_id"), unpaid.field("transfer_id"));
    let delete = async || {
        let (after, before) = (TransferSeq(0), store.now() - Duration::from_secs(90 * 86_400));
        let found = store.view(OldUnpaid { after, before, limit: 100 }).await.unwrap();
        store.submit(found.delete).await.unwrap()
    };
    // On the day before, it is an expired payment.
    world.jump(Duration::from_secs(90 * 86_400));
    assert_eq!(delete().await, 0);
    let reply = world.call(&world.get_trade(trade)).await.ok();
    assert_eq!(reply.data("status"), "400");
    world.jump(Duration::from_secs(181));
    assert_eq!((delete().await, delete().await), (1, 0));
    assert_eq!(world.call(&world.get_trade(trade)).await.status(), 212);
    let confirm = unpaid.clone().with("session_key", &world.session("alice").await);
    assert_eq!(world.call(&confirm).await.status(), 212);
    let again = world.call(&world.pre_pay("alice").await.with("trade_id", trade)).await;
    assert_eq!((again.status(), again.json["data"].clone()), (211, Value::Null));
    // Only the trade_id of its event is gone.
    let after = events().await;
    let mut expected = before.clone();
    for event in expected.iter_mut().filter(|event| event["transfer_id"] == transfer) {
        assert_eq!(event["kind"], "created");
        event.as_object_mut().unwrap().remove("trade_id").unwrap();
    }
    assert!(expected != before && after == expected, "{after:?}");
    assert_eq!(world.call(&world.get_trade(paid.field("trade_id"))).await.ok().data("status"), "100");
});

rule!(r22_new_passwords_have_a_least_length_at_the_calls_as_on_the_pages, |world| {
    let named = |reply: &wallet_tests::Reply, field: &str| {
        assert!(
            reply.status() == 0 && reply.json["msg"].as_str().unwrap().ends_with(field),
            "{}",
            reply.text
        );
    };
    for (pwd, good) in [("1234567", false), ("12345678", true), ("\u{79d8}\u{5bc6}\u{79d8}\u{5bc6}", false)] {
        let call = Call::post("customer/register").with("user_name", &world.fresh("short")).with("pwd", pwd);
        let reply = world.call(&call).await;
        if good { drop(reply.ok()) } else { named(&reply, "pwd") }
    }
    for (pwd, good) in [("12345", false), ("123456", true)] {
        let reply = world.call(&world.valid("set_wallet_pwd").await.with("wallet_pwd", pwd)).await;
        if good { drop(reply.ok()) } else { named(&reply, "wallet_pwd") }
    }
});

rule!(r29_an_app_without_means_finds_no_user_ids, |world| {
    // More than the owner has: the same reply for a user that exists, one that does not, and the owner.
    let fomo = &world.described().fomo;
    for user in [&world.user("alice").user_id, "999999999", &fomo.owner_user_id] {
        let reply =
            world.call(&world.pay_user("alice").with("amount", "99999999").with("user_id", user)).await;
        assert_eq!(reply.status(), 24, "{user}: {}", reply.text);
    }
    assert_eq!(world.call(&world.pay_user("alice").with("user_id", "999999999")).await.status(), 74);
});

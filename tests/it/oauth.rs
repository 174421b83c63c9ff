//! What OAuth libraries and browsers expect of an authorization server.

use http::StatusCode;
use serde_json::Value;
use wallet_core::form;
use wallet_tests::{Call, World};

use crate::pages::{Got, Visitor, texts};

const PAGE: &str = "/fomo/oauth2/authorize";

/// The answer's address, and its parameters.
fn answered(got: &Got) -> (String, Vec<(String, String)>) {
    let (base, query) = got.location().split_once('?').unwrap_or((got.location(), ""));
    let decode = |text: &str| form::decode(text.as_bytes()).unwrap().into_owned();
    let pairs = form::pairs(query).map(form::split).map(|(name, value)| (decode(name), decode(value)));
    (base.to_owned(), pairs.collect())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// RFC 6749, 4.1.2.1 and 3.1: errors go to the app, but for a client_id or redirect_uri that is wrong or repeated.
#[tokio::test]
async fn r25_errors_of_an_authorization_request_redirect_once_the_app_is_certain() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let fomo = &world.described().fomo;
    let base = [
        ("response_type", "code"),
        ("client_id", &*fomo.client_id),
        ("redirect_uri", &*fomo.redirect_uri),
        ("state", "a b&c+d"),
    ];
    let without = |name: &str| base.into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>();
    let and = |mut fields: Vec<(&'static str, &str)>, more: &[(&'static str, &'static str)]| {
        fields.extend_from_slice(more);
        form::query(&fields)
    };
    let s256 = ("code_challenge_method", "S256");
    let (invalid, unsupported) = ("invalid_request", "unsupported_response_type");
    for signed_in in [false, true] {
        if signed_in {
            visitor.sign_in("alice", "/apps").await;
        }
        for (query, error) in [
            (and(without("response_type"), &[("response_type", "token")]), unsupported),
            (and(without("response_type"), &[("response_type", "id_token")]), unsupported),
            (and(without("response_type"), &[("response_type", "code token")]), unsupported),
            (and(without("response_type"), &[("response_type", "CODE")]), unsupported),
            (and(without("response_type"), &[]), invalid),
            (and(without("response_type"), &[("response_type", "")]), invalid),
            (and(base.to_vec(), &[("response_type", "code")]), invalid),
            (and(base.to_vec(), &[("state", "a b&c+d")]), invalid),
            (and(base.to_vec(), &[("x", "1"), ("x", "1")]), invalid),
            (and(base.to_vec(), &[("code_challenge", "short"), s256]), invalid),
            (and(base.to_vec(), &[("code_challenge", "short")]), invalid),
            (
                and(
                    base.to_vec(),
                    &[
                        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                        ("code_challenge_method", "S512"),
                    ],
                ),
                invalid,
            ),
            (and(base.to_vec(), &[("scope", "email")]), "invalid_scope"),
            (and(base.to_vec(), &[("scope", "email openid")]), "invalid_scope"),
        ] {
            let got = visitor.get(&format!("{PAGE}?{query}")).await;
            let (to, parameters) = answered(&got);
            assert_eq!((got.status, &*to), (StatusCode::SEE_OTHER, &*fomo.redirect_uri), "{query}");
            assert_eq!(parameters, [pair("error", error), pair("state", "a b&c+d")], "{query}");
        }
        // A state that is too long for the spec does not come back either; an empty parameter is absent.
        let long = "s".repeat(2_049);
        let mut fields = without("state");
        fields.push(("state", &long));
        let got = visitor.get(&format!("{PAGE}?{}", form::query(&fields))).await;
        assert_eq!(answered(&got).1, [pair("error", invalid)]);
        // Which of two counts, nobody can tell: no redirect.
        for query in [
            and(base.to_vec(), &[("client_id", "demo_app")]),
            and(base.to_vec(), &[("redirect_uri", "https://shop.example/back")]),
            format!("{}&client%5Fid=x", form::query(&base)),
            and(without("client_id"), &[("client_id", "nobody_here"), ("response_type", "x")]),
            and(without("redirect_uri"), &[("redirect_uri", "https://evil.example/")]),
            and(without("redirect_uri"), &[("redirect_uri", "javascript:alert(1)")]),
            and(without("redirect_uri"), &[]),
        ] {
            let got = visitor.get(&format!("{PAGE}?{query}")).await;
            assert_eq!((got.status, got.location()), (StatusCode::BAD_REQUEST, ""), "{query}");
        }
    }
}

/// RFC 6749, 4.1.2: `state` comes back exactly when it was sent.
#[tokio::test]
async fn r25_a_state_comes_back_exactly_if_it_was_sent() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    visitor.sign_in("alice", "/apps").await;
    let fomo = &world.described().fomo;
    let long = "s".repeat(2_048);
    for (state, back) in [
        (None, None),
        (Some(""), None),
        (Some("s"), Some("s")),
        (Some(" +%&=#\u{4e2d}"), Some(" +%&=#\u{4e2d}")),
        (Some(&*long), Some(&*long)),
    ] {
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &*fomo.client_id),
            ("redirect_uri", &*fomo.redirect_uri),
        ];
        query.extend(state.map(|state| ("state", state)));
        let page = format!("{PAGE}?{}", form::query(&query));
        for answer in ["yes", "no"] {
            let shown = visitor.get(&page).await;
            assert_eq!(shown.status, StatusCode::OK, "{state:?}");
            let mut fields = query[1..].to_vec();
            fields.push(("authorized", answer));
            let got = visitor.post(&page, "/openfomo/consent", &fields).await;
            let (_, parameters) = answered(&got);
            let found = parameters.iter().find(|(name, _)| name == "state").map(|(_, value)| &**value);
            assert_eq!(found, back, "{state:?}");
            assert!(!got.location().contains('+'), "a space is %20: {}", got.location());
        }
    }
}

/// RFC 6749, 3.3 and 6.
#[tokio::test]
async fn r31_a_grant_covers_what_was_asked_for_and_a_refresh_narrows_it_for_once() {
    let world = World::start().await;
    let registered = "userinfo paytoken";
    let ask = |scope: &'static str| async {
        world.call(&world.authorize("alice").await.with("scope", scope)).await
    };
    let tokens = |code: String| {
        let world = &world;
        async move { world.call(&world.token("alice").await.with("code", &code)).await.ok() }
    };
    for (asked, granted) in [
        ("", registered),
        ("userinfo", "userinfo"),
        ("paytoken userinfo", registered),
        ("paytoken email", "paytoken"),
        ("  userinfo ", "userinfo"),
    ] {
        let code = ask(asked).await.ok().data("code").to_owned();
        let reply = tokens(code).await;
        assert_eq!(
            (&reply.json["scope"], &reply.json["data"]["scope"]),
            (&granted.into(), &granted.into()),
            "{asked}"
        );
    }
    for none in ["email", "USERINFO", "userinfo,paytoken"] {
        let reply = ask(none).await;
        assert_eq!((reply.status(), &reply.json["data"]["error"]), (54, &"invalid_scope".into()), "{none}");
    }
    // The page asks for consent to what is asked for, and grants that.
    let mut visitor = Visitor::new(&world, "en");
    visitor.sign_in("alice", "/apps").await;
    let fomo = &world.described().fomo;
    let query = [
        ("response_type", "code"),
        ("client_id", &*fomo.client_id),
        ("redirect_uri", &*fomo.redirect_uri),
        ("scope", "userinfo email"),
    ];
    let page = format!("{PAGE}?{}", form::query(&query));
    assert_eq!(texts(&visitor.get(&page).await.text, "main .steps li").len(), 1);
    let fields = [&query[1..], &[("authorized", "yes")]].concat();
    let got = visitor.post(&page, "/openfomo/consent", &fields).await;
    let code = answered(&got).1.into_iter().find(|(name, _)| name == "code").unwrap().1;
    assert_eq!(tokens(code).await.json["scope"], "userinfo");

    // A refresh that narrows does so for its own access token.
    let (_, refresh) = world.tokens("alice").await;
    let narrow = world.refresh_of(&refresh).with("scope", "userinfo");
    let narrowed = world.call(&narrow).await.ok();
    assert_eq!(narrowed.json["scope"], "userinfo");
    // R16: a repeat with another scope is refused, and revokes nothing.
    for other in ["paytoken", "userinfo paytoken", ""] {
        let reply = world.call(&world.refresh_of(&refresh).with("scope", other)).await;
        assert_eq!(reply.json["error"], "invalid_scope", "{other}: {}", reply.text);
    }
    assert_eq!(world.call(&narrow).await.ok().text, narrowed.text);
    let pay = world.pre_pay_with(narrowed.data("access_token"));
    assert_eq!(world.call(&pay).await.http, 403);
    let next =
        world.call(&world.refresh_of(narrowed.data("refresh_token")).with("scope", registered)).await.ok();
    assert_eq!(next.json["scope"], registered, "the grant is as wide as before");
    world.call(&world.pre_pay_with(next.data("access_token"))).await.ok();
}

/// RFC 6750, 3 and 3.1; RFC 6749, 5.2.
#[tokio::test]
async fn r29_a_bearer_is_judged_before_the_parameters_and_its_refusal_says_why() {
    let world = World::start().await;
    let (access, refresh) = world.tokens("alice").await;
    let narrow = world.call(&world.refresh_of(&refresh).with("scope", "userinfo")).await.ok();
    let narrow = narrow.data("access_token").to_owned();
    let challenge =
        |reply: &wallet_tests::Reply| reply.headers["www-authenticate"].to_str().unwrap().to_owned();
    let unknown = "0000000000000000000000000000000000000000";
    for path in
        ["oauth2/resource/pre_pay", "oauth2/resource/get_transfer_detail", "oauth2/resource/get_user_info"]
    {
        let bare = Call::post(path);
        let reply = world.call(&bare).await;
        assert_eq!((reply.http, reply.status(), &*challenge(&reply)), (401, 2, "Bearer"), "{path}");
        for given in [unknown, &refresh, "x"] {
            let reply = world.call(&bare.clone().bearer(given)).await;
            assert_eq!((reply.http, reply.status()), (401, 2), "{path}: {}", reply.text);
            assert_eq!(challenge(&reply), "Bearer error=\"invalid_token\"", "{path}");
        }
    }
    let lacking = world.call(&Call::post("oauth2/resource/pre_pay").bearer(&narrow)).await;
    assert_eq!((lacking.http, lacking.status()), (403, 54));
    assert_eq!(challenge(&lacking), "Bearer error=\"insufficient_scope\", scope=\"paytoken\"");
    // A good one, and then what is missing.
    let reply = world.call(&Call::post("oauth2/resource/pre_pay").bearer(&access)).await;
    assert_eq!((reply.http, reply.status()), (200, 0), "{}", reply.text);
    // An error of a token address has words for developers, in the characters that RFC 6749 allows.
    let wrong = world.call(&world.token("alice").await.with("code", unknown)).await;
    let words = wrong.json["error_description"].as_str().unwrap();
    assert!(
        words.len() > 10 && words.bytes().all(|b| matches!(b, b' '..=b'~') && !b"\"\\".contains(&b)),
        "{words}"
    );
    let missing = world.call(&world.token("alice").await.without("code")).await;
    assert!(missing.json["error_description"].as_str().unwrap().ends_with("code"), "{}", missing.text);
}

/// RFC 7009.
#[tokio::test]
async fn r16_either_token_revokes_its_grant_for_its_own_app_alone() {
    let world = World::start().await;
    let fomo = &world.described().fomo;
    let revoke = |token: &str| {
        Call::post("oauth2/revoke")
            .with("token", token)
            .with("client_id", &fomo.client_id)
            .with("client_secret", &fomo.client_secret)
    };
    let info = |token: &str| Call::post("oauth2/resource/get_user_info").bearer(token);
    for by_access in [false, true] {
        let (access, refresh) = world.tokens("alice").await;
        let (other, _) = world.tokens("alice").await;
        let call = revoke(if by_access { &access } else { &refresh }).with("token_type_hint", "access_token");
        world.call(&call).await.ok();
        assert_eq!(world.call(&info(&access)).await.http, 401);
        assert_eq!(world.call(&world.refresh_of(&refresh)).await.json["error"], "invalid_grant");
        world.call(&info(&other)).await.ok(); // another grant of the same user
        world.call(&call).await.ok(); // revoked already: no error
    }
    let (access, _) = world.tokens("alice").await;
    world.call(&revoke("unknown")).await.ok();
    let wrong = world.call(&revoke(&access).with("client_secret", "wrong")).await;
    assert_eq!((wrong.http, &wrong.json["error"]), (401, &Value::from("invalid_client")));
    let none = world.call(&revoke(&access).without("token")).await;
    assert_eq!((none.http, &none.json["error"]), (400, &Value::from("invalid_request")));
    // Another app's credentials are right, but it is not its token.
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let fields = [("client_id", "bobs"), ("name", "Bob's"), ("redirect_uri", "https://bob.example/")];
    let made = bob.post("/apps/new", "/apps/new/fomo", &fields).await;
    let secret = texts(&bob.get(made.location()).await.text, "#client_secret code").remove(0);
    world.call(&revoke(&access).with("client_id", "bobs").with("client_secret", &secret)).await.ok();
    world.call(&info(&access)).await.ok();
}

/// RFC 8414, 2 and 3.
#[tokio::test]
async fn the_metadata_names_addresses_that_answer() {
    let world = World::start().await;
    let visitor = Visitor::new(&world, "en");
    let got = world.get("/.well-known/oauth-authorization-server").await;
    assert_eq!((got.http, &got.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    let text =
        |name: &str| got.json[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", got.text)).to_owned();
    assert_eq!(text("issuer"), world.described().url);
    for (name, path) in [
        ("authorization_endpoint", "oauth2/authorize"),
        ("token_endpoint", "oauth2/authorize/token"),
        ("revocation_endpoint", "oauth2/revoke"),
    ] {
        assert_eq!(text(name), format!("{}{path}", world.described().fomo.base_url), "{name}");
        let request = http::Request::post(text(name)).body(Vec::new()).unwrap();
        let reply = wallet_core::Transport::send(&world.transport(), request).await.unwrap();
        assert!(reply.status() == 200 || reply.status() == 400, "{name}: {}", reply.status());
    }
    assert_eq!(got.json["code_challenge_methods_supported"], serde_json::json!(["S256", "plain"]));
    assert_eq!(got.json["scopes_supported"], serde_json::json!(["userinfo", "paytoken"]));
    drop(visitor);
}

/// RFC 6749, 3.2: parameters without a value are absent, also beside one with a value.
#[tokio::test]
async fn r29_an_empty_parameter_is_absent_and_no_repetition() {
    let world = World::start().await;
    let doubled = |call: Call, name: &str, empty_first: bool| {
        let mut call = call;
        let at = call.fields.iter().position(|(known, _)| known == name).unwrap();
        call.fields.insert(if empty_first { at } else { at + 1 }, (name.to_owned(), String::new()));
        call
    };
    for endpoint in ["authorize", "token", "refresh_token", "revoke", "pre_pay", "login"] {
        for format in [wallet_tests::Format::ALL[0], wallet_tests::Format::ALL[1]] {
            for empty_first in [false, true] {
                let names: Vec<String> =
                    world.valid(endpoint).await.fields.iter().map(|(name, _)| name.clone()).collect();
                for name in names {
                    let call = doubled(world.valid(endpoint).await, &name, empty_first);
                    world.call_as(&call, format).await.ok();
                }
            }
        }
    }
}

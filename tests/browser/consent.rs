//! Consent to an app on another origin, whose callback redirects on to a third.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wallet_platform::{CreateApp, EnrolDeveloper};
use wallet_tests::World;

use crate::{open, sign_in};

/// A web server that answers everything with this. Returns its port, and the request lines that it has seen.
async fn server(reply: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8_192];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            if let Some(line) = request.lines().next() {
                kept.lock().unwrap().push(line.to_owned());
            }
            let _ = stream.write_all(reply.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, seen)
}

/// Chromium holds `form-action` against every redirect after a form. The policy still keeps forms from being sent elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_may_redirect_on_after_consent_and_no_form_leaves_the_platform() {
    let page =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<h1>The account page</h1>";
    let (home, at_home) = server(page.to_owned()).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://localhost:{home}/account\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let (callback, called_back) = server(redirect).await;
    let world = World::start().await;
    let store = world.store();
    let owner = wallet_api::fomo::UserId::new(world.user("bob").user_id.parse().unwrap());
    store.submit(EnrolDeveloper(owner)).await.unwrap();
    let redirect_uri = format!("http://127.0.0.1:{callback}/cb");
    let app = CreateApp {
        owner,
        client_id: "elsewhere".into(),
        name: "Elsewhere".to_owned(),
        redirect_uri: redirect_uri.clone().into(),
        seed: store.vault().seed(),
    };
    store.submit(app).await.unwrap();
    for (answer, expected) in [("yes", "GET /cb?code="), ("no", "GET /cb?error=access_denied")] {
        let browser = open(&world, "en", answer == "yes").await;
        let query = wallet_core::form::query(&[
            ("response_type", "code"),
            ("client_id", "elsewhere"),
            ("redirect_uri", &redirect_uri),
            ("state", "a b"),
        ]);
        browser.go(&format!("/fomo/oauth2/authorize?{query}")).await;
        if answer == "yes" {
            // A form that a script sends elsewhere does not get there.
            let script = format!(
                "const form = document.querySelector('main form'); form.action = 'http://localhost:{home}/steal'; \
                 form.submit(); return 1;"
            );
            assert_eq!(browser.number(&script).await, 1.0);
            tokio::time::sleep(Duration::from_millis(500)).await;
            browser.go(&format!("/fomo/oauth2/authorize?{query}")).await;
        }
        sign_in(&browser, &world, "alice").await;
        browser.press(&format!("button[value='{answer}']")).await;
        browser.see("The account page").await;
        let line = called_back.lock().unwrap().pop().unwrap_or_default();
        assert!(line.starts_with(expected) && line.contains("state=a%20b"), "{line}");
        browser.close().await;
    }
    let at_home = at_home.lock().unwrap();
    assert!(at_home.iter().any(|line| line.starts_with("GET /account")), "{at_home:?}");
    assert!(!at_home.iter().any(|line| line.contains("steal")), "{at_home:?}");
}

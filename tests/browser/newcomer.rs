//! A newcomer's whole way, counted: from the start page to a verified callback of an own app, for FOMO and then for VAS.
//! What the way has to be typed is on the pages; programs run in an empty directory.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wallet_core::form;
use wallet_tests::{Browser, Merchant, World};

use super::{open, sign_in};

/// The guide with the programs that verify callbacks.
const CALLBACKS: &str = include_str!("../../docs/guides/callbacks.en.md");

/// The developer at work: the browser, an empty directory, and what was done so far.
struct Way {
    browser: Browser,
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
    clicks: u32,
    fields: u32,
    commands: u32,
    began: Instant,
}

impl Way {
    async fn click(&mut self, css: &str) {
        self.clicks += 1;
        self.browser.press(css).await;
    }

    async fn fill(&mut self, css: &str, text: &str) {
        self.fields += 1;
        self.browser.fill(css, text).await;
    }

    /// Copies by a button of the page.
    async fn copy(&mut self, css: &str) -> String {
        self.clicks += 1;
        self.browser.text(css).await
    }

    /// Runs commands in the directory: what they print.
    fn run(&mut self, commands: &str, variables: &[(&str, String)], stdin: &[u8]) -> String {
        self.commands += 1;
        let mut child = Command::new("bash")
            .args(["-ec", commands])
            .current_dir(self.directory.path())
            .envs(self.variables.iter().cloned())
            .envs(variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin); // not every command reads it
        let done = child.wait_with_output().unwrap();
        let printed = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        assert!(done.status.success(), "{commands}\n{printed}");
        printed
    }

    fn tally(&self, what: &str) {
        let Self { clicks, fields, commands, began, .. } = self;
        println!(
            "{what}: {clicks} clicks, {fields} fields, {commands} commands, {:.1} s",
            began.elapsed().as_secs_f32()
        );
    }
}

/// The first program in bash below a heading of the guide.
fn program(heading: &str) -> &'static str {
    let below = CALLBACKS.split(heading).nth(1).unwrap();
    below.split("```bash\n").nth(1).unwrap().split("```").next().unwrap()
}

fn header(request: &http::Request<Bytes>, name: &str) -> String {
    request.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_from_the_start_page_to_verified_callbacks() {
    let world = World::start().await;
    let shop = Merchant::open().await;
    let at = shop.url.trim_start_matches("http://127.0.0.1:").trim_end_matches("/callback").to_owned();
    let mut way = Way {
        browser: open(&world, "en", true).await,
        directory: tempfile::tempdir().unwrap(),
        variables: Vec::new(),
        clicks: 0,
        fields: 0,
        commands: 0,
        began: Instant::now(),
    };
    way.browser.go("/").await;
    way.click("#connect").await;
    way.fill("#user_name", "frank").await;
    way.fill("#pwd", "a-long-password").await;
    way.click("main form button").await;
    way.fill("#name", "Frank's shop").await;
    way.click("form[action='/apps/new/fomo'] button").await;
    let call = way.copy("#first_call details[open] code").await;
    assert!(way.clicks <= 4 && way.fields <= 3, "{} clicks, {} fields", way.clicks, way.fields);
    let reply = way.run(&call, &[], b"");
    // No such transfer: the credentials are right.
    assert!(reply.contains("\"status\":212"), "{reply}");
    way.tally("first call of an own FOMO app");

    let secret = way.copy("#client_secret code").await;
    let webhook_secret = way.copy("#webhook_secret code").await;
    way.variables.push(("CLIENT_SECRET".to_owned(), secret));
    way.click("nav a[href='/docs']").await;
    way.click(".docs-nav a[href='/docs/guides/fomo']").await;
    let steps = way.browser.texts("code.language-sh").await;
    way.clicks += 3; // each is selected and copied
    let commands = steps[..3].concat().replace("http://127.0.0.1:9000", &format!("http://127.0.0.1:{at}"));
    let printed = way.run(&commands, &[], b"");
    let wallet = printed.lines().find(|line| line.contains("/wallet?")).unwrap().to_owned();
    let payer = open(&world, "en", true).await;
    payer.go(&wallet).await;
    sign_in(&payer, &world, "alice").await;
    payer.see("Pay Frank's shop").await;
    payer.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
    payer.press(".phone form button").await;
    payer.see("Paid").await;
    (way.clicks, way.fields) = (way.clicks + 2, way.fields + 3);
    let callback = shop.wait_for(1).await.remove(0);
    let request = [
        ("WEBHOOK_SECRET", webhook_secret),
        ("HTTP_WEBHOOK_ID", header(&callback, "webhook-id")),
        ("HTTP_WEBHOOK_TIMESTAMP", header(&callback, "webhook-timestamp")),
        ("HTTP_WEBHOOK_SIGNATURE", header(&callback, "webhook-signature")),
    ];
    let verdict = way.run(program("## FOMO"), &request, callback.body());
    assert!(verdict.contains("genuine"), "{verdict}");
    way.tally("verified FOMO callback");
    // All of the check list is done, so that the app's page shows it no more; and the callback is acknowledged.
    way.browser.go("/apps").await;
    way.browser.press("main table a").await;
    let app = way.browser.attribute("a[aria-current='page'][href^='/apps/fomo/']", "href").await;
    for tries in 0.. {
        way.browser.go(&app).await;
        way.browser.see("Credentials").await;
        if way.browser.count("#steps").await == 0 {
            break;
        }
        assert!(tries < 50, "a step is missing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    way.browser.press("a[href$='/deliveries']").await;
    way.browser.see("delivered").await;

    // The other wallet: an application that the developer approves, a login by QR code, an order.
    way.browser.go("/apps").await;
    way.click("main a[href='/apps/new']").await;
    way.click("a[href='/apps/new?protocol=vas']").await;
    way.fill("#vas_name", "Frank's shop").await;
    way.fill("#safe_domain", "my-shop.localhost").await;
    way.click("form[action='/apps/new/vas'] > button").await;
    way.click("form[action$='/approve'] button").await;
    let token = way.copy("#access_token code").await;
    let key = way.copy("#rsa_private code").await;
    let pem = format!(
        "{{ echo '-----BEGIN PRIVATE KEY-----'; echo '{key}' | fold -w 64; echo '-----END PRIVATE KEY-----'; }} > key.pem
         openssl pkey -in key.pem -pubout -out public.pem"
    );
    way.run(&pem, &[], b"");
    way.variables
        .extend([("ACCESS_TOKEN".to_owned(), token), ("RSA_PRIVATE".to_owned(), "key.pem".to_owned())]);
    way.click("nav a[href='/docs']").await;
    way.click(".docs-nav a[href='/docs/guides/vas']").await;
    let steps = way.browser.texts("code.language-sh").await;
    let steps: Vec<String> =
        steps.into_iter().map(|step| step.replace("localhost:9000", &format!("localhost:{at}"))).collect();
    let line =
        |step: &str, begins: &str| step.lines().find(|line| line.starts_with(begins)).unwrap().to_owned();
    // The link of the guide is shown as a QR code; the wallet scans it.
    way.clicks += 1;
    let login = format!("{}{}\necho \"$link\"", steps[0], line(&steps[1], "link="));
    let link = way.run(&login, &[], b"").trim().to_owned();
    payer.go(&format!("/wallet?{}", form::query(&[("scan", &link)]))).await;
    payer.see("Sign in to Frank's shop").await;
    payer.press(".phone form button").await;
    payer.see("Signed in to Frank's shop").await;
    (way.clicks, way.fields) = (way.clicks + 2, way.fields + 1);
    let returned = shop.wait_for(2).await.remove(1);
    let code =
        form::pairs(returned.uri().query().unwrap()).map(form::split).find(|(name, _)| *name == "openCode");
    let code = code.unwrap().1.to_owned();
    let redeem = format!("{}openCode={code}\n{}", steps[0], line(&steps[1], "call -G"));
    assert!(way.run(&redeem, &[], b"").contains("\"aid\":\"aid"));
    way.clicks += 1;
    let until = steps[2].split("echo \"$link\"").next().unwrap();
    let link = way.run(&format!("{}{until}echo \"$link\"", steps[0]), &[], b"").trim().to_owned();
    payer.go(&format!("/wallet?{}", form::query(&[("scan", &link)]))).await;
    payer.see("Pay Frank's shop").await;
    payer.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
    payer.press(".phone form button").await;
    payer.see("Submitted").await;
    (way.clicks, way.fields) = (way.clicks + 2, way.fields + 2);
    let callback = shop.wait_for(3).await.remove(2);
    let query = callback.uri().query().unwrap().to_owned();
    let request = [("QUERY_STRING", query), ("RSA_PUBLIC", "public.pem".to_owned())];
    let verdict = way.run(program("## VAS and Lafi"), &request, b"");
    assert!(verdict.contains("genuine"), "{verdict}");
    way.tally("verified VAS callback");
    payer.close_quietly().await;
    way.browser.close_quietly().await;
}

//! Counts the clicks, fields and commands that a new developer needs from the start page to a verified callback, for FOMO
//! and then for VAS. Every value that is typed is shown on a page; programs run in an empty directory.

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
struct Developer {
    browser: Browser,
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
    clicks: u32,
    fields: u32,
    commands: u32,
    began: Instant,
}

impl Developer {
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
    let mut developer = Developer {
        browser: open(&world, "en", true).await,
        directory: tempfile::tempdir().unwrap(),
        variables: Vec::new(),
        clicks: 0,
        fields: 0,
        commands: 0,
        began: Instant::now(),
    };
    developer.browser.go("/").await;
    developer.click("#connect").await;
    developer.fill("#user_name", "frank").await;
    developer.fill("#pwd", "a-long-password").await;
    developer.click("main form button").await;
    developer.fill("#name", "Frank's shop").await;
    developer.click("form[action='/apps/new/fomo'] button").await;
    let call = developer.copy("#first_call details[open] code").await;
    assert!(
        developer.clicks <= 4 && developer.fields <= 3,
        "{} clicks, {} fields",
        developer.clicks,
        developer.fields
    );
    let reply = developer.run(&call, &[], b"");
    // No such transfer: the credentials are right.
    assert!(reply.contains("\"status\":212"), "{reply}");
    developer.tally("first call of an own FOMO app");

    let secret = developer.copy("#client_secret code").await;
    let webhook_secret = developer.copy("#webhook_secret code").await;
    developer.variables.push(("CLIENT_SECRET".to_owned(), secret));
    developer.click("nav a[href='/docs']").await;
    developer.click(".docs-nav a[href='/docs/guides/fomo']").await;
    let steps = developer.browser.texts("code.language-sh").await;
    developer.clicks += 3; // each is selected and copied
    let commands = steps[..3].concat().replace("http://127.0.0.1:9100", &format!("http://127.0.0.1:{at}"));
    let printed = developer.run(&commands, &[], b"");
    let wallet = printed.lines().find(|line| line.contains("/wallet?")).unwrap().to_owned();
    let payer = open(&world, "en", true).await;
    payer.go(&wallet).await;
    sign_in(&payer, &world, "alice").await;
    payer.see("Pay Frank's shop").await;
    payer.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
    payer.press(".phone form button").await;
    payer.see("Paid").await;
    (developer.clicks, developer.fields) = (developer.clicks + 2, developer.fields + 3);
    let callback = shop.wait_for(1).await.remove(0);
    let request = [
        ("WEBHOOK_SECRET", webhook_secret),
        ("HTTP_WEBHOOK_ID", header(&callback, "webhook-id")),
        ("HTTP_WEBHOOK_TIMESTAMP", header(&callback, "webhook-timestamp")),
        ("HTTP_WEBHOOK_SIGNATURE", header(&callback, "webhook-signature")),
    ];
    let verdict = developer.run(program("## FOMO"), &request, callback.body());
    assert!(verdict.contains("genuine"), "{verdict}");
    developer.tally("verified FOMO callback");
    // All of the check list is done, so that the app's page shows it no more; and the callback is acknowledged.
    developer.browser.go("/apps").await;
    developer.browser.press("main table a").await;
    let app = developer.browser.attribute("a[aria-current='page'][href^='/apps/fomo/']", "href").await;
    for tries in 0.. {
        developer.browser.go(&app).await;
        developer.browser.see("Credentials").await;
        if developer.browser.count("#steps").await == 0 {
            break;
        }
        assert!(tries < 50, "a step is missing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    developer.browser.press("a[href$='/deliveries']").await;
    developer.browser.see("delivered").await;

    // The other wallet: an application that the developer approves, a login by QR code, an order.
    developer.browser.go("/apps").await;
    developer.click("main a[href='/apps/new']").await;
    developer.click("a[href='/apps/new?protocol=vas']").await;
    developer.fill("#vas_name", "Frank's shop").await;
    developer.click("form[action='/apps/new/vas'] > button").await;
    developer.click("form[action$='/approve'] button").await;
    let token = developer.copy("#access_token code").await;
    let key = developer.copy("#rsa_private code").await;
    let pem = format!(
        "{{ echo '-----BEGIN PRIVATE KEY-----'; echo '{key}' | fold -w 64; echo '-----END PRIVATE KEY-----'; }} > key.pem
         openssl pkey -in key.pem -pubout -out public.pem"
    );
    developer.run(&pem, &[], b"");
    developer
        .variables
        .extend([("ACCESS_TOKEN".to_owned(), token), ("RSA_PRIVATE".to_owned(), "key.pem".to_owned())]);
    developer.click("nav a[href='/docs']").await;
    developer.click(".docs-nav a[href='/docs/guides/vas']").await;
    let steps = developer.browser.texts("code.language-sh").await;
    let steps: Vec<String> =
        steps.into_iter().map(|step| step.replace("localhost:9100", &format!("localhost:{at}"))).collect();
    let line =
        |step: &str, begins: &str| step.lines().find(|line| line.starts_with(begins)).unwrap().to_owned();
    // The link of the guide is shown as a QR code; the wallet scans it.
    developer.clicks += 1;
    let login = format!("{}{}\necho \"$link\"", steps[0], line(&steps[1], "link="));
    let link = developer.run(&login, &[], b"").trim().to_owned();
    payer.go(&format!("/wallet?{}", form::query(&[("scan", &link)]))).await;
    payer.see("Sign in to Frank's shop").await;
    payer.press(".phone form button").await;
    payer.see("Signed in to Frank's shop").await;
    (developer.clicks, developer.fields) = (developer.clicks + 2, developer.fields + 1);
    let returned = shop.wait_for(2).await.remove(1);
    let code =
        form::pairs(returned.uri().query().unwrap()).map(form::split).find(|(name, _)| *name == "openCode");
    let code = code.unwrap().1.to_owned();
    let redeem = format!("{}openCode={code}\n{}", steps[0], line(&steps[1], "call -G"));
    assert!(developer.run(&redeem, &[], b"").contains("\"aid\":\"aid"));
    developer.clicks += 1;
    let until = steps[2].split("echo \"$link\"").next().unwrap();
    let link = developer.run(&format!("{}{until}echo \"$link\"", steps[0]), &[], b"").trim().to_owned();
    payer.go(&format!("/wallet?{}", form::query(&[("scan", &link)]))).await;
    payer.see("Pay Frank's shop").await;
    payer.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
    payer.press(".phone form button").await;
    payer.see("Submitted").await;
    (developer.clicks, developer.fields) = (developer.clicks + 2, developer.fields + 2);
    let callback = shop.wait_for(3).await.remove(2);
    let query = callback.uri().query().unwrap().to_owned();
    let request = [("QUERY_STRING", query), ("RSA_PUBLIC", "public.pem".to_owned())];
    let verdict = developer.run(program("## VAS and Lafi"), &request, b"");
    assert!(verdict.contains("genuine"), "{verdict}");
    developer.tally("verified VAS callback");
    payer.close_quietly().await;
    developer.browser.close_quietly().await;
}

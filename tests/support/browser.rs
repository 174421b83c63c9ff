//! A headless Chromium, driven by chromedriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// How long anything on a page may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with one window.
pub struct Browser {
    driver: WebDriver,
    url: String,
    /// The session, as chromedriver's own commands name it.
    session: String,
    process: Child,
    chinese: bool,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts chromedriver on a port of its own choice. It takes the same port of IPv6 too, and ends where another program has
/// that one: then it chooses again.
fn driver() -> (Child, String) {
    for _ in 0..5 {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs; `cargo xtask test` installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = String::new();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            said.push_str(&line);
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // What it says from now on is nobody's, but must be taken.
        std::thread::spawn(move || lines.for_each(drop));
        match port {
            Some(port) => return (process, format!("http://127.0.0.1:{port}")),
            None => {
                let ended = process.wait();
                eprintln!("chromedriver has ended ({ended:?}): {said}");
            }
        }
    }
    panic!("chromedriver does not start");
}

impl Browser {
    /// A browser without a history, in this language.
    pub async fn open(url: &str, lang: &str, scripts: bool) -> Self {
        let (process, at) = driver();
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1000",
            &format!("--user-data-dir={}", profile.path().display()),
            &format!("--accept-lang={lang}"),
        ];
        let mut preferences = json!({"intl.accept_languages": lang});
        if !scripts {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in arguments {
            capabilities.add_arg(argument).unwrap();
        }
        capabilities.add_experimental_option("prefs", preferences).unwrap();
        let logged = json!({"browser": "ALL", "performance": "ALL"});
        capabilities.set("goog:loggingPrefs", logged).unwrap();
        let driver = WebDriver::new(&at, capabilities).await.expect("a browser");
        let session = format!("{at}/session/{}", driver.session_id());
        Self { driver, url: url.to_owned(), session, process, chinese: lang == "zh", _profile: profile }
    }

    /// Whether it asks for Chinese.
    pub fn is_chinese(&self) -> bool {
        self.chinese
    }

    /// Opens an address of the sandbox.
    pub async fn go(&self, path: &str) {
        let address = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        self.driver.goto(&address).await.unwrap();
    }

    /// Opens another tab, and goes on in it.
    pub async fn new_tab(&self) {
        let tab = self.driver.new_tab().await.unwrap();
        self.driver.switch_to_window(tab).await.unwrap();
    }

    async fn find(&self, css: &str) -> WebElement {
        let began = Instant::now();
        loop {
            if let Ok(found) = self.driver.find(By::Css(css)).await {
                return found;
            }
            if began.elapsed() > PATIENCE {
                panic!("there is no {css} on this page:\n{}", self.page().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn page(&self) -> String {
        let address = self.driver.current_url().await.map(|url| url.to_string()).unwrap_or_default();
        let body = match self.driver.find(By::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        format!("{address}\n{body}")
    }

    /// Presses what leads to another page, and waits until this one is gone.
    pub async fn press(&self, css: &str) {
        let (page, began) = (self.find("html").await, Instant::now());
        self.find(css).await.click().await.unwrap();
        while page.tag_name().await.is_ok() {
            if began.elapsed() > PATIENCE {
                panic!("pressing {css} led nowhere:\n{}", self.page().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Fills a field, emptying it first.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses a file in a field for one.
    pub async fn attach(&self, css: &str, file: &std::path::Path) {
        self.find(css).await.send_keys(file.to_str().unwrap()).await.unwrap();
    }

    /// Presses what shows more on this page, and waits until it is seen.
    pub async fn press_in(&self, css: &str, shows: &str) {
        self.find(css).await.click().await.unwrap();
        self.see(shows).await;
    }

    /// The violations that axe-core finds on this page: each rule with the elements. `axe` is its script.
    pub async fn violations(&self, axe: &str) -> Vec<String> {
        self.driver.execute(axe, Vec::new()).await.unwrap();
        let run = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations.map(
                (one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(' | ')}`)));";
        let found = self.driver.execute_async(run, Vec::new()).await.unwrap();
        found.convert().unwrap()
    }

    /// The text of an element.
    pub async fn text(&self, css: &str) -> String {
        loop {
            // The page may change between finding and looking.
            if let Ok(text) = self.find(css).await.text().await {
                return text;
            }
        }
    }

    /// An attribute, or the value of a field.
    pub async fn attribute(&self, css: &str, name: &str) -> String {
        loop {
            if let Ok(value) = self.find(css).await.prop(name).await {
                return value.unwrap_or_default();
            }
        }
    }

    /// The texts of all such elements.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for found in self.driver.find_all(By::Css(css)).await.unwrap() {
            texts.push(found.prop("textContent").await.unwrap().unwrap_or_default());
        }
        texts
    }

    /// How many there are.
    pub async fn count(&self, css: &str) -> usize {
        self.driver.find_all(By::Css(css)).await.unwrap().len()
    }

    /// Waits until the page says this.
    pub async fn see(&self, text: &str) {
        self.see_in("body", text).await;
    }

    /// Waits until an element says this.
    pub async fn see_in(&self, css: &str, text: &str) {
        let began = Instant::now();
        loop {
            // An element may go while it is looked at: the page is filled again.
            if let Ok(found) = self.driver.find(By::Css(css)).await
                && found.text().await.is_ok_and(|shown| shown.contains(text))
            {
                return;
            }
            if began.elapsed() > PATIENCE {
                panic!("{css} does not say {text:?}:\n{}", self.page().await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A command that chromedriver has beside WebDriver's own.
    async fn command(&self, path: &str, body: Value) -> Value {
        let request = http::Request::post(format!("{}/{path}", self.session))
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .unwrap();
        let reply = wallet_core::Transport::send(&crate::plain_client(), request).await.unwrap();
        let mut reply: Value = serde_json::from_slice(reply.body()).unwrap();
        reply["value"].take()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.command("se/log", json!({"type": kind})).await;
        log.as_array().unwrap_or_else(|| panic!("no log: {log}")).clone()
    }

    /// Looks at pages as a screen of this width shows them, light or dark.
    pub async fn look(&self, width: u32, scheme: &str) {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("goog/cdp/execute", json!({"cmd": "Emulation.setEmulatedMedia", "params": media})).await;
        let metrics = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        let set = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        self.command("goog/cdp/execute", set).await;
        // A picture of the whole page has none, and would be cut off by the width of one.
        let hidden = json!({"cmd": "Emulation.setScrollbarsHidden", "params": {"hidden": true}});
        self.command("goog/cdp/execute", hidden).await;
    }

    /// A picture of the whole page.
    pub async fn picture(&self) -> Vec<u8> {
        let whole = json!({"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": true}});
        let picture = self.command("goog/cdp/execute", whole).await;
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// The number that a script returns.
    pub async fn number(&self, script: &str) -> f64 {
        self.driver.execute(script, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// How much wider the page is than its window, in pixels.
    pub async fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.driver.execute(script, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// Closes the browser, which was led to other hosts.
    pub async fn close(self) {
        let _ = self.driver.clone().quit().await;
    }

    /// Ends the way: nothing went wrong in the browser, and nothing was asked of another host.
    pub async fn close_quietly(self) {
        let console: Vec<String> = (self.log("browser").await.iter())
            .map(|entry| entry["message"].to_string())
            // A form that was refused is answered with 422 and the form again; browsers take note of the number.
            .filter(|message| !message.contains("status of 422"))
            .collect();
        assert!(console.is_empty(), "the browser's console: {console:#?}");
        let mut asked = 0;
        for entry in self.log("performance").await {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &message["message"];
            if message["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let address = message["params"]["request"]["url"].as_str().unwrap();
            assert!(
                address.starts_with(&self.url)
                    || ["data:", "chrome:", "chrome-untrusted:"].iter().any(|own| address.starts_with(own)),
                "asked of elsewhere: {address}"
            );
            asked += 1;
        }
        assert!(asked > 3, "the browser's requests are seen");
        let _ = self.driver.clone().quit().await;
    }
}

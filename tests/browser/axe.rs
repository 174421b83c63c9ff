//! axe-core on every page, at both widths and in both schemes: no violation.

use std::path::Path;

use wallet_tests::{Browser, Merchant, World};

use crate::{open, sign_in, sign_in_as};

/// The pages that need no sign-in.
const OPEN: [&str; 29] = [
    "/",
    "/openfomo/login.html",
    "/openfomo/login.html?fault=pwd",
    "/openfomo/register.html",
    "/openfomo/register.html?fault=name,short",
    "/openfomo/register.html?verify_id=a&tmp_user_id=b",
    "/sandbox",
    "/sandbox/codes",
    "/live",
    "/shop",
    "/shop/sign_in/vas",
    "/inspect",
    "/inspect/1?own=1",
    "/link?text=vaspay%3A%2F%2F%7B%22type%22%3A%20%22pay%22%2C%7D",
    "/sign?kind=fomo&client_id=demo_app&timestamp=1574510444&sign=0a",
    "/sign?kind=link",
    "/sign?kind=fomo_callback",
    "/sign?kind=vas_callback",
    "/chain",
    "/clock",
    "/docs",
    "/docs/fomo",
    "/docs/guides/fomo",
    "/docs/callbacks",
    "/docs/guides/test-values",
    "/docs/search?q=timestamp",
    "/docs/rules",
    "/docs/fomo/codes/7",
    "/nowhere",
];

/// The pages of a developer who is the owner of the demo app.
const OWN: [&str; 13] = [
    "/apps",
    "/account",
    "/account?fault=pwd,short&done=password",
    "/apps/new",
    "/apps/new?protocol=vas&safe_domain=localhost&fault=localhost,scheme",
    "/apps/fomo/demo_app",
    "/apps/fomo/demo_app/payments",
    "/apps/fomo/demo_app/payments/one?id=payout-0",
    "/apps/fomo/demo_app/deliveries",
    "/apps/fomo/demo_app/settings",
    "/wallet",
    "/wallet/receive",
    "/wallet/history",
];

struct Checked<'b> {
    browser: &'b Browser,
    axe: String,
    found: Vec<String>,
}

impl Checked<'_> {
    async fn page(&mut self, path: &str) {
        self.browser.go(path).await;
        self.here(path).await;
    }

    /// Checks the page that is open.
    async fn here(&mut self, path: &str) {
        for (width, scheme) in [(1200, "light"), (390, "dark"), (1200, "dark"), (390, "light")] {
            self.browser.look(width, scheme).await;
            for violation in self.browser.violations(&self.axe).await {
                self.found.push(format!("{path} ({width}, {scheme}): {violation}"));
            }
        }
        self.browser.look(1200, "light").await;
    }
}

/// The pages of an operator; a search that finds one thing leads to its page.
const ADMIN: &[&str] = &[
    "/admin",
    "/admin/limits",
    "/admin/second_factor",
    "/admin/find?q=nothing",
    "/admin/find?q=alice",
    "/admin/find?q=demo_app",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_violates_a_rule_of_accessibility() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&file);
    let axe = axe.unwrap_or_else(|_| panic!("{}: `cargo xtask test` installs it", file.display()));
    let world = World::start().await;
    let merchant = Merchant::open().await;
    merchant.answer(&[503]);
    world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
    let mut found = Vec::new();
    for lang in ["en", "zh"] {
        let browser = open(&world, lang, true).await;
        let mut checked = Checked { browser: &browser, axe: axe.clone(), found: Vec::new() };
        for path in OPEN {
            checked.page(path).await;
        }
        // Sheets, and what is only there once somebody is signed in.
        checked.page("/shop/sign_in/fomo").await;
        sign_in(&browser, &world, "alice").await;
        checked.here("consent").await;
        browser.press("button[value='yes']").await;
        checked.here("shop").await;
        browser.press("button[value='coffee']").await;
        checked.here("order").await;
        browser.press("main a.button").await;
        checked.here("sheet").await;
        browser.press("form[action='/openfomo/logout'] button").await;
        sign_in_as(&browser, "operator", "operator-password").await;
        for path in ADMIN {
            checked.page(path).await;
        }
        browser.press("form[action='/openfomo/logout'] button").await;
        sign_in_as(&browser, "owner", &world.described().fomo.owner_pwd).await;
        for path in OWN {
            checked.page(path).await;
        }
        browser.go("/apps").await;
        browser.press("a[href^='/apps/vas/']").await;
        checked.here("/apps/vas").await;
        found.extend(checked.found);
    }
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

//! Pictures of every page: light and dark, as wide as a desk's screen and as a phone's. `cargo xtask screenshots DIR`.

use std::cell::Cell;
use std::path::PathBuf;

use wallet_tests::{Browser, World};

const WIDTHS: [(&str, u32); 2] = [("desk", 1200), ("phone", 390)];

#[tokio::main]
async fn main() {
    let out = PathBuf::from(std::env::args().nth(1).expect("a directory for the pictures"));
    std::fs::create_dir_all(&out).expect("the directory can be made");
    let world = World::start().await;
    let too_wide = Cell::new(0);
    for lang in ["en", "zh"] {
        let browser = Browser::open(&world.described().url, lang, true).await;
        let say = |zh: &'static str, en: &'static str| if lang == "zh" { zh } else { en };
        let take = async |name: &str| {
            for (device, width) in WIDTHS {
                for scheme in ["light", "dark"] {
                    browser.look(width, scheme).await;
                    let over = browser.overflow().await;
                    let file = out.join(format!("{name}-{lang}-{device}-{scheme}.png"));
                    std::fs::write(&file, browser.picture().await).expect("a picture can be written");
                    too_wide.set(too_wide.get() + u32::from(over > 0));
                    let wide = if over > 0 { format!("  {over} px too wide") } else { String::new() };
                    println!("{}{wide}", file.display());
                }
            }
            browser.look(WIDTHS[0].1, "light").await;
        };
        browser.go("/").await;
        take("start-empty").await;
        browser.go("/openfomo/login.html").await;
        take("login").await;
        browser.go("/openfomo/register.html").await;
        take("register").await;
        browser.fill("#user_name", &format!("carol_{lang}")).await;
        browser.fill("#pwd", "carol-password").await;
        browser.press("main form button").await;
        take("apps-empty").await;
        browser.press("form[action='/openfomo/logout'] button").await;
        browser.go("/sandbox").await;
        take("sandbox").await;
        browser.go("/sandbox/codes").await;
        take("codes").await;
        browser.go("/live").await;
        take("live").await;
        for _ in 0..3 {
            browser.press("main form button").await;
        }
        browser.see_in("#state", say("已支付", "paid")).await;
        take("live-paid").await;
        browser.go("/shop").await;
        take("shop-outside").await;
        browser.go("/shop/sign_in/vas").await;
        take("shop-code").await;
        browser.go("/shop/sign_in/fomo").await;
        browser.fill("#login_name", "alice").await;
        browser.fill("#pwd", &world.user("alice").pwd).await;
        browser.press("main form button").await;
        take("consent").await;
        browser.press("button[value='yes']").await;
        take("shop").await;
        browser.press("button[value='coffee']").await;
        take("order-waiting").await;
        browser.press("main a.button").await;
        take("wallet-payment").await;
        browser.fill("#wallet_pwd", "000000").await;
        browser.press(".phone form button").await;
        take("wallet-refused").await;
        browser.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
        browser.press(".phone form button").await;
        take("wallet-paid").await;
        browser.press("#onward").await;
        browser.see_in("#state", say("已支付", "paid")).await;
        take("order-paid").await;
        browser.go("/shop/sign_in/vas").await;
        browser.press("main a.button").await;
        take("wallet-login").await;
        browser.press(".phone form button").await;
        take("wallet-signed-in").await;
        browser.go("/shop").await;
        browser.press("button[value='tea']").await;
        take("order-code").await;
        browser.press("main a.button").await;
        take("wallet-order").await;
        browser.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
        browser.press(".phone form button").await;
        take("wallet-submitted").await;
        browser.go("/account").await;
        take("account").await;
        browser.go("/wallet").await;
        take("wallet").await;
        browser.go("/wallet/receive").await;
        take("wallet-receive").await;
        browser.go("/wallet/history?of=VAS").await;
        take("wallet-history").await;
        browser.go("/wallet/history").await;
        take("wallet-history-all").await;
        browser.go("/wallet?scan=hello").await;
        take("wallet-unreadable").await;
        browser.go("/wallet/password").await;
        take("wallet-password").await;
        browser.go("/shop").await;
        take("shop-used").await;
        browser.go("/inspect").await;
        take("inspect").await;
        browser.press(".exchanges tbody a").await;
        take("inspect-one").await;
        browser.go("/").await;
        take("start").await;
        browser.go("/clock").await;
        take("clock").await;
        browser.press("button[value='3600']").await;
        take("clock-moved").await;
        browser.go("/chain").await;
        take("chain").await;
        browser.go("/sign").await;
        browser.fill("#client_secret", "secret").await;
        browser.fill("#timestamp", "1574510444").await;
        browser.fill("#sign", "0123456789012345678901234567890123456789").await;
        browser.press("form[action='/sign'] button").await;
        take("sign").await;
        let link = format!(
            r#"vaslogin://{{"type":"login", "uuid":"{}","callbackUrl":"http://www.shop.localhost/login",}}"#,
            world.described().vas.uuid
        );
        browser.go("/link").await;
        browser.fill("#text", &link).await;
        browser.press("main form button").await;
        take("link").await;
        for (name, path) in [
            ("docs", "/docs"),
            ("docs-guide", "/docs/guides/fomo"),
            ("docs-callbacks", "/docs/callbacks"),
            ("docs-go-live", "/docs/guides/go-live"),
            ("docs-test-values", "/docs/guides/test-values"),
            ("docs-sandbox", "/docs/guides/sandbox"),
            ("docs-search", "/docs/search?q=timestamp"),
            ("docs-reference", "/docs/vas"),
            ("docs-code", "/docs/fomo/codes/7"),
            ("docs-rules", "/docs/rules"),
        ] {
            browser.go(path).await;
            take(name).await;
        }
        browser.go("/apps/new?protocol=vas").await;
        take("app-new-vas").await;
        browser.go("/apps/new").await;
        take("app-new").await;
        browser.fill("#client_id", &format!("shop_{lang}")).await;
        browser.fill("#name", say("街角书店", "The corner bookshop")).await;
        browser.fill("#redirect_uri", "https://books.example/back").await;
        browser.press("form[action='/apps/new/fomo'] button").await;
        take("app").await;
        browser.go(&format!("/apps/fomo/shop_{lang}/settings")).await;
        take("app-settings").await;
        browser.go("/docs/guides/fomo").await;
        take("docs-own-app").await;
        browser.go("/apps").await;
        take("apps").await;
        browser.go("/fomo/oauth2/authorize?client_id=nobody").await;
        take("problem").await;
        browser.go("/fomo/nosuch").await;
        take("nowhere").await;
        // The demo shop's developer: what the shop took, and its callbacks.
        browser.press("form[action='/openfomo/logout'] button").await;
        browser.go("/openfomo/login.html").await;
        browser.fill("#login_name", "owner").await;
        browser.fill("#pwd", &world.described().fomo.owner_pwd).await;
        browser.press("main form button").await;
        browser.go("/apps/fomo/corner_cafe/payments").await;
        take("payments").await;
        browser.press("main tbody a").await;
        take("payment").await;
        browser.go("/apps/fomo/corner_cafe/deliveries").await;
        take("deliveries").await;
        browser.press("section a[href*='/deliveries/']").await;
        take("delivery").await;
        browser.go("/apps").await;
        browser.press("a[href^='/apps/vas/']").await;
        take("app-vas").await;
        browser.go("/apps/new?protocol=vas").await;
        browser.fill("#vas_name", say("街角书店", "The corner bookshop")).await;
        browser.fill("#safe_domain", "www.books.example").await;
        browser.press("form[action='/apps/new/vas'] > button").await;
        take("app-pending").await;
        browser.press("form[action='/openfomo/logout'] button").await;
        browser.go("/openfomo/login.html").await;
        browser.fill("#login_name", "operator").await;
        browser.fill("#pwd", "operator-password").await;
        browser.press("main form button").await;
        browser.go("/admin").await;
        take("admin").await;
        for (path, name) in [
            ("/admin/find?q=alice", "admin-user"),
            ("/admin/find?q=demo_app", "admin-app"),
            ("/admin/find?q=nothing", "admin-nothing"),
            ("/admin/limits", "admin-limits"),
            ("/admin/second_factor", "admin-second-factor"),
        ] {
            browser.go(path).await;
            take(name).await;
        }
        if lang == "en" {
            // It is begun once; the other language then shows the same page as second-factor.
            browser.fill("#pwd", "operator-password").await;
            browser.press("main form button").await;
        }
        take("admin-second-factor-begun").await;
    }
    assert_eq!(too_wide.get(), 0, "pages that are wider than their window");
}

//! The documents' pages: navigation, search, files for other programs, and the reader's own app in the commands.

use std::process::Command;

use scraper::{Html, Selector};
use serde_json::Value;
use wallet_api::fomo::Fomo;
use wallet_api::vas::Vas;
use wallet_core::Platform as _;
use wallet_tests::World;

use crate::pages::{Visitor, texts};

pub(crate) fn links(page: &str, css: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    let links = Selector::parse(css).unwrap();
    page.select(&links).map(|link| link.value().attr("href").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_document_is_in_the_navigation_and_lists_its_headings() {
    let world = World::start().await;
    for lang in ["en", "zh"] {
        let mut visitor = Visitor::new(&world, lang);
        let all = links(&visitor.get("/docs").await.text, ".docs-nav a");
        assert!(all.len() >= 11, "{all:?}");
        for doc in &all[1..] {
            let got = visitor.get(doc).await;
            assert_eq!(got.status, 200, "{doc}");
            assert_eq!(links(&got.text, ".docs-nav a[aria-current]"), [doc.as_str()]);
            if doc == "/docs/rules" {
                continue;
            }
            let contents = links(&got.text, ".toc a");
            assert!(contents.len() > 2, "{doc}: {contents:?}");
            for fragment in contents {
                let id = fragment.strip_prefix('#').unwrap();
                assert!(got.text.contains(&format!("id=\"{id}\"")), "{doc}{fragment}");
            }
        }
    }
}

#[tokio::test]
async fn the_search_finds_fields_codes_and_words_of_both_languages() {
    let world = World::start().await;
    for (lang, query, first) in [
        ("en", "pre_pay", "/docs/fomo#pre_pay"),
        ("en", "211", "/docs/fomo/codes/211"),
        ("en", "PRE_PAY trade_id", "/docs/fomo#pre_pay"),
        ("en", "whsec_", "/docs/callbacks#"),
        ("en", "ntp", "/docs/guides/go-live#time"),
        ("en", "wrong signature", "/docs/fomo/codes/7"),
        ("en", "nosuchword timestamp", "/docs/guides/fomo#"),
        ("zh", "上线", "/docs/guides/go-live#"),
        ("zh", "回调验签", "/docs/callbacks#"),
    ] {
        let mut visitor = Visitor::new(&world, lang);
        let page = visitor.get(&format!("/docs/search?q={}", query.replace(' ', "+"))).await.text;
        let hits = links(&page, ".hits a");
        let at = hits.iter().position(|hit| hit.starts_with(first));
        assert!(at.is_some_and(|at| at < 3), "{query}: {hits:?}");
        let marked = texts(&page, ".hits mark");
        let words: Vec<String> = query.split(' ').map(str::to_lowercase).collect();
        // Pairs of a longer Chinese word are found, but not marked.
        assert!(lang == "zh" || !marked.is_empty(), "{query}");
        assert!(marked.iter().all(|mark| words.contains(&mark.to_lowercase())), "{marked:?}");
    }
    let mut visitor = Visitor::new(&world, "en");
    for (query, hits) in [("", 0), ("nosuchword", 0), ("%3Cscript%3E", 0), ("the", 30)] {
        let page = visitor.get(&format!("/docs/search?q={query}")).await;
        assert_eq!(page.status, 200);
        assert_eq!(links(&page.text, ".hits a").len(), hits, "{query}");
        assert!(!page.text.contains("<script>"), "{query}");
    }
}

#[tokio::test]
async fn the_files_for_other_programs_have_every_endpoint_and_the_servers_address() {
    let world = World::start().await;
    let url = &world.described().url;
    let mut visitor = Visitor::new(&world, "en");
    let offered = links(&visitor.get("/docs").await.text, "main li a[href$='.json']");
    assert_eq!(offered.len(), 4, "{offered:?}");
    for meta in [Fomo::META, Vas::META] {
        let mut file = async |name: &str| -> Value {
            let got = visitor.get(&format!("/docs/{}/{name}", meta.id)).await;
            assert!(got.headers["content-type"].to_str().unwrap().starts_with("application/json"));
            serde_json::from_str(&got.text).unwrap()
        };
        let openapi = file("openapi.json").await;
        assert!(openapi["servers"][0]["url"].as_str().unwrap().starts_with(url));
        let postman = file("postman.json").await;
        let base = postman["variable"].as_array().unwrap().iter().find(|one| one["key"] == "base").unwrap();
        assert_eq!(base["value"], url.as_str());
        let folders = postman["item"].as_array().unwrap();
        let items: Vec<&Value> =
            folders.iter().flat_map(|folder| folder["item"].as_array().unwrap()).collect();
        assert_eq!(items.len(), meta.endpoints.len());
        for endpoint in meta.endpoints {
            let path = &openapi["paths"][format!("/{}", endpoint.path)];
            assert!(path.is_object(), "{}", endpoint.id);
            let request = &items.iter().find(|item| item["name"] == endpoint.id).unwrap()["request"];
            assert!(request["url"]["raw"].as_str().unwrap().ends_with(endpoint.path));
            let (query, form) = (&request["url"]["query"], &request["body"]["urlencoded"]);
            let sent = query.as_array().or(form.as_array()).unwrap();
            for field in endpoint.request {
                let row = sent.iter().find(|row| row["key"] == field.name).unwrap();
                assert_eq!(row["disabled"], !field.required, "{} {}", endpoint.id, field.name);
            }
        }
    }
    assert_eq!(visitor.get("/docs/fomo/nosuch.json").await.status, 404);
}

/// The commands of a guide, as its page shows them.
fn commands(page: &str) -> String {
    texts(page, "code.language-sh").concat()
}

/// Runs commands in one shell with these variables: what they print.
async fn run(commands: String, variables: &[(&str, &str)]) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-ec", &commands]).envs(variables.iter().copied());
    let done = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(done.status.success(), "{said}");
    assert!(!said.contains("\"success\":false"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_have_the_readers_own_app_and_run() {
    let world = World::start().await;
    let mut bob = Visitor::new(&world, "en");
    let guide = "/docs/guides/fomo";
    assert!(commands(&bob.get(guide).await.text).contains("value client_id"), "signed out: the demo app");
    bob.sign_in("bob", "/apps").await;
    assert!(commands(&bob.get(guide).await.text).contains("value client_id"), "no app: the demo app");
    let back = "https://bob.example/back?it's=$(here)";
    let named = [("client_id", "bobs"), ("name", "Bob's"), ("redirect_uri", back)];
    let made = bob.post("/apps/new", "/apps/new/fomo", &named).await;
    let app = bob.get(made.location()).await;
    let secret = texts(&app.text, "#client_secret code").remove(0);
    let page = bob.get(guide).await.text;
    let filled = commands(&page);
    assert!(filled.contains("client_id='bobs'") && !filled.contains(&secret), "{filled}");
    assert_eq!(links(&page, ".own-app a"), ["/apps/fomo/bobs"]);
    let demo = bob.get(&format!("{guide}?app=demo")).await.text;
    assert!(commands(&demo).contains("value client_id") && texts(&demo, "option[selected]").len() == 1);
    let said = run(filled, &[("CLIENT_SECRET", &secret), ("WALLET_PWD", "200200")]).await;
    assert!(said.contains("\"name\":\"Alice\"") && said.contains("bob.example/back"), "{said}");
    // Nobody else sees them.
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    assert!(!alice.get(&format!("{guide}?app=bobs")).await.text.contains("'bobs'"));

    let applied = [("wallet", "lafi"), ("name", "B"), ("safe_domain", "my-shop.localhost"), ("scheme", "")];
    let page = bob.post("/apps/new?protocol=vas", "/apps/new/vas", &applied).await.location().to_owned();
    assert!(commands(&bob.get("/docs/guides/vas").await.text).contains("value uuid"), "not yet approved");
    let approved = bob.post(&page, &format!("{page}/approve"), &[]).await.text;
    let token = texts(&approved, "#access_token code").remove(0);
    let key = tempfile::NamedTempFile::new().unwrap();
    let pem = bob.post(&page, &format!("{page}/key/pkcs8"), &[("pwd", "bob-password")]).await.text;
    assert!(pem.contains("BEGIN PRIVATE KEY"), "{pem}");
    std::fs::write(key.path(), pem).unwrap();
    let filled = commands(&bob.get("/docs/guides/vas").await.text);
    assert!(filled.contains("http://my-shop.localhost:9100") && filled.contains("\"L-F\""), "{filled}");
    let key = key.path().to_str().unwrap();
    let said = run(filled, &[("ACCESS_TOKEN", &token), ("RSA_PRIVATE", key)]).await;
    assert!(said.contains("\"state\":\"paid\""), "{said}");
}

//! The metrics, and the dashboard and the alerts that are made for them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wallet_core::Transport as _;
use wallet_tests::{Call, Merchant, World};

/// The names of the metrics of a text, each with the labels that it has somewhere.
fn names(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let end = line.find([' ', '{']).unwrap();
        let labels = found.entry(line[..end].to_owned()).or_default();
        let inside =
            line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
        labels.extend(inside.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())));
    }
    found
}

/// The metrics that an expression uses, each with the labels of its selector.
fn used(expression: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find("wallop_") {
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let selector =
            after.strip_prefix('{').and_then(|after| after.split_once('}')).map_or("", |(inside, _)| inside);
        let label = |pair: &str| pair.split(['=', '!']).next().map(|name| name.trim().to_owned());
        let labels = selector.split(',').filter(|pair| !pair.is_empty()).filter_map(label).collect();
        found.push((name.to_owned(), labels));
        rest = after;
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_and_the_alerts_use_metrics_that_exist() {
    let (world, merchant) = (World::start().await, Merchant::open().await);
    let (token, _) = world.tokens("alice").await;
    let pre_pay = world.pre_pay_with(&token).with("server_uri", &merchant.url);
    let confirm = world.confirm_of("alice", &pre_pay).await;
    world.call(&confirm).await.ok();
    world.call(&confirm.clone().with("wallet_pwd", "wrong")).await;
    world.advance(1).await;
    merchant.wait_for(1).await;
    let begun = Call::post("customer/register").with("user_name", "dora").with("pwd", "a-long-password");
    let registered = world.call(&begun).await;
    let text = metrics(&world, &["application/openmetrics-text"]).await.1;
    let known = names(&text);
    let has = |line: &str| assert!(text.lines().any(|known| known.starts_with(line)), "{line}\n{text}");
    has("wallop_requests_total{endpoint=\"confirm_pay\",status=\"200\",code=\"0\"} 1");
    has("wallop_callback_attempts_total{outcome=\"acknowledged\"} 1");
    has("wallop_callback_lateness_seconds_count 1");
    has("wallop_store_batch_commands_count ");
    has("wallop_store_errors_total{class=\"damaged\"} 0");
    has("wallop_store_broken 0");
    assert!(text.ends_with("# EOF\n"));
    has("wallop_store_failed_checkpoints_total 0");
    let request_id = registered.headers.get("x-request-id").expect("each reply has the id of its request");
    assert!(!request_id.is_empty());

    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitoring/");
    let dashboard = std::fs::read_to_string(format!("{root}dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut expressions: Vec<String> =
        targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(expressions.len() > 15, "{}", expressions.len());
    let alerts = std::fs::read_to_string(format!("{root}alerts.yml")).unwrap();
    let of_alerts =
        alerts.lines().filter_map(|line| line.trim_start().strip_prefix("expr: ").map(str::to_owned));
    let before = expressions.len();
    expressions.extend(of_alerts);
    assert!(expressions.len() >= before + 10);
    let mut seen = BTreeSet::new();
    for expression in &expressions {
        for (name, labels) in used(expression) {
            // A notice is counted once one was sent.
            if name == "wallop_notices_total" && !known.contains_key(&name) {
                seen.insert(name);
                continue;
            }
            let has = known.get(&name).unwrap_or_else(|| panic!("{name} in {expression}\n{text}"));
            for label in labels {
                assert!(has.contains(&label), "{name} has no label {label}: {expression}");
            }
            seen.insert(name);
        }
    }
    // And nothing is measured that nobody looks at.
    for family in known.keys().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        assert!(seen.contains(family), "{family} is on no panel and in no alert");
    }
}

/// The content type and the text of the metrics, for a reader with these lines of `Accept`.
async fn metrics(world: &World, accept: &[&str]) -> (String, String) {
    let mut request = http::Request::get(format!("{}/metrics", world.described().url));
    for line in accept {
        request = request.header("accept", *line);
    }
    let reply = world.transport().send(request.body(Vec::new()).unwrap()).await.unwrap();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, String::from_utf8(reply.into_body()).unwrap())
}

/// RFC 9110, 12.5.1; the first line is Prometheus's own, of version 2.49.
#[tokio::test]
async fn metrics_have_the_format_that_the_reader_accepts() {
    let world = World::start().await;
    const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
         version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, open) in [
        (&[PROMETHEUS][..], true),
        (&["Application/OpenMetrics-Text; version=1.0.0"], true),
        (&["text/plain", "application/openmetrics-text"], true),
        (&["application/openmetrics-text; Q=0.2, text/plain; q=0.9"], false),
        (&["application/openmetrics-text;q=0"], false),
        (&["text/plain;version=0.0.4"], false),
        (&["*/*"], false),
        (&["text/html, nonsense;;q"], false),
        (&[], false),
    ] {
        let (kind, text) = metrics(&world, accept).await;
        let starts =
            if open { "application/openmetrics-text; version=1.0.0" } else { "text/plain; version=0.0.4" };
        assert!(kind.starts_with(starts), "{accept:?}: {kind}");
        assert_eq!(text.ends_with("# EOF\n"), open, "{accept:?}");
    }
    let (_, open) = metrics(&world, &[PROMETHEUS]).await;
    let (_, classic) = metrics(&world, &[]).await;
    let samples = |text: &str| names(text).into_keys().collect::<Vec<_>>();
    assert_eq!(samples(&open), samples(&classic));
    assert!(
        classic.contains("# TYPE wallop_store_errors_total counter\nwallop_store_errors_total{class="),
        "{classic}"
    );
    assert!(classic.contains("# TYPE wallop_store_batch_commands histogram\n"), "{classic}");
    // Each line is a sample, or one of the two comments that the format has; each family has its type once, before its samples.
    for line in classic.lines() {
        let comment = line.strip_prefix("# ").map(|rest| rest.split(' ').next().unwrap());
        assert!(comment.is_none_or(|word| ["HELP", "TYPE"].contains(&word)), "{line}");
    }
}

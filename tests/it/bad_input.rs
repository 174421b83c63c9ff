//! Whatever is sent, the answer is a documented code with the field's name: never a 5xx, a panic or a hang.

use wallet_api::fomo::{Fomo, limits};
use wallet_core::{EndpointMeta, Kind, Platform};
use wallet_tests::{Call, Format, Reply, World};

/// 0 with the field's name, in the endpoint's own form.
#[track_caller]
fn refused(meta: &EndpointMeta, reply: &Reply, field: &str, case: &str) {
    let at = format!("{} {field} {case}: HTTP {} {}", meta.id, reply.http, reply.text);
    assert_eq!(reply.status(), 0, "{at}");
    assert_eq!(reply.http, meta.faults.field.http, "{at}");
    assert_eq!(reply.json["success"], false, "{at}");
    assert!(reply.json["msg"].as_str().unwrap().ends_with(&format!(": {field}")), "{at}");
    assert_eq!(
        reply.json.get("error").and_then(|error| error.as_str()).is_some(),
        meta.faults.field.oauth.is_some(),
        "{at}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_every_field_missing_empty_or_too_long_is_named() {
    let world = World::start().await;
    for meta in Fomo::META.endpoints {
        let valid = world.valid(meta.id).await;
        for field in meta.request {
            for format in Format::ALL {
                if field.required {
                    refused(
                        meta,
                        &world.call_as(&valid.clone().without(field.name), format).await,
                        field.name,
                        "missing",
                    );
                    refused(
                        meta,
                        &world.call_as(&valid.clone().with(field.name, ""), format).await,
                        field.name,
                        "empty",
                    );
                }
                // In a signature too: none has it.
                let nul = valid.clone().with(field.name, "a\0b");
                refused(meta, &world.call_as(&nul, format).await, field.name, "U+0000");
                if field.fixed.is_none() {
                    let long = "1".repeat(field.max.unwrap_or(80) as usize + 1);
                    let reply = world.call_as(&valid.clone().with(field.name, &long), format).await;
                    // What has no limit of its own is too long for its type; a signature is simply wrong.
                    match field.kind {
                        Kind::Signature => assert_eq!(reply.status(), 7, "{}", reply.text),
                        _ => refused(meta, &reply, field.name, "too long"),
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_a_field_of_the_wrong_type_is_named() {
    let world = World::start().await;
    for meta in Fomo::META.endpoints {
        let valid = world.valid(meta.id).await;
        for field in meta.request.iter().filter(|field| field.fixed.is_none()) {
            let wrong: &[&str] = match field.kind {
                Kind::Id | Kind::Integer => {
                    &["x", "-1", "01", "1.0", "1e3", " 1", "9223372036854775808", "１"]
                }
                Kind::Amount => &["x", "-1", "+1", "01", "1.", ".5", "1e3", "1,5", "NaN", "１", "0x1"],
                Kind::Timestamp => {
                    &["x", "1574510444 ", " 1574510444", "+1574510444", "01574510444", "１５７４５１０４４４"]
                }
                Kind::Url => {
                    &["shop.example/callback", "ftp://a/", "http://", "http://u:p@h/", "javascript:alert(1)"]
                }
                _ => continue,
            };
            for text in wrong {
                let reply = world.call(&valid.clone().with(field.name, text)).await;
                refused(meta, &reply, field.name, text);
            }
        }
        // In JSON a field may be an object, an array, a truth value: never one of ours.
        for field in meta.request {
            for value in ["{}", "[1]", "true"] {
                let mut body = String::from("{");
                for (name, known) in &valid.fields {
                    let known = if name == field.name {
                        value.to_owned()
                    } else {
                        serde_json::to_string(known).unwrap()
                    };
                    body.push_str(&format!("\"{name}\":{known},"));
                }
                if !valid.fields.iter().any(|(name, _)| name == field.name) {
                    body.push_str(&format!("\"{}\":{value},", field.name));
                }
                let body = body.trim_end_matches(',').to_owned() + "}";
                let reply = world.send(&valid, body.into_bytes(), Some("application/json")).await;
                refused(meta, &reply, field.name, value);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_a_field_that_is_not_utf8_or_repeated_is_named() {
    let world = World::start().await;
    for meta in Fomo::META.endpoints {
        let valid = world.valid(meta.id).await;
        for field in meta.request {
            let (rest, form) = valid.clone().without(field.name).body(Format::Form);
            let joined = |with: &[u8]| {
                let mut body = rest.clone();
                body.extend_from_slice(b"&");
                body.extend_from_slice(with);
                body
            };
            let name = field.name;
            for bytes in
                [format!("{name}=%ff"), format!("{name}=a%80b"), format!("{name}=%zz"), format!("{name}=%")]
            {
                let reply = world.send(&valid, joined(bytes.as_bytes()), Some(&form)).await;
                refused(meta, &reply, name, &bytes);
            }
            let mut raw = format!("{name}=").into_bytes();
            raw.push(0xff);
            refused(meta, &world.send(&valid, joined(&raw), Some(&form)).await, name, "raw 0xff");
            let twice = format!("{name}=one&{name}=two");
            refused(meta, &world.send(&valid, joined(twice.as_bytes()), Some(&form)).await, name, "repeated");

            let mut part =
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes();
            part.extend_from_slice(b"\xc3\x28\r\n--b--\r\n");
            let reply = world.send(&valid, part, Some("multipart/form-data; boundary=b")).await;
            refused(meta, &reply, name, "multipart not UTF-8");
            let body = format!("{{\"{name}\":\"one\",\"{name}\":\"two\"}}").into_bytes();
            refused(meta, &world.send(&valid, body, Some("application/json")).await, name, "JSON repeated");
        }
    }
    // The same value twice is one value.
    let login = world.valid("login").await;
    let (mut body, form) = login.body(Format::Form);
    body.extend_from_slice(b"&login_name=alice");
    world.send(&login, body, Some(&form)).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_bodies_that_do_not_decode_are_refused_as_such() {
    let world = World::start().await;
    let cases: &[(&str, &[u8])] = &[
        ("text/plain", b"a=b"),
        ("application/xml", b"<a/>"),
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b"true"),
        ("application/json", b"nul"),
        ("application/json", b"{\"a\":1}}"),
        ("application/json", b"\xff"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"nothing"),
        ("", b"a=b"),
    ];
    for meta in Fomo::META.endpoints {
        let valid = world.valid(meta.id).await;
        for (content_type, body) in cases {
            let kind = Some(*content_type).filter(|kind| !kind.is_empty());
            let reply = world.send(&valid, body.to_vec(), kind).await;
            refused(meta, &reply, "body", content_type);
        }
        // PHP's `[]` and others' `null` are objects without members: nothing is wrong but what is missing.
        for empty in ["[]", " [ ] ", "null", "\u{feff}[]", "{}"] {
            let reply = world.send(&valid, empty.into(), Some("application/json")).await;
            match meta.request.iter().find(|field| field.required) {
                Some(field) => refused(meta, &reply, field.name, empty),
                None => assert_eq!(reply.status(), 1, "{} {empty}: {}", meta.id, reply.text),
            }
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes();
        let reply = world.send(&valid, deep, Some("application/json")).await;
        assert!(reply.http < 500, "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_large_bodies_are_refused_with_413_and_answered() {
    let world = World::start().await;
    for meta in Fomo::META.endpoints {
        let call = Call { method: meta.methods.last().unwrap().word(), ..Call::post(meta.path) };
        for size in [limits::BODY_BYTES as usize + 1, 1 << 20, 5 << 20] {
            let reply = world.send(&call, vec![b'a'; size], Some("application/x-www-form-urlencoded")).await;
            assert_eq!((reply.http, reply.status()), (413, 0), "{} {size}: {}", meta.id, reply.text);
            assert_eq!(
                reply.json.get("error").is_some(),
                meta.faults.body_too_large.oauth.is_some(),
                "{}",
                meta.id
            );
        }
    }
    // One byte less is read.
    let body = format!("x={}", "a".repeat(limits::BODY_BYTES as usize - 2)).into_bytes();
    let reply = world
        .send(&Call::post("wallet/get_active_coins"), body, Some("application/x-www-form-urlencoded"))
        .await;
    reply.ok();
}

/// Bytes that make no sense, from a fixed seed: nothing but documented answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_gets_documented_answers() {
    let world = World::start().await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let meta = Fomo::META.endpoints[random() as usize % Fomo::META.endpoints.len()];
        let kind =
            ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=b"]
                [round % 3];
        let mut body: Vec<u8> = (0..random() % 400).map(|_| random() as u8).collect();
        if round % 2 == 0 {
            // Valid beginnings get further.
            let mut call = world.valid(meta.id).await.body(Format::Form).0;
            if let Some(byte) = call.get_mut(random() as usize % 40) {
                *byte = random() as u8;
            }
            body = call;
        }
        let call = Call::post(meta.path).bearer("x");
        let reply = world.send(&call, body, Some(kind)).await;
        assert!(
            reply.http < 500 && reply.json["status"].is_i64(),
            "{} HTTP {} {}",
            meta.id,
            reply.http,
            reply.text
        );
    }
    assert_eq!(world.get("/healthz").await.http, 200);
}

/// A client that sends requests and reads no reply is cut off, and its memory is freed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_is_cut_off() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use wallet_core::Transport as _;
    let world = World::start().await;
    let address = world.described().url.strip_prefix("http://").unwrap();
    let request = format!("GET /docs/fomo HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut reads_nothing = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut reads = tokio::net::TcpStream::connect(address).await.unwrap();
    let page = http::Request::get(format!("{}/docs/fomo", world.described().url)).body(Vec::new()).unwrap();
    let one = world.transport().send(page).await.unwrap().into_body().len();
    const ASKED: usize = 400;
    for stream in [&mut reads_nothing, &mut reads] {
        stream.write_all(request.repeat(ASKED).as_bytes()).await.unwrap();
    }
    // One that reads slowly is served to the end.
    let mut got = 0;
    let mut buffer = vec![0; 4 * one];
    for _ in 0..65 {
        got += reads.read(&mut buffer).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    while got < one * ASKED {
        let more = reads.read(&mut buffer).await.unwrap();
        assert!(more > 0, "{got} of {}", one * ASKED);
        got += more;
    }
    let mut left = Vec::new();
    let _reset = reads_nothing.read_to_end(&mut left).await;
    assert!(left.len() < one * ASKED / 2, "{} of {}", left.len(), one * ASKED);
}

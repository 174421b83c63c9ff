//! Mistakes that real programs make with signatures. The inspector, the debugger and `wallop explain` say the same about
//! each: the sentence of wallet-explain.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha1::{Digest as _, Sha1};
use wallet_api::fomo::payment_result;
use wallet_api::vas::{pay, payment};
use wallet_core::crypto::{Sha256 as _, hex_text};
use wallet_core::link::OutgoingLink;
use wallet_core::{Callback as _, Lang, json};
use wallet_crypto::{KeyForm, Portable, PublicKey};
use wallet_explain::{
    Cause, FomoSign, Received, Sent, compare, fomo, rsa as explain_rsa, serializers, webhook,
};
use wallet_tests::{Merchant, World, wallop_path};

use crate::chain::Shop;
use crate::pages::{Visitor, texts};

fn sha1(text: &str) -> Vec<u8> {
    Sha1::digest(text.as_bytes()).to_vec()
}

/// The first line that `wallop explain` prints, and its exit code.
fn on_the_command_line(arguments: &[&str], stdin: &str) -> (String, i32) {
    let mut child = Command::new(wallop_path())
        .arg("explain")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let done = child.wait_with_output().unwrap();
    let line = String::from_utf8(done.stdout).unwrap().lines().next().unwrap_or_default().to_owned();
    assert!(!line.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    (line, done.status.code().unwrap())
}

/// The sentence that a page says.
fn on_the_page(page: &str) -> String {
    texts(page, "#cause").first().unwrap_or_else(|| panic!("no cause: {page}")).trim().to_owned()
}

/// The inspector's sentence about the newest exchange of a call.
async fn in_the_inspector(visitor: &mut Visitor<'_>, call: &str) -> String {
    let list = visitor.get("/inspect").await.text;
    let mut rows = list.split("href=\"/inspect/").skip(1);
    let newest =
        rows.find(|row| row.split(['<', '>']).nth(1) == Some(call)).unwrap_or_else(|| panic!("{list}"));
    let newest = newest.split(['"', '?']).next().unwrap();
    let page = visitor.get(&format!("/inspect/{newest}")).await;
    assert!(page.text.contains("/sign?kind="), "it leads to the debugger: {}", page.text);
    on_the_page(&page.text)
}

/// A sentence without the age of a message, which grows between two explanations of it.
fn ageless(sentence: &str) -> String {
    let Some((before, after)) = sentence.split_once(" seconds behind") else { return sentence.to_owned() };
    format!("{} N seconds behind{after}", before.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// The cause of each mistake with `sign`: how its Debug begins.
const WITH_SIGN: &[(&str, &str)] = &[
    ("upper-case digits", "Spelled(UpperCase)"),
    ("with 0x", "Spelled(Prefixed)"),
    ("base64 instead of hexadecimal", "Spelled(Base64)"),
    ("URL-safe base64", "Spelled(UrlSafe)"),
    ("timestamp before the secret", "Swapped"),
    ("an & between", "Separator(\"&\")"),
    ("a colon between", "Separator(\":\")"),
    ("echo appends a line end", "LineEnd"),
    ("CRLF at the end", "LineEnd"),
    ("the secret's file ends in a line end", "LineEnd"),
    ("quotes from an .env file", "Quoted"),
    ("the secret alone", "OnlySecret"),
    ("an empty environment variable", "OnlyTimestamp"),
    ("names and values", "NamedParts"),
    ("the secret in upper case", "UpperCaseSecret"),
    ("client_id too", "ClientIdToo(\"client_id + client_secret + "),
    ("the hash hashed again", "HashOfHash"),
    ("the secret hashed first", "HashedSecret"),
    ("SHA-256", "RightTextOtherHash(\"SHA-256\")"),
    ("HMAC-SHA256", "Keyed(\"HMAC-SHA256\")"),
    ("MD5's length", "OtherHash(\"MD5\")"),
    ("milliseconds signed, seconds sent", "SignedMilliseconds"),
    ("a timestamp of three seconds ago", "OtherTimestamp("),
    ("local time as UTC", "OtherTimestamp("),
    ("the secret of another own app", "SecretOf(\"corner_cafe\")"),
    ("another secret", "OtherSecret"),
    ("twenty minutes late", "Stale { off: -1200, allowed: 600 }"),
];

/// The same for pay links; a serializer's own name is its cause.
const WITH_A_LINK: &[(&str, &str)] = &[
    ("URL-safe base64", "Spelled(UrlSafe)"),
    ("hexadecimal digits", "Spelled(Hex)"),
    ("base64 without padding", "Spelled(NoPadding)"),
    ("base64 twice", "Spelled(Twice)"),
    ("the digest in hexadecimal, signed", "HashOfHash"),
    ("the digest, signed once more", "HashOfHash"),
    ("a bare digest, encrypted", "BareDigest"),
    ("a hexadecimal digest, encrypted", "BareDigest"),
    ("SHA256withRSA", "RightTextOtherHash(\"SHA-256\")"),
    ("another private key", "OtherKey"),
    ("cut off", "WrongLength"),
    ("no base64", "NotBase64"),
    ("CRLF at the end", "Serializer { serializer: Serializer { name: \"a program that appends a line end\""),
    ("the amount without its zero", "OtherValue { field: \"amount\", signed: Some(\"1.5\") }"),
    ("the callbackUrl percent-encoded", "OtherValue { field: \"callbackUrl\", signed: Some("),
    ("without orderId", "OtherValue { field: \"orderId\", signed: None }"),
    (
        "another order of the fields",
        "Serializer { serializer: Serializer { name: \"a serializer with an order",
    ),
    ("another amount", "OtherText"),
];

/// The same for the callbacks of FOMO.
const WITH_A_FOMO_CALLBACK: &[(&str, &str)] = &[
    ("the client_secret as key", "KeyNotDerived"),
    ("whsec_… as text", "KeyNotDecoded"),
    ("the key's base64 as text", "KeyNotDecoded"),
    ("the key in hexadecimal", "KeyInHex"),
    ("the body alone", "OtherParts(\"body\")"),
    ("timestamp.body", "OtherParts(\"timestamp.body\")"),
    ("no dots", "OtherParts(\"id + timestamp + body\")"),
    ("the body parsed to JSON", "OtherBody"),
    ("a line end after the body", "OtherBody"),
    ("an empty body", "OtherBody"),
    ("compared in hexadecimal", "Spelled(Hex)"),
    ("compared without v1,", "NoVersion"),
    ("the sign of requests", "RequestSign"),
    ("another secret", "OtherWebhookKey"),
];

/// Checks that a mistake has its cause.
#[track_caller]
fn check_cause(causes: &[(&str, &str)], name: &str, cause: &Cause) {
    let expected = causes.iter().find(|(known, _)| *known == name);
    let (_, expected) = expected.unwrap_or_else(|| panic!("no cause is given for {name}"));
    assert!(format!("{cause:?}").starts_with(expected), "{name}: {cause:?}, not {expected}");
}

/// Checks one mistake, and prints its row of the table.
fn row(name: &str, cause: &Cause, said_by: [Option<&str>; 3]) {
    let sentence = cause.in_words(Lang::En);
    for said in said_by.into_iter().flatten() {
        assert_eq!(ageless(said), ageless(&sentence), "{name}");
    }
    let shown_as = said_by.map(|said| if said.is_some() { "same" } else { "-" });
    println!("{name:<44} | {:<9} | {:<8} | {:<7} | {sentence}", shown_as[0], shown_as[1], shown_as[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_with_sign_gets_the_same_sentence_everywhere() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let app = world.described().fomo.clone();
    let (secret, id, now) = (&*app.client_secret, &*app.client_id, world.timestamp());
    let made = |text: String| hex_text(&sha1(&text));
    let right = made(format!("{secret}{now}"));
    let minutes_ago = (now.parse::<i64>().unwrap() - 1_200).to_string();
    // Of a moment whose digest has a character in which the two alphabets differ.
    let url_safe = (0..300)
        .map(|seconds| (now.parse::<i64>().unwrap() - seconds).to_string())
        .map(|at| (at.clone(), URL_SAFE.encode(sha1(&format!("{secret}{at}")))))
        .find(|(_, text)| text.contains(['-', '_']))
        .unwrap();
    let keyed = Portable::new().hmac(secret.as_bytes(), &[now.as_bytes()]);
    let mistakes: Vec<(&str, &str, String)> = vec![
        ("upper-case digits", &now, right.to_uppercase()),
        ("with 0x", &now, format!("0x{right}")),
        ("base64 instead of hexadecimal", &now, STANDARD.encode(sha1(&format!("{secret}{now}")))),
        ("URL-safe base64", &url_safe.0, url_safe.1),
        ("timestamp before the secret", &now, made(format!("{now}{secret}"))),
        ("an & between", &now, made(format!("{secret}&{now}"))),
        ("a colon between", &now, made(format!("{secret}:{now}"))),
        ("echo appends a line end", &now, made(format!("{secret}{now}\n"))),
        ("CRLF at the end", &now, made(format!("{secret}{now}\r\n"))),
        ("the secret's file ends in a line end", &now, made(format!("{secret}\n{now}"))),
        ("quotes from an .env file", &now, made(format!("\"{secret}\"{now}"))),
        ("the secret alone", &now, made(secret.to_owned())),
        ("an empty environment variable", &now, made(now.clone())),
        ("names and values", &now, made(format!("client_secret={secret}&timestamp={now}"))),
        ("the secret in upper case", &now, made(format!("{}{now}", secret.to_uppercase()))),
        ("client_id too", &now, made(format!("{id}{secret}{now}"))),
        ("the hash hashed again", &now, made(right.clone())),
        ("the secret hashed first", &now, made(format!("{}{now}", made(secret.to_owned())))),
        ("SHA-256", &now, hex_text(&Portable::new().sha256(format!("{secret}{now}").as_bytes()))),
        ("HMAC-SHA256", &now, hex_text(&keyed)),
        ("MD5's length", &now, "0".repeat(32)),
        ("milliseconds signed, seconds sent", &now, made(format!("{secret}{now}123"))),
        ("a timestamp of three seconds ago", &now, {
            let other = now.parse::<i64>().unwrap() - 3;
            made(format!("{secret}{other}"))
        }),
        ("local time as UTC", &now, {
            let other = now.parse::<i64>().unwrap() + 8 * 3_600;
            made(format!("{secret}{other}"))
        }),
        (
            "the secret of another own app",
            &now,
            made(format!("{}{now}", world.described().shop.client_secret)),
        ),
        ("another secret", &now, made(format!("another{now}"))),
        ("twenty minutes late", &minutes_ago, made(format!("{secret}{minutes_ago}"))),
    ];
    let others = vec![("corner_cafe".to_owned(), world.described().shop.client_secret.clone())];
    for (name, timestamp, sign) in &mistakes {
        let sent = FomoSign {
            secret,
            client_id: id,
            timestamp,
            sign,
            now: Some((wallet_core::UnixTime::from_secs(now.parse().unwrap()), 600)),
            others: &others,
        };
        let cause = fomo(&Portable::new(), &sent).cause;
        check_cause(WITH_SIGN, name, &cause);
        let call = world.get_trade("none").with("timestamp", timestamp).with("sign", sign);
        world.call(&call).await;
        let inspected = in_the_inspector(&mut visitor, "get_trade").await;
        let age_alone = matches!(cause, Cause::Stale { .. });
        let fields = [("kind", "fomo"), ("client_id", id), ("timestamp", *timestamp), ("sign", sign)];
        let page = visitor.post("/sign", "/sign", &fields).await.text;
        assert!(!page.contains(secret), "{name}: the secret is not shown");
        let page = on_the_page(&page);
        let (line, code) = on_the_command_line(&["fomo", timestamp, "--client-id", id, "--", sign], secret);
        // Only the inspector knows when the request came, and only the sandbox knows the other apps' secrets.
        let knows_all = !age_alone && !matches!(cause, Cause::SecretOf(_));
        assert_eq!(code, i32::from(!age_alone), "{name}");
        row(
            name,
            &cause,
            [Some(&*inspected), Some(&*page).filter(|_| !age_alone), Some(&*line).filter(|_| knows_all)],
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_with_a_link_gets_the_same_sentence_everywhere() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let vas = world.described().vas.clone();
    let session = world.session("alice").await;
    let fields = [
        ("amount", "1.50"),
        ("appUuid", &*vas.uuid),
        ("assetType", "VAS"),
        ("callbackUrl", "http://www.shop.localhost/付款?order=1&t=<2>"),
        ("orderId", "订单-1"),
        ("toAddr", &*vas.to_addr),
    ];
    let kind = <pay::Link<'_> as OutgoingLink>::META;
    let der = STANDARD.decode(&vas.rsa_private_pkcs8).unwrap();
    let private = RsaPrivateKey::from_pkcs8_der(&der).unwrap();
    let info = |digest: &[u8]| {
        [b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14".to_vec(), digest.to_vec()].concat()
    };
    let raw = |bytes: &[u8]| private.sign(Pkcs1v15Sign::new_unprefixed(), bytes).unwrap();
    let sign = |text: &str| raw(&info(&sha1(text)));
    let text = |fields: &[(&str, &str)]| {
        let mut out = Vec::new();
        json::write_object(fields.iter().copied(), &mut out);
        String::from_utf8(out).unwrap()
    };
    let canonical = text(&fields);
    let base64 = |bytes: Vec<u8>| STANDARD.encode(bytes);
    let changed = |name: &str, value: &str| {
        let other: Vec<_> =
            fields.iter().map(|field| if field.0 == name { (field.0, value) } else { *field }).collect();
        text(&other)
    };
    let mut mistakes: Vec<(String, String)> = vec![
        ("URL-safe base64".into(), URL_SAFE.encode(sign(&canonical))),
        ("hexadecimal digits".into(), hex_text(&sign(&canonical))),
        ("base64 without padding".into(), STANDARD_NO_PAD.encode(sign(&canonical))),
        ("base64 twice".into(), STANDARD.encode(STANDARD.encode(sign(&canonical)))),
        ("the digest in hexadecimal, signed".into(), base64(sign(&hex_text(&sha1(&canonical))))),
        ("the digest, signed once more".into(), base64(raw(&info(&Sha1::digest(sha1(&canonical)))))),
        ("a bare digest, encrypted".into(), base64(raw(&sha1(&canonical)))),
        ("a hexadecimal digest, encrypted".into(), base64(raw(hex_text(&sha1(&canonical)).as_bytes()))),
        ("SHA256withRSA".into(), {
            let mut info =
                b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20".to_vec();
            info.extend(Portable::new().sha256(canonical.as_bytes()));
            base64(raw(&info))
        }),
        ("another private key".into(), {
            let lafi = STANDARD.decode(&world.described().lafi.rsa_private_pkcs8).unwrap();
            let lafi = RsaPrivateKey::from_pkcs8_der(&lafi).unwrap();
            base64(lafi.sign(Pkcs1v15Sign::new_unprefixed(), &info(&sha1(&canonical))).unwrap())
        }),
        ("cut off".into(), base64(sign(&canonical))[..200].to_owned()),
        ("no base64".into(), "signed!".to_owned()),
        ("CRLF at the end".into(), base64(sign(&format!("{canonical}\r\n")))),
        ("the amount without its zero".into(), base64(sign(&changed("amount", "1.5")))),
        ("the callbackUrl percent-encoded".into(), {
            let encoded = "http://www.shop.localhost/%E4%BB%98%E6%AC%BE?order=1&t=%3C2%3E";
            base64(sign(&changed("callbackUrl", encoded)))
        }),
        ("without orderId".into(), {
            let rest: Vec<_> = fields.iter().copied().filter(|(name, _)| *name != "orderId").collect();
            base64(sign(&text(&rest)))
        }),
        ("another order of the fields".into(), {
            let mut reversed = fields.to_vec();
            reversed.reverse();
            base64(sign(&text(&reversed)))
        }),
        ("another amount".into(), base64(sign(&changed("amount", "2")))),
    ];
    let mut seen = std::collections::HashSet::new();
    for known in serializers(kind.fields, &fields) {
        if known.text != canonical && seen.insert(known.text.clone()) {
            mistakes
                .push((format!("{} ({} bytes)", known.name, known.text.len()), base64(sign(&known.text))));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let public = PublicKey::load(&vas.rsa_public_spki).unwrap();
    let key = directory.path().join("rsa_public.pem");
    std::fs::write(&key, public.to_pem(KeyForm::Pkcs8)).unwrap();
    let key = key.to_str().unwrap();
    for (name, signature) in &mistakes {
        let mut members = vec![("type", "pay")];
        members.extend(fields);
        members.push(("signedContent", signature));
        let link = format!("vaspay://{}", text(&members));
        let opens = |signature: &[u8]| public.recover_message(signature);
        let cause = explain_rsa(&Portable::new(), &opens, kind.fields, &fields, signature).cause;
        match name.rsplit_once(" (") {
            Some((serializer, _)) => {
                let expected = format!("Serializer {{ serializer: Serializer {{ name: {serializer:?}");
                assert!(format!("{cause:?}").starts_with(&expected), "{name}: {cause:?}");
            }
            None => check_cause(WITH_A_LINK, name, &cause),
        }
        let form =
            wallet_tests::form(&[("session_key", &*session), ("wallet_pwd", "100100"), ("link", &link)]);
        let request = http::Request::post(format!("{}wallet/pay/submit", vas.base_url))
            .header("content-type", "application/x-www-form-urlencoded");
        let reply = world.exchange(request.body(form.into_bytes()).unwrap()).await;
        assert_eq!(reply.json["success"], false, "{name}: {}", reply.text);
        let inspected = in_the_inspector(&mut visitor, "submit_pay").await;
        let page = visitor.post("/sign", "/sign", &[("kind", "link"), ("link", &link)]).await.text;
        let page = on_the_page(&page);
        let (line, code) = on_the_command_line(&["link", "--key", key], &link);
        assert_eq!(code, 1, "{name}");
        row(name, &cause, [Some(&*inspected), Some(&*page), Some(&*line)]);
    }
    assert!(mistakes.len() >= 30, "{}", mistakes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_with_a_fomo_callback_gets_the_same_sentence_everywhere() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let merchant = Merchant::open().await;
    merchant.answer(&[401]);
    world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
    let received = merchant.wait_for(1).await.remove(0);
    let header = |name: &str| received.headers()[name].to_str().unwrap().to_owned();
    let (id, timestamp, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let body = String::from_utf8(received.body().to_vec()).unwrap();
    let app = world.described().fomo.clone();
    let (crypto, rule) = (Portable::new(), payment_result::Callback::META.signing.unwrap());
    let key = crypto.hkdf(app.client_secret.as_bytes(), rule.derive.unwrap().as_bytes());
    let mac = |key: &[u8], text: &str| STANDARD.encode(crypto.hmac(key, &[text.as_bytes()]));
    let right = format!("{id}.{timestamp}.{body}");
    let whsec = format!("whsec_{}", STANDARD.encode(key));
    let pairs: Vec<(String, String)> = wallet_tests::fields(&body);
    let mut as_json = serde_json::Map::new();
    for (name, value) in &pairs {
        as_json.insert(name.clone(), value.clone().into());
    }
    let as_json = serde_json::Value::from(as_json).to_string();
    let mistakes = [
        ("the client_secret as key", mac(app.client_secret.as_bytes(), &right)),
        ("whsec_… as text", mac(whsec.as_bytes(), &right)),
        ("the key's base64 as text", mac(&whsec.as_bytes()["whsec_".len()..], &right)),
        ("the key in hexadecimal", mac(hex_text(&key).as_bytes(), &right)),
        ("the body alone", mac(&key, &body)),
        ("timestamp.body", mac(&key, &format!("{timestamp}.{body}"))),
        ("no dots", mac(&key, &format!("{id}{timestamp}{body}"))),
        ("the body parsed to JSON", mac(&key, &format!("{id}.{timestamp}.{as_json}"))),
        ("a line end after the body", mac(&key, &format!("{right}\n"))),
        ("an empty body", mac(&key, &format!("{id}.{timestamp}."))),
        ("compared in hexadecimal", hex_text(&crypto.hmac(&key, &[right.as_bytes()]))),
        ("compared without v1,", mac(&key, &right)),
        ("the sign of requests", hex_text(&sha1(&format!("{}{timestamp}", app.client_secret)))),
        ("another secret", mac(b"another", &right)),
    ];
    let inspected = in_the_inspector(&mut visitor, "payment_result").await;
    assert_eq!(
        inspected,
        Cause::Fits.in_words(Lang::En),
        "the platform's signature is right, the program is not"
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("body.txt");
    std::fs::write(&file, &body).unwrap();
    for (name, computed) in &mistakes {
        let received = Received {
            rule,
            secret: &app.client_secret,
            id: &id,
            timestamp: &timestamp,
            signature: &signature,
            body: &body,
            computed,
            now: None,
        };
        let cause = webhook(&crypto, &received).cause;
        check_cause(WITH_A_FOMO_CALLBACK, name, &cause);
        let fields = [
            ("kind", "fomo_callback"),
            ("client_id", &*app.client_id),
            ("id", &id),
            ("timestamp", &timestamp),
            ("signature", &signature),
            ("body", &body),
            ("computed", computed),
        ];
        let page = visitor.post("/sign", "/sign", &fields).await.text;
        assert!(!page.contains(&*app.client_secret) && !page.contains(&whsec), "{name}");
        let page = on_the_page(&page);
        let arguments = [
            "fomo-callback",
            "--id",
            &id,
            "--timestamp",
            &timestamp,
            "--signature",
            &signature,
            "--body",
            file.to_str().unwrap(),
            "--computed",
            computed,
        ];
        let (line, code) = on_the_command_line(&arguments, &app.client_secret);
        assert_eq!(code, 1, "{name}");
        row(name, &cause, [None, Some(&*page), Some(&*line)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_with_a_vas_callback_gets_the_same_sentence_everywhere() {
    let shop = Shop::open().await;
    shop.merchant.answer(&[401]);
    shop.pay(&shop.order("订单 1/回")).await;
    shop.world.advance(5).await;
    let received = shop.merchant.wait_for(1).await.remove(0);
    let query = received.uri().query().unwrap().to_owned();
    let mut visitor = Visitor::new(&shop.world, "en");
    let inspected = in_the_inspector(&mut visitor, "payment").await;
    assert_eq!(
        inspected,
        Cause::Fits.in_words(Lang::En),
        "the platform's signature is right, the program is not"
    );
    let kind = payment::Callback::META;
    let sent = Sent::query(kind, &query).unwrap();
    let fields = sent.fields();
    let mut mistakes: Vec<(String, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for known in serializers(kind.fields, &fields) {
        if compare(kind.fields, &fields, &known.text).cause != Cause::Fits && seen.insert(known.text.clone())
        {
            mistakes.push((known.name.to_owned(), known.text));
        }
    }
    mistakes.push(("something else".to_owned(), "something else".to_owned()));
    let directory = tempfile::tempdir().unwrap();
    let vas = shop.world.described().vas.clone();
    let key = directory.path().join("rsa_public.pem");
    std::fs::write(&key, PublicKey::load(&vas.rsa_public_spki).unwrap().to_pem(KeyForm::Pkcs8)).unwrap();
    for (name, text) in &mistakes {
        let cause = compare(kind.fields, &fields, text).cause;
        let form = [("kind", "vas_callback"), ("query", &*query), ("text", text)];
        let page = on_the_page(&visitor.post("/sign", "/sign", &form).await.text);
        let file = directory.path().join("text.txt");
        std::fs::write(&file, text).unwrap();
        let arguments =
            ["vas-callback", "--key", key.to_str().unwrap(), "--text", file.to_str().unwrap(), &query];
        let (line, code) = on_the_command_line(&arguments, "");
        assert_eq!(code, 1, "{name}");
        row(name, &cause, [None, Some(&*page), Some(&*line)]);
    }
}

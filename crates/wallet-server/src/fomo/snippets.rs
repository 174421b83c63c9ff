//! A first call in seven languages: the state of a trade (R38).

use wallet_api::fomo::get_trade;
use wallet_core::Endpoint as _;
use wallet_platform::App;

use crate::snippets::{LANG, Snippet, filled};

const TEMPLATES: [(&str, &str); 7] = [
    (
        "curl",
        r#"TIMESTAMP=$(NOW_CURL)
SIGN=$(printf %s "$CLIENT_SECRET$TIMESTAMP" | sha1sum | cut -c1-40)
curl -s GET_TRADE -H 'Accept-Language: LANG_TAG' \
  -d client_id=CLIENT_ID -d trade_id=order-1 -d timestamp=$TIMESTAMP -d sign=$SIGN"#,
    ),
    (
        "Rust",
        r#"// the crates wallet-client, wallet-hyper and wallet-crypto; the guide on embedding has the transport
let credentials = FomoCredentials {
    client_id: "CLIENT_ID".into(),
    client_secret: std::env::var("CLIENT_SECRET")?.into(),
    redirect_uri: "REDIRECT_URI".into(),
};
let app = FomoClient::new(transport, "BASE_URL").with_credentials(credentials, crypto, NOW_RUST);
let trade = app.trade(&"order-1".into()).await?;"#,
    ),
    (
        "Java",
        r#"import java.net.URI;
import java.net.http.*;
import java.security.MessageDigest;
import java.util.HexFormat;

class FirstCall {
    public static void main(String[] arguments) throws Exception {
        String timestamp = NOW_JAVA;
        byte[] digest = MessageDigest.getInstance("SHA-1")
            .digest((System.getenv("CLIENT_SECRET") + timestamp).getBytes("UTF-8"));
        String sign = HexFormat.of().formatHex(digest);
        String form = "client_id=CLIENT_ID&trade_id=order-1&timestamp=" + timestamp + "&sign=" + sign;
        HttpRequest request = HttpRequest.newBuilder(URI.create("GET_TRADE"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept-Language", "LANG_TAG")
            .POST(HttpRequest.BodyPublishers.ofString(form)).build();
        System.out.println(
            HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}"#,
    ),
    (
        "PHP",
        r#"<?php
$timestamp = NOW_PHP;
$form = http_build_query(['client_id' => 'CLIENT_ID', 'trade_id' => 'order-1',
    'timestamp' => $timestamp, 'sign' => sha1(getenv('CLIENT_SECRET') . $timestamp)]);
$headers = "Content-Type: application/x-www-form-urlencoded\r\nAccept-Language: LANG_TAG";
echo file_get_contents('GET_TRADE', false, stream_context_create(['http' => [
    'method' => 'POST', 'header' => $headers, 'content' => $form]]));"#,
    ),
    (
        "Python",
        r#"import hashlib, osNOW_MODULE, urllib.parse, urllib.request
timestamp = NOW_PYTHON
sign = hashlib.sha1((os.environ["CLIENT_SECRET"] + timestamp).encode()).hexdigest()
form = urllib.parse.urlencode({"client_id": "CLIENT_ID", "trade_id": "order-1", "timestamp": timestamp, "sign": sign})
request = urllib.request.Request("GET_TRADE", form.encode(), {"Accept-Language": "LANG_TAG"})
print(urllib.request.urlopen(request).read().decode())"#,
    ),
    (
        "Go",
        r#"package main

import (
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"NOW_IMPORTS
)

func main() {
NOW_GO
	sign := fmt.Sprintf("%x", sha1.Sum([]byte(os.Getenv("CLIENT_SECRET")+timestamp)))
	form := url.Values{"client_id": {"CLIENT_ID"}, "trade_id": {"order-1"}, "timestamp": {timestamp}, "sign": {sign}}
	request, _ := http.NewRequest("POST", "GET_TRADE", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept-Language", "LANG_TAG")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(reply.Body)
	fmt.Println(string(body))
}"#,
    ),
    (
        "JavaScript",
        r#"import { createHash } from "node:crypto";
const timestamp = NOW_JS;
const sign = createHash("sha1").update(process.env.CLIENT_SECRET + timestamp).digest("hex");
const body = new URLSearchParams({ client_id: "CLIENT_ID", trade_id: "order-1", timestamp, sign });
const headers = { "Accept-Language": "LANG_TAG" };
console.log(await (await fetch("GET_TRADE", { method: "POST", headers, body })).text());"#,
    ),
];

/// How each language gets the Unix time in seconds as text: from this machine, and from a sandbox at `CLOCK`.
const NOW: [(&str, &str, &str); 9] = [
    ("NOW_CURL", "date +%s", "curl -s CLOCK/clock/seconds"),
    (
        "NOW_JAVA",
        "Long.toString(System.currentTimeMillis() / 1000)",
        r#"new String(URI.create("CLOCK/clock/seconds").toURL().openStream().readAllBytes())"#,
    ),
    ("NOW_PHP", "(string) time()", "file_get_contents('CLOCK/clock/seconds')"),
    (
        "NOW_PYTHON",
        "str(int(time.time()))",
        r#"urllib.request.urlopen("CLOCK/clock/seconds").read().decode()"#,
    ),
    ("NOW_MODULE", ", time", ""),
    (
        "NOW_GO",
        "\ttimestamp := strconv.FormatInt(time.Now().Unix(), 10)",
        "\tclock, _ := http.Get(\"CLOCK/clock/seconds\")\n\tseconds, _ := io.ReadAll(clock.Body)\n\ttimestamp := string(seconds)",
    ),
    ("NOW_IMPORTS", "\n\t\"strconv\"\n\t\"time\"", ""),
    (
        "NOW_JS",
        "String(Math.floor(Date.now() / 1000))",
        r#"await (await fetch("CLOCK/clock/seconds")).text()"#,
    ),
    ("NOW_RUST", "system_time", "sandbox_time"),
];

/// The snippets with an app's values. With the address of a sandbox they ask it for its time. A client_id has only letters, digits, `_`, `.` and `-` and needs no quoting.
pub(crate) fn snippets(base_url: &str, app: &App, lang: &str, clock: Option<&str>) -> Vec<Snippet> {
    let get_trade = format!("{base_url}{}", get_trade::Endpoint::META.path);
    // ASCII, without a backslash; a quote would end the string.
    let back = app.redirect_uri.as_str().replace('"', "\\\"");
    let now = NOW.map(|(name, own, sandbox)| match clock {
        Some(clock) => (name, sandbox.replace("CLOCK", clock)),
        None => (name, own.to_owned()),
    });
    let now = now.each_ref().map(|(name, value)| (*name, &**value));
    let values = [
        ("GET_TRADE", &*get_trade),
        ("BASE_URL", base_url),
        ("CLIENT_ID", app.client_id.as_str()),
        (LANG, lang),
        ("REDIRECT_URI", &back),
    ];
    filled(TEMPLATES, &[&now[..], &values].concat())
}

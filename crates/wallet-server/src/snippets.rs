//! A first call in seven languages, with an app's values filled in: the state of a trade (R38) or of an order. The secret is
//! taken from the environment, so that nobody pastes it into a file.

use wallet_api::fomo::get_trade;
use wallet_api::vas::order;
use wallet_core::Endpoint as _;
use wallet_platform::App;

/// One language's.
pub(crate) struct Snippet {
    /// The language.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) text: String,
}

/// The name of a language in `Accept-Language`: replies are in it.
const LANG: &str = "LANG_TAG";

const TEMPLATES: [(&str, &str); 7] = [
    (
        "curl",
        r#"TIMESTAMP=$(date +%s)
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
let app = FomoClient::new(transport, "BASE_URL").with_credentials(credentials, crypto, system_time);
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
        String timestamp = Long.toString(System.currentTimeMillis() / 1000);
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
$timestamp = (string) time();
$form = http_build_query(['client_id' => 'CLIENT_ID', 'trade_id' => 'order-1',
    'timestamp' => $timestamp, 'sign' => sha1(getenv('CLIENT_SECRET') . $timestamp)]);
$headers = "Content-Type: application/x-www-form-urlencoded\r\nAccept-Language: LANG_TAG";
echo file_get_contents('GET_TRADE', false, stream_context_create(['http' => [
    'method' => 'POST', 'header' => $headers, 'content' => $form]]));"#,
    ),
    (
        "Python",
        r#"import hashlib, os, time, urllib.parse, urllib.request
timestamp = str(int(time.time()))
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
	"strconv"
	"strings"
	"time"
)

func main() {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
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
const timestamp = String(Math.floor(Date.now() / 1000));
const sign = createHash("sha1").update(process.env.CLIENT_SECRET + timestamp).digest("hex");
const body = new URLSearchParams({ client_id: "CLIENT_ID", trade_id: "order-1", timestamp, sign });
const headers = { "Accept-Language": "LANG_TAG" };
console.log(await (await fetch("GET_TRADE", { method: "POST", headers, body })).text());"#,
    ),
];

/// The state of an order (R71), for an app of the VAS and Lafi wallets.
const ORDER_TEMPLATES: [(&str, &str); 7] = [
    (
        "curl",
        r#"curl -s -G ORDER -H 'Accept-Language: LANG_TAG' \
  -d appId=UUID -d orderId=order-1 --data-urlencode "accessToken=$ACCESS_TOKEN""#,
    ),
    (
        "Rust",
        r#"// the crates wallet-client, wallet-hyper and wallet-crypto; the guide on embedding has the transport
let app = VasClient::new(transport, "BASE_URL", "UUID", &std::env::var("ACCESS_TOKEN")?);
let order = app.order("order-1").await?;"#,
    ),
    (
        "Java",
        r#"import java.net.URI;
import java.net.http.*;

class FirstCall {
    public static void main(String[] arguments) throws Exception {
        String query = "appId=UUID&orderId=order-1&accessToken=" + System.getenv("ACCESS_TOKEN");
        HttpRequest request = HttpRequest.newBuilder(URI.create("ORDER?" + query))
            .header("Accept-Language", "LANG_TAG").build();
        System.out.println(
            HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}"#,
    ),
    (
        "PHP",
        r#"<?php
$query = http_build_query(['appId' => 'UUID', 'orderId' => 'order-1', 'accessToken' => getenv('ACCESS_TOKEN')]);
echo file_get_contents('ORDER?' . $query, false, stream_context_create(['http' => [
    'header' => 'Accept-Language: LANG_TAG', 'ignore_errors' => true]]));"#,
    ),
    (
        "Python",
        r#"import os, urllib.parse, urllib.request
query = urllib.parse.urlencode({"appId": "UUID", "orderId": "order-1", "accessToken": os.environ["ACCESS_TOKEN"]})
request = urllib.request.Request("ORDER?" + query, headers={"Accept-Language": "LANG_TAG"})
print(urllib.request.urlopen(request).read().decode())"#,
    ),
    (
        "Go",
        r#"package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

func main() {
	query := url.Values{"appId": {"UUID"}, "orderId": {"order-1"}, "accessToken": {os.Getenv("ACCESS_TOKEN")}}
	request, _ := http.NewRequest("GET", "ORDER?"+query.Encode(), nil)
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
        r#"const query = new URLSearchParams({ appId: "UUID", orderId: "order-1", accessToken: process.env.ACCESS_TOKEN });
const headers = { "Accept-Language": "LANG_TAG" };
console.log(await (await fetch("ORDER?" + query, { headers })).text());"#,
    ),
];

/// The same for an app of the VAS and Lafi wallets.
pub(crate) fn order_snippets(base_url: &str, uuid: &str, lang: &str) -> Vec<Snippet> {
    let order = format!("{base_url}{}", order::Endpoint::META.path);
    let values = [("ORDER", &*order), ("BASE_URL", base_url), ("UUID", uuid), (LANG, lang)];
    filled(ORDER_TEMPLATES, &values)
}

/// With an app's values. A client_id is of letters, digits, `_`, `.` and `-`: it needs no quoting anywhere.
pub(crate) fn snippets(base_url: &str, app: &App, lang: &str) -> Vec<Snippet> {
    let get_trade = format!("{base_url}{}", get_trade::Endpoint::META.path);
    // ASCII, without a backslash; a quote would end the string.
    let back = app.redirect_uri.as_str().replace('"', "\\\"");
    let values = [
        ("GET_TRADE", &*get_trade),
        ("BASE_URL", base_url),
        ("CLIENT_ID", app.client_id.as_str()),
        (LANG, lang),
        ("REDIRECT_URI", &back),
    ];
    filled(TEMPLATES, &values)
}

fn filled(templates: [(&'static str, &str); 7], values: &[(&str, &str)]) -> Vec<Snippet> {
    let fill =
        |text: &str| values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    templates.into_iter().map(|(name, text)| Snippet { name, text: fill(text) }).collect()
}

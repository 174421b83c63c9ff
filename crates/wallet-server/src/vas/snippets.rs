//! A first call in seven languages: the state of an order (R71).

use wallet_api::vas::order;
use wallet_core::Endpoint as _;

use crate::snippets::{LANG, Snippet, filled};

const TEMPLATES: [(&str, &str); 7] = [
    (
        "curl",
        r#"curl -s -G ORDER -H 'Accept-Language: LANG_TAG' \
  -d appId=UUID -d orderId=order-1 --data-urlencode "accessToken=$ACCESS_TOKEN""#,
    ),
    (
        "Rust",
        r#"// the crates wallet-client, wallet-hyper and wallet-crypto; the guide on embedding has the transport
let credentials =
    VasCredentials { app_id: "UUID".into(), access_token: std::env::var("ACCESS_TOKEN")?.into() };
let order = VasApp::new(transport, "BASE_URL", credentials).order("order-1").await?;"#,
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

/// The snippets with an app's values.
pub(crate) fn snippets(base_url: &str, uuid: &str, lang: &str) -> Vec<Snippet> {
    let order = format!("{base_url}{}", order::Endpoint::META.path);
    let values = [("ORDER", &*order), ("BASE_URL", base_url), ("UUID", uuid), (LANG, lang)];
    filled(TEMPLATES, &values)
}

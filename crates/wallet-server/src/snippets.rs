//! A first call in seven languages, with an app's values filled in: the state of a trade (R38) or of an order. The secret is
//! taken from the environment, so that nobody pastes it into a file.

use wallet_api::fomo::get_trade;
use wallet_api::vas::order;
use wallet_core::Endpoint as _;

/// One language's.
pub(crate) struct Snippet {
    /// The language.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) text: String,
}

const TEMPLATES: [(&str, &str); 7] = [
    (
        "curl",
        r#"TIMESTAMP=$(date +%s)
SIGN=$(printf %s "$CLIENT_SECRET$TIMESTAMP" | sha1sum | cut -c1-40)
curl -s GET_TRADE \
  -d client_id=CLIENT_ID -d trade_id=order-1 -d timestamp=$TIMESTAMP -d sign=$SIGN"#,
    ),
    (
        "Rust",
        r#"let app = FomoApp::new(transport, "BASE_URL", crypto, system_time)
    .with_credentials("CLIENT_ID", &std::env::var("CLIENT_SECRET")?, "https://…/back");
let trade = app.trade(&"order-1".into()).await?;"#,
    ),
    (
        "Java",
        r#"String timestamp = Long.toString(System.currentTimeMillis() / 1000);
byte[] digest = MessageDigest.getInstance("SHA-1")
    .digest((System.getenv("CLIENT_SECRET") + timestamp).getBytes(UTF_8));
String sign = HexFormat.of().formatHex(digest);
String form = "client_id=CLIENT_ID&trade_id=order-1&timestamp=" + timestamp + "&sign=" + sign;
HttpRequest request = HttpRequest.newBuilder(URI.create("GET_TRADE"))
    .header("Content-Type", "application/x-www-form-urlencoded")
    .POST(HttpRequest.BodyPublishers.ofString(form)).build();
System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());"#,
    ),
    (
        "PHP",
        r#"$timestamp = (string) time();
$form = http_build_query(['client_id' => 'CLIENT_ID', 'trade_id' => 'order-1',
    'timestamp' => $timestamp, 'sign' => sha1(getenv('CLIENT_SECRET') . $timestamp)]);
echo file_get_contents('GET_TRADE', false, stream_context_create(['http' => [
    'method' => 'POST', 'header' => 'Content-Type: application/x-www-form-urlencoded', 'content' => $form]]));"#,
    ),
    (
        "Python",
        r#"import hashlib, os, time, urllib.parse, urllib.request
timestamp = str(int(time.time()))
sign = hashlib.sha1((os.environ["CLIENT_SECRET"] + timestamp).encode()).hexdigest()
form = urllib.parse.urlencode({"client_id": "CLIENT_ID", "trade_id": "order-1", "timestamp": timestamp, "sign": sign})
print(urllib.request.urlopen("GET_TRADE", form.encode()).read().decode())"#,
    ),
    (
        "Go",
        r#"timestamp := strconv.FormatInt(time.Now().Unix(), 10)
sign := fmt.Sprintf("%x", sha1.Sum([]byte(os.Getenv("CLIENT_SECRET")+timestamp)))
reply, err := http.PostForm("GET_TRADE", url.Values{
	"client_id": {"CLIENT_ID"}, "trade_id": {"order-1"}, "timestamp": {timestamp}, "sign": {sign}})"#,
    ),
    (
        "JavaScript",
        r#"import { createHash } from "node:crypto";
const timestamp = String(Math.floor(Date.now() / 1000));
const sign = createHash("sha1").update(process.env.CLIENT_SECRET + timestamp).digest("hex");
const body = new URLSearchParams({ client_id: "CLIENT_ID", trade_id: "order-1", timestamp, sign });
console.log(await (await fetch("GET_TRADE", { method: "POST", body })).json());"#,
    ),
];

/// The state of an order (R71), for an app of the VAS and Lafi wallets.
const ORDER_TEMPLATES: [(&str, &str); 7] = [
    (
        "curl",
        r#"curl -s -G ORDER -d appId=UUID -d orderId=order-1 --data-urlencode "accessToken=$ACCESS_TOKEN""#,
    ),
    (
        "Rust",
        r#"let app = VasClient::new(transport, "BASE_URL", "UUID", &std::env::var("ACCESS_TOKEN")?);
let order = app.order("order-1").await?;"#,
    ),
    (
        "Java",
        r#"String query = "appId=UUID&orderId=order-1&accessToken=" + System.getenv("ACCESS_TOKEN");
HttpRequest request = HttpRequest.newBuilder(URI.create("ORDER?" + query)).build();
System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());"#,
    ),
    (
        "PHP",
        r#"$query = http_build_query(['appId' => 'UUID', 'orderId' => 'order-1', 'accessToken' => getenv('ACCESS_TOKEN')]);
echo file_get_contents('ORDER?' . $query, false, stream_context_create(['http' => ['ignore_errors' => true]]));"#,
    ),
    (
        "Python",
        r#"import os, urllib.parse, urllib.request
query = urllib.parse.urlencode({"appId": "UUID", "orderId": "order-1", "accessToken": os.environ["ACCESS_TOKEN"]})
print(urllib.request.urlopen("ORDER?" + query).read().decode())"#,
    ),
    (
        "Go",
        r#"query := url.Values{"appId": {"UUID"}, "orderId": {"order-1"}, "accessToken": {os.Getenv("ACCESS_TOKEN")}}
reply, err := http.Get("ORDER?" + query.Encode())"#,
    ),
    (
        "JavaScript",
        r#"const query = new URLSearchParams({ appId: "UUID", orderId: "order-1", accessToken: process.env.ACCESS_TOKEN });
console.log(await (await fetch("ORDER?" + query)).json());"#,
    ),
];

/// The same for an app of the VAS and Lafi wallets.
pub(crate) fn order_snippets(base_url: &str, uuid: &str) -> Vec<Snippet> {
    let order = format!("{base_url}{}", order::Endpoint::META.path);
    let fill = |text: &str| text.replace("ORDER", &order).replace("BASE_URL", base_url).replace("UUID", uuid);
    ORDER_TEMPLATES.into_iter().map(|(name, text)| Snippet { name, text: fill(text) }).collect()
}

/// With an app's values. A client_id is of letters, digits, `_`, `.` and `-`: it needs no quoting anywhere.
pub(crate) fn snippets(base_url: &str, client_id: &str) -> Vec<Snippet> {
    let get_trade = format!("{base_url}{}", get_trade::Endpoint::META.path);
    let fill = |text: &str| {
        text.replace("GET_TRADE", &get_trade).replace("BASE_URL", base_url).replace("CLIENT_ID", client_id)
    };
    TEMPLATES.into_iter().map(|(name, text)| Snippet { name, text: fill(text) }).collect()
}

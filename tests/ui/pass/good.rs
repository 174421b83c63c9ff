//! The good spec builds, and its items are there.

mod toy {
    /// A toy.
    #[derive(wallet_macros::WalletApi)]
    #[wallet(spec_text = r#"
[platform]
id = "toy"
base_path = "/toy/"
doc = { zh = "玩具", en = "A toy" }

[envelope]
success = "ok"
status = "code"
message = "text"
data = "result"
ok = 0
rule = "R1"

[faults]
field = "bad"
body = "bad"
body_too_large = "bad"
bearer = "who"
internal = "bad"
overloaded = "bad"

[[type]]
name = "shop"
base = "text"
max = 8
basis = "ours"
doc = { zh = "店", en = "A shop" }

[[scope]]
id = "read"
doc = { zh = "读", en = "Read" }

[[lifetime]]
id = "visit"
seconds = 60
rule = "R1"
doc = { zh = "访问", en = "A visit" }

[[code]]
id = "fine"
code = 0
text = { zh = "好", en = "Fine" }

[[code]]
id = "bad"
code = 9
text = { zh = "坏", en = "Bad" }

[[code]]
id = "who"
code = 8
text = { zh = "谁", en = "Who" }

[[refusal]]
id = "very_bad"
code = "bad"
http = 400
doc = { zh = "很坏", en = "Very bad" }

[[signing]]
id = "everything"
algorithm = "sha1"
canonical = ["key", "shop", "sum", "at"]
key = "key"
key_id = "shop"
field = "mark"
encoding = "hex_lower"
window = { field = "at", seconds = 5 }
doc = { zh = "签名", en = "Signs all" }

[[object]]
name = "thing"
doc = { zh = "物", en = "A thing" }
fields = [{ name = "name", type = "text", doc = { zh = "名", en = "Its name" } }]

[[endpoint]]
id = "buy"
method = ["POST"]
path = "buy"
caller = "app_server"
auth = "signature"
signing = "everything"
errors = ["bad"]
doc = { zh = "买", en = "Buy" }
request = [
  { name = "shop", type = "shop" },
  { name = "sum", type = "amount", doc = { zh = "金额", en = "How much" } },
  { name = "at", type = "timestamp" },
  { name = "mark", type = "signature" },
]
response = [{ name = "things", list = "thing", doc = { zh = "物", en = "Things" } }]

[[endpoint]]
id = "read"
method = ["GET", "POST"]
path = "read"
caller = "app_client"
auth = "bearer"
scope = "read"
doc = { zh = "读", en = "Read" }
response_object = "thing"

[[endpoint]]
id = "look"
method = ["GET"]
path = "look"
caller = "anyone"
auth = "none"
doc = { zh = "看", en = "Look" }

[[endpoint]]
id = "send"
method = ["POST"]
path = "look"
caller = "anyone"
auth = "none"
doc = { zh = "发", en = "Send" }

[[callback]]
id = "bought"
method = "POST"
target = "shop"
acknowledged_by = { http_status = 200 }
retry = [{ times = 2, wait = "50ms" }]
deadline = "1s"
max_reply_bytes = 10
doc = { zh = "已买", en = "Bought" }
fields = [{ name = "shop" }]

[[profile]]
id = "plain"
scheme = "toyapp"
values = { colour = "red" }
doc = { zh = "素", en = "Plain" }

[[link]]
id = "visit"
qr_scheme = "toyqr"
doc = { zh = "访", en = "Visit" }
fields = [{ name = "type", fixed = "visit" }, { name = "shop" }]
"#)]
    pub struct Toy;
}

fn main() {
    let _ = toy::buy::Request { shop: "s".into(), sum: "1".parse().unwrap() };
    let _ = toy::ErrorCode::Bad.code();
    let _ = (toy::visit::Link { shop: "s".into() }, toy::Profile::Plain.colour(), toy::Profile::Plain.scheme());
}

//! What is derived from the spec: a reference in both languages, and OpenAPI 3.1.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use wallet_api::fomo::Fomo;
use wallet_api::vas::Vas;
use wallet_core::{
    Acknowledgement, Algorithm, Auth, Basis, Caller, EndpointMeta, FieldMeta, Form, Kind, Lang, Origin,
    Platform, PlatformMeta, RefusalMeta, SigningMeta, Text,
};

use crate::{Outcome, root};

pub(crate) fn run(check: bool) -> Outcome {
    let mut stale = Vec::new();
    let mut files = Vec::new();
    for meta in [Fomo::META, Vas::META] {
        let openapi = serde_json::to_string_pretty(&openapi(meta)).map_err(|error| error.to_string())?;
        files.push((format!("docs/reference/{}.zh.md", meta.id), reference(meta, Lang::Zh)));
        files.push((format!("docs/reference/{}.en.md", meta.id), reference(meta, Lang::En)));
        files.push((format!("docs/openapi/{}.json", meta.id), openapi + "\n"));
    }
    for (path, text) in files {
        let file = root().join(&path);
        if std::fs::read_to_string(&file).is_ok_and(|known| known == text) {
            continue;
        }
        if check {
            stale.push(path);
            continue;
        }
        let written =
            file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
        written.map_err(|error| format!("cannot write {path}: {error}"))?;
        println!("wrote {path}");
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("stale: {}. Run `cargo xtask codegen` and commit what it writes", stale.join(", ")))
}

/// Text of the reference in one of the languages.
struct Page {
    lang: Lang,
    text: String,
}

impl Page {
    fn say(&self, zh: &'static str, en: &'static str) -> &'static str {
        Text { zh, en }.in_lang(self.lang)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn origin(&self, origin: Origin) -> String {
        let mut parts = Vec::new();
        match (origin.basis, origin.line) {
            (Basis::Documented, Some(line)) => parts.push(match self.lang {
                Lang::Zh => format!("文档第 {line} 行"),
                Lang::En => format!("line {line}"),
            }),
            (Basis::Documented, None) => {}
            (Basis::Public, _) => parts.push(self.say("其他公开文档", "other public documents").to_owned()),
            (Basis::Ours, _) => parts.push(self.say("本项目所定", "ours").to_owned()),
        }
        if let Some(rule) = origin.rule {
            parts.push(format!("[{rule}](#{})", rule.to_lowercase()));
        }
        parts.join(", ")
    }

    fn fields(&mut self, fields: &[FieldMeta]) {
        if fields.is_empty() {
            let none = self.say("无。", "None.");
            return self.line(none);
        }
        let head =
            self.say("| 名称 | 格式 | 必填 | 说明 | 出处 |", "| name | format | required | what | where |");
        self.line(head);
        self.line("|---|---|---|---|---|");
        for field in fields {
            let required = if field.required { self.say("是", "yes") } else { self.say("否", "no") };
            let doc = field.doc.in_lang(self.lang).replace('|', "\\|");
            let (format, origin) = (self.format(field), self.origin(field.origin));
            let top = if field.top { self.say("；顶层亦有", "; at the top level too") } else { "" };
            self.line(&format!("| `{}` | {format} | {required} | {doc}{top} | {origin} |", field.name));
        }
    }

    fn format(&self, field: &FieldMeta) -> String {
        if let Some(fixed) = field.fixed {
            return format!("`{fixed}`");
        }
        let mut format = match field.kind {
            Kind::Text | Kind::Secret => self.say("文本", "text").to_owned(),
            Kind::Id => self.say("十进制编号", "decimal id").to_owned(),
            Kind::Url => self.say("http(s) 地址", "http(s) address").to_owned(),
            Kind::Integer => self.say("非负整数", "whole number").to_owned(),
            Kind::Number => self.say("JSON 数字", "JSON number").to_owned(),
            Kind::Amount => self.say("十进制金额", "decimal amount").to_owned(),
            Kind::Time => self.say("Unix 秒", "Unix seconds").to_owned(),
            Kind::Timestamp => self.say("10 位数字的 Unix 秒", "Unix seconds, ten digits").to_owned(),
            Kind::Signature => self.say("签名", "a signature").to_owned(),
            Kind::Choice(choice) => {
                let values =
                    choice.values.iter().map(|(wire, doc)| format!("`{wire}` {}", doc.in_lang(self.lang)));
                values.collect::<Vec<_>>().join("; ")
            }
            Kind::Object(object) => format!("[{0}](#{0})", object.name),
            Kind::List(object) => format!("{} [{1}](#{1})", self.say("列表：", "list of"), object.name),
        };
        if let Some(max) = field.max {
            let _ = write!(format, "{}{max}", self.say("，最长 ", ", at most "));
        }
        format
    }

    fn endpoint(&mut self, meta: &EndpointMeta) {
        self.line(&format!("\n### {}\n", meta.id));
        self.line(&format!(
            "`{} {}` — {}\n",
            meta.methods.join("` / `"),
            meta.path,
            meta.doc.in_lang(self.lang)
        ));
        for also in meta.also_at {
            let line = format!("{} `{also}`\n", self.say("亦在", "Also at"));
            self.line(&line);
        }
        let caller = match meta.caller {
            Caller::Wallet => self.say("钱包", "the wallet"),
            Caller::AppClient => self.say("接入方", "the app"),
            Caller::AppServer => self.say("接入方服务端", "the app's server"),
            Caller::Anyone => self.say("任何人", "anyone"),
        };
        let auth = match meta.auth {
            Auth::None => self.say("无", "none"),
            Auth::Bearer => "`Authorization: Bearer`",
            Auth::Client => self.say(
                "client_id 与 client_secret（内容或 HTTP Basic）",
                "client_id and client_secret, in the body or as HTTP Basic",
            ),
            Auth::Session => "`session_key`",
            Auth::Signature => self.say("签名", "the signature"),
            Auth::AccessToken => "`accessToken`",
        };
        let (by, known) = (self.say("调用方", "Called by"), self.say("认证", "known by"));
        let scope = meta.scope.map_or(String::new(), |scope| format!(", scope `{scope}`"));
        let origin = self.origin(meta.origin);
        self.line(&format!("{by}: {caller}; {known}: {auth}{scope}. {origin}\n"));
        let browser = meta.browser.in_lang(self.lang);
        if !browser.is_empty() {
            let head = self.say("浏览器中", "In a browser");
            self.line(&format!("{head}: `GET {}` — {browser}\n", meta.path));
        }
        let head = match meta.in_query {
            true => self.say("参数（在查询中）：\n", "Parameters, in the query:\n"),
            false => self.say("参数：\n", "Parameters:\n"),
        };
        self.line(head);
        self.fields(meta.request);
        let data = meta.envelope.data;
        match meta.response_value {
            Some(value) => {
                let head = self.say("本身即为：", " of the reply is the value itself:");
                let (format, doc) = (self.format(value), value.doc.in_lang(self.lang));
                self.line(&format!("\n`{data}`{head} {format}. {doc}"));
            }
            None => {
                let head = self.say("（回复）：", " of the reply:");
                self.line(&format!("\n`{data}`{head}\n"));
                self.fields(meta.response);
            }
        }
        if !meta.errors.is_empty() {
            let codes: Vec<String> = meta
                .errors
                .iter()
                .map(|refusal| {
                    let code = meta.envelope.code_text(refusal.code.code);
                    format!("[{code} {0}](#refusal-{0})", refusal.id)
                })
                .collect();
            let head = self.say("\n拒绝：", "\nRefusals: ");
            self.line(&format!("{head}{}", codes.join(", ")));
        }
    }
}

/// How a signature is computed, with the names of the wire.
fn formula(signing: &SigningMeta) -> String {
    let names: Vec<&str> = signing.canonical.iter().map(|part| part.name).collect();
    let text = match signing.form {
        Form::Json => {
            format!("{{{}}}", names.iter().map(|name| format!("{name:?}:…")).collect::<Vec<_>>().join(","))
        }
        Form::Concat => {
            // A part that no field has for its name stands for itself.
            let part = |name: &&str| {
                if name.contains(char::is_alphanumeric) { (*name).to_owned() } else { format!("{name:?}") }
            };
            names.iter().map(part).collect::<Vec<_>>().join(" + ")
        }
    };
    let key = match signing.derive {
        Some(info) => format!("HKDF-SHA256({}, no salt, info {info:?}, 32 bytes)", signing.key),
        None => signing.key.to_owned(),
    };
    match signing.algorithm {
        Algorithm::Sha1 => format!("lower-case hex SHA-1({text})"),
        Algorithm::HmacSha256 => format!("\"v1,\" + base64 HMAC-SHA256({key}, {text})"),
        Algorithm::RsaSha1 => format!("base64 SHA1withRSA({key}, {text})"),
    }
}

fn reference(meta: &PlatformMeta, lang: Lang) -> String {
    let mut page = Page { lang, text: String::new() };
    page.line(&match lang {
        Lang::Zh => format!("<!-- 由 cargo xtask codegen 从 spec/{}.toml 生成，请勿手改。 -->", meta.id),
        Lang::En => format!("<!-- Made by cargo xtask codegen from spec/{}.toml. Do not edit. -->", meta.id),
    });
    page.line(&format!("\n# {}\n", meta.doc.in_lang(lang)));
    let note = page.say(
        "标有规则（R…）之处，原文档不明确或自相矛盾；此处为本实现的解读，见文末。",
        "Where a rule (R…) stands, the original document is ambiguous or contradicts itself; this is the reading. The rules stand at the end.",
    );
    page.line(note);
    links(&mut page, meta);
    let head = page.say("\n## 接口\n", "\n## Endpoints\n");
    page.line(head);
    for endpoint in meta.endpoints {
        page.line(&format!(
            "- [{}](#{}) `{}` — {}",
            endpoint.id,
            endpoint.id,
            endpoint.path,
            endpoint.doc.in_lang(lang)
        ));
    }
    for endpoint in meta.endpoints {
        page.endpoint(endpoint);
    }
    let head = page.say("\n## 回调\n", "\n## Callbacks\n");
    page.line(head);
    for callback in meta.callbacks {
        page.line(&format!(
            "### {}\n\n`{} {}` — {}\n",
            callback.id,
            callback.method,
            callback.target,
            callback.doc.in_lang(lang)
        ));
        page.fields(callback.fields);
        let waits: Vec<String> = callback
            .schedule
            .stretches
            .iter()
            .map(|stretch| format!("{} × {} s", stretch.times, stretch.wait_ms / 1000))
            .collect();
        let when = page.say("\n时间表：", "\nSchedule: ");
        let by = callback.schedule.acknowledged_by.in_words(lang);
        let ack = page.say("成功：", "acknowledged by");
        page.line(&format!("{when}{}; {ack} {by}.", waits.join(", ")));
    }
    let head = page.say("\n## <a id=\"signatures\"></a>签名\n", "\n## Signatures\n");
    page.line(head);
    for signing in meta.signings {
        let origin = page.origin(signing.origin);
        page.line(&format!("- `{}`: {}. {origin}\n", signing.id, signing.doc.in_lang(lang)));
        page.line(&format!("  `{} = {}`\n", signing.field, formula(signing)));
        if let Some((field, seconds)) = signing.window {
            page.line(&match lang {
                Lang::Zh => format!("  `{field}` 与验证者的时钟相差至多 {seconds} 秒。\n"),
                Lang::En => format!("  `{field}` is at most {seconds} s from the verifier's clock.\n"),
            });
        }
    }
    if !meta.scopes.is_empty() {
        let head = page.say("## 授权范围\n", "## Scopes\n");
        page.line(head);
        for scope in meta.scopes {
            page.line(&format!("- `{}`: {}", scope.id, scope.doc.in_lang(lang)));
        }
        page.line("");
    }
    let head = page.say("## 对象\n", "## Objects\n");
    page.line(head);
    for object in meta.objects {
        page.line(&format!("### {}\n\n{}\n", object.name, object.doc.in_lang(lang)));
        page.fields(object.fields);
        page.line("");
    }
    let head = page.say(
        "## <a id=\"status-codes\"></a>状态码\n\n| 码 | 名称 | 说明 | 检查什么 | 出处 |",
        "## Status codes\n\n| code | name | text | what to check | where |",
    );
    page.line(head);
    page.line("|---|---|---|---|---|");
    for code in meta.codes {
        let unsent = if code.sent { "" } else { page.say("（从不发送）", " (never sent)") };
        let origin = page.origin(code.origin);
        page.line(&format!(
            "| {} | `{}` | {}{unsent} | {} | {origin} |",
            meta.envelope.code_text(code.code),
            code.id,
            code.text.in_lang(lang),
            code.check.in_lang(lang)
        ));
    }
    let head = page.say(
        "\n## 拒绝\n\n| 名称 | 码 | HTTP | error | 何时 |",
        "\n## Refusals\n\n| name | code | HTTP | error | when |",
    );
    page.line(head);
    page.line("|---|---|---|---|---|");
    for refusal in meta.refusals {
        let RefusalMeta { id, code, http, oauth, doc, .. } = refusal;
        page.line(&format!(
            "| <a id=\"refusal-{id}\"></a>`{id}` | {} | {http} | {} | {} |",
            meta.envelope.code_text(code.code),
            oauth.unwrap_or(""),
            doc.in_lang(lang)
        ));
    }
    let head = page.say(
        "\n## 有效期与限制\n\n| 名称 | 值 | 说明 | 出处 |",
        "\n## Lifetimes and limits\n\n| name | value | what | where |",
    );
    page.line(head);
    page.line("|---|---|---|---|");
    for (quantities, unit) in [(meta.lifetimes, " s"), (meta.limits, "")] {
        for quantity in quantities {
            let origin = page.origin(quantity.origin);
            page.line(&format!(
                "| `{}` | {}{unit} | {} | {origin} |",
                quantity.id,
                quantity.value,
                quantity.doc.in_lang(lang)
            ));
        }
    }
    let head = page.say("\n## <a id=\"rules\"></a>规则\n", "\n## Rules\n");
    page.line(head);
    let note = page.say(
        "原文档不明确；这是本实现的解读。\n",
        "The original document is ambiguous; this is the reading.\n",
    );
    page.line(note);
    for rule in meta.rules {
        page.line(&format!(
            "- <a id=\"{}\"></a>**{}** {}: {}",
            rule.id.to_lowercase(),
            rule.id,
            rule.what.in_lang(lang),
            rule.text.in_lang(lang)
        ));
    }
    page.text
}

fn links(page: &mut Page, meta: &PlatformMeta) {
    if meta.links.is_empty() {
        return;
    }
    let lang = page.lang;
    let head = page.say("\n## 链接\n", "\n## Links\n");
    page.line(head);
    for profile in meta.profiles {
        let values: Vec<String> =
            profile.values.iter().map(|(name, value)| format!("{name} `{value}`")).collect();
        page.line(&format!(
            "- {}: `{}://`, {}. {}",
            profile.doc.in_lang(lang),
            profile.scheme,
            values.join(", "),
            page.origin(profile.origin)
        ));
    }
    for link in meta.links {
        let schemes: Vec<String> =
            meta.profiles.iter().map(|profile| format!("`{}://`", profile.scheme)).collect();
        let (app, qr) = (page.say("应用链接", "App link"), page.say("二维码", "QR code"));
        page.line(&format!("\n### {}\n\n{}\n", link.id, link.doc.in_lang(lang)));
        page.line(&format!("{app}: {}; {qr}: `{}://`.\n", schemes.join(" / "), link.qr_scheme));
        page.fields(link.fields);
    }
}

fn schema(field: &FieldMeta) -> Value {
    let mut schema = match field.kind {
        Kind::Number => json!({ "type": "integer" }),
        Kind::Id | Kind::Integer | Kind::Time => json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)$" }),
        Kind::Timestamp => json!({ "type": "string", "pattern": "^[0-9]{10}$" }),
        Kind::Amount => json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)(\\.[0-9]+)?$" }),
        Kind::Url => json!({ "type": "string", "format": "uri" }),
        Kind::Secret => json!({ "type": "string", "format": "password" }),
        Kind::Text | Kind::Signature => json!({ "type": "string" }),
        Kind::Choice(choice) => {
            json!({ "type": "string", "enum": choice.values.iter().map(|(wire, _)| *wire).collect::<Vec<_>>() })
        }
        Kind::Object(object) => return json!({ "$ref": format!("#/components/schemas/{}", object.name) }),
        Kind::List(object) => {
            json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{}", object.name) } })
        }
    };
    schema["description"] = json!(format!("{} ({})", field.doc.en, field.doc.zh));
    if let Some(fixed) = field.fixed {
        schema["const"] = json!(fixed);
    }
    if let Some(max) = field.max {
        schema["maxLength"] = json!(max);
    }
    schema
}

fn object_schema(fields: &[FieldMeta]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), schema(field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn operation(meta: &PlatformMeta, endpoint: &EndpointMeta, method: &str) -> Value {
    let envelope = meta.envelope;
    let reply = |success: bool, data: Value| {
        json!({
            "type": "object",
            "required": [envelope.success, envelope.status, envelope.message],
            "properties": {
                envelope.success: { "type": "boolean", "const": success },
                envelope.status: { "type": if envelope.digits.is_some() { "string" } else { "integer" } },
                envelope.message: { "type": "string" },
                envelope.data: data,
            }
        })
    };
    let json_content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let mut responses = Map::new();
    let data = endpoint.response_value.map_or_else(|| object_schema(endpoint.response), schema);
    let success = envelope.ok.map_or("Success", |ok| ok.text.en);
    let ok = json!({ "description": success, "content": json_content(reply(true, data)) });
    responses.insert("200".to_owned(), ok);
    for refusal in endpoint.errors.iter().filter(|refusal| refusal.http != 200) {
        let entry =
            json!({ "description": refusal.doc.en, "content": json_content(reply(false, json!({}))) });
        responses.entry(refusal.http.to_string()).or_insert(entry);
    }
    let codes: Vec<Value> = endpoint
        .errors
        .iter()
        .map(|r| match envelope.digits {
            Some(_) => json!({ "refusal": r.id, "code": envelope.code_text(r.code.code), "http": r.http }),
            None => json!({ "refusal": r.id, "code": r.code.code, "http": r.http }),
        })
        .collect();
    let id = if method == "POST" {
        endpoint.id.to_owned()
    } else {
        format!("{}_{}", method.to_lowercase(), endpoint.id)
    };
    let mut operation = json!({
        "operationId": id,
        "summary": endpoint.doc.en,
        "description": endpoint.doc.zh,
        "responses": responses,
        "x-refusals": codes,
    });
    if endpoint.in_query {
        let parameters = endpoint.request.iter().map(|field| {
            json!({ "name": field.name, "in": "query", "required": field.required, "schema": schema(field) })
        });
        operation["parameters"] = parameters.collect();
    } else if method == "POST" && !endpoint.request.is_empty() {
        let schema = object_schema(endpoint.request);
        operation["requestBody"] = json!({ "content": {
            "application/x-www-form-urlencoded": { "schema": schema },
            "multipart/form-data": { "schema": schema },
            "application/json": { "schema": schema },
        }});
    }
    if endpoint.auth == Auth::Bearer {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    operation
}

fn openapi(meta: &PlatformMeta) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in meta.endpoints {
        let path = paths.entry(format!("/{}", endpoint.path)).or_insert_with(|| json!({}));
        for method in endpoint.methods {
            path[method.to_lowercase()] = operation(meta, endpoint, method);
        }
        if !endpoint.browser.en.is_empty() {
            path["get"] = json!({
                "operationId": format!("browse_{}", endpoint.id),
                "summary": endpoint.browser.en,
                "description": endpoint.browser.zh,
                "responses": { "200": { "description": "a page", "content": { "text/html": {} } } },
            });
        }
    }
    let schemas: Map<String, Value> =
        meta.objects.iter().map(|object| (object.name.to_owned(), object_schema(object.fields))).collect();
    let webhooks: Map<String, Value> = meta
        .callbacks
        .iter()
        .map(|callback| {
            let status = match callback.schedule.acknowledged_by {
                Acknowledgement::Status(status) => status.to_string(),
                Acknowledgement::Json(_) => "2XX".to_owned(),
            };
            let by = callback.schedule.acknowledged_by.in_words(Lang::En);
            let mut request = json!({
                "summary": callback.doc.en,
                "responses": { status: { "description": format!("acknowledged by {by}; anything else is repeated") } },
            });
            if callback.method == "GET" {
                let parameters = callback.fields.iter().map(|field| {
                    json!({ "name": field.name, "in": "query", "required": field.required, "schema": schema(field) })
                });
                request["parameters"] = parameters.collect();
            } else {
                request["requestBody"] = json!({ "content": {
                    "application/x-www-form-urlencoded": { "schema": object_schema(callback.fields) },
                }});
            }
            (callback.id.to_owned(), json!({ callback.method.to_lowercase(): request }))
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": meta.doc.en, "version": env!("CARGO_PKG_VERSION") },
        "servers": [{ "url": format!("http://127.0.0.1:7070{}", meta.base_path.trim_end_matches('/')) }],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

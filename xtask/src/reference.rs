//! What is derived from a spec for people and tools: a reference in both languages, and OpenAPI 3.1.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use wallet_core::spec::{
    Acknowledgement, Algorithm, Auth, Basis, Caller, ChoiceValue, Encoding, Endpoint, Faults, Field, Form,
    Kind, Lang, Method, Origin, Place, Refusal, Signing, Spec, Text, Window,
};

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

    fn origin(&self, origin: Origin<'_>) -> String {
        let mut parts = Vec::new();
        match (origin.basis, origin.line) {
            (Basis::Documented, Some(line)) => parts.push(match self.lang {
                Lang::Zh => format!("文档第 {line} 行"),
                Lang::En => format!("line {line}"),
            }),
            (Basis::Documented, None) => {}
            (Basis::Public, _) => parts.push(self.say("其他公开文档", "other public documents").to_owned()),
            (Basis::Ours, _) => parts.push(self.say("本服务端特有", "this server").to_owned()),
        }
        if let Some(rule) = origin.rule {
            parts.push(format!("[{rule}](#{})", rule.to_lowercase()));
        }
        parts.join(", ")
    }

    fn fields(&mut self, fields: &[Field<'_>]) {
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
            let mut more =
                if field.top { self.say("；顶层亦有", "; at the top level too") } else { "" }.to_owned();
            for also in field.read_also {
                let _ = write!(more, "{}`{also}`", self.say("；亦读 ", "; also read as "));
            }
            if let Some(refusal) = field.otherwise {
                let _ =
                    write!(more, "{}[{1}](#refusal-{1})", self.say("；否则 ", "; otherwise "), refusal.id);
            }
            self.line(&format!("| `{}` | {format} | {required} | {doc}{more} | {origin} |", field.name));
        }
    }

    fn format(&self, field: &Field<'_>) -> String {
        if let Some(fixed) = field.fixed {
            return format!("`{fixed}`");
        }
        let mut format = self.format_of(field.kind);
        if let Some(max) = field.max {
            let _ = write!(format, "{}{max}", self.say("，最长 ", ", at most "));
        }
        format
    }

    fn format_of(&self, kind: Kind<'_>) -> String {
        let words = match kind.on_the_wire() {
            Kind::Text | Kind::Type(_) => self.say("文本", "text"),
            Kind::Secret => self.say("保密文本", "secret text"),
            Kind::Id => self.say("十进制编号", "decimal id"),
            Kind::Url => self.say("http(s) 地址", "http(s) address"),
            Kind::Integer => self.say("非负整数", "whole number"),
            Kind::Number => self.say("JSON 数字", "JSON number"),
            Kind::Amount => self.say("十进制金额", "decimal amount"),
            Kind::Time => self.say("Unix 秒", "Unix seconds"),
            Kind::Timestamp => self.say("10 位数字的 Unix 秒", "Unix seconds, ten digits"),
            Kind::Signature => self.say("签名", "a signature"),
            Kind::Choice(choice) => {
                let value =
                    |value: &ChoiceValue<'_>| format!("`{}` {}", value.value, value.doc.in_lang(self.lang));
                return choice.values.iter().map(value).collect::<Vec<_>>().join("; ");
            }
            Kind::Object(object) => return format!("[{0}](#{0})", object.name),
            Kind::List(object) => {
                return format!("{} [{1}](#{1})", self.say("列表：", "list of"), object.name);
            }
        };
        words.to_owned()
    }

    fn endpoint(&mut self, spec: &Spec<'_>, meta: &Endpoint<'_>) {
        self.line(&format!("\n### {}\n", meta.id));
        self.line(&format!(
            "`{} {}` — {}\n",
            meta.methods.iter().map(|method| method.word()).collect::<Vec<_>>().join("` / `"),
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
        let scope = meta.scope.map_or(String::new(), |scope| format!(", scope `{}`", scope.id));
        let origin = self.origin(meta.origin);
        self.line(&match self.lang {
            Lang::Zh => format!("{by}：{caller}；{known}：{auth}{scope}。{origin}\n"),
            Lang::En => format!("{by}: {caller}; {known}: {auth}{scope}. {origin}\n"),
        });
        let browser = meta.browser.in_lang(self.lang);
        if !browser.is_empty() {
            let head = self.say("浏览器中", "In a browser");
            self.line(&format!("{head}: `GET {}` — {browser}\n", meta.path));
        }
        let head = match meta.parameters {
            Place::Query => self.say("参数（在查询中）：\n", "Parameters, in the query:\n"),
            Place::Body => self.say("参数：\n", "Parameters:\n"),
        };
        self.line(head);
        self.fields(meta.request);
        let data = meta.envelope.data;
        match &meta.response_value {
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
        if let Some(object) = meta.refusal_data {
            let words = self.say("拒绝时", "of a refusal may be");
            self.line(&format!("\n`{data}` {words} [{0}](#{0}).", object.name));
        }
        self.signed_by(meta.signing);
        self.refusals(spec, meta.errors);
        let unusual = faults(&meta.faults, Some(&spec.faults));
        if !unusual.is_empty() {
            let words = self.say("不可读的请求", "Requests that cannot be read");
            let origin = self.origin(meta.faults.origin);
            self.line(&format!("\n{words}: {}. {origin}", unusual.join(", ")));
        }
    }
}

/// How a signature is computed, with the names of the wire.
fn formula(signing: &Signing<'_>) -> String {
    let names: Vec<&str> = signing.canonical.iter().map(|part| part.name).collect();
    let text = match signing.form {
        Form::Json => {
            format!("{{{}}}", names.iter().map(|name| format!("{name:?}:…")).collect::<Vec<_>>().join(","))
        }
        Form::Concat => {
            // A separator is written as it is.
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
    let signature = match signing.algorithm {
        Algorithm::Sha1 => format!("SHA-1({text})"),
        Algorithm::HmacSha256 => format!("HMAC-SHA256({key}, {text})"),
        Algorithm::RsaSha1 => format!("SHA1withRSA({key}, {text})"),
    };
    let encoding = match signing.encoding {
        Encoding::HexLower => "lower-case hex",
        Encoding::Base64 => "base64",
    };
    let version = if signing.in_headers() { "\"v1,\" + " } else { "" };
    format!("{version}{encoding} {signature}")
}

/// The reference of a platform, in Markdown.
pub fn reference(meta: &Spec<'_>, lang: Lang) -> String {
    let mut page = Page { lang, text: String::new() };
    page.line(&match lang {
        Lang::Zh => format!("<!-- 由 cargo xtask codegen 从 spec/{}.toml 生成，请勿手改。 -->", meta.id),
        Lang::En => format!("<!-- Made by cargo xtask codegen from spec/{}.toml. Do not edit. -->", meta.id),
    });
    page.line(&format!("\n# {}\n", meta.doc.in_lang(lang)));
    let note = page.say(
        "标有规则（R…）之处，原文档不明确或自相矛盾；此处为本实现的解读，见文末。「文档第 N 行」指运营方的原文档，本仓库不含该文档；标有「本服务端特有」的内容不在该文档中，同一平台的其他服务端可能没有。",
        "A rule (R…) marks a place where the original document is ambiguous or contradicts itself. The rules at the end say how it is read. `line N` is a line of the operator's own document, which is not in this repository; `this server` marks what is not in that document: another server of the platform may lack it.",
    );
    page.line(note);
    page.links(meta);
    page.endpoints(meta);
    page.callbacks(meta);
    page.replies(meta);
    page.signatures(meta);
    page.scopes(meta);
    page.types(meta);
    page.objects(meta);
    page.codes(meta);
    page.quantities(meta);
    page.rules(meta);
    page.text
}

impl Page {
    /// A heading, which begins a section.
    fn heading(&mut self, zh: &'static str, en: &'static str) {
        let words = self.say(zh, en);
        self.line(&format!("\n## {words}\n"));
    }

    /// The head of a table.
    fn head(&mut self, zh: &'static str, en: &'static str) {
        let words = self.say(zh, en);
        self.line(words);
        self.line(&format!("{}|", "|---".repeat(words.matches('|').count() - 1)));
    }

    fn links(&mut self, meta: &Spec<'_>) {
        if meta.links.is_empty() {
            return;
        }
        self.heading("链接", "Links");
        for profile in meta.profiles {
            let values: Vec<String> =
                profile.values.iter().map(|(name, value)| format!("{name} `{value}`")).collect();
            let also: String = profile
                .read_also
                .iter()
                .map(|scheme| format!("{}`{scheme}://`", self.say("，亦读 ", ", also read ")))
                .collect();
            self.line(&format!(
                "- {}: `{}://`{also}, {}. {}",
                profile.doc.in_lang(self.lang),
                profile.scheme,
                values.join(", "),
                self.origin(profile.origin)
            ));
        }
        for link in meta.links {
            let schemes: Vec<String> =
                meta.profiles.iter().map(|profile| format!("`{}://`", profile.scheme)).collect();
            let (app, qr) = (self.say("应用链接", "App link"), self.say("二维码", "QR code"));
            let origin = self.origin(link.origin);
            self.line(&format!("\n### {}\n\n{}. {origin}\n", link.id, link.doc.in_lang(self.lang)));
            self.line(&format!("{app}: {}; {qr}: `{}://`.\n", schemes.join(" / "), link.qr_scheme));
            self.fields(link.fields);
            self.signed_by(link.signing);
            self.refusals(meta, link.errors);
        }
    }

    fn endpoints(&mut self, meta: &Spec<'_>) {
        self.heading("接口", "Endpoints");
        for endpoint in meta.endpoints {
            let (id, path, doc) = (endpoint.id, endpoint.path, endpoint.doc.in_lang(self.lang));
            self.line(&format!("- [{id}](#{id}) `{path}` — {doc}"));
        }
        for endpoint in meta.endpoints {
            self.endpoint(meta, endpoint);
        }
    }

    fn callbacks(&mut self, meta: &Spec<'_>) {
        self.heading("回调", "Callbacks");
        for callback in meta.callbacks {
            let origin = self.origin(callback.origin);
            self.line(&format!(
                "### {}\n\n`{} {}` — {}. {origin}\n",
                callback.id,
                callback.method,
                callback.target,
                callback.doc.in_lang(self.lang)
            ));
            self.fields(callback.fields);
            let waits: Vec<String> = callback
                .schedule
                .stretches
                .iter()
                .map(|stretch| format!("{} × {}", stretch.times, time(stretch.wait_ms)))
                .collect();
            let when = self.say("\n时间表：", "\nSchedule: ");
            let by = callback.schedule.acknowledged_by.in_words(self.lang);
            let ack = self.say("成功：", "acknowledged by");
            self.line(&format!("{when}{}; {ack} {by}.", waits.join(", ")));
            let (deadline, bytes) = (time(callback.deadline_ms), callback.max_reply_bytes);
            self.line(&match self.lang {
                Lang::Zh => format!("\n每次至多 {deadline}；至多读取回复的 {bytes} 字节。"),
                Lang::En => format!(
                    "\nAn attempt takes at most {deadline}; at most {bytes} bytes of the reply are read."
                ),
            });
            self.signed_by(callback.signing);
        }
    }

    /// The envelope, and what a request that cannot be read is answered with.
    fn replies(&mut self, meta: &Spec<'_>) {
        let envelope = meta.envelope;
        self.heading("回复", "Replies");
        self.head("| 成员 | 说明 |", "| member | what |");
        let mut success = self.say("是否成功", "whether the request succeeded").to_owned();
        for also in envelope.read_also {
            let _ = write!(success, "{}`{also}`", self.say("；亦读 ", "; also read as "));
        }
        let mut status = self.say("状态码", "the status code").to_owned();
        if let Some(digits) = envelope.digits {
            let _ = write!(status, "{}{digits}", self.say("，文本，位数 ", ", text; digits: "));
        }
        if let Some(ok) = envelope.ok {
            let _ =
                write!(status, "{}`{}`", self.say("；成功为 ", "; of success "), envelope.code_text(ok.code));
        }
        let (message, data) =
            (self.say("消息", "the message").to_owned(), self.say("数据", "the data").to_owned());
        for (member, what) in [
            (envelope.success, success),
            (envelope.status, status),
            (envelope.message, message),
            (envelope.data, data),
        ] {
            self.line(&format!("| `{member}` | {what} |"));
        }
        let origin = self.origin(envelope.origin);
        self.line(&format!("\n{origin}\n"));
        let unread = self.say("不可读的请求", "Requests that cannot be read");
        let origin = self.origin(meta.faults.origin);
        self.line(&format!("{unread}: {}. {origin}", faults(&meta.faults, None).join(", ")));
    }

    fn signatures(&mut self, meta: &Spec<'_>) {
        self.heading("<a id=\"signatures\"></a>签名", "Signatures");
        for signing in meta.signings {
            let origin = self.origin(signing.origin);
            self.line(&format!("- `{}`: {}. {origin}\n", signing.id, signing.doc.in_lang(self.lang)));
            self.line(&format!("  `{} = {}`\n", signing.field, formula(signing)));
            if let Some(Window { field, seconds }) = signing.window {
                self.line(&match self.lang {
                    Lang::Zh => format!("  `{field}` 与验证者的时钟相差至多 {seconds} 秒。\n"),
                    Lang::En => format!("  `{field}` is at most {seconds} s from the verifier's clock.\n"),
                });
            }
            if let Some(key_id) = signing.key_id {
                let words = self.say("密钥由此字段查找：", "The key is found by");
                self.line(&format!("  {words} `{key_id}`.\n"));
            }
            let refusals = [
                (self.say("不符", "wrong"), signing.invalid),
                (self.say("时间之外", "outside its time"), signing.expired),
            ];
            let refusals: Vec<String> = refusals
                .iter()
                .filter_map(|(when, refusal)| {
                    refusal.map(|known| format!("{when} [{0}](#refusal-{0})", known.id))
                })
                .collect();
            if !refusals.is_empty() {
                let words = self.say("拒绝：", "Refused as");
                self.line(&format!("  {words} {}.\n", refusals.join(", ")));
            }
        }
    }

    fn scopes(&mut self, meta: &Spec<'_>) {
        if meta.scopes.is_empty() {
            return;
        }
        self.heading("授权范围", "Scopes");
        for scope in meta.scopes {
            let origin = self.origin(scope.origin);
            self.line(&format!("- `{}`: {}. {origin}", scope.id, scope.doc.in_lang(self.lang)));
        }
    }

    fn types(&mut self, meta: &Spec<'_>) {
        self.heading("类型", "Types");
        self.head("| 名称 | 格式 | 说明 | 出处 |", "| name | format | what | where |");
        for named in meta.types {
            let mut format = self.format_of(named.base);
            if let Some(max) = named.max {
                let _ = write!(format, "{}{max}", self.say("，最长 ", ", at most "));
            }
            if let Some(min) = named.min {
                let _ = write!(format, "{}{min}", self.say("，最短 ", ", at least "));
            }
            if let Some(chars) = named.chars {
                let _ = write!(format, "{}`[{chars}]`", self.say("，字符 ", ", of "));
            }
            let (doc, origin) = (named.doc.in_lang(self.lang), self.origin(named.origin));
            self.line(&format!("| `{}` | {format} | {doc} | {origin} |", named.name));
        }
        for choice in meta.choices {
            let format = self.format_of(Kind::Choice(choice)).replace('|', "\\|");
            let (doc, origin) = (choice.doc.in_lang(self.lang), self.origin(choice.origin));
            self.line(&format!("| `{}` | {format} | {doc} | {origin} |", choice.name));
        }
    }

    fn objects(&mut self, meta: &Spec<'_>) {
        self.heading("对象", "Objects");
        for object in meta.objects {
            let origin = self.origin(object.origin);
            self.line(&format!("### {}\n\n{}. {origin}\n", object.name, object.doc.in_lang(self.lang)));
            self.fields(object.fields);
            self.line("");
        }
    }

    fn codes(&mut self, meta: &Spec<'_>) {
        self.heading("<a id=\"status-codes\"></a>状态码", "Status codes");
        self.head("| 码 | 名称 | 说明 | 检查什么 | 出处 |", "| code | name | text | what to check | where |");
        for code in meta.codes {
            let unsent = if code.sent { "" } else { self.say("（从不发送）", " (never sent)") };
            let origin = self.origin(code.origin);
            self.line(&format!(
                "| {} | `{}` | {}{unsent} | {} | {origin} |",
                meta.envelope.code_text(code.code),
                code.id,
                code.text.in_lang(self.lang),
                code.check.in_lang(self.lang)
            ));
        }
        self.heading("拒绝", "Refusals");
        self.head(
            "| 名称 | 码 | HTTP | error | 何时 | 出处 |",
            "| name | code | HTTP | error | when | where |",
        );
        for refusal in meta.refusals {
            let Refusal { id, code, http, oauth, doc, in_message, origin } = refusal;
            let (code, oauth) = (meta.envelope.code_text(code.code), oauth.unwrap_or(""));
            let (doc, origin) = (doc.in_lang(self.lang), self.origin(*origin));
            let msg = if *in_message { self.say("；写入 msg", "; said in msg") } else { "" };
            self.line(&format!(
                "| <a id=\"refusal-{id}\"></a>`{id}` | {code} | {http} | {oauth} | {doc}{msg} | {origin} |"
            ));
        }
    }

    fn quantities(&mut self, meta: &Spec<'_>) {
        self.heading("有效期与限制", "Lifetimes and limits");
        self.head("| 名称 | 值 | 说明 | 出处 |", "| name | value | what | where |");
        for (quantities, unit) in [(meta.lifetimes, " s"), (meta.limits, "")] {
            for quantity in quantities {
                let origin = self.origin(quantity.origin);
                self.line(&format!(
                    "| `{}` | {}{unit} | {} | {origin} |",
                    quantity.id,
                    quantity.value,
                    quantity.doc.in_lang(self.lang)
                ));
            }
        }
    }

    fn rules(&mut self, meta: &Spec<'_>) {
        self.heading("<a id=\"rules\"></a>规则", "Rules");
        let note = self.say(
            "原文档不明确；这是本实现的解读。\n",
            "The original document is ambiguous; this is the reading.\n",
        );
        self.line(note);
        for rule in meta.rules {
            let whose = match rule.of {
                Some(_) => "",
                None => self.say("（各平台）", " (every platform)"),
            };
            self.line(&format!(
                "- <a id=\"{}\"></a>**{}** {}{whose}: {}",
                rule.id.to_lowercase(),
                rule.id,
                rule.what.in_lang(self.lang),
                rule.text.in_lang(self.lang)
            ));
        }
    }

    fn signed_by(&mut self, signing: Option<&Signing<'_>>) {
        if let Some(signing) = signing {
            let words = self.say("签名方案：", "Signed by");
            self.line(&format!("\n{words} [{}](#signatures).", signing.id));
        }
    }

    fn refusals(&mut self, meta: &Spec<'_>, refusals: &[&Refusal<'_>]) {
        if refusals.is_empty() {
            return;
        }
        let known = |refusal: &&Refusal<'_>| {
            let code = meta.envelope.code_text(refusal.code.code);
            format!("[{code} {0}](#refusal-{0})", refusal.id)
        };
        let head = self.say("\n拒绝：", "\nRefusals: ");
        self.line(&format!("{head}{}", refusals.iter().map(known).collect::<Vec<_>>().join(", ")));
    }
}

/// `10 s`, or `50 ms` where it is no whole number of seconds.
fn time(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}

/// Which refusal answers which fault; those only that are not as `usual`.
fn faults(faults: &Faults<'_>, usual: Option<&Faults<'_>>) -> Vec<String> {
    let list = |of: &Faults<'_>| {
        [
            ("field", of.field.id.to_owned()),
            ("body", of.body.id.to_owned()),
            ("body_too_large", of.body_too_large.id.to_owned()),
            ("bearer", of.bearer.id.to_owned()),
            ("internal", of.internal.id.to_owned()),
            ("overloaded", of.overloaded.id.to_owned()),
        ]
    };
    let usual = usual.map(list);
    let unusual = list(faults)
        .into_iter()
        .enumerate()
        .filter(|(at, own)| !own.1.is_empty() && usual.as_ref().is_none_or(|usual| usual[*at] != *own));
    unusual.map(|(_, (fault, refusal))| format!("{fault} [{refusal}](#refusal-{refusal})")).collect()
}

fn schema(field: &Field<'_>) -> Value {
    let mut schema = match field.kind.on_the_wire() {
        Kind::Number => json!({ "type": "integer" }),
        Kind::Id | Kind::Integer | Kind::Time => json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)$" }),
        Kind::Timestamp => json!({ "type": "string", "pattern": "^[0-9]{10}$" }),
        Kind::Amount => json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)(\\.[0-9]+)?$" }),
        Kind::Url => json!({ "type": "string", "format": "uri" }),
        Kind::Secret => json!({ "type": "string", "format": "password" }),
        Kind::Text | Kind::Type(_) | Kind::Signature => json!({ "type": "string" }),
        Kind::Choice(choice) => {
            json!({ "type": "string", "enum": choice.values.iter().map(|value| value.value).collect::<Vec<_>>() })
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

fn object_schema(fields: &[Field<'_>]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), schema(field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// The refusals that an endpoint answers with, those of unreadable requests included.
fn refusals_of<'s>(endpoint: &Endpoint<'s>) -> Vec<&'s Refusal<'s>> {
    let faults = &endpoint.faults;
    let mut known: Vec<&Refusal<'_>> = endpoint.errors.to_vec();
    known.extend([faults.field, faults.body, faults.body_too_large, faults.internal, faults.overloaded]);
    if endpoint.auth == Auth::Bearer {
        known.push(faults.bearer);
    }
    let mut seen = Vec::new();
    known.retain(|refusal| {
        let new = !seen.contains(&refusal.id);
        seen.push(refusal.id);
        new
    });
    known
}

/// The body of a reply that succeeds.
fn success_schema(meta: &Spec<'_>, endpoint: &Endpoint<'_>) -> Value {
    let envelope = meta.envelope;
    let data = endpoint.response_value.as_ref().map_or_else(|| object_schema(endpoint.response), schema);
    let status = match envelope.ok {
        Some(ok) if envelope.digits.is_some() => {
            json!({ "type": "string", "const": envelope.code_text(ok.code) })
        }
        Some(ok) => json!({ "type": "integer", "const": ok.code }),
        None => json!({ "type": "string", "const": "" }),
    };
    let mut properties: Map<String, Value> = Map::new();
    properties.insert(envelope.success.to_owned(), json!({ "type": "boolean", "const": true }));
    properties.insert(envelope.status.to_owned(), status);
    properties.insert(envelope.message.to_owned(), json!({ "type": "string" }));
    properties.insert(envelope.data.to_owned(), data);
    for field in endpoint.response.iter().filter(|field| field.top) {
        properties.insert(field.name.to_owned(), schema(field));
    }
    let required = [envelope.success, envelope.status, envelope.message, envelope.data];
    json!({ "type": "object", "required": required, "properties": properties })
}

/// The body of a reply that refuses, with one of these codes.
fn refusal_schema(meta: &Spec<'_>, endpoint: &Endpoint<'_>, refusals: &[&Refusal<'_>]) -> Value {
    let envelope = meta.envelope;
    let mut codes: Vec<u32> = refusals.iter().map(|refusal| refusal.code.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let status = match envelope.digits {
        Some(_) => {
            let codes: Vec<String> = codes.iter().map(|code| envelope.code_text(*code)).collect();
            json!({ "type": "string", "enum": codes })
        }
        None => json!({ "type": "integer", "enum": codes }),
    };
    let none = json!({ "type": "null" });
    let data = match endpoint.refusal_data {
        Some(object) => {
            json!({ "oneOf": [{ "$ref": format!("#/components/schemas/{}", object.name) }, none] })
        }
        None => none,
    };
    let mut properties: Map<String, Value> = Map::new();
    properties.insert(envelope.success.to_owned(), json!({ "type": "boolean", "const": false }));
    properties.insert(envelope.status.to_owned(), status);
    properties.insert(envelope.message.to_owned(), json!({ "type": "string" }));
    properties.insert(envelope.data.to_owned(), data);
    let mut required = vec![envelope.success, envelope.status, envelope.message, envelope.data];
    let oauth: Vec<&str> = refusals.iter().filter_map(|refusal| refusal.oauth).collect();
    if oauth.len() == refusals.len() {
        let mut oauth = oauth;
        oauth.sort_unstable();
        oauth.dedup();
        properties.insert("error".to_owned(), json!({ "type": "string", "enum": oauth }));
        properties.insert("error_description".to_owned(), json!({ "type": "string" }));
        required.extend(["error", "error_description"]);
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

/// The fields of a request's body. A client may send its credentials by HTTP Basic instead.
fn request_schema(endpoint: &Endpoint<'_>) -> Value {
    let mut schema = object_schema(endpoint.request);
    if endpoint.auth == Auth::Client
        && let Some(required) = schema["required"].as_array_mut()
    {
        required.retain(|name| name != "client_id" && name != "client_secret");
    }
    schema
}

/// An endpoint as an operation; `also` are those at the same address, which a field of the request tells apart.
fn operation(meta: &Spec<'_>, endpoint: &Endpoint<'_>, also: &[&Endpoint<'_>], method: Method) -> Value {
    let envelope = meta.envelope;
    let all: Vec<&Endpoint<'_>> = std::iter::once(endpoint).chain(also.iter().copied()).collect();
    let one_of = |mut schemas: Vec<Value>| {
        schemas.dedup();
        if schemas.len() == 1 { schemas.remove(0) } else { json!({ "oneOf": schemas }) }
    };
    let json_content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let mut refusals = Vec::new();
    for refusal in all.iter().flat_map(|endpoint| refusals_of(endpoint)) {
        if !refusals.iter().any(|known: &&Refusal<'_>| known.id == refusal.id) {
            refusals.push(refusal);
        }
    }
    let mut statuses: Vec<u16> = refusals.iter().map(|refusal| refusal.http).collect();
    statuses.push(200);
    statuses.sort_unstable();
    statuses.dedup();
    let mut responses = Map::new();
    for status in statuses {
        let with_it: Vec<&Refusal<'_>> =
            refusals.iter().copied().filter(|refusal| refusal.http == status).collect();
        let mut schemas = Vec::new();
        let mut words: Vec<&str> = Vec::new();
        if status == 200 {
            let successes: Vec<Value> = all.iter().map(|endpoint| success_schema(meta, endpoint)).collect();
            // The replies of one address may look alike.
            schemas.push(if also.is_empty() { one_of(successes) } else { json!({ "anyOf": successes }) });
            words.push(envelope.ok.map_or("Success", |ok| ok.text.en));
        }
        if !with_it.is_empty() {
            schemas.push(refusal_schema(meta, endpoint, &with_it));
            words.extend(with_it.iter().map(|refusal| refusal.doc.en));
        }
        let entry = json!({ "description": words.join("; "), "content": json_content(one_of(schemas)) });
        responses.insert(status.to_string(), entry);
    }
    let codes: Vec<Value> = refusals
        .iter()
        .map(|r| match envelope.digits {
            Some(_) => json!({ "refusal": r.id, "code": envelope.code_text(r.code.code), "http": r.http }),
            None => json!({ "refusal": r.id, "code": r.code.code, "http": r.http }),
        })
        .collect();
    let id = if method == Method::Post {
        endpoint.id.to_owned()
    } else {
        format!("{}_{}", method.word().to_lowercase(), endpoint.id)
    };
    let mut operation = json!({
        "operationId": id,
        "summary": endpoint.doc.en,
        "description": format!("{}\n\n{}", endpoint.doc.en, endpoint.doc.zh),
        "responses": responses,
        "security": security(endpoint),
        "x-refusals": codes,
    });
    if endpoint.parameters == Place::Query {
        let parameters = endpoint.request.iter().map(|field| {
            json!({ "name": field.name, "in": "query", "required": field.required, "schema": schema(field) })
        });
        operation["parameters"] = parameters.collect();
    } else if method == Method::Post && !endpoint.request.is_empty() {
        let schema = one_of(all.iter().map(|endpoint| request_schema(endpoint)).collect());
        operation["requestBody"] = json!({ "content": {
            "application/x-www-form-urlencoded": { "schema": schema },
            "multipart/form-data": { "schema": schema },
            "application/json": { "schema": schema },
        }});
    }
    operation
}

/// What a caller must show, beside the fields of the request.
fn security(endpoint: &Endpoint<'_>) -> Value {
    match endpoint.auth {
        Auth::Bearer => {
            let scopes: Vec<&str> = endpoint.scope.iter().map(|scope| scope.id).collect();
            json!([{ "oauth2": scopes }, { "bearer": [] }])
        }
        Auth::Client => json!([{ "basic": [] }, {}]),
        _ => json!([{}]),
    }
}

/// The page of the web at an endpoint's address.
fn page(endpoint: &Endpoint<'_>) -> Value {
    let of_the_wallet = ["session_key", "authorized"];
    let asked = endpoint.request.iter().filter(|field| !of_the_wallet.contains(&field.name));
    let parameters = asked.map(|field| {
        let required = field.required && field.name != "state";
        json!({ "name": field.name, "in": "query", "required": required, "schema": schema(field) })
    });
    let html = json!({ "text/html": { "schema": { "type": "string" } } });
    json!({
        "operationId": format!("browse_{}", endpoint.id),
        "summary": endpoint.doc.en,
        "description": format!("{}\n\n{}", endpoint.browser.en, endpoint.browser.zh),
        "parameters": parameters.collect::<Vec<_>>(),
        "security": [{}],
        "responses": {
            "200": { "description": "the page that asks for consent", "content": html },
            "303": {
                "description": "to the sign-in page, or to redirect_uri with `error`",
                "headers": { "Location": { "schema": { "type": "string" } } },
            },
            "400": { "description": "a page: client_id or redirect_uri is missing, wrong or repeated", "content": html },
        },
    })
}

/// The ways to show who calls: an access token, by OAuth2 or by itself, and a client's credentials.
fn security_schemes(meta: &Spec<'_>) -> Value {
    let mut schemes = json!({});
    let has = |auth| meta.endpoints.iter().any(|endpoint| endpoint.auth == auth);
    if has(Auth::Bearer) {
        schemes["bearer"] = json!({ "type": "http", "scheme": "bearer" });
        let at = |wanted: &dyn Fn(&Endpoint<'_>) -> bool| {
            let found = meta.endpoints.iter().find(|endpoint| wanted(endpoint));
            found.map_or(String::new(), |found| {
                format!("{}{}", meta.base_path, found.path.trim_start_matches('/'))
            })
        };
        let scopes: Map<String, Value> =
            meta.scopes.iter().map(|scope| (scope.id.to_owned(), json!(scope.doc.en))).collect();
        let (authorize, token) = (at(&|one| !one.browser.en.is_empty()), at(&|one| one.auth == Auth::Client));
        schemes["oauth2"] = json!({ "type": "oauth2", "flows": { "authorizationCode": {
            "authorizationUrl": format!("http://127.0.0.1:7070{authorize}"),
            "tokenUrl": format!("http://127.0.0.1:7070{token}"),
            "refreshUrl": format!("http://127.0.0.1:7070{token}"),
            "scopes": scopes,
        }}});
    }
    if has(Auth::Client) {
        schemes["basic"] = json!({ "type": "http", "scheme": "basic" });
    }
    schemes
}

/// The endpoints and callbacks of a platform as OpenAPI 3.1.
pub fn openapi(meta: &Spec<'_>) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in meta.endpoints {
        let path =
            paths.entry(format!("/{}", endpoint.path.trim_start_matches('/'))).or_insert_with(|| json!({}));
        let is_here = |other: &&Endpoint<'_>| {
            other.id != endpoint.id && other.paths().any(|known| endpoint.paths().next() == Some(known))
        };
        let also: Vec<&Endpoint<'_>> = meta.endpoints.iter().copied().filter(is_here).collect();
        for method in endpoint.methods {
            path[method.word().to_lowercase()] = operation(meta, endpoint, &also, *method);
        }
        if !endpoint.browser.en.is_empty() {
            path["get"] = page(endpoint);
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
                "operationId": callback.id,
                "summary": callback.doc.en,
                "security": [{}],
                "responses": { status: { "description": format!("acknowledged by {by}; anything else is repeated") } },
            });
            if callback.method == Method::Get {
                let parameters = callback.fields.iter().map(|field| {
                    json!({ "name": field.name, "in": "query", "required": field.required, "schema": schema(field) })
                });
                request["parameters"] = parameters.collect();
            } else {
                request["requestBody"] = json!({ "content": {
                    "application/x-www-form-urlencoded": { "schema": object_schema(callback.fields) },
                }});
            }
            (callback.id.to_owned(), json!({ callback.method.word().to_lowercase(): request }))
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": meta.doc.en,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": format!("http://127.0.0.1:7070{}", meta.base_path.trim_end_matches('/')) }],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "securitySchemes": security_schemes(meta),
        },
    })
}

//! A collection for Postman (format 2.1), derived from a spec. Requests take their values from the collection's variables
//! and fill them from replies; a signature by hash is computed before each request.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wallet_core::spec::{
    Algorithm, Auth, Basis, Caller, Endpoint, Field, Kind, Method, Place, Signing, Spec,
};

/// The value that a request has for a field: the fixed one, the first of a choice, or a variable.
fn value(field: &Field<'_>) -> String {
    if let Some(fixed) = field.fixed {
        return fixed.to_owned();
    }
    match field.kind.on_the_wire() {
        Kind::Choice(choice) => choice.values.first().map_or(String::new(), |value| value.value.to_owned()),
        _ => format!("{{{{{}}}}}", field.name),
    }
}

/// The variable that a request's value is, if it is one.
fn variable<'f>(field: &Field<'f>) -> Option<&'f str> {
    value(field).starts_with("{{").then_some(field.name)
}

fn item(meta: &Spec<'_>, endpoint: &Endpoint<'_>) -> Value {
    let fields = endpoint.request.iter().map(|field| {
        json!({
            "key": field.name,
            "value": value(field),
            "description": field.doc.en,
            "disabled": !field.required,
        })
    });
    let fields: Vec<Value> = fields.collect();
    let method = endpoint.methods.first().map_or("POST", |method| method.word());
    let raw = format!("{{{{base}}}}{}{}", meta.base_path, endpoint.path);
    let path: Vec<&str> = raw.trim_start_matches("{{base}}/").split('/').collect();
    let mut url = json!({ "raw": raw, "host": ["{{base}}"], "path": path });
    let mut headers = vec![json!({ "key": "Accept-Language", "value": "en" })];
    if endpoint.auth == Auth::Bearer {
        headers.push(json!({ "key": "Authorization", "value": "Bearer {{access_token}}" }));
    }
    let mut request = json!({ "method": method, "description": endpoint.doc.en });
    if endpoint.origin.basis != Basis::Documented {
        request["description"] =
            json!(format!("{} Not in the platform's document: another server may lack it.", endpoint.doc.en));
    }
    if endpoint.parameters == Place::Query || method == Method::Get.word() {
        url["query"] = json!(fields);
    } else {
        request["body"] = json!({ "mode": "urlencoded", "urlencoded": fields });
    }
    request["header"] = json!(headers);
    request["url"] = url;
    json!({ "name": endpoint.id, "request": request })
}

/// The script that signs by hash: in Postman `crypto-js` is there.
fn signing_script(rule: &Signing<'_>) -> Vec<String> {
    let time = rule.window.map_or("timestamp", |window| window.field);
    let texts = rule.canonical.iter().map(|part| format!("pm.collectionVariables.get(\"{}\")", part.name));
    vec![
        format!("pm.collectionVariables.set(\"{time}\", Math.floor(Date.now() / 1000).toString());"),
        format!("const text = {};", texts.collect::<Vec<_>>().join(" + ")),
        format!(
            "pm.collectionVariables.set(\"{}\", require(\"crypto-js\").SHA1(text).toString());",
            rule.field
        ),
    ]
}

/// The script that keeps what a reply has for the next requests.
fn keeping_script(data: &str) -> Vec<String> {
    vec![
        "const reply = pm.response.json();".to_owned(),
        format!("for (const [name, value] of Object.entries(reply.{data} ?? {{}})) {{"),
        "  if (typeof value !== \"object\" && pm.collectionVariables.has(name)) {".to_owned(),
        "    pm.collectionVariables.set(name, String(value));".to_owned(),
        "  }".to_owned(),
        "}".to_owned(),
    ]
}

/// The endpoints of a platform as a collection.
pub fn postman(meta: &Spec<'_>) -> Value {
    let folder = |name: &str, callers: &[Caller]| {
        let of = meta.endpoints.iter().filter(|endpoint| callers.contains(&endpoint.caller));
        json!({ "name": name, "item": of.map(|endpoint| item(meta, endpoint)).collect::<Vec<_>>() })
    };
    let mut variables = BTreeMap::new();
    for endpoint in meta.endpoints {
        if endpoint.auth == Auth::Bearer {
            variables.insert("access_token", "");
        }
        variables.extend(endpoint.request.iter().filter_map(variable).map(|name| (name, "")));
        let covered = endpoint.signing.iter().flat_map(|rule| rule.canonical.iter());
        variables.extend(covered.map(|part| (part.name, "")));
    }
    let variables = [("base", "http://127.0.0.1:7070")].into_iter().chain(variables);
    let variables: Vec<Value> =
        variables.map(|(name, value)| json!({ "key": name, "value": value })).collect();
    let script = |listen: &str, lines: Vec<String>| json!({ "listen": listen, "script": { "type": "text/javascript", "exec": lines } });
    let by_hash = meta.endpoints.iter().filter_map(|endpoint| endpoint.signing);
    let by_hash = by_hash.into_iter().find(|rule| rule.algorithm == Algorithm::Sha1);
    let events: Vec<Value> = (by_hash.map(|rule| script("prerequest", signing_script(rule))).into_iter())
        .chain([script("test", keeping_script(meta.envelope.data))])
        .collect();
    json!({
        "info": {
            "name": meta.doc.en,
            "description": "Set `base` and your app's values in the variables of the collection. What a reply has is kept for the next request.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": [
            folder("The app's server", &[Caller::AppServer, Caller::AppClient, Caller::Anyone]),
            folder("The wallet", &[Caller::Wallet]),
        ],
        "variable": variables,
        "event": events,
    })
}

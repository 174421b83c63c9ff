//! The documents: a guide and the generated reference of each platform, a page for each status code, and the rules for
//! ambiguous places. No document needs a sign-in.

mod fill;
mod markdown;
mod search;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use wallet_core::{CodeMeta, EndpointMeta, Lang, PlatformMeta, RefusalMeta};

use super::{OrPage as _, Page, Params, View, page as render, problem};
use crate::context::{Documents, Server};
use crate::snippets::replaced;

use fill::{Choice, values_of};
pub(super) use markdown::inline;
use markdown::{Heading, rendered};
pub(crate) use search::routes as search_routes;

/// A protocol's documents and its spec metadata.
fn of(server: &Server, name: &str) -> Option<(&'static PlatformMeta, &'static Documents)> {
    let protocol = server.inner.protocol_named(name)?;
    Some((protocol.meta(), protocol.documents()?))
}

fn in_lang(texts: [&'static str; 2], lang: Lang) -> &'static str {
    let [zh, en] = texts;
    if lang == Lang::Zh { zh } else { en }
}

/// A document, in Chinese and in English.
struct Doc {
    href: String,
    texts: [&'static str; 2],
    /// Whether it is a guide; else it is a reference.
    guide: bool,
}

const CALLBACKS: [&str; 2] =
    [include_str!("../../../guides/callbacks.zh.md"), include_str!("../../../guides/callbacks.en.md")];
const GO_LIVE: [&str; 2] =
    [include_str!("../../../guides/go-live.zh.md"), include_str!("../../../guides/go-live.en.md")];
const TEST_VALUES: [&str; 2] =
    [include_str!("../../../guides/test-values.zh.md"), include_str!("../../../guides/test-values.en.md")];
const SANDBOX: [&str; 2] =
    [include_str!("../../../guides/sandbox.zh.md"), include_str!("../../../guides/sandbox.en.md")];
const EMBED: [&str; 2] =
    [include_str!("../../../guides/embed.zh.md"), include_str!("../../../guides/embed.en.md")];

/// The documents of a server, in the order of the navigation.
fn catalog(server: &Server) -> Vec<Doc> {
    let guide = |href: &str, texts| Doc { href: href.to_owned(), texts, guide: true };
    let documents = || {
        let protocols = server.inner.protocols.iter();
        protocols.filter_map(|protocol| Some((protocol.meta().id, protocol.documents()?)))
    };
    let mut docs: Vec<Doc> =
        documents().map(|(id, of)| guide(&format!("/docs/guides/{id}"), of.guide)).collect();
    docs.push(guide("/docs/callbacks", CALLBACKS));
    docs.push(guide("/docs/guides/go-live", GO_LIVE));
    if server.inner.pages.sandbox {
        docs.push(guide("/docs/guides/test-values", TEST_VALUES));
        docs.push(guide("/docs/guides/sandbox", SANDBOX));
    }
    docs.push(guide("/docs/guides/embed", EMBED));
    docs.extend(documents().map(|(id, of)| Doc {
        href: format!("/docs/{id}"),
        texts: of.reference,
        guide: false,
    }));
    docs
}

/// An entry of the documents' navigation.
struct Entry {
    href: String,
    title: &'static str,
    here: bool,
}

/// The navigation beside each document.
struct Nav {
    guides: Vec<Entry>,
    references: Vec<Entry>,
    /// The files for other programs: address, platform, format.
    files: Vec<(String, &'static str, &'static str)>,
    /// The text that was searched for.
    query: String,
}

impl Nav {
    fn of(server: &Server, view: &View) -> Self {
        let entry = |doc: Doc| Entry {
            here: view.is_exactly(&doc.href),
            title: title(in_lang(doc.texts, view.lang)),
            href: doc.href,
        };
        let (guides, references): (Vec<Doc>, Vec<Doc>) =
            catalog(server).into_iter().partition(|doc| doc.guide);
        let mut references: Vec<Entry> = references.into_iter().map(entry).collect();
        references.push(Entry {
            href: "/docs/rules".to_owned(),
            title: view.say("规则", "Rules"),
            here: view.is_exactly("/docs/rules"),
        });
        let protocols = server.inner.protocols.iter();
        let files = protocols.flat_map(|protocol| {
            let meta = protocol.meta();
            let files = protocol.documents().map_or(&[][..], |documents| documents.files);
            files.iter().map(move |(name, _)| {
                let format = if name.starts_with("openapi") { "OpenAPI" } else { "Postman" };
                (format!("/docs/{}/{name}", meta.id), meta.doc.in_lang(view.lang), format)
            })
        });
        Self {
            guides: guides.into_iter().map(entry).collect(),
            references,
            files: files.collect(),
            query: String::new(),
        }
    }
}

#[derive(Template)]
#[template(path = "document.html")]
struct DocumentPage<'a> {
    view: &'a View,
    nav: Nav,
    title: &'a str,
    body: String,
    /// The headings of the second and the third level.
    contents: Vec<Heading>,
    /// The apps whose values the commands may have.
    choice: Option<Choice>,
}

/// The title of a document: its first heading.
fn title(markdown: &str) -> &str {
    markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default()
}

fn unknown(view: &View) -> Response {
    problem(
        view,
        StatusCode::NOT_FOUND,
        view.say("没有这份文档", "There is no such document"),
        view.say("地址里的名称不存在。", "No document has the name in this address."),
        view.say("从 /docs 开始查找。", "Start at /docs."),
    )
}

/// The address of the sandbox in the guides.
const A_SANDBOX: &str = "http://127.0.0.1:7070";

fn document(
    server: &Server,
    view: &View,
    texts: [&'static str; 2],
    values: &[(String, String)],
    choice: Option<Choice>,
) -> Response {
    let text = in_lang(texts, view.lang);
    // The examples use this server's address instead of the sandbox's.
    let here = server.inner.public_url("");
    let values = values.iter().map(|(sample, own)| (&**sample, &**own));
    let filled = replaced(text, &[(A_SANDBOX, &*here)].into_iter().chain(values).collect::<Vec<_>>());
    let rendered = rendered(&filled);
    let contents = rendered.headings.into_iter().filter(|heading| (2..=3).contains(&heading.level));
    let (title, contents) = (title(text), contents.collect());
    render(&DocumentPage { view, nav: Nav::of(server, view), title, body: rendered.html, contents, choice })
}

fn found(server: &Server, href: &str) -> Option<Doc> {
    catalog(server).into_iter().find(|doc| doc.href == href)
}

pub(crate) async fn reference(
    State(server): State<Server>,
    view: View,
    Path(platform): Path<String>,
) -> Response {
    match found(&server, &format!("/docs/{platform}")).filter(|doc| !doc.guide) {
        Some(doc) => document(&server, &view, doc.texts, &[], None),
        None => unknown(&view),
    }
}

/// A file for other programs: the platform as OpenAPI, or as a Postman collection.
pub(crate) async fn file(
    State(server): State<Server>,
    view: View,
    Path((platform, name)): Path<(String, String)>,
) -> Response {
    let file = of(&server, &platform)
        .and_then(|(_, documents)| documents.files.iter().find(|(known, _)| *known == name));
    let Some((_, text)) = file else { return unknown(&view) };
    let mut response = Response::new(text.replace(A_SANDBOX, &server.inner.public_url("")).into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

pub(crate) async fn callbacks(State(server): State<Server>, view: View) -> Response {
    document(&server, &view, CALLBACKS, &[], None)
}

#[derive(Deserialize)]
pub(crate) struct Filled {
    /// The id of the app whose values the commands have; `demo` for the sandbox's.
    #[serde(default)]
    app: String,
}

pub(crate) async fn guide(
    State(server): State<Server>,
    view: View,
    Path(name): Path<String>,
    Params(asked): Params<Filled>,
) -> Page {
    let Some(doc) = found(&server, &format!("/docs/guides/{name}")) else { return Ok(unknown(&view)) };
    let (values, choice) = values_of(&server, &view, &name, &asked.app).await.or_page(&view)?;
    Ok(document(&server, &view, doc.texts, &values, choice))
}

/// The address of a code's page, by the code on the wire.
pub fn code_page(meta: &PlatformMeta, code: u32) -> String {
    format!("/docs/{}/codes/{}", meta.id, meta.envelope.code_text(code))
}

/// A code in a list.
struct Listed {
    href: String,
    code: String,
    text: &'static str,
    /// The endpoints that send this code, if another code has the same text.
    calls: Vec<&'static str>,
}

/// The endpoints that refuse with a code, if another code has the same text.
fn calls_that_tell(meta: &'static PlatformMeta, code: &CodeMeta) -> Vec<&'static str> {
    if meta.codes.iter().filter(|other| other.sent && other.text == code.text).count() < 2 {
        return Vec::new();
    }
    let sends = |endpoint: &&&EndpointMeta| endpoint.errors.iter().any(|no| no.code.id == code.id);
    meta.endpoints.iter().filter(sends).map(|endpoint| endpoint.id).collect()
}

struct Platform {
    id: &'static str,
    name: &'static str,
    codes: Vec<Listed>,
}

fn platforms(server: &Server, lang: Lang) -> Vec<Platform> {
    let codes = |meta: &'static PlatformMeta| {
        let sent = meta.codes.iter().filter(|code| code.sent);
        let listed = sent.map(|code| Listed {
            href: code_page(meta, code.code),
            code: meta.envelope.code_text(code.code),
            text: code.text.in_lang(lang),
            calls: calls_that_tell(meta, code),
        });
        listed.collect()
    };
    let platform = |meta: &'static PlatformMeta| Platform {
        id: meta.id,
        name: meta.doc.in_lang(lang),
        codes: codes(meta),
    };
    let documented = server.inner.protocols.iter().filter(|protocol| protocol.documents().is_some());
    documented.map(|protocol| platform(protocol.meta())).collect()
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    view: &'a View,
    nav: Nav,
    platforms: Vec<Platform>,
}

pub(crate) async fn index(State(server): State<Server>, view: View) -> Response {
    render(&DocsPage { nav: Nav::of(&server, &view), platforms: platforms(&server, view.lang), view: &view })
}

struct Rule {
    id: &'static str,
    what: String,
    text: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage<'a> {
    view: &'a View,
    nav: Nav,
    rules: Vec<Rule>,
}

/// The number of a rule's name.
fn number(rule: &Rule) -> u32 {
    rule.id.trim_start_matches('R').parse().unwrap_or_default()
}

pub(crate) async fn rules(State(server): State<Server>, view: View) -> Response {
    let all = server.inner.protocols.iter().flat_map(|protocol| protocol.meta().rules);
    let rules = all.map(|rule| Rule {
        id: rule.id,
        what: inline(rule.what.in_lang(view.lang)),
        text: inline(rule.text.in_lang(view.lang)),
    });
    let mut rules: Vec<Rule> = rules.collect();
    rules.sort_by_key(number);
    rules.dedup_by_key(|rule| rule.id);
    render(&RulesPage { nav: Nav::of(&server, &view), view: &view, rules })
}

struct Cause {
    when: &'static str,
    http: u16,
    oauth: Option<&'static str>,
    calls: Vec<(String, &'static str)>,
}

impl Cause {
    fn of(meta: &'static PlatformMeta, refusal: &'static RefusalMeta, lang: Lang) -> Self {
        let sends = |endpoint: &&&EndpointMeta| endpoint.errors.iter().any(|known| known.id == refusal.id);
        let call = |endpoint: &&EndpointMeta| (format!("/docs/{}#{}", meta.id, endpoint.id), endpoint.id);
        Self {
            when: refusal.doc.in_lang(lang),
            http: refusal.http,
            oauth: refusal.oauth,
            calls: meta.endpoints.iter().filter(sends).map(call).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage<'a> {
    view: &'a View,
    nav: Nav,
    platform: &'static str,
    code: String,
    meta: &'static CodeMeta,
    causes: Vec<Cause>,
    /// Whether the code reports a wrong signature.
    signature: bool,
}

impl CodePage<'_> {
    fn text(&self) -> &'static str {
        self.meta.text.in_lang(self.view.lang)
    }

    fn check(&self) -> &'static str {
        self.meta.check.in_lang(self.view.lang)
    }
}

pub(crate) async fn code(
    State(server): State<Server>,
    view: View,
    Path((platform, code)): Path<(String, String)>,
) -> Response {
    let found = of(&server, &platform).and_then(|(meta, _)| {
        let code =
            meta.codes.iter().find(|known| known.sent && meta.envelope.code_text(known.code) == code)?;
        Some((meta, *code))
    });
    let Some((meta, code)) = found else { return unknown(&view) };
    let refusals = meta.refusals.iter().filter(|refusal| refusal.code.id == code.id);
    render(&CodePage {
        nav: Nav::of(&server, &view),
        view: &view,
        platform: meta.id,
        code: meta.envelope.code_text(code.code),
        meta: code,
        causes: refusals.map(|refusal| Cause::of(meta, refusal, view.lang)).collect(),
        signature: meta.signings.iter().any(|rule| {
            [rule.invalid, rule.expired].into_iter().flatten().any(|refusal| refusal.code.id == code.id)
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::{PROTOCOLS, platforms};

    #[test]
    fn every_code_that_is_sent_says_what_to_check() {
        for meta in platforms() {
            for code in meta
                .codes
                .iter()
                .filter(|code| code.sent && meta.envelope.ok.is_none_or(|ok| ok.id != code.id))
            {
                for lang in [Lang::Zh, Lang::En] {
                    assert!(code.check.in_lang(lang).len() > 10, "{} {}", meta.id, code.id);
                }
            }
        }
    }

    /// The pages of the sandbox that documents link to.
    const OF_THE_SANDBOX: [&str; 12] = [
        "/",
        "/live",
        "/shop",
        "/wallet",
        "/wallet/receive",
        "/apps",
        "/inspect",
        "/link",
        "/sign",
        "/clock",
        "/chain",
        "/admin",
    ];

    #[test]
    fn every_link_within_the_documents_leads_somewhere() {
        for lang in [0, 1] {
            let all = || PROTOCOLS.iter().map(|protocol| (protocol.meta(), protocol.documents().unwrap()));
            let pages: Vec<(String, String)> = all()
                .map(|(meta, documents)| (format!("/docs/{}", meta.id), html_of(documents.reference[lang])))
                .collect();
            let guides = all().map(|(meta, documents)| {
                (format!("/docs/guides/{}", meta.id), html_of(documents.guide[lang]))
            });
            let more = [
                ("/docs/callbacks", CALLBACKS),
                ("/docs/guides/go-live", GO_LIVE),
                ("/docs/guides/test-values", TEST_VALUES),
                ("/docs/guides/sandbox", SANDBOX),
                ("/docs/guides/embed", EMBED),
            ];
            let more = more.map(|(href, texts)| (href.to_owned(), html_of(texts[lang])));
            let pages: Vec<_> = pages.into_iter().chain(more).chain(guides).collect();
            // A mark of emphasis that Markdown did not read is a letter beside it that it must not have.
            assert!(pages.iter().all(|(_, page)| !page.contains("**")));
            let mut links = 0;
            for (own, page) in &pages {
                for link in
                    page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default())
                {
                    if link.starts_with("https://") {
                        continue; // of another project
                    }
                    let (at, fragment) = link.split_once('#').unwrap_or((link, ""));
                    let at = if at.is_empty() { own } else { at };
                    if OF_THE_SANDBOX.contains(&at) {
                        continue;
                    }
                    let fragment = percent_decoded(fragment);
                    let there = pages.iter().any(|(href, page)| {
                        href == at && (fragment.is_empty() || page.contains(&format!("id=\"{fragment}\"")))
                    });
                    assert!(there, "{own}: {link}");
                    links += 1;
                }
            }
            assert!(links > 100, "{links}");
            // Other pages link to these ids in both languages.
            for id in ["signatures", "status-codes", "rules"] {
                let is_reference = |href: &str| all().any(|(meta, _)| href == format!("/docs/{}", meta.id));
                let mut references = pages.iter().filter(|(href, _)| is_reference(href));
                assert!(references.all(|(_, page)| page.contains(&format!("id=\"{id}\""))), "{id} {lang}");
            }
        }
    }

    fn html_of(markdown: &str) -> String {
        rendered(markdown).html
    }

    fn percent_decoded(text: &str) -> String {
        wallet_core::form::decode(text.replace('+', "%2B").as_bytes()).unwrap_or_default().into_owned()
    }
}

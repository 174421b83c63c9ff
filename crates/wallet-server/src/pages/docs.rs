//! The documents: a guide and the generated reference of each platform, a page for each status code, and the rules for
//! ambiguous places. No document needs a sign-in.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};
use wallet_core::{CodeMeta, EndpointMeta, Lang, PlatformMeta, RefusalMeta};

use super::{View, page as render, problem};
use crate::context::Documents;
use crate::context::Server;

/// A protocol's documents and its spec metadata.
fn of(server: &Server, name: &str) -> Option<(&'static PlatformMeta, &'static Documents)> {
    let protocol = server.inner.protocol_named(name)?;
    Some((protocol.meta(), protocol.documents()?))
}

fn in_lang(texts: [&'static str; 2], lang: Lang) -> &'static str {
    let [zh, en] = texts;
    if lang == Lang::Zh { zh } else { en }
}

/// The fragment of a heading.
fn slug(text: &str) -> String {
    text.to_lowercase().replace(' ', "-")
}

/// The page address for a link between the documents' files.
fn between_pages(link: &str) -> Option<String> {
    let (file, fragment) = link.split_once(".md")?;
    let (place, file) = file.rsplit_once('/').unwrap_or(("", file));
    let (name, _) = file.split_once('.')?;
    match (place, name) {
        ("../reference", platform) => Some(format!("/docs/{platform}{fragment}")),
        ("" | "../guides", "callbacks") => Some(format!("/docs/callbacks{fragment}")),
        ("" | "../guides", guide) => Some(format!("/docs/guides/{guide}{fragment}")),
        _ => None,
    }
}

/// The name of a program's language, by the word behind the fence; `None` for a block that is no program of a group.
fn language(word: &str) -> Option<&'static str> {
    Some(match word {
        "bash" => "curl + openssl",
        "php" => "PHP",
        "java" => "Java",
        "python" => "Python",
        "go" => "Go",
        "js" => "JavaScript",
        "rust" => "Rust",
        _ => return None,
    })
}

/// The same program in several languages, as one block with a choice.
fn choice(programs: &[(&'static str, String)]) -> String {
    let mut out = String::from("<div class=\"programs\">");
    for (at, (name, text)) in programs.iter().enumerate() {
        let open = if at == 0 { " open" } else { "" };
        out.push_str(&format!(
            "<details data-language=\"{name}\"{open}><summary><strong>{name}</strong></summary>"
        ));
        let text = escaped(text);
        out.push_str(&format!("<pre><code>{text}</code></pre></details>"));
    }
    out + "</div>"
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, [Event::Text(text.into())].into_iter());
    out
}

/// Replaces adjacent programs in different languages by one block with a choice.
fn grouped<'e>(events: Vec<Event<'e>>) -> Vec<Event<'e>> {
    let mut out: Vec<Event<'e>> = Vec::with_capacity(events.len());
    let mut programs: Vec<(&'static str, String)> = Vec::new();
    // The events of the only program so far: alone it stays as it is.
    let mut alone: Vec<Event<'e>> = Vec::new();
    let mut inside = false;
    for event in events {
        let begins = match &event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(word))) => language(word),
            _ => None,
        };
        if let Some(name) = begins {
            programs.push((name, String::new()));
            inside = true;
        }
        if !inside {
            flush(&mut out, &mut programs, &mut alone);
            out.push(event);
            continue;
        }
        match (&event, programs.last_mut()) {
            (Event::Text(text), Some((_, program))) => program.push_str(text),
            (Event::End(TagEnd::CodeBlock), _) => inside = false,
            _ => {}
        }
        if programs.len() == 1 {
            alone.push(event);
        }
    }
    flush(&mut out, &mut programs, &mut alone);
    out
}

fn flush<'e>(
    out: &mut Vec<Event<'e>>,
    programs: &mut Vec<(&'static str, String)>,
    alone: &mut Vec<Event<'e>>,
) {
    match programs.len() {
        0 => {}
        1 => out.append(alone),
        _ => out.push(Event::Html(choice(programs).into())),
    }
    programs.clear();
    alone.clear();
}

/// Markdown as HTML. Each heading gets an id, and links between files become links between pages.
fn html_of(markdown: &str) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let in_chinese = |event: Option<&Event<'_>>, last: bool| match event {
        Some(Event::Text(text)) => {
            let end = if last { text.chars().next_back() } else { text.chars().next() };
            end.is_some_and(|c| !c.is_ascii())
        }
        _ => false,
    };
    let mut slugs = BTreeMap::<String, u32>::new();
    for at in 0..events.len() {
        // Chinese text has no space at a line break.
        if events[at] == Event::SoftBreak
            && in_chinese(events.get(at.wrapping_sub(1)), true)
            && in_chinese(events.get(at + 1), false)
        {
            events[at] = Event::Text("".into());
        }
        let text = match events.get(at + 1) {
            Some(Event::Text(text) | Event::Code(text)) => slug(text),
            _ => String::new(),
        };
        match &mut events[at] {
            Event::Start(Tag::Heading { id, .. }) if !text.is_empty() => {
                // The second heading of a text is `text-1`, as on code hosts.
                let repeated = slugs.entry(text.clone()).and_modify(|count| *count += 1).or_default();
                *id = Some(if *repeated == 0 { text } else { format!("{text}-{repeated}") }.into());
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                if let Some(page) = between_pages(dest_url) {
                    *dest_url = CowStr::from(page);
                }
            }
            _ => {}
        }
    }
    // A wide table scrolls in its own box.
    let events = grouped(events).into_iter().flat_map(|event| match event {
        Event::Start(Tag::Table(_)) => {
            vec![Event::Html("<div class=\"scroll\">".into()), event]
        }
        Event::End(TagEnd::Table) => vec![event, Event::Html("</div>".into())],
        event => vec![event],
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// A line of text with its code spans, as HTML.
pub(super) fn inline(text: &str) -> String {
    let paragraph =
        |event: &Event<'_>| matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph));
    let mut out = String::new();
    html::push_html(&mut out, Parser::new(text).filter(|event| !paragraph(event)));
    out
}

#[derive(Template)]
#[template(path = "document.html")]
struct DocumentPage<'a> {
    view: &'a View,
    title: &'a str,
    body: String,
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

fn document(view: &View, texts: [&'static str; 2], server: &Server) -> Response {
    let text = in_lang(texts, view.lang);
    // The examples use this server's address instead of the sandbox's.
    let body = html_of(&text.replace(A_SANDBOX, &server.inner.public_url("")));
    render(&DocumentPage { view, title: title(text), body })
}

/// The address of the sandbox in the guides.
const A_SANDBOX: &str = "http://127.0.0.1:7070";

pub(crate) async fn reference(
    State(server): State<Server>,
    view: View,
    Path(platform): Path<String>,
) -> Response {
    match of(&server, &platform) {
        Some((_, documents)) => document(&view, documents.reference, &server),
        None => unknown(&view),
    }
}

/// The guide on using the crates without a server.
const EMBED: [&str; 2] = [include_str!("../../guides/embed.zh.md"), include_str!("../../guides/embed.en.md")];

/// The guide on the verification of callbacks.
const CALLBACKS: [&str; 2] =
    [include_str!("../../guides/callbacks.zh.md"), include_str!("../../guides/callbacks.en.md")];

pub(crate) async fn callbacks(State(server): State<Server>, view: View) -> Response {
    document(&view, CALLBACKS, &server)
}

pub(crate) async fn guide(State(server): State<Server>, view: View, Path(name): Path<String>) -> Response {
    match (of(&server, &name), &*name) {
        (Some((_, documents)), _) => document(&view, documents.guide, &server),
        (None, "embed") => document(&view, EMBED, &server),
        (None, _) => unknown(&view),
    }
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
    platforms: Vec<Platform>,
}

pub(crate) async fn index(State(server): State<Server>, view: View) -> Response {
    render(&DocsPage { view: &view, platforms: platforms(&server, view.lang) })
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
    render(&RulesPage { view: &view, rules })
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

    #[test]
    fn every_link_within_the_documents_leads_somewhere() {
        for lang in [0, 1] {
            let all = || PROTOCOLS.iter().map(|protocol| (protocol.meta(), protocol.documents().unwrap()));
            let pages: Vec<(String, String)> = all()
                .map(|(meta, documents)| (format!("/docs/{}", meta.id), html_of(documents.reference[lang])))
                .collect();
            let guides = all().map(|(_, documents)| (String::new(), html_of(documents.guide[lang])));
            let callbacks = ("/docs/callbacks".to_owned(), html_of(CALLBACKS[lang]));
            let pages: Vec<_> = pages.into_iter().chain([callbacks]).collect();
            let mut links = 0;
            for (own, page) in guides.chain(pages.clone()) {
                for link in
                    page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default())
                {
                    if link.starts_with("https://") {
                        continue; // of another project
                    }
                    let (at, fragment) = link.split_once('#').unwrap_or((link, ""));
                    let at = if at.is_empty() { &own } else { at };
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
                let mut references = pages.iter().filter(|(href, _)| href != "/docs/callbacks");
                assert!(references.all(|(_, page)| page.contains(&format!("id=\"{id}\""))), "{id} {lang}");
            }
        }
    }

    fn percent_decoded(text: &str) -> String {
        wallet_core::form::decode(text.replace('+', "%2B").as_bytes()).unwrap_or_default().into_owned()
    }
}

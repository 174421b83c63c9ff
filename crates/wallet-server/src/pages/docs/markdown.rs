//! Markdown as HTML and as plain text.

use std::collections::BTreeMap;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

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

/// A heading of a document.
pub(super) struct Heading {
    pub(super) level: u8,
    /// The fragment of its address.
    pub(super) id: String,
    pub(super) text: String,
}

/// A document for a page.
pub(super) struct Rendered {
    pub(super) html: String,
    pub(super) headings: Vec<Heading>,
}

/// Markdown as HTML. Each heading gets an id, and links between files become links between pages.
pub(super) fn rendered(markdown: &str) -> Rendered {
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let in_chinese = |event: Option<&Event<'_>>, last: bool| match event {
        Some(Event::Text(text)) => {
            let end = if last { text.chars().next_back() } else { text.chars().next() };
            end.is_some_and(|c| !c.is_ascii())
        }
        _ => false,
    };
    let mut slugs = BTreeMap::<String, u32>::new();
    let mut headings = Vec::new();
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
        let whole = match &events[at] {
            Event::Start(Tag::Heading { .. }) => heading_text(&events[at + 1..]),
            _ => String::new(),
        };
        match &mut events[at] {
            Event::Start(Tag::Heading { id, level, .. }) if !text.is_empty() => {
                // The second heading of a text is `text-1`, as on code hosts.
                let repeated = slugs.entry(text.clone()).and_modify(|count| *count += 1).or_default();
                let slug = if *repeated == 0 { text } else { format!("{text}-{repeated}") };
                *id = Some(slug.clone().into());
                headings.push(Heading { level: *level as u8, id: slug, text: whole });
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
    let mut html = String::new();
    html::push_html(&mut html, events);
    Rendered { html, headings }
}

fn heading_text(events: &[Event<'_>]) -> String {
    let until = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    until
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect()
}

/// A part of a document: a heading and the plain text below it.
pub(super) struct Section {
    /// The fragment of its address; empty before the first heading.
    pub(super) id: String,
    pub(super) heading: String,
    pub(super) text: String,
}

/// The parts of a document, for the search.
pub(super) fn sections(markdown: &str) -> Vec<Section> {
    let mut headings = rendered(markdown).headings.into_iter();
    let mut sections: Vec<Section> = Vec::new();
    let mut in_heading = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                in_heading = true;
                if let Some(Heading { id, text, .. }) = headings.next() {
                    sections.push(Section { id, heading: text, text: String::new() });
                }
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) | Event::Code(text) if !in_heading => {
                if let Some(section) = sections.last_mut() {
                    section.text.push_str(&text);
                }
            }
            // Words of different cells, lines and paragraphs are apart.
            Event::End(TagEnd::TableCell | TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock)
            | Event::SoftBreak => {
                if let Some(section) = sections.last_mut() {
                    section.text.push(' ');
                }
            }
            _ => {}
        }
    }
    sections
}

/// A line of text with its code spans, as HTML.
pub(in super::super) fn inline(text: &str) -> String {
    let paragraph =
        |event: &Event<'_>| matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph));
    let mut out = String::new();
    html::push_html(&mut out, Parser::new(text).filter(|event| !paragraph(event)));
    out
}

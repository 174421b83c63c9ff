//! The search in the documents: an index in memory, made of the documents of this server.

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use wallet_core::Lang;

use super::super::{Params, View, page as render};
use super::markdown::sections;
use super::{Nav, catalog, code_page, in_lang, title};
use crate::context::Server;

/// A part of a document.
struct Indexed {
    href: String,
    /// The title of its document.
    document: String,
    heading: String,
    text: String,
    /// All of it in lower case, for comparisons.
    lower: String,
    guide: bool,
}

/// The parts of all documents in one language.
struct Index(Vec<Indexed>);

/// The index in Chinese and in English, made at the first search.
type Indexes = [OnceLock<Index>; 2];

/// The route of the search.
pub(crate) fn routes() -> Router<Server> {
    let indexes: Arc<Indexes> = Arc::default();
    Router::new().route("/docs/search", get(page)).layer(Extension(indexes))
}

/// The most results, and the characters of a result's text.
const RESULTS: usize = 30;
const EXCERPT: usize = 160;
/// The most characters of a query.
const LONGEST: usize = 100;

impl Index {
    fn of(server: &Server, lang: Lang) -> Self {
        let mut all = Vec::new();
        let mut put = |href: String, document: &str, heading: &str, text: String, guide: bool| {
            let lower = format!("{document} {heading} {text}").to_lowercase();
            let (document, heading) = (document.to_owned(), heading.to_owned());
            all.push(Indexed { href, document, heading, text, lower, guide });
        };
        for doc in catalog(server) {
            let text = in_lang(doc.texts, lang);
            for part in sections(text) {
                let href = format!("{}#{}", doc.href, part.id);
                put(href, title(text), &part.heading, part.text, doc.guide);
            }
        }
        for protocol in server.inner.protocols.iter().filter(|protocol| protocol.documents().is_some()) {
            let meta = protocol.meta();
            for code in meta.codes.iter().filter(|code| code.sent) {
                let heading = format!("{} {}", meta.envelope.code_text(code.code), code.id);
                let text = format!("{} {}", code.text.in_lang(lang), code.check.in_lang(lang));
                put(code_page(meta, code.code), meta.doc.in_lang(lang), &heading, text, false);
            }
        }
        Self(all)
    }

    /// The parts that have every word of the query, the best first; without one, those that have any of the words.
    fn find(&self, query: &str) -> Vec<Hit<'_>> {
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return Vec::new();
        }
        let ranked = |fits: &dyn Fn(&Indexed) -> bool| -> Vec<(u64, &Indexed)> {
            self.0.iter().filter(|part| fits(part)).map(|part| (rank(part, &words), part)).collect()
        };
        let mut found = ranked(&|part| words.iter().all(|word| has(&part.lower, word)));
        if found.is_empty() {
            found = ranked(&|part| words.iter().any(|word| has(&part.lower, word)));
        }
        found.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank)); // stable: guides come first
        found.truncate(RESULTS);
        found.into_iter().map(|(_, part)| Hit { part, excerpt: excerpt(&part.text, &words) }).collect()
    }
}

/// Whether a text has a word. Chinese has no spaces: of a longer word of it, most pairs of neighbouring characters do.
fn has(text: &str, word: &str) -> bool {
    if text.contains(word) {
        return true;
    }
    let letters: Vec<char> = word.chars().collect();
    let chinese = letters.len() > 2 && letters.iter().all(|letter| !letter.is_ascii());
    let pairs = || letters.windows(2).map(|pair| pair.iter().collect::<String>());
    chinese && pairs().filter(|pair| text.contains(pair)).count() * 2 > pairs().count()
}

/// A heading weighs more than a text, and a guide more than the reference.
fn rank(part: &Indexed, words: &[String]) -> u64 {
    let heading = part.heading.to_lowercase();
    let each = words.iter().map(|word| {
        let exact = if heading.split(' ').any(|name| name == word) { 40 } else { 0 };
        let in_heading = if heading.contains(word) { 20 } else { 0 };
        exact + in_heading + part.lower.matches(word.as_str()).take(5).count() as u64
    });
    // A code's message is the beginning of its text.
    let message = if part.text.to_lowercase().starts_with(&words.join(" ")) { 40 } else { 0 };
    each.sum::<u64>() + message + if part.guide { 3 } else { 0 }
}

/// A piece of a text: whether it is one of the words, and the piece.
type Piece = (bool, String);

/// A result.
struct Hit<'a> {
    part: &'a Indexed,
    excerpt: Vec<Piece>,
}

/// The text around the first of the words, with all of them marked.
fn excerpt(text: &str, words: &[String]) -> Vec<Piece> {
    let letters: Vec<char> = text.chars().collect();
    // One character each, so that places are the same as in the text.
    let lower: Vec<char> = letters.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let words: Vec<Vec<char>> = words.iter().map(|word| word.chars().collect()).collect();
    let word_at = |at: usize| {
        let here = words.iter().filter(|word| !word.is_empty() && lower[at..].starts_with(word));
        here.map(Vec::len).max()
    };
    let first = (0..letters.len()).find(|at| word_at(*at).is_some()).unwrap_or(0);
    let before = first.saturating_sub(EXCERPT / 3);
    // Between two words, where there are spaces.
    let begin = match letters[before..first].iter().take(20).position(|letter| *letter == ' ') {
        Some(space) if before > 0 => before + space + 1,
        _ => before,
    };
    let end = (begin + EXCERPT).min(letters.len());
    let end = match letters[begin..end].iter().rev().take(20).position(|letter| *letter == ' ') {
        Some(cut) if end < letters.len() => end - cut,
        _ => end,
    };
    let mut pieces: Vec<Piece> = Vec::new();
    if begin > 0 {
        pieces.push((false, "… ".to_owned()));
    }
    let mut at = begin;
    while at < end {
        let (marked, length) = word_at(at).map_or((false, 1), |length| (true, length));
        let piece: String = letters[at..(at + length).min(letters.len())].iter().collect();
        match pieces.last_mut() {
            Some((false, before)) if !marked => before.push_str(&piece),
            _ => pieces.push((marked, piece)),
        }
        at += length;
    }
    if end < letters.len() {
        pieces.push((false, " …".to_owned()));
    }
    pieces
}

#[derive(Deserialize)]
struct SearchQuery {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "docs_search.html")]
struct SearchPage<'a> {
    view: &'a View,
    nav: Nav,
    hits: Vec<Hit<'a>>,
}

/// The results of a search.
async fn page(
    State(server): State<Server>,
    Extension(indexes): Extension<Arc<Indexes>>,
    view: View,
    Params(asked): Params<SearchQuery>,
) -> Response {
    let query: String = asked.q.trim().chars().take(LONGEST).collect();
    let [zh, en] = &*indexes;
    let kept = if view.is_zh() { zh } else { en };
    let index = kept.get_or_init(|| Index::of(&server, view.lang));
    let nav = Nav { query: query.clone(), ..Nav::of(&server, &view) };
    render(&SearchPage { view: &view, nav, hits: index.find(&query) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_marks_the_words_and_is_short() {
        let words = ["amount".to_owned()];
        let text = format!("{} The Amount, by value. {}", "x ".repeat(200), "y ".repeat(200));
        let pieces = excerpt(&text, &words);
        let marked: Vec<&str> =
            pieces.iter().filter(|(marked, _)| *marked).map(|(_, piece)| piece.as_str()).collect();
        assert_eq!(marked, ["Amount"]);
        assert!(pieces.iter().map(|(_, piece)| piece.chars().count()).sum::<usize>() < EXCERPT + 10);
        assert_eq!(excerpt("", &words), []);
        // A letter that is longer in lower case.
        assert_eq!(excerpt("İamount", &words), [(false, "İ".to_owned()), (true, "amount".to_owned())]);
    }

    #[test]
    fn chinese_is_found_without_spaces() {
        assert!(has("平台会验证回调的签名", "回调签名"));
        assert!(has("先验签，再解析", "验签"));
        assert!(!has("平台会验证回调", "签名") && !has("平台会验证回调", "回调签名"));
    }
}

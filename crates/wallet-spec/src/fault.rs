//! Faults of a spec, each with its place in the file.

use std::fmt;
use std::ops::Range;

/// A spec file: its name as diagnostics show it, and its text.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// A spec file called `name` (used in diagnostics only; nothing is opened).
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    fn place(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    pub(crate) fn fault(&self, span: Range<usize>, message: String, help: Option<String>) -> Diagnostic {
        let (line, column) = self.place(span.start);
        let source_line = self.text.lines().nth(line - 1).unwrap_or("").to_owned();
        let on_this_line = source_line.chars().count().saturating_sub(column - 1).max(1);
        let width = self.text.get(span).map_or(1, |text| text.chars().take_while(|c| *c != '\n').count());
        Diagnostic {
            file: self.name.clone(),
            line,
            column,
            width: width.clamp(1, on_this_line),
            source_line,
            message,
            help,
        }
    }
}

/// One fault of a spec. Its `Display` begins with `file:line:column: `, then the message, the source line with the
/// place marked, and a suggestion where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The file's name as it was given to [`Source::new`].
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The fault, in words.
    pub message: String,
    /// What to do, or the nearest valid name.
    pub help: Option<String>,
    source_line: String,
    width: usize,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A long field line would bury the message: show the part around the place.
        const SHOWN: usize = 100;
        let chars: Vec<char> = self.source_line.chars().collect();
        let from = if chars.len() <= SHOWN { 0 } else { (self.column - 1).saturating_sub(SHOWN / 2) };
        let until = chars.len().min(from + SHOWN);
        let shown: String = chars[from..until].iter().map(|c| if *c == '\t' { ' ' } else { *c }).collect();
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let lead = if from > 0 { "…" } else { "" };
        let tail = if until < chars.len() { "…" } else { "" };
        let indent = " ".repeat(self.column - 1 - from + lead.chars().count());
        let marks = "^".repeat(self.width.min(until.saturating_sub(self.column - 1).max(1)));
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        write!(f, "\n{margin} |\n{number} | {lead}{shown}{tail}\n{margin} | {indent}{marks}")?;
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// The candidate nearest to `name`, when one is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let limit = if length < 4 { 1 } else { (length / 3).max(2) };
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance by Levenshtein, over characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

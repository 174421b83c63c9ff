//! A spec file during reading: its texts and their positions, its faults, and the keys that were read.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::fault::{Diagnostic, Source, nearest};

/// Owns the texts and parts of the specs that are read into it.
#[derive(Default)]
pub struct Arena(bumpalo::Bump);

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arena")
    }
}

impl Arena {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn text(&self, text: &str) -> &str {
        self.0.alloc_str(text)
    }

    pub(crate) fn part<T>(&self, part: T) -> &T {
        self.0.alloc(part)
    }

    pub(crate) fn list<T>(&self, list: Vec<T>) -> &[T] {
        self.0.alloc_slice_fill_iter(list)
    }
}

/// The file.
pub(crate) struct File<'s> {
    pub(crate) arena: &'s Arena,
    source: &'s Source,
    faults: RefCell<Vec<Diagnostic>>,
    /// The positions of texts in the file, by their addresses: each text that is read is a copy of its own in the arena.
    places: RefCell<HashMap<*const u8, Range<usize>>>,
    /// The keys that were looked up, each after the kind of its table.
    keys: RefCell<BTreeSet<(&'static str, &'static str)>>,
}

/// The number of valid names that a fault lists.
const MANY: usize = 16;

impl<'s> File<'s> {
    pub(crate) fn new(arena: &'s Arena, source: &'s Source) -> Self {
        Self {
            arena,
            source,
            faults: RefCell::default(),
            places: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    /// Keeps the text at `span`.
    pub(crate) fn keep(&self, text: &str, span: Range<usize>) -> &'s str {
        let kept = self.arena.text(text);
        if !kept.is_empty() {
            self.places.borrow_mut().insert(kept.as_ptr(), span);
        }
        kept
    }

    /// The position of a text that [`File::keep`] has kept.
    pub(crate) fn place(&self, text: &str) -> Range<usize> {
        self.places.borrow().get(&text.as_ptr()).cloned().unwrap_or_default()
    }

    pub(crate) fn asked(&self, table: &'static str, key: &'static str) {
        self.keys.borrow_mut().insert((table, key));
    }

    pub(crate) fn report(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.faults.borrow_mut().push(self.source.fault(span, message.into(), help));
    }

    /// Reports a name that is not among `valid`, with the nearest one.
    pub(crate) fn unknown<'a>(
        &self,
        what: &str,
        name: &str,
        span: Range<usize>,
        valid: impl IntoIterator<Item = &'a str>,
    ) {
        let valid: Vec<&str> = valid.into_iter().collect();
        let help = match nearest(name, valid.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if valid.is_empty() => None,
            None if valid.len() <= MANY => Some(format!("valid: {}", valid.join(", "))),
            None => Some(format!("valid: {}, …", valid[..MANY].join(", "))),
        };
        self.report(span, format!("unknown {what} `{name}`"), help);
    }

    /// The faults, in the order of their places, and the keys.
    pub(crate) fn into_parts(self) -> (Vec<Diagnostic>, BTreeSet<(&'static str, &'static str)>) {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| (fault.line, fault.column));
        faults.dedup();
        (faults, self.keys.into_inner())
    }
}

//! A TOML table during reading: typed access that reports faults and, at the end, unknown keys.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::nearest;
use crate::file::File;
use crate::model::Text;

pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A table. It records each key that is looked up; [`Table::finish`] reports the others.
pub(crate) struct Table<'t, 's> {
    pub(crate) file: &'t File<'s>,
    pub(crate) span: Range<usize>,
    /// The kind of table, as named in the documentation of the format.
    kind: &'static str,
    /// Its name in messages.
    what: String,
    table: &'t DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
}

impl<'t, 's> Table<'t, 's> {
    pub(crate) fn new(
        file: &'t File<'s>,
        table: &'t DeTable<'t>,
        span: Range<usize>,
        kind: &'static str,
        what: impl Into<String>,
    ) -> Self {
        Self { file, span, kind, what: what.into(), table, known: RefCell::default() }
    }

    fn raw(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(key);
        self.file.asked(self.kind, key);
        self.table.get(key)
    }

    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.raw(key).is_some()
    }

    pub(crate) fn span_of(&self, key: &'static str) -> Range<usize> {
        self.table.get(key).map_or(self.span.clone(), Spanned::span)
    }

    /// Reports that `key` is missing.
    ///
    /// [`Table::finish`] reports a misspelt key, once.
    pub(crate) fn missing(&self, key: &str) {
        let known = self.known.borrow();
        let strangers = self.table.iter().map(|(name, _)| name.get_ref().as_ref());
        if nearest(key, strangers.filter(|name| !known.contains(name) && *name != key)).is_some() {
            return;
        }
        drop(known);
        self.file.report(self.span.clone(), format!("{} lacks `{key}`", self.what), None);
    }

    fn mismatch(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = type_name(value.get_ref());
        self.file.report(value.span(), format!("`{key}` must be {wanted}, found {found}"), None);
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<&'s str> {
        let value = self.raw(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.file.keep(text, value.span())),
            _ => {
                self.mismatch(key, value, "a string");
                None
            }
        }
    }

    pub(crate) fn required_text(&self, key: &'static str) -> Option<&'s str> {
        if !self.has(key) {
            self.missing(key);
        }
        self.text(key)
    }

    pub(crate) fn integer(&self, key: &'static str) -> Option<u64> {
        let value = self.raw(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => {
                self.mismatch(key, value, "an integer");
                return None;
            }
        };
        if number.is_none() {
            self.file.report(value.span(), format!("`{key}` must be a number that is not negative"), None);
        }
        number
    }

    pub(crate) fn small<T: TryFrom<u64>>(&self, key: &'static str) -> Option<T> {
        let number = self.integer(key)?;
        let small = T::try_from(number).ok();
        if small.is_none() {
            self.file.report(self.span_of(key), format!("`{key}` is too large"), None);
        }
        small
    }

    pub(crate) fn required<T: TryFrom<u64>>(&self, key: &'static str) -> Option<T> {
        if !self.has(key) {
            self.missing(key);
        }
        self.small(key)
    }

    pub(crate) fn boolean(&self, key: &'static str, default: bool) -> bool {
        match self.raw(key) {
            None => default,
            Some(value) => match value.get_ref() {
                DeValue::Boolean(value) => *value,
                _ => {
                    self.mismatch(key, value, "true or false");
                    default
                }
            },
        }
    }

    pub(crate) fn texts(&self, key: &'static str) -> Vec<&'s str> {
        let Some(value) = self.raw(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.mismatch(key, value, "an array of strings");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(self.file.keep(text, item.span())),
                _ => self.mismatch(key, item, "an array of strings"),
            }
        }
        texts
    }

    pub(crate) fn table(&self, key: &'static str, kind: &'static str) -> Option<Table<'t, 's>> {
        let value = self.raw(key)?;
        match value.get_ref() {
            DeValue::Table(table) => {
                Some(Table::new(self.file, table, value.span(), kind, format!("`{key}`")))
            }
            _ => {
                self.mismatch(key, value, "a table");
                None
            }
        }
    }

    /// Whether a key holds an array with anything in it.
    pub(crate) fn holds_any(&self, key: &'static str) -> bool {
        matches!(self.raw(key).map(Spanned::get_ref), Some(DeValue::Array(array)) if !array.is_empty())
    }

    /// The names and strings of a table whose names are free.
    pub(crate) fn pairs(&self, key: &'static str) -> Vec<(&'s str, &'s str)> {
        let Some(value) = self.raw(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.mismatch(key, value, "a table of strings");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table.iter() {
            match value.get_ref() {
                DeValue::String(text) => {
                    let name = self.file.keep(name.get_ref(), name.span());
                    pairs.push((name, self.file.keep(text, value.span())));
                }
                _ => self.mismatch(key, value, "a table of strings"),
            }
        }
        pairs
    }

    /// The tables of an array.
    pub(crate) fn tables(&self, key: &'static str, kind: &'static str) -> Vec<Table<'t, 's>> {
        let Some(value) = self.raw(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.mismatch(key, value, "an array of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let name = ["id", "name"].iter().find_map(|key| match table.get(*key)?.get_ref() {
                        DeValue::String(name) => Some(name.to_string()),
                        _ => None,
                    });
                    let what = name.map_or_else(|| format!("this {key}"), |name| format!("{key} `{name}`"));
                    tables.push(Table::new(self.file, table, item.span(), kind, what));
                }
                _ => self.mismatch(key, item, "an array of tables"),
            }
        }
        tables
    }

    /// One of a fixed set of words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let name = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == name).map(|(_, value)| *value);
        if found.is_none() {
            self.file.unknown(key, name, self.file.place(name), words.iter().map(|(word, _)| *word));
        }
        found
    }

    /// One of a fixed set of words that must be there.
    pub(crate) fn required_word<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        if !self.has(key) {
            self.missing(key);
        }
        self.word(key, words)
    }

    /// A text in both languages.
    pub(crate) fn both(&self, key: &'static str, required: bool) -> Text<'s> {
        if !self.has(key) {
            if required {
                self.missing(key);
            }
            return Text::default();
        }
        let Some(table) = self.table(key, "text") else { return Text::default() };
        let text = Text { zh: table.language("zh"), en: table.language("en") };
        table.finish();
        text
    }

    fn language(&self, language: &'static str) -> &'s str {
        let text = self.required_text(language);
        if text.is_some_and(|text| text.trim().is_empty()) {
            self.file.report(self.span_of(language), format!("`{language}` is empty"), None);
        }
        text.unwrap_or_default()
    }

    /// Reports unknown keys.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let what = format!("key in {}:", self.what);
                self.file.unknown(&what, name, key.span(), known.iter().copied());
            }
        }
    }
}

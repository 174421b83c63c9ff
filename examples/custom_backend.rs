//! Your own schema on your own database: a `BTreeMap`. The engine loads, decides, writes and commits; the
//! backend stores rows.

use std::collections::BTreeMap;
use wallet_core::UnixTime;
use wallet_engine::{
    Backend, Begun, Changes, Command, Context, Engine, HasTable, ListOf, Row, Rows, StopWith, StoreError,
    job, rows, schema,
};

rows! { in Library;
    book: Book {
        key { isbn: String, }
        copies: u32,
    }
}

schema! {
    /// A library with one table.
    pub struct Library;
    vault: ();
    stop: StopWith<&'static str>;
    book: Book,
}

/// Takes a copy from the shelf, or puts copies there.
struct Move(i32);

impl Command<Library> for Move {
    type Outcome = u32;
    fn apply(
        &self,
        rows: &Rows<Library>,
        _: &Context<'_, Library>,
        out: &mut Changes<Library>,
    ) -> Result<u32, StopWith<&'static str>> {
        let isbn = "978-1-59327-828-1".to_owned();
        let copies = rows.find::<Book>(&(isbn.clone(),))?.map_or(0, |book| book.copies);
        let copies = copies.checked_add_signed(self.0).ok_or(StopWith::Refused("no copy is on the shelf"))?;
        out.put(Book { isbn, copies });
        Ok(copies)
    }
}

/// Rows by their key's text. A batch is applied when it commits.
#[derive(Default)]
struct Map {
    rows: BTreeMap<String, AnyRow>,
    batch: Vec<(String, Option<AnyRow>)>,
}

impl Backend<Library> for Map {
    fn begin(&mut self, _: &[AnyKey]) -> Result<Begun<Library>, StoreError> {
        Ok(Begun::alone())
    }
    fn load(&mut self, keys: &[AnyKey]) -> Result<Vec<AnyRow>, StoreError> {
        Ok(keys.iter().filter_map(|key| self.rows.get(&format!("{key:?}")).cloned()).collect())
    }
    fn list(&mut self, _: &ListOf) -> Result<Vec<AnyRow>, StoreError> {
        Ok(self.rows.values().cloned().collect()) // no query here filters
    }
    fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        Library: HasTable<E>,
    {
        self.update(rows)
    }
    fn update<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        Library: HasTable<E>,
    {
        let changed = rows.iter().map(|row| {
            let key = Library::any_key(row.key());
            (format!("{key:?}"), Some(Library::any_row((*row).clone())))
        });
        self.batch.extend(changed);
        Ok(())
    }
    fn delete<E: Row>(&mut self, keys: &[&E::Key]) -> Result<(), StoreError>
    where
        Library: HasTable<E>,
    {
        self.batch.extend(keys.iter().map(|key| (format!("{:?}", Library::any_key((*key).clone())), None)));
        Ok(())
    }
    fn commit(&mut self, _: u64) -> Result<(), StoreError> {
        for (key, row) in self.batch.drain(..) {
            match row {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        Ok(())
    }
    fn rollback(&mut self) {
        self.batch.clear();
    }
}

pub fn main() {
    let mut engine = Engine::<Library, _>::new(Map::default(), (), 1);
    let moves = [2, -1, -1, -1].map(|copies| job::<Library, _>(Move(copies)));
    let (jobs, answers): (Vec<_>, Vec<_>) = moves.into_iter().unzip();
    // One batch, one commit, an answer each.
    engine.batch(&|| UnixTime::from_secs(0), jobs).expect("the map never fails");
    let answers = answers.into_iter().map(|mut answer| answer.take().expect("each command is answered"));
    let answers: Vec<_> = answers.map(|answer| answer.map_err(|failure| failure.to_string())).collect();
    println!("copies on the shelf: {answers:?}");
    assert_eq!(answers, [Ok(2), Ok(1), Ok(0), Err("refused: no copy is on the shelf".to_owned())]);
}
